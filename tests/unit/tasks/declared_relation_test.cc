#include "tasks/declared_relation.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace pedigree;

namespace {

Comparison comparison_of(std::vector<std::string> mechanisms, double norm_change, bool exact) {
  Comparison comparison;
  comparison.subject = "child";
  comparison.base = "base";
  comparison.verdict.derived = "yes";
  comparison.verdict.relation = mechanisms.front();
  comparison.verdict.mechanisms = std::move(mechanisms);
  comparison.change = {
      {.role = "attn.norm", .layer = 0, .relative_delta = norm_change, .exact = exact},
      {.role = "ffn.up", .layer = 0, .relative_delta = 0.1, .exact = exact}};
  return comparison;
}

// "" when no row was added.
std::string verdict_on(const std::string& relation, const Comparison& comparison,
                       const std::string& declared = "org/base") {
  ModelInfo model;
  model.name = "child";
  model.claims = {
      {Claim::Kind::base_model, "base_model", declared, "README.md", 2},
      {Claim::Kind::base_model_relation, "base_model_relation", relation, "README.md", 3}};
  std::vector<Declared> rows;
  hold_relations(model, {{"base", "models/base"}}, {comparison}, rows);
  return rows.empty() ? "" : rows.front().verdict;
}

}  // namespace

TEST_CASE("training that shows refutes a copy, and a copy refutes training") {
  const Comparison trained = comparison_of({"finetune"}, 0.006, false);
  const Comparison lora = comparison_of({"lora-merge"}, 0, false);
  const Comparison quantised = comparison_of({"quantized"}, 0, false);
  const Comparison same = comparison_of({"identical"}, 0, true);
  CHECK(verdict_on("finetune", trained) == "confirmed");
  CHECK(verdict_on("finetune", lora) == "confirmed");
  CHECK(verdict_on("finetune", quantised) == "contradicted");
  CHECK(verdict_on("finetune", same) == "contradicted");
  CHECK(verdict_on("quantized", quantised) == "confirmed");
  CHECK(verdict_on("quantized", trained) == "contradicted");
  CHECK(verdict_on("quantized", lora) == "contradicted");
  CHECK(verdict_on("quantized", same) == "contradicted");
  CHECK(verdict_on("merge", same) == "contradicted");
  CHECK(verdict_on("adapter", lora) == "confirmed");
}

TEST_CASE("what the weights leave open is not held against the card") {
  // A quantiser whose grid is lost looks like a small change, and leaves the norms alone.
  CHECK(verdict_on("quantized", comparison_of({"finetune"}, 0, false)).empty());
  CHECK(verdict_on("quantized", comparison_of({"finetune", "reparametrised"}, 0.2, false)).empty());
  CHECK(verdict_on("merge", comparison_of({"finetune"}, 0.006, false)).empty());
  CHECK(verdict_on("adapter", comparison_of({"finetune"}, 0.006, false)).empty());
  // Equal as far as a sample goes.
  CHECK(verdict_on("finetune", comparison_of({"identical"}, 0, false)).empty());
  CHECK(verdict_on("nonsense", comparison_of({"finetune"}, 0.006, false)).empty());
}

TEST_CASE("only a declared base whose weights were found says how the model was made") {
  CHECK(verdict_on("quantized", comparison_of({"finetune"}, 0.006, false), "org/other").empty());
  Comparison open = comparison_of({"finetune"}, 0.006, false);
  open.verdict.derived = "no";
  CHECK(verdict_on("quantized", open).empty());
}
