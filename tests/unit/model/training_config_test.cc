#include "model/training_config.h"

#include <doctest/doctest.h>

namespace pedigree {

TEST_CASE("a trainer's configuration names its parent with the line") {
  const auto reading = read_training_config(
      "# axolotl\nbase_model: NousResearch/Llama-2-7b-hf\nadapter: lora\nbase_model_config: x\n",
      "axolotl_config.yml");
  REQUIRE(reading.claims.size() == 1);
  CHECK(reading.claims[0].kind == Claim::Kind::base_model);
  CHECK(reading.claims[0].key == "base_model");
  CHECK(reading.claims[0].value == "NousResearch/Llama-2-7b-hf");
  CHECK(reading.claims[0].line == 2);
  const auto factory = read_training_config(
      "model_name_or_path: meta-llama/Llama-3-8B\nstage: sft\n", "config.yaml");
  REQUIRE(factory.claims.size() == 1);
  CHECK(factory.claims[0].value == "meta-llama/Llama-3-8B");
}

TEST_CASE("a file of that name that is none says nothing") {
  CHECK(read_training_config("- a\n- b\n", "config.yaml").claims.empty());
  CHECK(read_training_config("a: &x 1\nb: *x\n", "config.yaml").problems.empty());
  CHECK(read_training_config("base_model:\n", "config.yaml").claims.empty());
}

}  // namespace pedigree
