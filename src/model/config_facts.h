// What config.json says about a model's shape, under one name per fact.
//
// Families spell the same fact in many ways (hidden_size, n_embd, d_model …) and
// multimodal configs nest the decoder's part; here each fact has one field, and
// an absent one says so. Everything is the publisher's word: tensors win.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/quantizer_facts.h"

namespace pedigree {

// One scalar of the config, for telling two configs apart key by key.
struct ConfigEntry {
  std::string key = {};    // path: "rope_scaling.factor", "architectures[0]"
  std::string value = {};  // as text: "4096", "1e-05", "true", "null", "silu"
  unsigned line = 0;       // 1-based

  bool operator==(const ConfigEntry&) const = default;
};

// A number that stands where a count is due and is none: negative, a fraction, a text,
// or null where a count is required. It is not used.
struct UnusableNumber {
  std::string fact = {};   // as reports call it: "layers", "hidden size", "heads"
  std::string value = {};  // as text, shortened; a JSON string in quotes

  bool operator==(const UnusableNumber&) const = default;
};

struct ConfigFacts {
  bool present = false;     // a config was there and could be parsed
  std::string file = {};    // relative path, "config.json"
  std::string nested = {};  // the object the decoder's facts came from: "text_config", or ""

  std::string model_type = {};  // of the outermost object: "llama"
  std::string nested_model_type = {};
  std::vector<std::string> architectures = {};

  std::optional<std::uint64_t> hidden = {};
  std::optional<std::uint64_t> layers = {};
  std::optional<std::uint64_t> more_layers = {};  // of the decoder behind an encoder
  std::optional<std::uint64_t> extra_layers =
      {};  // that predict tokens further on, beside `layers`
  std::optional<std::uint64_t> heads = {};
  std::optional<std::uint64_t> kv_heads = {};  // absent: equal to heads, by convention
  std::optional<std::uint64_t> head_dim = {};
  std::optional<std::uint64_t> ffn = {};
  std::optional<std::uint64_t> expert_ffn = {};  // moe_intermediate_size
  std::optional<std::uint64_t> vocab = {};
  std::optional<std::uint64_t> context = {};
  std::optional<double> norm_eps = {};
  std::optional<double> rope_theta = {};
  std::optional<std::uint64_t> experts = {};
  std::optional<std::uint64_t> experts_used = {};
  std::optional<double> rotary_share = {};     // of a head's values
  std::optional<bool> parallel_residual = {};  // attention and MLP side by side
  std::optional<std::uint64_t> window = {};    // of sliding attention, where it is in use
  std::string rope_scaling = {};               // "llama3 ×8", "none"; "" when not said
  std::string activation = {};                 // "silu"; "" when not said
  std::optional<bool> tie_word_embeddings = {};
  std::string torch_dtype = {};
  std::optional<bool> attention_bias = {};
  bool auto_map = false;          // loading runs the author's code
  std::string quantization = {};  // quantization_config.quant_method; "" when none is declared
  QuantizerFacts quantizer = {};

  std::vector<UnusableNumber> unusable = {};
  std::vector<ConfigEntry> entries = {};  // every scalar, in file order
};

// The facts of a parsed config. `file` is what it is called in reports.
ConfigFacts config_facts(const JsonValue& config, std::string_view file);

}  // namespace pedigree
