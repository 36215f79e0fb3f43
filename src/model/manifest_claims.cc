#include "model/manifest_claims.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "model/manifest_json.h"

namespace pedigree {
namespace {

using enum Claim::Kind;

void add_claim(const JsonValue& value, std::string key, Claim::Kind kind, std::string_view file,
               std::vector<Claim>& claims) {
  std::string text = json_scalar_text(value);
  if (text.empty() || value.kind == JsonValue::Kind::null) return;
  claims.push_back({.kind = kind,
                    .key = std::move(key),
                    .value = std::move(text),
                    .file = std::string(file),
                    .line = value.line});
}

}  // namespace

void add_json_claims(const JsonValue& document, std::span<const ClaimedKey> keys,
                     std::string_view file, std::vector<Claim>& claims) {
  for (const auto& [path, kind] : keys) {
    if (const JsonValue* value = json_at(document, path)) {
      add_claim(*value, std::string(path), kind, file, claims);
    }
  }
}

void add_config_claims(const JsonValue& config, std::string_view file, std::vector<Claim>& claims) {
  constexpr std::array<ClaimedKey, 12> keys = {{
      {"_name_or_path", base_model},
      {"base_model", base_model},
      {"base_model_name_or_path", base_model},
      {"text_config._name_or_path", base_model},
      {"llm_config._name_or_path", base_model},
      {"language_config._name_or_path", base_model},
      {"model_type", architecture},
      {"quantization_config.quant_method", quantization},
      {"quantization_config.quant_algo", quantization},
      {"compression_config.quant_method", quantization},
      {"transformers_version", other},
      {"unsloth_version", other},
  }};
  add_json_claims(config, keys, file, claims);
  if (const JsonValue* classes = config.find("architectures")) {
    for (std::size_t index = 0; index < classes->items.size() && index < 64; ++index) {
      add_claim(classes->items[index], fmt::format("architectures[{}]", index), architecture, file,
                claims);
    }
  }
}

void add_generation_claims(const JsonValue& config, std::string_view file,
                           std::vector<Claim>& claims) {
  constexpr std::array<ClaimedKey, 3> keys = {{
      {"_name_or_path", other},
      {"_from_model_config", other},
      {"transformers_version", other},
  }};
  add_json_claims(config, keys, file, claims);
}

void add_quantizer_claims(const JsonValue& config, std::string_view file,
                          std::vector<Claim>& claims) {
  constexpr std::array<ClaimedKey, 11> keys = {{
      {"quant_method", quantization},
      {"bits", quantization},
      {"w_bit", quantization},
      {"group_size", quantization},
      {"q_group_size", quantization},
      {"version", quantization},
      {"producer.name", quantization},
      {"quantization.quant_algo", quantization},
      {"quantization.kv_cache_quant_algo", quantization},
      {"model_name_or_path", base_model},
      {"model_file_base_name", name},
  }};
  add_json_claims(config, keys, file, claims);
}

void add_tokenizer_config_claims(const JsonValue& config, std::string_view file,
                                 std::vector<Claim>& claims) {
  constexpr std::array<ClaimedKey, 1> keys = {{{"name_or_path", other}}};
  add_json_claims(config, keys, file, claims);
}

}  // namespace pedigree
