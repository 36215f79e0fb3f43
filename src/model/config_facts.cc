#include "model/config_facts.h"

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <utility>

#include "model/manifest_json.h"

namespace pedigree {
namespace {

using Spellings = std::initializer_list<std::string_view>;

// Where the decoder's facts are looked for: its own object first, then the root.
struct Places {
  const JsonValue* nested = nullptr;
  const JsonValue& root;

  const JsonValue* find(Spellings spellings) const {
    for (const JsonValue* place : {nested, &root}) {
      if (place == nullptr) continue;
      for (const std::string_view spelling : spellings) {
        const JsonValue* value = json_at(*place, spelling);
        if (value != nullptr && value->kind != JsonValue::Kind::null) return value;
      }
    }
    return nullptr;
  }
  const JsonValue* find_null(Spellings spellings) const {
    for (const std::string_view spelling : spellings) {
      const JsonValue* value = json_at(nested == nullptr ? root : *nested, spelling);
      if (value != nullptr && value->kind == JsonValue::Kind::null) return value;
    }
    return nullptr;
  }
  std::optional<std::uint64_t> count(Spellings spellings) const {
    const JsonValue* value = find(spellings);
    return value == nullptr ? std::nullopt : value->as_u64();
  }
  std::optional<double> number(Spellings spellings) const {
    const JsonValue* value = find(spellings);
    return value == nullptr ? std::nullopt : value->as_number();
  }
  std::string text(Spellings spellings) const {
    const JsonValue* value = find(spellings);
    return std::string(value == nullptr ? "" : value->as_string().value_or(""));
  }
  std::optional<bool> truth(Spellings spellings) const {
    const JsonValue* value = find(spellings);
    return value == nullptr ? std::nullopt : value->as_bool();
  }
};

const Spellings hidden_spellings = {"hidden_size", "n_embd",    "d_model",
                                    "dim",         "model_dim", "embed_dim"};

const JsonValue* find_hidden(const Places& places) { return places.find(hidden_spellings); }

// What is said in a count's place, for people.
std::string said(const JsonValue& value) {
  constexpr std::size_t longest = 32;
  std::string text = json_scalar_text(value);
  // Integers beyond 64 bits arrive as text.
  const bool is_long_integer =
      text.size() > 19 && text.find_first_not_of("-0123456789") == std::string::npos;
  const bool is_text = value.kind == JsonValue::Kind::string && !is_long_integer;
  if (text.size() > longest) {
    std::size_t end = longest;
    while ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end) + "…";
  }
  return is_text ? fmt::format("\"{}\"", text) : text;
}

enum class Null { means_absent, is_wrong };

// Counts of one config, and what stood in their place.
struct Counts {
  const Places& places;
  std::vector<UnusableNumber>& unusable;

  std::optional<std::uint64_t> read(const char* fact, Spellings spellings,
                                    Null null = Null::means_absent) const {
    const JsonValue* value = places.find(spellings);
    if (value == nullptr && null == Null::is_wrong) value = places.find_null(spellings);
    if (value == nullptr) return std::nullopt;
    const auto count = value->as_u64();
    // Some families give a list, one for each layer.
    const bool is_scalar =
        value->kind != JsonValue::Kind::array && value->kind != JsonValue::Kind::object;
    if (!count && is_scalar) unusable.push_back({.fact = fact, .value = said(*value)});
    return count;
  }
};

const JsonValue* find_nested(const JsonValue& root, std::string& name) {
  if (find_hidden({.nested = nullptr, .root = root}) != nullptr) return nullptr;
  for (const std::string_view path : {"text_config", "llm_config", "language_config",
                                      "thinker_config.text_config", "decoder", "encoder"}) {
    const JsonValue* value = json_at(root, path);
    if (value == nullptr || value->kind != JsonValue::Kind::object) continue;
    name = path;
    return value;
  }
  return nullptr;
}

void read_sizes(const Places& places, ConfigFacts& facts) {
  const Counts counts{.places = places, .unusable = facts.unusable};
  facts.hidden = counts.read("hidden size", hidden_spellings, Null::is_wrong);
  facts.layers =
      counts.read("layers",
                  {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers",
                   "num_transformer_layers", "decoder_layers", "encoder_layers"},
                  Null::is_wrong);
  facts.more_layers = places.count({"num_decoder_layers", "decoder_layers", "num_single_layers"});
  facts.extra_layers = places.count({"num_nextn_predict_layers"});
  facts.heads = counts.read("heads",
                            {"num_attention_heads", "n_head", "n_heads", "num_heads",
                             "encoder_attention_heads", "attention_heads"},
                            Null::is_wrong);
  facts.kv_heads = counts.read(
      "kv heads", {"num_key_value_heads", "n_head_kv", "num_kv_heads", "n_kv_heads",
                   "multi_query_group_num", "attn_config.kv_n_heads", "num_query_groups"});
  if (!facts.kv_heads && places.truth({"multi_query"}) == true &&
      places.truth({"new_decoder_architecture"}) != true) {
    facts.kv_heads = 1;
  }
  facts.head_dim =
      counts.read("head size", {"head_dim", "attention_head_dim", "kv_channels", "d_kv"});
  if (!facts.head_dim) {
    const auto plain = places.count({"qk_nope_head_dim"});
    const auto rotary = places.count({"qk_rope_head_dim"});
    constexpr std::uint64_t sane = std::uint64_t{1} << 32U;
    if (plain && rotary && *plain < sane && *rotary < sane) facts.head_dim = *plain + *rotary;
  }
  facts.ffn =
      counts.read("MLP size", {"intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff",
                               "encoder_ffn_dim", "ffn_config.ffn_hidden_size", "hidden_dim"});
  // Qwen's first generation counts gate and up together.
  if (facts.ffn && facts.model_type == "qwen") facts.ffn = *facts.ffn / 2;
  facts.expert_ffn =
      counts.read("expert MLP size", {"moe_intermediate_size", "moe_ffn_hidden_size"});
  facts.vocab = counts.read("vocabulary rows", {"vocab_size", "padded_vocab_size", "n_vocab"},
                            Null::is_wrong);
  facts.context = places.count({"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len",
                                "seq_length", "max_sequence_length", "model_max_length"});
  facts.experts =
      counts.read("experts", {"num_local_experts", "num_experts", "n_routed_experts",
                              "moe_num_experts", "ffn_config.moe_num_experts", "moe.num_experts"});
  facts.experts_used =
      places.count({"num_experts_per_tok", "num_experts_per_token", "moe_top_k", "top_k_experts",
                    "experts_per_token", "ffn_config.moe_top_k", "moe.num_experts_per_tok"});
}

// "llama3 ×8". Null means none, and so do the plain positions that newer configs spell out.
std::string rope_scaling_text(const Places& places) {
  const Spellings spellings = {"rope_scaling", "rope_parameters"};
  const JsonValue* scaling = places.find(spellings);
  if (scaling == nullptr) return places.find_null(spellings) == nullptr ? "" : "none";
  if (scaling->kind != JsonValue::Kind::object) return {};
  const Places inside{.nested = nullptr, .root = *scaling};
  const std::string type = inside.text({"rope_type", "type"});
  const std::optional<double> factor = inside.number({"factor"});
  if (type == "default") return "none";
  if (type.empty() && !factor) return {};
  const std::string name = type.empty() ? "scaled" : type;
  return factor && std::isfinite(*factor) ? fmt::format("{} ×{}", name, *factor) : name;
}

void read_positions(const Places& places, ConfigFacts& facts) {
  facts.rope_scaling = rope_scaling_text(places);
  facts.rotary_share =
      places.number({"partial_rotary_factor", "rotary_pct", "rotary_percentage", "rope_pct"});
  const std::optional<std::uint64_t> turned = places.count({"rotary_dim"});
  const std::uint64_t heads = facts.heads.value_or(0);
  const std::uint64_t split = heads == 0 ? 0 : facts.hidden.value_or(0) / heads;
  const std::uint64_t head = facts.head_dim.value_or(split);
  if (!facts.rotary_share && turned && head > 0) {
    facts.rotary_share = static_cast<double>(*turned) / static_cast<double>(head);
  }
  facts.parallel_residual = places.truth({"use_parallel_residual", "parallel_attn"});
  if (places.truth({"use_sliding_window"}) != false) {
    facts.window = places.count({"sliding_window"});
  }
}

std::string declared_quantization(const Places& places) {
  const JsonValue* declared = places.find({"quantization_config", "compression_config"});
  if (declared == nullptr || declared->kind != JsonValue::Kind::object) return {};
  for (const std::string_view key : {"quant_method", "quant_algo", "format"}) {
    const JsonValue* value = declared->find(key);
    const auto named = value == nullptr ? std::nullopt : value->as_string();
    if (named) return std::string(*named);
  }
  // Early bitsandbytes configs name no method.
  for (const std::string_view key : {"load_in_8bit", "load_in_4bit"}) {
    const JsonValue* value = declared->find(key);
    if (value != nullptr && value->as_bool() == true) return "bitsandbytes";
  }
  return "unspecified";
}

// Depth is bounded by the JSON reader; the total is bounded here, because long
// keys above many values would multiply.
constexpr std::size_t max_entry_bytes = std::size_t{32} << 20U;

void list_entries(const JsonValue& value, const std::string& path, std::size_t& bytes,
                  std::vector<ConfigEntry>& entries) {
  if (bytes > max_entry_bytes) return;
  if (value.kind == JsonValue::Kind::object) {
    for (const auto& [key, member] : value.members) {
      list_entries(member, path.empty() ? key : fmt::format("{}.{}", path, key), bytes, entries);
    }
  } else if (value.kind == JsonValue::Kind::array) {
    for (std::size_t index = 0; index < value.items.size(); ++index) {
      list_entries(value.items[index], fmt::format("{}[{}]", path, index), bytes, entries);
    }
  } else {
    entries.push_back({.key = path, .value = json_scalar_text(value), .line = value.line});
    bytes += path.size() + entries.back().value.size();
  }
}

}  // namespace

ConfigFacts config_facts(const JsonValue& config, std::string_view file) {
  ConfigFacts facts;
  if (config.kind != JsonValue::Kind::object) return facts;
  facts.present = true;
  facts.file = std::string(file);
  const Places places{.nested = find_nested(config, facts.nested), .root = config};
  facts.model_type = Places{.nested = nullptr, .root = config}.text({"model_type"});
  if (places.nested != nullptr) {
    facts.nested_model_type =
        Places{.nested = nullptr, .root = *places.nested}.text({"model_type"});
  }
  if (const JsonValue* classes = config.find("architectures")) {
    for (const JsonValue& item : classes->items) {
      if (const auto named = item.as_string()) facts.architectures.emplace_back(*named);
    }
  }
  read_sizes(places, facts);
  read_positions(places, facts);
  facts.norm_eps = places.number({"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon",
                                  "norm_epsilon", "layernorm_epsilon", "norm_eps"});
  facts.rope_theta = places.number({"rope_theta", "rotary_emb_base", "rope_parameters.rope_theta"});
  facts.activation = places.text({"hidden_act", "hidden_activation", "activation_function",
                                  "mlp_hidden_act", "ffn_config.ffn_act_fn.name"});
  facts.tie_word_embeddings = places.truth({"tie_word_embeddings"});
  facts.torch_dtype = places.text({"torch_dtype", "dtype"});
  facts.attention_bias =
      places.truth({"attention_bias", "qkv_bias", "add_qkv_bias", "use_attention_bias", "bias"});
  facts.auto_map = places.find({"auto_map"}) != nullptr;
  facts.quantization = declared_quantization(places);
  if (places.find({"quantization_config", "compression_config", "quantization"}) != nullptr) {
    facts.quantizer = quantizer_facts(config, file);
  }
  std::size_t bytes = 0;
  list_entries(config, {}, bytes, facts.entries);
  return facts;
}

}  // namespace pedigree
