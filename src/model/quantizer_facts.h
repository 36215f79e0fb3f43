// What a config says of the quantiser: the publisher's word, used where tensors do not
// tell and held against them where they do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace pedigree {

struct QuantizerFacts {
  std::string file = {};    // which said so, relative; "" when nothing is declared
  std::string method = {};  // "gptq", "awq", "fp8", "bitsandbytes", "compressed-tensors", …
  std::string format = {};  // "gptq_v2", "gemv", "nvfp4-pack-quantized", "affine"
  std::optional<std::uint64_t> bits = {};
  std::optional<std::uint64_t> group = {};       // inputs that share a scale; none for a whole row
  std::optional<std::uint64_t> block_rows = {};  // of blocks that share a scale
  std::optional<std::uint64_t> block_cols = {};
};

// From the whole of config.json, or of quantize_config.json and its like.
QuantizerFacts quantizer_facts(const JsonValue& config, std::string_view file);

}  // namespace pedigree
