#include "fingerprint/fingerprint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "fingerprint/plan.h"
#include "fingerprint/sampling.h"
#include "model/weights.h"
#include "tests/support/fault_source.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

Fingerprint print_of(const Model& model, const FingerprintOptions& options = {}) {
  auto result = make_fingerprint(model, options);
  REQUIRE(result.has_value());
  return std::move(*result);
}

void set_value(std::vector<made::Tensor>& tensors, std::string_view role, std::size_t index,
               float value) {
  const auto tensor = std::ranges::find(tensors, role, &made::Tensor::role);
  REQUIRE(tensor != tensors.end());
  const std::string bytes = made::bf16_bytes(std::vector<float>{value});
  tensor->bytes.replace(2 * index, 2, bytes);
}

// Shapes of a large model without its bytes: planning reads none.
std::unique_ptr<Model> shapes(std::uint64_t hidden, std::uint64_t ffn, int layers) {
  std::vector<made::Tensor> tensors;
  const auto add = [&](std::string role, int layer, std::vector<std::uint64_t> shape) {
    tensors.push_back({.name = std::to_string(layer) + role,
                       .type = "BF16",
                       .shape = std::move(shape),
                       .role = std::move(role),
                       .layer = layer});
  };
  add("embed.tokens", -1, {32000, hidden});
  for (int layer = 0; layer < layers; ++layer) {
    for (const char* const role : {"attn.q", "attn.k", "attn.v", "attn.o"}) {
      add(role, layer, {hidden, hidden});
    }
    add("ffn.gate", layer, {ffn, hidden});
    add("ffn.up", layer, {ffn, hidden});
    add("ffn.down", layer, {hidden, ffn});
    add("attn.norm", layer, {hidden});
    add("ffn.norm", layer, {hidden});
  }
  auto model = made::model(tensors);
  model->architecture.head_dim = 128;
  return model;
}

std::uint64_t planned_bytes(const Plan& plan) {
  std::uint64_t bytes = 0;
  for (const PlannedBlock& block : plan.blocks) {
    bytes += 2 * block.rows.size() * block.cols.size();
    bytes += 2 * block.response_units.size() * (plan.tokens.size() + 1);
  }
  for (const PlannedGain& gain : plan.gains) {
    bytes += 2 * (gain.channels.empty() ? gain.tensor->rows : gain.channels.size());
  }
  return bytes;
}

}  // namespace

TEST_CASE("blocks hold the stored values at the sampled places") {
  const auto model = made::llama_model(made::llama(1));
  const Fingerprint print = print_of(*model);
  CHECK(print.blocks.size() == 16);
  CHECK(print.scheme == SamplingScheme().id());
  for (const Block& block : print.blocks) {
    const CanonicalTensor* const tensor = model->find(block.role, block.layer);
    REQUIRE(tensor != nullptr);
    CHECK(block.full_rows == tensor->rows);
    CHECK(block.element_type == "BF16");
    const auto all = read_all(*model, *tensor);
    REQUIRE(all.has_value());
    for (std::size_t i = 0; i < block.values.size(); ++i) {
      const std::uint64_t row = block.rows[i / block.cols.size()];
      const std::uint64_t col = block.cols[i % block.cols.size()];
      REQUIRE(block.values[i] == (*all)[row * tensor->cols + col]);
    }
  }
}

TEST_CASE("axes are sampled by what they are") {
  const auto model = made::llama_model(made::llama(1));
  const Fingerprint print = print_of(*model);
  const SamplingScheme scheme;
  const auto neurons = sampled_indices(scheme, "neuron", 96, 64);
  CHECK(print.block("ffn.gate", 0)->rows == neurons);
  CHECK(print.block("ffn.down", 1)->cols == neurons);
  CHECK(print.response("ffn.up", 1)->units == neurons);
  CHECK(print.block("attn.o", 0)->rows == sampled_indices(scheme, "hidden", 48, 64));
  CHECK(print.block("attn.q", 0)->rows.size() == 48);  // all four heads of twelve fit
  CHECK(print.tokens_by_row);
  CHECK(print.tokens.size() == 64);
  CHECK(std::ranges::is_sorted(print.tokens, {}, &SampledToken::hash));
  CHECK(print.block("embed.tokens", -1)->rows.size() == 64);
  CHECK(print.block("attn.q", 9) == nullptr);
}

TEST_CASE("tokens follow the tokenizer where one is readable") {
  auto model = made::llama_model(made::llama(1));
  model->tokenizer = Tokenizer{.kind = "BPE", .spelling = "raw"};
  for (int i = 0; i < 300; ++i) {
    // Ids beyond the embedding, an unused id and a repeated token are passed over.
    model->tokenizer->tokens.push_back(i == 5 ? "" : i == 9 ? "t8" : "t" + std::to_string(i));
  }
  const Fingerprint print = print_of(*model);
  CHECK_FALSE(print.tokens_by_row);
  CHECK(print.tokens.size() == 62);
  for (const SampledToken& token : print.tokens) {
    CHECK(token.row < 64);
    CHECK(token.row != 5);
    CHECK(token.row != 9);
    CHECK(token.hash == token_hash({}, "t" + std::to_string(token.row)));
  }
  REQUIRE(print.tokenizer.has_value());
  CHECK(print.tokenizer->smallest.size() == 298);
  CHECK(print_of(*model, {.tokens_by_row = true}).tokens_by_row);
}

TEST_CASE("given tokens are used in their order") {
  const auto model = made::llama_model(made::llama(1));
  const std::vector<SampledToken> tokens = {
      {.row = 9, .hash = 5}, {.row = 3, .hash = 7}, {.row = 64}};
  const Fingerprint print = print_of(*model, {.tokens = tokens});
  REQUIRE(print.tokens.size() == 2);
  CHECK(print.tokens[0].row == 9);
  CHECK(print.block("embed.tokens", -1)->rows == std::vector<std::uint64_t>{3, 9});
  CHECK(print.response("ffn.gate", 0)->values.size() == 128);
  // Two tokens, centred: the answers to one are the negative of those to the other.
  const auto& values = print.response("ffn.gate", 0)->values;
  for (std::size_t i = 0; i < values.size(); i += 2) CHECK(values[i] == -values[i + 1]);
}

TEST_CASE("names, shards, file order and threads do not change a fingerprint") {
  auto tensors = made::llama(3);
  const std::string expected = to_bytes(print_of(*made::llama_model(tensors)));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].name = "renamed" + std::to_string(tensors.size() - i);
  }
  std::ranges::reverse(tensors);
  const auto model = made::llama_model(tensors, 3);
  CHECK(to_bytes(print_of(*model)) == expected);
  for (const unsigned threads : {1U, 2U, 7U}) {
    CHECK(to_bytes(print_of(*model, {.threads = threads})) == expected);
  }
  CHECK(to_bytes(print_of(*model, {.salt = "s"})) != expected);
}

TEST_CASE("gains of families that store them minus one are given as used") {
  const auto tensors = made::llama(4);
  auto model = made::llama_model(tensors);
  const Fingerprint plain = print_of(*model);
  model->architecture.norm_plus_one = true;
  const Fingerprint plus = print_of(*model);
  CHECK(plain.gains.size() == 5);
  CHECK(plus.gain("ffn.norm", 0)->values[7] == plain.gain("ffn.norm", 0)->values[7] + 1);
  CHECK(plus.gain("ffn.norm", 0)->element_type == "BF16");
  CHECK(plus.response("ffn.gate", 0)->values != plain.response("ffn.gate", 0)->values);
}

TEST_CASE("a tensor with NaN in the sample is left out and said to be so") {
  auto tensors = made::llama(5);
  for (std::size_t i = 0; i < 96 * 48; ++i) {
    set_value(tensors, "ffn.up", i, std::bit_cast<float>(0x7FC00000U));
  }
  const Fingerprint print = print_of(*made::llama_model(tensors));
  CHECK(print.block("ffn.up", 0) == nullptr);
  CHECK(print.block("ffn.up", 1) != nullptr);
  CHECK(print.response("ffn.up", 0) == nullptr);
  CHECK(print.response("ffn.gate", 0) != nullptr);
  const auto bad =
      std::ranges::find_if(print.moments, [](const Moments& it) { return !it.finite; });
  REQUIRE(bad != print.moments.end());
  CHECK(bad->role == "ffn.up");
  CHECK(bad->mean == 0);
}

TEST_CASE("an infinite embedding leaves out responses and nothing else") {
  auto tensors = made::llama(5);
  set_value(tensors, "embed.tokens", 0, std::bit_cast<float>(0x7F800000U));
  const Fingerprint print = print_of(*made::llama_model(tensors));
  CHECK(print.responses.empty());
  CHECK(print.blocks.size() >= 15);
}

TEST_CASE("moments are those of the sampled values") {
  std::vector<made::Tensor> tensors = {{.name = "w",
                                        .shape = {2, 2},
                                        .bytes = made::f32_bytes(std::vector<float>{1, -3, 0, 0}),
                                        .role = "ffn.up",
                                        .layer = 0}};
  const Fingerprint print = print_of(*made::model(tensors));
  REQUIRE(print.moments.size() == 1);
  const Moments& moments = print.moments[0];
  CHECK(moments.samples == 4);
  CHECK(moments.mean == -0.5);
  CHECK(moments.deviation == std::sqrt(2.25));  // (1 + 9) / 4 - 0.25
  CHECK(moments.largest == 3);
  CHECK(moments.zeros == 0.5);
  CHECK(moments.distinct == 3);
}

TEST_CASE("experts share the budget: four of a layer, in smaller blocks") {
  std::vector<made::Tensor> tensors;
  made::Numbers numbers(6);
  for (int expert = 0; expert < 12; ++expert) {
    tensors.push_back({.name = "e" + std::to_string(expert),
                       .type = "BF16",
                       .shape = {40, 48},
                       .bytes = made::bf16_bytes(numbers.take(std::size_t{40} * 48)),
                       .role = "moe.up",
                       .layer = 0,
                       .expert = expert});
  }
  auto model = made::model(tensors);
  model->architecture.experts = 12;
  const Fingerprint print = print_of(*model);
  CHECK(print.blocks.size() == 4);
  for (const Block& block : print.blocks) CHECK(block.values.size() == std::size_t{32} * 32);
}

TEST_CASE("unknown roles, integers and unreadable types are skipped") {
  std::vector<made::Tensor> tensors = {
      {.name = "a", .shape = {1, 1}, .bytes = "1234", .role = "odd.role", .layer = 0},
      {.name = "b", .type = "I32", .shape = {1, 1}, .bytes = "1234", .role = "ffn.up", .layer = 0},
      {.name = "c",
       .type = "C64",
       .shape = {1},
       .bytes = "12345678",
       .role = "ffn.gate",
       .layer = 0}};
  const Fingerprint print = print_of(*made::model(tensors));
  CHECK(print.blocks.empty());
  CHECK(print.moments.empty());
}

TEST_CASE("whatever the depth and width, arrays stay within the budget") {
  for (const auto& [hidden, ffn, layers] : {std::tuple{4096, 11008, 32},
                                            {5120, 13824, 40},
                                            {8192, 28672, 80},
                                            {16384, 53248, 126},
                                            {1024, 4096, 600}}) {
    const auto model =
        shapes(static_cast<std::uint64_t>(hidden), static_cast<std::uint64_t>(ffn), layers);
    const Plan plan = plan_fingerprint(*model, {}, {});
    CHECK(planned_bytes(plan) <= array_budget);
    CHECK(plan.blocks.size() > 100);
    if (layers == 32) CHECK(plan.detail.level == 0);
    if (layers == 600) CHECK(plan.detail.layers > 50);
  }
}

TEST_CASE("a lower detail keeps subsets of a higher one") {
  const auto few = shapes(4096, 11008, 2);
  const auto many = shapes(4096, 11008, 100);
  const Plan full = plan_fingerprint(*few, {}, {});
  const Plan less = plan_fingerprint(*many, {}, {});
  CHECK(less.detail.level > full.detail.level);
  for (const PlannedBlock& block : less.blocks) {
    const auto same = std::ranges::find_if(full.blocks, [&](const PlannedBlock& other) {
      return other.tensor->role == block.tensor->role && other.tensor->layer == block.tensor->layer;
    });
    if (same == full.blocks.end()) continue;
    CHECK(std::ranges::includes(same->rows, block.rows));
    CHECK(std::ranges::includes(same->cols, block.cols));
  }
}

TEST_CASE("a 7B-shaped model is fingerprinted from at most two percent of its bytes") {
  auto model = shapes(4096, 11008, 3);
  // Embedding and head weigh more in three layers than in thirty-two: leave them out.
  std::erase_if(model->canonical, [](const CanonicalTensor& it) { return it.layer < 0; });
  std::uint64_t end = 0;
  for (StoredTensor& stored : model->tensors) {
    const std::uint64_t bytes = 2 * stored.entry.element_count();
    stored.entry.extent = {.begin = end, .end = end + bytes};
    end += bytes;
    if (stored.entry.name != "-1embed.tokens") model->weight_bytes += bytes;
  }
  model->shards.clear();
  model->shards.push_back(std::make_unique<SparseSource>("sparse", "", end));
  const Fingerprint print = print_of(*model);
  CHECK(print.bytes_read > 0);
  CHECK(print.bytes_read * 50 <= model->weight_bytes);
}

TEST_CASE("a read that fails, at any point, is a problem and not a fingerprint") {
  const auto model = made::llama_model(made::llama(8, 1));
  const MemorySource inner("shard0", [&] {
    std::string bytes(model->shards[0]->size(), '\0');
    REQUIRE_FALSE(model->shards[0]->read_at(0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }());
  auto counter = std::make_unique<FaultSource>(inner, FaultSource::never);
  const FaultSource& counted = *counter;
  model->shards[0] = std::move(counter);
  print_of(*model, {.threads = 1});
  const std::uint64_t reads = counted.reads();
  CHECK(reads > 20);
  for (std::uint64_t nth = 0; nth < reads; nth += 7) {
    model->shards[0] = std::make_unique<FaultSource>(inner, nth);
    const auto result = make_fingerprint(*model, {.threads = 1});
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == "io-error");
  }
}

TEST_CASE("a stopped run says so") {
  const auto model = made::llama_model(made::llama(8, 1));
  const std::atomic<bool> stop = true;
  const auto result = make_fingerprint(*model, {.progress = {.report = {}, .cancelled = &stop}});
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == "interrupted");
}

}  // namespace pedigree
