#include "tasks/declared.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tasks/findings.h"
#include "tests/unit/tasks/claimed_models.h"

using namespace pedigree;

namespace {

Comparison comparison_with(std::string base, std::string derived,
                           std::string direction = "undetermined") {
  Comparison comparison;
  comparison.subject = "child";
  comparison.base = std::move(base);
  comparison.verdict.derived = std::move(derived);
  comparison.verdict.direction = std::move(direction);
  comparison.verdict.relation = comparison.verdict.derived == "yes"  ? "finetune"
                                : comparison.verdict.derived == "no" ? "independent"
                                                                     : "inconclusive";
  return comparison;
}

std::vector<Declared> held(std::vector<Claim> claims, const std::vector<Comparison>& comparisons) {
  std::vector<Candidate> candidates;
  for (const Comparison& each : comparisons)
    candidates.push_back({each.base, "models/" + each.base});
  return hold_claims(model_with(std::move(claims)), candidates, comparisons);
}

std::string verdict_of(const Comparison& comparison) {
  return held({base_claim("org/base")}, {comparison}).front().verdict;
}

}  // namespace

TEST_CASE("a declared parent is held against the verdict on it") {
  CHECK(verdict_of(comparison_with("base", "yes")) == "confirmed");
  CHECK(verdict_of(comparison_with("base", "yes", "base-is-parent")) == "confirmed");
  CHECK(verdict_of(comparison_with("base", "yes", "subject-is-parent")) == "contradicted");
  CHECK(verdict_of(comparison_with("base", "no")) == "contradicted");
  CHECK(verdict_of(comparison_with("base", "inconclusive")) == "unverified");
  CHECK(verdict_of(comparison_with("another", "no")) == "unverified");
}

TEST_CASE("a row says where the claim stands") {
  const auto rows = held({base_claim("org/base")}, {});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].source == "README.md:4 base_model");
  CHECK(rows[0].value == "org/base");
  CHECK(rows[0].verdict == "unverified");
}

TEST_CASE("a parent that the weights show and no file names is undeclared") {
  const auto rows = held({base_claim("org/base")},
                         {comparison_with("base", "no"), comparison_with("other", "yes")});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].verdict == "contradicted");
  CHECK(rows[1].verdict == "undeclared");
  CHECK(rows[1].value == "other");
  CHECK(held({}, {comparison_with("other", "yes", "subject-is-parent")}).empty());
  CHECK(held({}, {comparison_with("other", "yes", "siblings")}).empty());
  CHECK(held({}, {comparison_with("other", "inconclusive")}).empty());
}

TEST_CASE("an architecture claim never becomes a parent claim") {
  const Claim type{Claim::Kind::architecture, "model_type", "llama", "config.json", 3};
  const Claim name{Claim::Kind::architecture, "architectures[0]", "LlamaForCausalLM", "config.json",
                   2};
  CHECK(held({type, name}, {comparison_with("llama", "no")}).empty());
}

TEST_CASE("_name_or_path that names the model itself is no parent claim") {
  const Claim own{Claim::Kind::base_model, "_name_or_path", "org/Child", "config.json", 2};
  const Claim other{Claim::Kind::base_model, "_name_or_path", "org/base", "config.json", 2};
  CHECK(held({own}, {}).empty());
  CHECK(held({other}, {}).size() == 1);
}

TEST_CASE("names match by their last part and by organisation where both give one") {
  CHECK(names_same_model("meta-llama/Llama-2-7b-hf", "llama-2-7b-hf"));
  CHECK(names_same_model("meta-llama/Llama-2-7b-hf", "meta-llama/llama-2-7b-HF"));
  CHECK_FALSE(names_same_model("meta-llama/Llama-2-7b-hf", "someone/llama-2-7b-hf"));
  CHECK_FALSE(names_same_model("meta-llama/Llama-2-7b-hf", "Llama-2-13b-hf"));
  CHECK(names_same_model("https://huggingface.co/meta-llama/Llama-2-7b-hf",
                         "meta-llama/Llama-2-7b-hf"));
  CHECK(names_same_model("org/name@main", "org/name"));
  CHECK(names_same_model("./models/Base/", "base"));
  CHECK(names_same_model("org/name", "/cache/models--org--name/snapshots/abc"));
  CHECK_FALSE(names_same_model("", ""));
  CHECK_FALSE(names_same_model("org/", "x"));
}

TEST_CASE("paths of somebody's machine are recognised") {
  for (const char* path :
       {"/data/base", "./base", "../base", "~/base", "C:\\base", "D:/base", "file:///x"}) {
    CHECK_MESSAGE(is_local_path(path), path);
  }
  for (const char* name : {"org/base", "base", "", "a:"})
    CHECK_FALSE_MESSAGE(is_local_path(name), name);
}

TEST_CASE("a base in a folder of another name may be the declared one, and is told so") {
  const auto rows = held({base_claim("org/base")}, {comparison_with("copy", "yes")});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].because == "no model of that name was compared");
  CHECK(rows[1].because ==
        "the weights show it (finetune), no file names it; it may be org/base in a folder of "
        "another name");
  const auto findings = findings_of(model_with({base_claim("org/base")}), rows, {}, 1);
  CHECK(has_rule(findings, "lineage-declared-unverified", Severity::warning));
  CHECK(has_rule(findings, "lineage-undeclared-parent", Severity::note));
  // With two names that nothing went by, nobody can say which it is.
  const auto two =
      held({base_claim("org/base"), base_claim("org/other")}, {comparison_with("copy", "yes")});
  CHECK(two.back().remedy.empty());
}

TEST_CASE("the remedy for a base that was compared and not decided is another than to give it") {
  ModelInfo adapter = model_with({base_claim("org/base")});
  adapter.is_adapter = true;
  const auto rows =
      hold_claims(adapter, {{"base", "models/base"}}, {comparison_with("base", "inconclusive")});
  const auto findings = findings_of(adapter, rows, {}, 1);
  REQUIRE_FALSE(findings.empty());
  CHECK(findings[0].remedy == "Merge the adapter into its base, and audit the result.");
}
