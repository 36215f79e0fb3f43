#include "model/architecture_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/architecture_names.h"
#include "model/block_runs.h"
#include "model/head_counts.h"
#include "model/role_table.h"

namespace pedigree {
namespace {

std::string activation_class(const std::string& activation) {
  if (activation == "swish") return "silu";
  if (activation.starts_with("gelu")) return "gelu";
  return activation;
}

std::uint64_t layers_of(const std::vector<CanonicalTensor>& canonical) {
  return canonical.empty() || canonical.back().layer < 0
             ? 0
             : static_cast<std::uint64_t>(canonical.back().layer) + 1;
}

std::uint64_t experts_of(const std::vector<CanonicalTensor>& canonical, const RoleTable& roles) {
  if (roles.has("moe.router")) return roles.rows("moe.router");
  std::uint64_t count = 0;
  for (const CanonicalTensor& tensor : canonical) {
    if (tensor.expert < 0) continue;
    count = std::max(count, static_cast<std::uint64_t>(tensor.expert) + 1);
  }
  return count;
}

void fill_sizes(Architecture& architecture, const std::vector<CanonicalTensor>& canonical,
                const RoleTable& roles) {
  architecture.layers = layers_of(canonical);
  architecture.vocab = roles.rows("embed.tokens");
  architecture.hidden = roles.rows("embed.in");  // out of narrower embeddings
  if (architecture.hidden == 0) architecture.hidden = roles.cols("embed.tokens");
  if (architecture.hidden == 0) architecture.hidden = roles.rows("attn.norm");
  if (architecture.hidden == 0) architecture.hidden = roles.cols("attn.q");
  architecture.experts = experts_of(canonical, roles);
  architecture.ffn = roles.rows("ffn.up");
  if (architecture.ffn == 0) architecture.ffn = roles.rows("moe.up");
  architecture.gated_mlp =
      roles.has("ffn.gate") || roles.has("moe.gate") || roles.has("moe.shared.gate");
  architecture.attention_bias = roles.has("attn.q.bias");
}

void fill_heads(Architecture& architecture, const HeadCounts& counts) {
  architecture.head_dim = counts.head_dim;
  architecture.heads = counts.heads;
  architecture.kv_heads = counts.kv_heads;
}

std::vector<std::string> additions_of(const RoleTable& roles, bool norm_plus_one) {
  // Each with roles of which one shows it.
  using Shown = std::pair<std::string_view, std::array<std::string_view, 3>>;
  static constexpr std::array<Shown, 17> shown_by = {{
      {"mlp-bias", {"ffn.up.bias", "ffn.down.bias", "moe.up.bias"}},
      {"qk-norm", {"attn.q.norm"}},
      {"sub-norm", {"attn.sub_norm", "ffn.sub_norm"}},
      {"compressed-keys", {"attn.kv_a"}},
      {"sinks", {"attn.sinks"}},
      {"short-convolution", {"conv.in"}},
      {"experts", {"moe.up"}},
      {"shared-experts", {"moe.shared.up"}},
      {"expert-attention", {"attn.experts.q"}},
      {"state-space", {"ssm.x"}},
      {"state-space-duality", {"ssm.dt_bias"}},
      {"linear-attention", {"lin.a"}},
      {"linear-recurrence", {"lin.recurrent_gate"}},
      {"rwkv", {"rwkv.bonus"}},
      {"rwkv-matrix-state", {"rwkv.bonus_heads"}},
      {"rwkv-delta-rule", {"rwkv.bonus_keys"}},
      {"two-streams", {"stream.up"}},
  }};
  std::vector<std::string> additions;
  if (roles.has("attn.q.bias")) {
    additions.emplace_back(roles.has("attn.o.bias") ? "attention-bias" : "qkv-bias");
  }
  for (const auto& [addition, by] : shown_by) {
    const bool found =
        std::ranges::any_of(by, [&](std::string_view role) { return roles.has(role); });
    if (found) additions.emplace_back(addition);
  }
  if (norm_plus_one) additions.emplace_back("norm-plus-one");
  if (roles.has("embed.norm")) additions.emplace_back("embedding-norm");
  return additions;
}

std::string positions_of(const RoleTable& roles, const ConfigFacts& config) {
  if (roles.has("embed.positions")) return "learned";
  return config.rope_theta ? "rope" : "unknown";
}

// Without a family: what the tensors show, and "unknown" for what they cannot.
Structure structure_from_roles(const RoleTable& roles, const ConfigFacts& config) {
  const bool layernorm = roles.has("attn.norm.bias") || roles.has("ffn.norm.bias");
  return {.kind = "decoder",
          .norm = layernorm ? "layernorm" : "rmsnorm",
          .placement = roles.has("attn.norm") ? "pre" : "unknown",
          .positions = positions_of(roles, config),
          .activation = "unknown"};
}

void fill_structure(Architecture& architecture, const RoleTable& roles, const ConfigFacts& config,
                    const Family* family, const std::optional<Placement>& placement) {
  Structure structure =
      family == nullptr ? structure_from_roles(roles, config) : parse_structure(family->structure);
  structure.gated = architecture.gated_mlp;
  structure.additions = additions_of(roles, architecture.norm_plus_one);
  if (family == nullptr && placement) {
    structure = agreed_structure(*placement, std::move(structure));
    architecture.gated_mlp = structure.gated;
  }
  if (!config.activation.empty()) structure.activation = activation_class(config.activation);
  architecture.norm = structure.norm;
  architecture.positions = structure.positions;
  architecture.activation = config.activation.empty() ? structure.activation : config.activation;
  architecture.structure = structure_text(structure);
}

void fill_from_config(Architecture& architecture, const RoleTable& roles, const ConfigFacts& config,
                      const Family* family) {
  architecture.norm_eps = config.norm_eps;
  architecture.context = config.context;
  architecture.experts_used = config.experts_used.value_or(0);
  architecture.window = config.window.value_or(0);
  architecture.rotary_share = config.rotary_share;
  architecture.parallel_residual = config.parallel_residual;
  architecture.rope_scaling = config.rope_scaling;
  if (!architecture.context && roles.has("embed.positions")) {
    architecture.context = roles.rows("embed.positions");
  }
  architecture.rope_theta = config.rope_theta;
  if (config.present && family != nullptr && !architecture.rope_theta) {
    architecture.rope_theta = family->rope_theta;
  }
  const bool said =
      config.tie_word_embeddings.value_or(!config.present || family == nullptr || family->tied);
  architecture.tied_embeddings = said && roles.has("embed.tokens") && !roles.has("head.out");
}

// The place of a role in a layer's description.
std::size_t place_of(std::string_view role) {
  static constexpr std::string_view order[] = {
      "attn.norm",     "attn.q",          "attn.q.norm",    "attn.q_a",        "attn.q_a.norm",
      "attn.q_b",      "attn.k",          "attn.k.norm",    "attn.kv_a",       "attn.kv_a.norm",
      "attn.k_b",      "attn.v_b",        "attn.v",         "attn.sinks",      "attn.rel_bias",
      "attn.sub_norm", "attn.o",          "attn.post_norm", "cross.norm",      "cross.q",
      "cross.k",       "cross.v",         "cross.o",        "conv.in",         "conv.out",
      "ffn.norm",      "moe.norm",        "moe.router",     "moe.gate",        "moe.up",
      "moe.down",      "moe.shared.gate", "moe.shared.up",  "moe.shared.down", "moe.shared.router",
      "ffn.gate",      "ffn.up",          "ffn.sub_norm",   "ffn.down",        "ffn.post_norm"};
  if (role.ends_with(".bias")) role.remove_suffix(5);
  return static_cast<std::size_t>(std::ranges::find(order, role) - std::begin(order));
}

std::string shape_text(const CanonicalTensor& tensor) {
  const auto size = [](std::uint64_t count) {
    return count == 0 ? std::string("?") : fmt::format("{}", count);
  };
  return tensor.cols == 1 ? size(tensor.rows)
                          : fmt::format("{}×{}", size(tensor.rows), size(tensor.cols));
}

std::string layer_text(std::vector<const CanonicalTensor*> tensors) {
  std::ranges::sort(tensors, {}, [](const CanonicalTensor* tensor) {
    return std::tuple(place_of(tensor->role), std::string_view(tensor->role), tensor->expert);
  });
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < tensors.size();) {
    const CanonicalTensor& first = *tensors[i];
    std::size_t end = i + 1;
    while (end < tensors.size() && tensors[end]->role == first.role &&
           shape_text(*tensors[end]) == shape_text(first)) {
      ++end;
    }
    const std::string times = first.expert < 0 ? "" : fmt::format("{} of ", end - i);
    parts.push_back(fmt::format("{} {}{}", first.role, times, shape_text(first)));
    i = end;
  }
  return fmt::format("{{{}}}", fmt::join(parts, " · "));
}

void fill_placement(Architecture& architecture, const Placement& placement) {
  architecture.alike.reserve(placement.alike.size());
  for (const Family* family : placement.alike) architecture.alike.push_back(family->id);
  architecture.placed = placement.score;
  if (placement.runner_up == nullptr) return;
  architecture.runner_up = placement.runner_up->id;
  architecture.runner_up_placed = placement.runner_up_score;
}

}  // namespace

std::string layer_template_of(const std::vector<CanonicalTensor>& canonical) {
  constexpr std::size_t most_runs = 4;
  std::map<int, std::vector<const CanonicalTensor*>> layers;
  for (const CanonicalTensor& tensor : canonical) {
    if (tensor.layer >= 0) layers[tensor.layer].push_back(&tensor);
  }
  std::vector<std::pair<std::string, std::size_t>> runs;
  for (auto& [layer, tensors] : layers) {
    std::string text = layer_text(std::move(tensors));
    if (runs.empty() || runs.back().first != text) runs.emplace_back(std::move(text), 0);
    ++runs.back().second;
  }
  std::vector<std::string> parts;
  for (const auto& [text, times] : runs) {
    if (parts.size() == most_runs) {
      parts.emplace_back("…");
      break;
    }
    parts.push_back(fmt::format("{} × {}", times, text));
  }
  return fmt::format("{}", fmt::join(parts, " + "));
}

void describe_architecture(ModelInfo& info, const ConfigFacts& config, const Family* family,
                           const std::optional<Placement>& placement) {
  Architecture& architecture = info.architecture;
  const RoleTable roles(info.canonical);
  architecture.family = family == nullptr ? "unknown" : family->id;
  architecture.family_title = family == nullptr ? "unknown" : family->title;
  architecture.norm_plus_one = family != nullptr && family->norm_plus_one;
  if (placement) fill_placement(architecture, *placement);
  if (info.canonical.empty()) {
    architecture.structure = "unknown";
    if (!info.is_adapter) architecture.layer_template = block_template(info.tensors);
    return;
  }
  fill_sizes(architecture, info.canonical, roles);
  fill_heads(architecture, head_counts(roles, config));
  fill_structure(architecture, roles, config, family, placement);
  fill_from_config(architecture, roles, config, family);
  architecture.layer_template = layer_template_of(info.canonical);
  architecture.renames =
      family != nullptr ? renames_of(*family, info.canonical) : renames_by_role(info);
}

}  // namespace pedigree
