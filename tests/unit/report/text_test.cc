#include "base/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <ranges>
#include <sstream>

#include "report/numbers.h"
#include "report/report.h"
#include "report/text_layout.h"
#include "report/wording.h"
#include "report/wording_joint.h"
#include "tests/unit/report/samples.h"

using namespace pedigree;
using namespace pedigree::test;

namespace {

std::string text_of(const Report& report, const RenderOptions& options = {}) {
  return find_reporter("text")->render(report, options);
}

std::string markdown_of(const Report& report) {
  return find_reporter("markdown")->render(report, {});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string without_forbidden(const std::string& text) {
  std::string found;
  for (const std::string_view word : {"stolen", "plagiari", "safe ", "safe."}) {
    if (has(text, word)) found += word;
  }
  return found;
}

}  // namespace

TEST_CASE("the text report opens with the five lines") {
  const auto lines = lines_of(text_of(inspect_report()));
  const auto starts = [&](std::string_view label) {
    return std::ranges::find_if(lines, [&](auto& line) { return line.starts_with(label); }) -
           lines.begin();
  };
  CHECK(lines[0] == "pedigree inspect · 模型");
  CHECK(starts("Model ") == 2);
  CHECK(starts("Declares ") < starts("Weights "));
  CHECK(starts("Weights ") < starts("Findings "));
  CHECK(starts("Findings ") < starts("Certainty "));
  CHECK(starts("Certainty ") < starts("Architecture"));
}

TEST_CASE("no control character or override of a name reaches the terminal") {
  const std::string text = text_of(full_report());
  CHECK(std::ranges::none_of(
      text, [](char c) { return c == '\x1b' || (c < 0x20 && c > 0 && c != '\n'); }));
  CHECK_FALSE(has(text, "\u202E"));
  CHECK(has(text, "\\x1b"));
  CHECK(has(text, "\\u{202e}"));
}

TEST_CASE("text wraps to the width asked for, by what a terminal shows") {
  for (const unsigned width : {60U, 80U, 120U}) {
    for (const std::string& line : lines_of(text_of(inspect_report(), {.width = width}))) {
      CHECK_MESSAGE(display_width(line) <= width, line);
    }
  }
  CHECK(wrapped("模型 模型 ab", 5) == std::vector<std::string>{"模型", "模型", "ab"});
  CHECK(wrapped("abcdefgh ij", 3) == std::vector<std::string>{"abc", "def", "gh", "ij"});
  CHECK(wrapped("model/layers.0.mlp", 10) ==
        std::vector<std::string>{"model/", "layers.0.", "mlp"});
  CHECK(wrapped(std::string(1'000'000, 'x'), 80).size() == 12'500);  // linear, or this takes hours
  CHECK(wrapped("", 10) == std::vector<std::string>{""});
}

TEST_CASE("colour appears only when asked for") {
  CHECK_FALSE(has(text_of(independent_report()), "\x1b["));
  CHECK(has(text_of(independent_report(), {.colour = true}), "\x1b[1m"));
}

TEST_CASE("tables align by display width") {
  TextPage page(60, false);
  page.table({{.title = "name"}, {.title = "n", .right_aligned = true}},
             {{.cells = {"模型", "7"}}, {.cells = {"abc", "10"}}});
  CHECK(page.take() == "  name   n\n  模型   7\n  abc   10\n");
}

TEST_CASE("a clean bill is worded with what would have been seen") {
  const std::string text = text_of(independent_report(), {.width = 400});
  CHECK(has(text,
            "no evidence of shared weights with one; a mean cosine of 0.05 or more would have "
            "been seen"));
}

TEST_CASE("without a known direction the report says shares weights with") {
  Verdict verdict;
  verdict.derived = "yes";
  verdict.relation = "finetune";
  CHECK(verdict_phrase(verdict, "A") == "shares weights with A (finetune)");
  verdict.direction = "base-is-parent";
  CHECK(verdict_phrase(verdict, "A") == "derives from A (finetune)");
  verdict.direction = "siblings";
  CHECK(verdict_phrase(verdict, "A") == "shares a trained ancestor with A");
  verdict = {};
  CHECK(verdict_phrase(verdict, "A") == "not decided against A");
}

TEST_CASE("reports never judge intent or promise safety") {
  for (const Report& report : {full_report(), inspect_report(), independent_report()}) {
    CHECK(without_forbidden(text_of(report)) == "");
    CHECK(without_forbidden(markdown_of(report)) == "");
  }
}

TEST_CASE("every finding, problem, claim verdict and statistic stands in text and markdown") {
  const Report report = full_report();
  for (const std::string& out : {text_of(report), markdown_of(report)}) {
    for (const std::string_view part :
         {"lineage-declared-contradicted", "safetensors-offsets", "contradicted", "unverified",
          "ffn-pairing/1", "ffn-responses/1", "-89.1", "exact", "mismatch", "not met",
          "merge-fit/1", "slerp", "0.618", "root"}) {
      CHECK_MESSAGE(has(out, part), part);
    }
  }
}

TEST_CASE("copied layers are told as runs, and weights by layer where they differ") {
  Joint joint{.method = "passthrough"};
  joint.parents = {{.name = "P", .weight = 0.6}, {.name = "Q", .weight = 0.4}};
  for (int layer = 0; layer < 5; ++layer) {
    const bool first = layer < 3;
    for (const char* role : {"attn.q", "ffn.up"}) {
      joint.parts.push_back({.layer = layer,
                             .role = role,
                             .weights = {first ? 1.0 : 0.0, first ? 0.0 : 1.0},
                             .from = first ? layer : layer - 2});
    }
  }
  const auto line = [](const Joint& of) {
    for (const LabelledLine& each : joint_lines(of)) {
      if (each.label == "layers") return each.text;
    }
    return std::string("none");
  };
  CHECK(line(joint) == "0–2 ← P 0–2, 3–4 ← Q 1–2");
  for (JointPart& part : joint.parts) part.from.reset();
  CHECK(line(joint) == "weight of P by layer: 1.00, 1.00, 1.00, 0.00, 0.00");
  for (JointPart& part : joint.parts) part.weights = {0.6, 0.4};
  CHECK(line(joint) == "none");
}

TEST_CASE("markdown escapes everything that comes from a file") {
  const std::string out = markdown_of(full_report());
  CHECK_FALSE(has(out, "<script>"));
  CHECK_FALSE(has(out, "](http"));
  CHECK_FALSE(has(out, "\x1b"));
  CHECK_FALSE(has(out, "\u202E"));
  CHECK_FALSE(has(out, "http://"));
  CHECK(has(out, "&lt;script&gt;"));
  CHECK(has(out, "\\|\\`x\\`\\[a\\]\\("));
  for (const std::string& line : lines_of(out)) {  // a name must not add cells to a row
    if (!line.starts_with("| lineage")) continue;
    std::size_t bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i) bars += line[i] == '|' && line[i - 1] != '\\';
    CHECK(bars == 6);
  }
}

TEST_CASE("layer maps are told in runs") {
  CHECK(layer_map_in_words({}) == "");
  CHECK(layer_map_in_words({{0, 0}, {1, 1}, {2, 2}}) == "3 layers, one to one");
  CHECK(layer_map_in_words({{0, 0}, {1, 1}, {2, 1}, {3, 2}}) ==
        "0–1 ← 0–1, 2–3 ← 1–2 (subject ← base)");
  CHECK(layer_map_in_words({{0, 3}}) == "0 ← 3 (subject ← base)");
}

TEST_CASE("change is told per role with its range and what is equal") {
  const auto roles = change_by_role(
      {{"b", 0, 0.2, false}, {"a", 0, 0, true}, {"b", 1, 0.1, false}, {"a", 1, 0, true}});
  REQUIRE(roles.size() == 2);
  CHECK(roles[0].role == "a");
  CHECK(roles[0].exact == 2);
  CHECK(roles[1].smallest == doctest::Approx(0.1));
  CHECK(roles[1].largest == doctest::Approx(0.2));
}

TEST_CASE("numbers stand on the grid") {
  CHECK(on_grid(0.0131234567) == 0.0131235);
  CHECK(on_grid(-0.0) == 0);
  CHECK(log10_on_grid(-89.1049) == -89.1);
  CHECK(log10_text(-0.04) == "0.0");
  CHECK(percent_text(0.98) == "98 %");
  CHECK(percent_text(0.9996) == "99.9 %");
  CHECK(percent_text(1) == "100 %");
  CHECK(percent_text(0.004) == "0.4 %");
  CHECK(count_text(312) == "312");
  CHECK(count_text(6'061'035'520) == "6.06 billion");
  CHECK(count_text(999'999'999) == "1.00 billion");
}

TEST_CASE("formats of later versions are known and not writable yet") {
  for (const Reporter* reporter : reporters()) {
    const bool now = reporter->id == "text" || reporter->id == "json" ||
                     reporter->id == "markdown" || reporter->id == "dot";
    CHECK((reporter->render != nullptr) == now);
  }
  CHECK(find_reporter("html") != nullptr);
  CHECK(find_reporter("yaml") == nullptr);
}

TEST_CASE("two columns of names share the width that is there") {
  TextPage page(60, false);
  page.table({{.title = "a", .flexible = true}, {.title = "b", .flexible = true}, {.title = "c"}},
             {{.cells = {std::string(40, 'x'), std::string(40, 'y'), "changed"}}});
  const auto lines = lines_of(page.take());
  REQUIRE(lines.size() == 3);  // titles, and each name on two lines
  CHECK(lines[1] == "  " + std::string(23, 'x') + "  " + std::string(24, 'y') + "  changed");
}

TEST_CASE("a table of evidence fits sixty columns") {
  const std::string text = text_of(full_report(), {.width = 60});
  const std::size_t begin = text.find("\nEvidence\n");
  REQUIRE(begin != text.npos);
  for (const std::string& line : lines_of(text.substr(begin, text.find("\n\n", begin) - begin))) {
    CHECK_MESSAGE(display_width(line) <= 60, line);
  }
}

TEST_CASE("a command is broken so that a shell takes it") {
  using Lines = std::vector<std::string>;
  CHECK(wrapped_command("pedigree inspect model", 80) == Lines{"pedigree inspect model"});
  CHECK(wrapped_command("pedigree compare first second", 20) ==
        Lines{"pedigree compare \\", "  first second"});
  CHECK(wrapped_command("a 'b c d e f' g", 8) == Lines{"a \\", "  'b c d e f' \\", "  g"});
  CHECK(wrapped_command(R"(a 'it'\''s b' c)", 80) == Lines{R"(a 'it'\''s b' c)"});
  const std::string path(50, 'p');
  CHECK(wrapped_command("a " + path, 20) == Lines{"a \\", "  " + path});
}

TEST_CASE("a statistic that was asked twice is told with its stage") {
  const std::vector<Evidence> twice = {{.statistic = "unit-signs/1", .stage = "aligned"},
                                       {.statistic = "unit-signs/1", .stage = "layer-map"},
                                       {.statistic = "ffn-pairing/1", .stage = "aligned"}};
  CHECK(statistic_in_words(twice[1], twice) == "unit-signs/1 (layer-map)");
  CHECK(statistic_in_words(twice[2], twice) == "ffn-pairing/1");
}

TEST_CASE("files beyond the first dozen are counted, and listed when asked for") {
  Report report = inspect_report();
  report.subject->info.files.clear();
  for (int i = 0; i < 20; ++i) {
    report.subject->info.files.push_back({.path = "part-" + std::to_string(i), .format = "other"});
  }
  CHECK(has(text_of(report), "and 8 more; --formats lists them"));
  CHECK_FALSE(has(text_of(report), "part-19"));
  report.show_files = true;
  CHECK(has(text_of(report), "part-19"));
}
