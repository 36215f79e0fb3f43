#include "model/merge_recipe.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pedigree {
namespace {

std::vector<std::string> parents(const RecipeReading& reading) {
  std::vector<std::string> found;
  for (const Claim& claim : reading.claims) {
    if (claim.kind == Claim::Kind::merge_recipe) {
      found.push_back(claim.key + "=" + claim.value + ":" + std::to_string(claim.line));
    }
  }
  return found;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("slices name a parent for every source, with the path to it") {
  const RecipeReading reading = read_merge_recipe(
      "slices:\n"
      "  - sources:\n"
      "      - model: org/a\n"
      "        layer_range: [0, 24]\n"
      "  - sources:\n"
      "      - model: org/b\n"
      "        layer_range: [8, 32]\n"
      "merge_method: passthrough\n"
      "base_model: org/c\n"
      "dtype: bfloat16\n",
      "mergekit_config.yml");
  CHECK(parents(reading) == Strings{"slices[0].sources[0].model=org/a:3",
                                    "slices[1].sources[0].model=org/b:6", "base_model=org/c:9"});
  CHECK(reading.problems.empty());
}

TEST_CASE("experts and parents given as path and revision are parents too") {
  const RecipeReading reading = read_merge_recipe(
      "base_model: org/dense\ngate_mode: hidden\nexperts:\n  - source_model: org/one\n"
      "  - source_model: org/two\nmodels:\n  - model:\n      path: org/three\n      revision: x\n",
      "mergekit_moe_config.yml");
  CHECK(parents(reading) == Strings{"base_model=org/dense:1", "experts[0].source_model=org/one:4",
                                    "experts[1].source_model=org/two:5",
                                    "models[0].model.path=org/three:8"});
}

TEST_CASE("weights, t and lambda are told with their paths, other parameters are not") {
  const RecipeReading reading = read_merge_recipe(
      "models:\n  - model: org/a\n    parameters: {weight: 0.7, density: 0.5}\n"
      "parameters:\n  t:\n    - filter: mlp\n      value: [0, 1]\n    - value: 0.5\n"
      "  lambda: 1.2\n  normalize: true\n  total: 3\n",
      "mergekit_config.yml");
  Strings told;
  for (const Claim& claim : reading.claims) {
    if (claim.kind == Claim::Kind::other) told.push_back(claim.key + "=" + claim.value);
  }
  CHECK(told == Strings{"models[0].parameters.weight=0.7", "parameters.t[0].filter=mlp",
                        "parameters.t[0].value[0]=0", "parameters.t[0].value[1]=1",
                        "parameters.t[1].value=0.5", "parameters.lambda=1.2",
                        "parameters.normalize=true"});
}

TEST_CASE("the stages of one recipe may be documents of their own") {
  const RecipeReading reading = read_merge_recipe(
      "name: first\nmodels:\n- model: org/a\n---\nname: second\nmodels:\n- model: first\n",
      "mergekit_config.yml");
  CHECK(parents(reading) == Strings{"models[0].model=org/a:3", "models[0].model=first:7"});
}

TEST_CASE("a recipe with an alias is refused as a whole") {
  const RecipeReading reading = read_merge_recipe(
      "models:\n- model: org/a\n  parameters: &p {weight: 1}\n- model: org/b\n  parameters: *p\n",
      "mergekit_config.yml");
  REQUIRE(reading.problems.size() == 1);
  CHECK(reading.problems[0].code == "merge-recipe-unparsed");
  CHECK(reading.problems[0].line == 3);
  CHECK(reading.claims.empty());
}

TEST_CASE("a card's recipes are read up to a megabyte in all") {
  std::string card;
  for (int block = 0; block < 5; ++block) {
    card += "```yaml\nmerge_method: linear\nbase_model: org/" + std::to_string(block) + "\n#" +
            std::string(300'000, 'x') + "\n```\n";
  }
  const RecipeReading reading = read_recipe_blocks(card, "README.md");
  CHECK(parents(reading).size() == 3);
  REQUIRE(reading.problems.size() == 1);
  CHECK(reading.problems[0].code == "merge-recipe-unparsed");
  CHECK(reading.problems[0].line == 17);
}

}  // namespace pedigree
