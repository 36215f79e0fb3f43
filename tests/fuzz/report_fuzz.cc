// Whatever the names and numbers, every reporter writes what its medium can
// carry: JSON that parses and is printable ASCII, text without control
// characters, Markdown without HTML of the file's making.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/text.h"
#include "report/report.h"

namespace {

using namespace pedigree;

// Hands out pieces of the input; empty and zero when it is used up.
class Pieces {
 public:
  explicit Pieces(std::string_view bytes) : rest_(bytes) {}

  std::string text() {
    const std::size_t end = std::min(rest_.find('\xff'), rest_.size());
    std::string piece(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return piece;
  }
  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  double number() {
    const double mantissa = static_cast<double>(byte()) - 128;
    double scale = 1;
    for (unsigned i = byte() % 60; i > 0; --i) scale /= 10;
    return mantissa * scale;
  }

 private:
  std::string_view rest_;
};

Comparison comparison_from(Pieces& in) {
  Comparison comparison;
  comparison.subject = in.text();
  comparison.base = in.text();
  comparison.verdict.summary = in.text();
  comparison.verdict.derived = in.byte() % 2 == 0 ? "yes" : "no";
  comparison.verdict.log10_p = in.number();
  comparison.verdict.power_cosine = in.number();
  comparison.transforms = {in.text()};
  for (unsigned i = in.byte() % 8; i > 0; --i) {
    comparison.layer_map.emplace_back(static_cast<int>(in.byte()), static_cast<int>(in.byte()));
    comparison.change.push_back({in.text(), static_cast<int>(in.byte()) - 1, in.number(), false});
  }
  comparison.evidence = {{.statistic = in.text(),
                          .outcome = Evidence::Outcome::measured,
                          .value = in.number(),
                          .log10_p = in.number(),
                          .null = Evidence::Null::exact,
                          .samples = in.byte(),
                          .stage = in.text(),
                          .because = in.text()}};
  comparison.rows = {{in.text(), in.text(), 0, in.text(), "changed", in.number()}};
  comparison.config_differences = {{in.text(), in.text()}};
  return comparison;
}

Report report_from(Pieces& in) {
  Report report;
  report.command = "audit";
  report.tool_version = "0";
  report.subject.emplace();
  ModelInfo& info = report.subject->info;
  info.name = in.text();
  info.formats = {in.text()};
  info.files = {{in.text(), in.text(), in.byte(), in.text(), in.text()}};
  info.claims = {{Claim::Kind::base_model, in.text(), in.text(), in.text(), in.byte()}};
  info.tensors = {{TensorEntry{in.text(), &opaque_type(), in.text(), {in.byte()}, {}}, 0}};
  info.architecture.family_title = in.text();
  info.architecture.renames = {{in.text(), in.text()}};
  info.architecture.rope_theta = in.number();
  for (unsigned i = in.byte() % 3; i > 0; --i) report.comparisons.push_back(comparison_from(in));
  report.declared = {{in.text(), in.text(), "unverified", in.text()}};
  report.findings = {{in.text(), Severity::error, in.text(), in.text(), in.text()}};
  report.problems = {make_problem("io-error", in.text(), in.text(), in.byte())};
  report.show_tensors = true;
  report.rerun = in.text();
  return report;
}

void hold(const Report& report, bool compact, unsigned width) {
  const RenderOptions options{.colour = false, .width = width, .compact = compact};
  const std::string json = find_reporter("json")->render(report, options);
  check(nlohmann::json::accept(json), "JSON that does not parse");
  check(std::ranges::all_of(json, [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }),
        "JSON beyond printable ASCII");
  for (const std::string_view id : {"text", "markdown"}) {
    const std::string text = find_reporter(id)->render(report, options);
    check(is_valid_utf8(text), "text that is not UTF-8");
    std::string flat = text;
    std::ranges::replace(flat, '\n', ' ');
    check(shown(flat) == flat, "a control character in a report");
    check(id == "text" || text.find('<') == std::string::npos, "HTML in Markdown");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  Pieces in({static_cast<const char*>(static_cast<const void*>(data)), size});
  const unsigned width = 20 + in.byte();
  const bool compact = in.byte() % 2 == 1;
  const Report report = report_from(in);
  hold(report, compact, width);
  return 0;
}
