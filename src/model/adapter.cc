#include "model/adapter.h"

#include <algorithm>
#include <array>
#include <string>

#include "model/manifest_claims.h"

namespace pedigree {

bool is_adapter_tensor(std::string_view name) {
  constexpr std::array<std::string_view, 3> prefixes = {"lora_unet_", "lora_te_", "lora_te1_"};
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

}  // namespace pedigree
