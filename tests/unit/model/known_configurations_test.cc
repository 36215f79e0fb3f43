#include "model/known_configurations.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/support/schema_check.h"

namespace pedigree {
namespace {

// Llama-2-7B's, as its config.json states them.
Architecture llama2() {
  Architecture built;
  built.norm = "rmsnorm";
  built.gated_mlp = true;
  built.layers = 32;
  built.hidden = 4096;
  built.heads = 32;
  built.kv_heads = 32;
  built.head_dim = 128;
  built.ffn = 11008;
  built.vocab = 32000;
  built.context = 4096;
  built.rope_theta = 10000;
  return built;
}

// Llama-3.1-70B's, as its config.json states them.
Architecture llama31() {
  Architecture built = llama2();
  built.layers = 80;
  built.hidden = 8192;
  built.heads = 64;
  built.kv_heads = 8;
  built.ffn = 28672;
  built.vocab = 128256;
  built.context = 131072;
  built.rope_theta = 500000;
  built.rope_scaling = "llama3 ×8";
  return built;
}

bool has_name(const Resemblance& found, std::string_view name) {
  return std::ranges::find(found.known->names, name) != found.known->names.end();
}

std::string told(const Architecture& built, const std::string& name) {
  const std::vector<std::string> names = {name};
  const auto problem = name_contradiction(built, names);
  return problem ? problem->message : "";
}

}  // namespace

TEST_CASE("each table of configurations keeps to the schema and names its source") {
  for (const EmbeddedFile& file : embedded_configurations()) {
    CHECK(test::schema_complaints("configurations-1", file.text()) == "");
  }
  std::set<std::string> names;
  for (const KnownConfiguration& known : known_configurations()) {
    CHECK(known.source->sha256.size() == 64);
    for (const std::string& name : known.names) CHECK_MESSAGE(names.insert(name).second, name);
  }
  CHECK(names.size() >= 100);
}

TEST_CASE("equal hyper-parameters resemble the models that share them") {
  const auto found = resembled_configuration(llama2());
  REQUIRE(found.has_value());
  CHECK(has_name(*found, "meta-llama/Llama-2-7b-hf"));
  CHECK(found->differences.empty());
}

TEST_CASE("what differs is listed, this model's value first") {
  Architecture yi = llama2();
  yi.kv_heads = 4;
  yi.vocab = 64000;
  yi.rope_theta = 5e6;
  const auto found = resembled_configuration(yi);
  REQUIRE(found.has_value());
  CHECK(has_name(*found, "meta-llama/Llama-2-7b-hf"));
  using Difference = std::pair<std::string, std::string>;
  CHECK(found->differences == std::vector<Difference>{{"kv heads", "4 against 32"},
                                                      {"vocabulary", "64000 against 32000"},
                                                      {"rope theta", "5000000 against 10000"}});
}

TEST_CASE("another depth or width is another design") {
  Architecture other = llama2();
  other.layers = 31;
  CHECK_FALSE(resembled_configuration(other).has_value());
  other = llama2();
  other.ffn = 11009;
  CHECK_FALSE(resembled_configuration(other).has_value());
  CHECK_FALSE(resembled_configuration(Architecture{}).has_value());
}

TEST_CASE("the rows of an embedding may be padded") {
  Architecture pythia = llama2();
  pythia.norm = "layernorm";
  pythia.gated_mlp = false;
  pythia.ffn = 16384;
  pythia.vocab = 50254;
  pythia.context = 2048;
  const auto found = resembled_configuration(pythia);
  REQUIRE(found.has_value());
  CHECK(has_name(*found, "EleutherAI/pythia-6.9b"));
  CHECK(found->differences.empty());
}

TEST_CASE("a name that says one model on another's hyper-parameters is contradicted") {
  Architecture reflection = llama31();
  reflection.context = 8192;
  reflection.rope_scaling = "none";
  reflection.vocab = 128262;
  const std::string message = told(reflection, "mattshumer/Reflection-Llama-3.1-70B");
  CHECK(message.contains("says meta-llama/Meta-Llama-3.1-70B"));
  CHECK(message.contains("context 8192 against 131072"));
  CHECK(message.contains("as in meta-llama/Meta-Llama-3-70B"));
}

TEST_CASE("a name is not contradicted by what tuning changes or nobody else has") {
  CHECK(told(llama31(), "someone/Great-Llama-3.1-70B-Instruct").empty());
  Architecture more_tokens = llama31();
  more_tokens.vocab = 128300;
  CHECK(told(more_tokens, "someone/Llama-3.1-70B-tuned").empty());
  Architecture longer = llama31();
  longer.context = 262144;
  CHECK(told(longer, "someone/Llama-3.1-70B-262k").empty());
  Architecture pruned = llama31();
  pruned.layers = 64;
  CHECK(told(pruned, "someone/Llama-3.1-70B-pruned").empty());
}

TEST_CASE("a name inside another word names nothing") {
  Architecture reflection = llama31();
  reflection.context = 8192;
  reflection.rope_scaling = "none";
  CHECK(told(reflection, "someone/NotLlama-3.1-70Bx").empty());
  CHECK(told(reflection, "").empty());
}

}  // namespace pedigree
