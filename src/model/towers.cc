#include "model/towers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::string_view language = "language_model";

using Prefix = std::pair<std::string_view, std::string_view>;  // and the tower it means

// Longer ones first where one begins with another. LLaVA and its kin in the spellings of
// transformers before and since 4.52, Qwen-VL (visual), MiniCPM-V (llm, vpm, resampler),
// InternVL (vision_model, mlp1), and Stable Diffusion's single files.
constexpr std::array<Prefix, 34> prefixes = {{
    {"model.vision_tower.vision_tower.", "vision_tower"},
    {"model.vision_tower.", "vision_tower"},
    {"vision_tower.vision_tower.", "vision_tower"},
    {"vision_tower.", "vision_tower"},
    {"model.vision_model.", "vision_tower"},
    {"vision_model.", "vision_tower"},
    {"model.visual.", "vision_tower"},
    {"visual.", "vision_tower"},
    {"model.vision_encoder.", "vision_tower"},
    {"vision_encoder.", "vision_tower"},
    {"vpm.", "vision_tower"},
    {"model.audio_tower.", "audio_tower"},
    {"audio_tower.", "audio_tower"},
    {"audio_model.", "audio_tower"},
    {"model.multi_modal_projector.", "projector"},
    {"multi_modal_projector.", "projector"},
    {"model.mm_projector.", "projector"},
    {"mm_projector.", "projector"},
    {"model.connector.", "projector"},
    {"connector.", "projector"},
    {"resampler.", "projector"},
    {"mlp1.", "projector"},
    {"model.language_model.", language},
    {"language_model.", language},
    {"llm.", language},
    {"model.diffusion_model.", "unet"},
    {"first_stage_model.", "vae"},
    {"cond_stage_model.", "text_encoder"},
    {"conditioner.embedders.0.", "text_encoder"},
    {"conditioner.embedders.1.", "text_encoder_2"},
    {"text_encoders.clip_l.", "text_encoder"},
    {"text_encoders.clip_g.", "text_encoder_2"},
    {"text_encoders.t5xxl.", "text_encoder_3"},
    {"vae.", "vae"},
}};

const Prefix* prefix_of(std::string_view name) {
  const auto* at = std::ranges::find_if(
      prefixes, [&](const Prefix& prefix) { return name.starts_with(prefix.first); });
  return at == prefixes.end() ? nullptr : at;
}

// A pipeline's single file has tables beside its models; what a language model shares a
// checkpoint with leaves the rest to it.
bool is_of_pipeline(const std::set<std::string, std::less<>>& found) {
  return found.contains("unet");
}

bool is_tower(const std::set<std::string, std::less<>>& found) {
  return found.contains("vision_tower") || found.contains("audio_tower");
}

std::set<std::string, std::less<>> named_towers(std::span<const StoredTensor> tensors, bool& rest) {
  std::set<std::string, std::less<>> found;
  for (const StoredTensor& tensor : tensors) {
    if (const Prefix* prefix = prefix_of(tensor.entry.name)) {
      found.emplace(prefix->second);
    } else {
      rest = true;
    }
  }
  return found;
}

// What follows a vision tower's prefix, as CLIP's own code names it.
std::string name_within(std::string_view name, const Prefix& prefix) {
  name.remove_prefix(prefix.first.size());
  if (prefix.second != "vision_tower" || prefix.first.ends_with("visual."))
    return std::string(name);
  for (const std::string_view flat :
       {"embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm."}) {
    if (name.starts_with(flat)) return fmt::format("vision_model.{}", name);
  }
  return std::string(name);
}

}  // namespace

std::vector<std::string> towers_of(std::span<const StoredTensor> tensors) {
  bool rest = false;
  std::set<std::string, std::less<>> found = named_towers(tensors, rest);
  // Trained together to meet in one space: CLIP, in its authors' names or others'.
  const bool two_towers = std::ranges::any_of(tensors, [](const StoredTensor& tensor) {
    return tensor.entry.name.starts_with("text_model.") || tensor.entry.name == "logit_scale" ||
           tensor.entry.name == "token_embedding.weight";
  });
  if (two_towers || (!is_tower(found) && !is_of_pipeline(found))) return {};
  if (rest && !is_of_pipeline(found)) found.emplace(language);
  if (found.size() < 2) return {};
  return {found.begin(), found.end()};
}

std::vector<std::string> parts_of(std::span<const StoredTensor> tensors) {
  bool rest = false;
  const auto found = named_towers(tensors, rest);
  return {found.begin(), found.end()};
}

std::pair<std::string, std::string> split_part(const std::string& path) {
  const std::size_t at = path.rfind("::");
  if (at == path.npos || at == 0) return {path, {}};
  std::string part = path.substr(at + 2);
  if (part.empty() || part.find_first_of("/\\") != part.npos) return {path, {}};
  return {path.substr(0, at), std::move(part)};
}

std::optional<Problem> keep_tower(Model& model, std::string_view tower) {
  bool rest = false;
  const auto found = named_towers(model.tensors, rest);
  const bool takes_rest = tower == language && !is_of_pipeline(found);
  std::vector<StoredTensor> kept;
  for (StoredTensor& tensor : model.tensors) {
    const Prefix* prefix = prefix_of(tensor.entry.name);
    if (prefix == nullptr ? !takes_rest : prefix->second != tower) continue;
    if (prefix != nullptr) tensor.entry.name = name_within(tensor.entry.name, *prefix);
    kept.push_back(std::move(tensor));
  }
  if (kept.empty()) {
    std::vector<std::string> names(found.begin(), found.end());
    return make_problem("not-a-model", shown(model.name),
                        names.empty()
                            ? fmt::format("it has no parts, and so no \"{}\"", shown(tower))
                            : fmt::format("it has no \"{}\"; its parts are {}", shown(tower),
                                          fmt::join(names, ", ")));
  }
  std::ranges::stable_sort(
      kept, {}, [](const StoredTensor& tensor) -> const std::string& { return tensor.entry.name; });
  model.tensors = std::move(kept);
  model.weight_bytes = 0;
  model.parameters = 0;
  for (const StoredTensor& tensor : model.tensors) {
    model.weight_bytes += tensor.entry.extent.size();
    if (tensor.entry.type->kind == ElementType::Kind::floating) {
      model.parameters += tensor.entry.element_count();
    }
  }
  return std::nullopt;
}

bool has_tokens(std::string_view tower) { return tower.empty() || tower == language; }

bool speaks_for_the_whole(std::string_view tower) {
  return tower.empty() || tower == language || tower == "unet";
}

std::optional<std::string_view> tower_config(std::string_view tower) {
  if (tower.empty() || tower == language) return "";
  if (tower == "vision_tower") return "vision_config";
  if (tower == "audio_tower") return "audio_config";
  return std::nullopt;
}

}  // namespace pedigree
