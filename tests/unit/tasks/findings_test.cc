#include "tasks/findings.h"

#include <doctest/doctest.h>

#include "tests/unit/tasks/claimed_models.h"

using namespace pedigree;

namespace {

Claim licence(std::string key, std::string value, std::string file) {
  return {Claim::Kind::license, std::move(key), std::move(value), std::move(file), 2};
}

}  // namespace

TEST_CASE("findings carry the catalogue's rules and levels") {
  const ModelInfo model = model_with({base_claim("/data/base"), base_claim("child")});
  const std::vector<Declared> declared = {{"a:1 k", "x", "contradicted", "b"},
                                          {"a:2 k", "y", "unverified", "b"},
                                          {"weights", "z", "undeclared", "b"}};
  const auto findings =
      findings_of(model, declared, {make_problem("index-missing-shard", "f", "m")}, 1);
  CHECK(has_rule(findings, "lineage-declared-contradicted", Severity::error));
  CHECK(has_rule(findings, "lineage-declared-unverified", Severity::warning));
  CHECK(has_rule(findings, "lineage-undeclared-parent", Severity::warning));
  CHECK(has_rule(findings, "lineage-local-path-parent", Severity::note));
  CHECK(has_rule(findings, "lineage-self-parent", Severity::note));
  CHECK(has_rule(findings, "index-missing-shard", Severity::error));
}

TEST_CASE("a parent beside a confirmed one is only a note: it may be an ancestor") {
  const std::vector<Declared> declared = {{"a:1 k", "x", "confirmed", "b"},
                                          {"weights", "z", "undeclared", "b"}};
  CHECK(has_rule(findings_of(model_with({}), declared, {}, 1), "lineage-undeclared-parent",
                 Severity::note));
}

TEST_CASE("a finding about a file keeps the line") {
  Problem problem = make_problem("card-unparsed", "README.md", "m");
  problem.line = 7;
  CHECK(findings_of(model_with({}), {}, {problem}, 0).front().subject == "README.md:7");
}

TEST_CASE("a claim about what was done has a rule of its own") {
  std::vector<Declared> rows = {{"a:1 k", "quantized", "contradicted", "b", ClaimAbout::relation},
                                {"a:2 k", "finetune", "contradicted", "b", ClaimAbout::relation},
                                {"a:3 k", "slerp", "contradicted", "b", ClaimAbout::recipe}};
  const auto findings = findings_of(model_with({}), rows, {}, 1);
  CHECK(findings.size() == 3);
  CHECK(has_rule(findings, "lineage-quant-mismatch", Severity::error));
  CHECK(has_rule(findings, "card-relation-mismatch", Severity::warning));
  CHECK(has_rule(findings, "lineage-merge-recipe-mismatch", Severity::note));
}

TEST_CASE("an origin is unknown where nothing is declared and nothing was found") {
  CHECK(has_rule(findings_of(model_with({}), {}, {}, 2), "lineage-unknown-origin", Severity::note));
  CHECK(findings_of(model_with({}), {}, {}, 0).empty());
  const std::vector<Declared> found = {{"weights", "z", "undeclared", "b"}};
  CHECK_FALSE(has_rule(findings_of(model_with({}), found, {}, 2), "lineage-unknown-origin",
                       Severity::note));
  CHECK(findings_of(model_with({base_claim("org/base")}), {}, {}, 2).empty());
}

TEST_CASE("two files that give different licences are told, and one file's parts are not") {
  const auto told = [](std::vector<Claim> claims) {
    return has_rule(findings_of(model_with(std::move(claims)), {}, {}, 0), "card-license-mismatch",
                    Severity::warning);
  };
  CHECK(told({licence("license", "mit", "README.md"),
              licence("general.license", "apache-2.0", "model.gguf")}));
  CHECK_FALSE(told(
      {licence("license", "MIT", "README.md"), licence("general.license", "mit", "model.gguf")}));
  CHECK_FALSE(told({licence("license", "other", "README.md"),
                    licence("license_name", "llama3", "README.md"),
                    licence("license_link", "LICENSE", "README.md")}));
}
