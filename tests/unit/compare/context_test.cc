#include "compare/context.h"

#include <doctest/doctest.h>

namespace pedigree {
namespace {

Fingerprint with_tokens(std::uint64_t first, std::uint64_t count, std::uint64_t id_shift) {
  Fingerprint sketch;
  TokenizerSketch tokenizer{.kind = "BPE", .tokens = count};
  tokenizer.vocabulary_digest =
      std::to_string(first) + "/" + std::to_string(count) + "/" + std::to_string(id_shift);
  for (std::uint64_t i = 0; i < count; ++i) {
    tokenizer.smallest.push_back(1000 * (first + i));
    tokenizer.smallest_ids.push_back(i + id_shift);
  }
  sketch.tokenizer = tokenizer;
  return sketch;
}

Architecture decoder(std::uint64_t kv_heads, double theta) {
  Architecture architecture;
  architecture.family = "llama";
  architecture.structure = "decoder/rmsnorm-pre/rope/gated-silu";
  architecture.layers = 32;
  architecture.hidden = 4096;
  architecture.heads = 32;
  architecture.kv_heads = kv_heads;
  architecture.ffn = 11008;
  architecture.rope_theta = theta;
  return architecture;
}

}  // namespace

TEST_CASE("the same tokens in the same order are one tokenizer") {
  const auto answer = tokenizer_answer(with_tokens(0, 200, 0), with_tokens(0, 200, 0));
  CHECK(answer.answer == "yes");
}

TEST_CASE("a vocabulary with tokens appended extends the other") {
  const auto answer = tokenizer_answer(with_tokens(0, 240, 0), with_tokens(0, 200, 0));
  CHECK(answer.answer == "yes");
  CHECK(answer.extended);
  CHECK_FALSE(tokenizer_answer(with_tokens(0, 200, 0), with_tokens(0, 240, 0)).extended);
}

TEST_CASE("other tokens, or the same under other ids, are another tokenizer") {
  CHECK(tokenizer_answer(with_tokens(0, 200, 0), with_tokens(500, 200, 0)).answer == "no");
  CHECK(tokenizer_answer(with_tokens(0, 200, 0), with_tokens(0, 200, 17)).answer == "no");
}

TEST_CASE("without a readable tokenizer nothing is said") {
  CHECK(tokenizer_answer(Fingerprint{}, with_tokens(0, 200, 0)).answer == "inconclusive");
}

TEST_CASE("a renamed architecture is shared, and the renames and differences are told") {
  Architecture yi = decoder(4, 5e6);
  yi.family = "yi";
  yi.renames = {{"ln1", "input_layernorm"}, {"ln2", "post_attention_layernorm"}};
  const auto answer = architecture_answer(yi, decoder(32, 1e4));
  CHECK(answer.answer == "yes");
  CHECK(answer.because.find("ln1 for input_layernorm") != std::string::npos);
  CHECK(answer.because.find("ln2 for post_attention_layernorm") != std::string::npos);
  CHECK(answer.because.find("5000000 against 10000") != std::string::npos);
}

TEST_CASE("another structure is another architecture") {
  Architecture gpt = decoder(32, 1e4);
  gpt.structure = "decoder/layernorm-pre/learned/gelu";
  CHECK(architecture_answer(decoder(32, 1e4), gpt).answer == "no");
  CHECK(architecture_answer(Architecture{}, gpt).answer == "inconclusive");
}

}  // namespace pedigree
