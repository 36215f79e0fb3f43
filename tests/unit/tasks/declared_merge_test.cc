#include "tasks/declared_merge.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace pedigree;

namespace {

Claim parent(std::string key, std::string value, unsigned line) {
  return {Claim::Kind::merge_recipe, std::move(key), std::move(value), "mergekit_config.yml", line};
}
Claim told(std::string key, std::string value, unsigned line) {
  return {Claim::Kind::other, std::move(key), std::move(value), "mergekit_config.yml", line};
}

const std::vector<Candidate> both = {{"P", "models/P"}, {"Q", "models/Q"}};

Joint merge(std::string method, double of_p, double of_q) {
  Joint joint{.method = std::move(method)};
  joint.parents = {{.name = "P", .weight = of_p}, {.name = "Q", .weight = of_q}};
  joint.within_rounding = true;
  return joint;
}

std::vector<Claim> linear_recipe(std::string of_p, std::string of_q) {
  return {parent("models[0].model", "org/P", 2),
          told("models[0].parameters.weight", std::move(of_p), 4),
          parent("models[1].model", "org/Q", 5),
          told("models[1].parameters.weight", std::move(of_q), 7),
          told("merge_method", "linear", 8)};
}

// "source verdict" of the rows that the recipe adds.
std::vector<std::string> held(std::vector<Claim> claims, const std::optional<Joint>& joint,
                              const std::vector<Candidate>& candidates = both) {
  ModelInfo model;
  model.claims = std::move(claims);
  std::vector<Declared> rows;
  hold_recipe(model, candidates, joint, rows);
  std::vector<std::string> words;
  for (const Declared& row : rows) {
    CHECK(row.about == ClaimAbout::recipe);
    words.push_back(row.source.substr(row.source.find(' ') + 1) + " " + row.verdict);
  }
  return words;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a recipe's method and weights are confirmed by the weights") {
  CHECK(held(linear_recipe("0.7", "0.3"), merge("linear", 0.7, 0.3)) ==
        Words{"merge_method confirmed", "models[0].parameters.weight confirmed",
              "models[1].parameters.weight confirmed"});
}

TEST_CASE("linear weights count by their shares, unless normalize says no") {
  CHECK(held(linear_recipe("7", "3"), merge("linear", 0.7, 0.3)).size() == 3);
  auto claims = linear_recipe("0.8", "0.4");
  claims.push_back(told("parameters.normalize", "false", 10));
  CHECK(held(claims, merge("linear", 0.8, 0.4)) == Words{"merge_method confirmed",
                                                         "models[0].parameters.weight confirmed",
                                                         "models[1].parameters.weight confirmed"});
}

TEST_CASE("weights that are not the declared ones are contradicted, near ones left open") {
  CHECK(held(linear_recipe("0.5", "0.5"), merge("linear", 0.7, 0.3)) ==
        Words{"merge_method confirmed", "models[0].parameters.weight contradicted",
              "models[1].parameters.weight contradicted"});
  CHECK(held(linear_recipe("0.65", "0.35"), merge("linear", 0.7, 0.3)) ==
        Words{"merge_method confirmed"});
}

TEST_CASE("methods are contradicted only where the weights could not be theirs") {
  const auto verdict = [](std::string claimed, std::string found) {
    const auto rows = held({parent("models[0].model", "P", 1), parent("models[1].model", "Q", 2),
                            told("merge_method", std::move(claimed), 3)},
                           merge(std::move(found), 0.5, 0.5));
    return rows.empty() ? "open" : rows.front().substr(rows.front().find(' ') + 1);
  };
  CHECK(verdict("slerp", "slerp") == "confirmed");
  CHECK(verdict("slerp", "linear/slerp") == "confirmed");
  CHECK(verdict("slerp", "linear") == "contradicted");
  CHECK(verdict("linear", "slerp") == "contradicted");
  CHECK(verdict("linear", "passthrough") == "open");
  CHECK(verdict("task_arithmetic", "linear/task-arithmetic") == "confirmed");
  CHECK(verdict("ties", "dare-linear") == "contradicted");
  CHECK(verdict("dare_ties", "dare-linear") == "confirmed");
  CHECK(verdict("passthrough", "slerp") == "contradicted");
  CHECK(verdict("breadcrumbs", "ties") == "open");
}

TEST_CASE("t is held against every matrix, from the side of base_model") {
  Joint joint = merge("slerp", 0.6, 0.5);
  joint.parents[0].t = 0.5;
  joint.parents[1].t = 0.5;
  for (int layer = 0; layer < 3; ++layer) {
    joint.parts.push_back({.layer = layer, .role = "attn.q", .t = layer / 2.0});
    joint.parts.push_back({.layer = layer, .role = "ffn.up", .t = 1 - layer / 2.0});
  }
  std::vector<Claim> claims = {parent("slices[0].sources[0].model", "P", 3),
                               parent("slices[0].sources[1].model", "Q", 5),
                               parent("base_model", "P", 8),
                               told("merge_method", "slerp", 7),
                               told("parameters.t[0].filter", "self_attn", 11),
                               told("parameters.t[0].value[0]", "0", 12),
                               told("parameters.t[0].value[1]", "1", 12),
                               told("parameters.t[1].filter", "mlp", 13),
                               told("parameters.t[1].value[0]", "1", 14),
                               told("parameters.t[1].value[1]", "0", 14),
                               told("parameters.t[2].value", "0.5", 15)};
  CHECK(held(claims, joint) == Words{"merge_method confirmed", "parameters.t confirmed"});
  claims[2].value = "Q";
  CHECK(held(claims, joint) == Words{"merge_method confirmed", "parameters.t contradicted"});
}

TEST_CASE("a parent that the merge does without is contradicted") {
  ModelInfo model;
  model.claims = linear_recipe("0.7", "0.2");
  model.claims.push_back(parent("models[2].model", "R", 9));
  Joint joint = merge("linear", 0.7, 0.3);
  joint.unneeded = {"R"};
  std::vector<Declared> rows = {{.source = "mergekit_config.yml:9 models[2].model",
                                 .value = "R",
                                 .verdict = "confirmed",
                                 .because = "the weights show R (finetune)"}};
  hold_recipe(model, {{"P", "P"}, {"Q", "Q"}, {"R", "R"}}, joint, rows);
  CHECK(rows.front().verdict == "contradicted");
  CHECK(rows.front().because == "the merge is reproduced without R");
}

TEST_CASE("a card that repeats the recipe does not make two stages of it") {
  auto claims = linear_recipe("0.7", "0.3");
  for (Claim claim : linear_recipe("0.7", "0.3")) {
    claim.file = "README.md";
    claims.insert(claims.begin(), claim);
  }
  CHECK(held(claims, merge("linear", 0.7, 0.3)).size() == 3);
  claims.push_back(told("merge_method", "slerp", 20));
  CHECK(held(claims, merge("linear", 0.7, 0.3)).empty());
}

TEST_CASE("a recipe is not held against anything while a parent is missing") {
  CHECK(held(linear_recipe("0.7", "0.3"), merge("linear", 0.7, 0.3), {{"P", "P"}}).empty());
}

TEST_CASE("parents that do not give the weights back leave the method unverified") {
  CHECK(held(linear_recipe("0.7", "0.3"), std::nullopt) == Words{"merge_method unverified"});
}
