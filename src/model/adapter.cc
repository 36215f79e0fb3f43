#include "model/adapter.h"

#include <algorithm>
#include <array>
#include <string>

#include "model/gguf_header.h"
#include "model/manifest_claims.h"

namespace pedigree {

bool is_adapter_tensor(std::string_view name) {
  constexpr std::array<std::string_view, 4> prefixes = {"lora_unet_", "lora_te_", "lora_te1_",
                                                        "lora_te2_"};
  if (std::ranges::any_of(prefixes, [&](auto prefix) { return name.starts_with(prefix); })) {
    return true;
  }
  // PEFT: lora_, ada_, ia3_, hada_, lokr_, oft_, boft_, vera_, bone and prompts;
  // diffusers and A1111: lora.down, lora_down; llama.cpp: lora_a.
  constexpr std::array<std::string_view, 18> marks = {".lora_A",
                                                      ".lora_B",
                                                      ".lora_E",
                                                      ".lora_embedding_",
                                                      ".lora_magnitude_vector",
                                                      ".lora_down.",
                                                      ".lora_up.",
                                                      ".lora.down.",
                                                      ".lora.up.",
                                                      ".lora_a",
                                                      ".lora_b",
                                                      ".ia3_l",
                                                      ".hada_w",
                                                      ".lokr_w",
                                                      ".oft_r",
                                                      ".boft_",
                                                      ".vera_lambda_",
                                                      "prompt_embeddings"};
  return std::ranges::any_of(marks, [&](auto mark) { return name.find(mark) != name.npos; });
}

void add_adapter_claims(const JsonValue& config, std::string_view file,
                        std::vector<Claim>& claims) {
  using enum Claim::Kind;
  constexpr std::array<ClaimedKey, 12> keys = {{
      {"base_model_name_or_path", base_model},
      {"revision", other},
      {"peft_type", other},
      {"task_type", other},
      {"r", other},
      {"lora_alpha", other},
      {"use_dora", other},
      {"use_rslora", other},
      {"peft_version", other},
      {"auto_mapping.base_model_class", architecture},
      {"auto_mapping.parent_library", other},
      {"license", license},
  }};
  add_json_claims(config, keys, file, claims);
}

namespace {

std::string text_at(const JsonValue& config, std::string_view key) {
  const JsonValue* value = config.find(key);
  return std::string(value == nullptr ? "" : value->as_string().value_or(""));
}

bool truth_at(const JsonValue& config, std::string_view key) {
  const JsonValue* value = config.find(key);
  return value != nullptr && value->as_bool() == true;
}

// A list of names, or one text: a pattern, or "all-linear".
std::vector<std::string> names_at(const JsonValue& config, std::string_view key) {
  constexpr std::size_t most = 4096;
  const JsonValue* value = config.find(key);
  if (value == nullptr) return {};
  if (const auto text = value->as_string()) return {std::string(*text)};
  std::vector<std::string> names;
  for (const JsonValue& item : value->items) {
    if (const auto text = item.as_string(); text && names.size() < most) names.emplace_back(*text);
  }
  return names;
}

}  // namespace

AdapterDeclaration adapter_declaration(const JsonValue& config) {
  AdapterDeclaration declared{.type = text_at(config, "peft_type"),
                              .base = text_at(config, "base_model_name_or_path"),
                              .rank_stabilised = truth_at(config, "use_rslora"),
                              .decomposed = truth_at(config, "use_dora"),
                              .target_modules = names_at(config, "target_modules"),
                              .modules_to_save = names_at(config, "modules_to_save")};
  if (const JsonValue* rank = config.find("r")) declared.rank = rank->as_u64();
  if (const JsonValue* alpha = config.find("lora_alpha")) declared.alpha = alpha->as_number();
  if (const JsonValue* patterns = config.find("alpha_pattern")) {
    for (const auto& [pattern, value] : patterns->members) {
      if (const auto alpha = value.as_number()) declared.alphas.emplace_back(pattern, *alpha);
    }
  }
  return declared;
}

AdapterDeclaration adapter_declaration(std::span<const HeaderField> header) {
  AdapterDeclaration declared;
  if (const auto* type = header_value<std::string>(header, "adapter.type")) {
    declared.type = *type == "lora" ? "LORA" : *type;
  }
  if (const auto* alpha = header_value<double>(header, "adapter.lora.alpha")) {
    declared.alpha = *alpha;
  }
  for (const char* key : {"general.base_model.0.repo_url", "general.base_model.0.name"}) {
    const auto* base = header_value<std::string>(header, key);
    if (base != nullptr && declared.base.empty()) declared.base = *base;
  }
  return declared;
}

}  // namespace pedigree
