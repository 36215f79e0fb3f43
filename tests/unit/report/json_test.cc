#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/report.h"
#include "tests/support/schema_check.h"
#include "tests/unit/report/samples.h"

using namespace pedigree;
using namespace pedigree::test;

namespace {

std::string json_of(const Report& report, bool compact = false) {
  return find_reporter("json")->render(report, {.compact = compact});
}

bool is_printable_ascii_line(char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }

}  // namespace

TEST_CASE("every JSON report validates against the published schema") {
  CHECK(schema_complaints("report-1", json_of(full_report())) == "");
  CHECK(schema_complaints("report-1", json_of(inspect_report())) == "");
  CHECK(schema_complaints("report-1", json_of(independent_report())) == "");
  CHECK(schema_complaints("report-1", json_of(full_report(), true)) == "");
}

TEST_CASE("the JSON report has the contract's fields under the contract's names") {
  const auto json = nlohmann::json::parse(json_of(full_report()));
  CHECK(json["schema"] == "pedigree-report/1");
  CHECK(json["tool"]["name"] == "pedigree");
  CHECK(json["tool"]["scheme"] == "fp/1");
  CHECK(json["subject"]["digest"]["named"] == "named/1:sha256:01");
  const auto& comparison = json["comparisons"][0];
  CHECK(comparison["base"]["name"] == hostile);
  CHECK(comparison["verdict"]["relation"] == "lora-merge");
  CHECK(comparison["verdict"]["log10_p"] == -321.4);
  CHECK(comparison["layer_map"][2] == nlohmann::json::array({2, 1}));
  CHECK(comparison["lora"]["rank"] == 8);
  CHECK(comparison["kept"]["ffn"] == 0.6);
  CHECK(comparison["change"][0]["relative_delta"] == 0.0131235);
  CHECK(comparison["evidence"][0]["null"] == "exact");
  CHECK(comparison["evidence"][0]["value"] == 64);
  CHECK(json["joint"]["relation"] == "merge");
  CHECK(json["joint"]["parents"][0]["name"] == hostile);
  CHECK(json["joint"]["parents"][0]["weight"] == 0.618);
  CHECK(json["joint"]["parents"][1]["t"] == 0.4);
  CHECK(json["joint"]["residual"] == 0.0017);
  CHECK(json["joint"]["parts"][1]["from"] == 0);
  CHECK(json["joint"]["evidence"][0]["null"] == "assumed");
  CHECK(json["declared"][0]["verdict"] == "contradicted");
  CHECK(json["findings"][0]["rule"] == "lineage-declared-contradicted");
  CHECK(json["problems"][0]["offset"] == 4096);
}

TEST_CASE("what was not measured or says nothing is absent from JSON") {
  const auto json = nlohmann::json::parse(json_of(independent_report()));
  const auto& comparison = json["comparisons"][0];
  CHECK_FALSE(comparison.contains("lora"));
  CHECK_FALSE(comparison.contains("kept"));
  CHECK_FALSE(comparison.contains("layer_map"));
  CHECK_FALSE(comparison["verdict"].contains("log10_p"));
  CHECK_FALSE(json["subject"].contains("digest"));
  CHECK_FALSE(json.contains("generated"));
  CHECK_FALSE(json.contains("joint"));
  const auto full = nlohmann::json::parse(json_of(full_report()));
  const auto& insufficient = full["comparisons"][0]["evidence"][1];
  CHECK_FALSE(insufficient.contains("value"));
  CHECK_FALSE(insufficient.contains("log10_p"));
}

TEST_CASE("JSON text is printable ASCII, so that a name cannot drive a terminal") {
  const std::string text = json_of(full_report());
  CHECK(std::ranges::all_of(text, is_printable_ascii_line));
  CHECK(text.find("\\u202e") != std::string::npos);
}

TEST_CASE("compact JSON is one line") {
  const std::string text = json_of(full_report(), true);
  CHECK(std::ranges::count(text, '\n') == 1);
  CHECK(text.back() == '\n');
}

TEST_CASE("a setting that JSON cannot say is left out") {
  Report report = inspect_report();
  report.subject->info.architecture.rope_theta = INFINITY;
  const auto json = nlohmann::json::parse(json_of(report));
  CHECK_FALSE(json["subject"]["architecture"].contains("rope_theta"));
  CHECK(json["subject"]["architecture"]["norm_eps"] == 1e-5);
}

TEST_CASE("explanations validate against their schema") {
  const std::vector<Explanation> entries = {{"io-error", "problem", "error", "It failed.", "Try."},
                                            {"finetune", "relation", "", "Trained on.", ""}};
  const std::string text = find_reporter("json")->explain(entries, {});
  CHECK(schema_complaints("problems-1", text) == "");
  CHECK(nlohmann::json::parse(text)["entries"].size() == 2);
}
