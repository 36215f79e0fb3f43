// Models made by hand in memory, for tests that need no files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fingerprint/fingerprint.h"
#include "model/model.h"

namespace pedigree::made {

struct Tensor {
  std::string name = {};
  std::string type = "F32";
  std::vector<std::uint64_t> shape = {};
  std::string bytes = {};
  std::string role = {};  // "" for none; parts of a fused tensor are added by hand
  int layer = -1;
  int expert = -1;
};

// One MemorySource a shard, `per_shard` tensors each, in the order given.
std::unique_ptr<Model> model(const std::vector<Tensor>& tensors, std::size_t per_shard = 1000);

// The same stream of numbers everywhere: splitmix64, as multiples of 2^-12 in [-1, 1).
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t word();
  float next();
  std::vector<float> take(std::size_t count, float scale = 1);

 private:
  std::uint64_t state_;
};

std::string f32_bytes(std::span<const float> values);
std::string bf16_bytes(std::span<const float> values);  // rounded to nearest even
std::string f16_bytes(std::span<const float> values);

// A small LLaMA: width 48, 96 neurons, 4 heads of 12, 2 for k and v, 64 tokens.
std::vector<Tensor> llama(std::uint64_t seed, int layers = 2, std::string_view type = "BF16");
std::unique_ptr<Model> llama_model(const std::vector<Tensor>& tensors,
                                   std::size_t per_shard = 1000);

JsonValue vectors(std::string_view file);  // fixtures/vectors/fingerprint/<file>
std::string unhex(std::string_view hex);
std::vector<std::uint64_t> counts(const JsonValue& list);

}  // namespace pedigree::made
