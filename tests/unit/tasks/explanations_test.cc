#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tasks/tasks.h"
#include "tests/support/schema_check.h"

using namespace pedigree;

namespace {

bool is_explained(std::string_view code) {
  const auto all = explanations();
  return std::ranges::find(all, code, &Explanation::code) != all.end();
}

}  // namespace

TEST_CASE("every code is explained once and with a meaning") {
  std::set<std::string> seen;
  for (const Explanation& each : explanations()) {
    CHECK_MESSAGE(seen.insert(each.code).second, each.code);
    CHECK_FALSE_MESSAGE(each.meaning.empty(), each.code);
    if (each.kind == "problem") CHECK_FALSE_MESSAGE(each.remedy.empty(), each.code);
  }
  for (const ProblemKind& kind : problem_kinds()) CHECK_MESSAGE(is_explained(kind.code), kind.code);
}

TEST_CASE("every relation a verdict can name is explained") {
  for (const char* relation :
       {"identical", "quantized", "finetune", "partial-finetune", "continued-pretraining",
        "lora-merge", "merge", "pruned", "depth-upscaled", "vocab-extended", "moe-upcycled",
        "reparametrised", "partial-reuse", "common-origin", "independent", "inconclusive"}) {
    CHECK_MESSAGE(is_explained(relation), relation);
  }
}

TEST_CASE("every transform a report can name is explained") {
  for (const char* transform : {"rename",
                                "cast",
                                "neuron-permute",
                                "head-permute",
                                "rotate",
                                "residual-sign",
                                "up-down-scale",
                                "gain-fold",
                                "value-mix",
                                "query-key-scale",
                                "layers-reordered",
                                "noise",
                                "vocabulary-replaced",
                                "vocabulary-trimmed",
                                "neurons-added",
                                "expert-copy",
                                "expert-split",
                                "expert-average",
                                "expert-drop",
                                "expert-repeat",
                                "expert-permute"}) {
    CHECK_MESSAGE(is_explained(transform), transform);
  }
}

TEST_CASE("the list of codes validates against its schema") {
  const std::string json = find_reporter("json")->explain(explanations(), {});
  CHECK(test::schema_complaints("problems-1", json) == "");
}

TEST_CASE("the schemas are in the binary") {
  std::set<std::string_view> names;
  for (const NamedSchema& each : schemas()) {
    names.insert(each.name);
    CHECK(each.text.starts_with("{"));
  }
  CHECK(names.contains("report-1"));
  CHECK(names.contains("problems-1"));
}
