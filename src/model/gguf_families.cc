// Families as GGUF files spell them. All share one set of names, so a family's form
// follows from its own tensors; what differs beside the names stands in its file.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "model/families.h"

namespace pedigree {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

// Role to name, within the layer where it is a layer's.
constexpr std::array<Names, 22> names = {{
    {"embed.tokens", "token_embd"},
    {"embed.positions", "position_embd"},
    {"head.norm", "output_norm"},
    {"head.out", "output"},
    {"attn.norm", "attn_norm"},
    {"attn.q", "attn_q"},
    {"attn.k", "attn_k"},
    {"attn.v", "attn_v"},
    {"attn.o", "attn_output"},
    {"attn.q.norm", "attn_q_norm"},
    {"attn.k.norm", "attn_k_norm"},
    {"attn.post_norm", "post_attention_norm"},
    {"ffn.norm", "ffn_norm"},
    {"ffn.gate", "ffn_gate"},
    {"ffn.up", "ffn_up"},
    {"ffn.down", "ffn_down"},
    {"ffn.post_norm", "post_ffw_norm"},
    {"moe.router", "ffn_gate_inp"},
    {"moe.gate", "ffn_gate"},  // and "_exps" where experts are stacked
    {"moe.up", "ffn_up"},
    {"moe.down", "ffn_down"},
    {"attn.q+attn.k+attn.v", "attn_qkv"},
}};

constexpr std::string_view bias = ".bias";

// The name of a role or of fused roles without its ending; "" when there is none.
std::string_view name_of(std::string_view role) {
  for (const auto& [known, name] : names) {
    if (known == role) return name;
  }
  return {};
}

// "attn.q+attn.k+attn.v" of a fused tensor, without ".bias".
std::string roles_of(const FamilyTensor& tensor) {
  const auto bare = [](std::string_view role) {
    if (role.ends_with(bias)) role.remove_suffix(bias.size());
    return std::string(role);
  };
  if (tensor.parts.empty()) return bare(tensor.role);
  std::string roles;
  for (const FamilyPart& part : tensor.parts) {
    if (!roles.empty()) roles += '+';
    roles += bare(part.role);
  }
  return roles;
}

bool is_bias(const FamilyTensor& tensor) {
  return (tensor.parts.empty() ? tensor.role : tensor.parts.front().role).ends_with(bias);
}

// `tensor` under its GGUF name: as [out, in], not transposed.
FamilyTensor renamed(const FamilyTensor& tensor, const Family& family, std::string_view name) {
  FamilyTensor result = tensor;
  result.name = tensor.in_layer ? "blk.{L}." : "";
  result.name += name;
  result.name += is_bias(tensor) ? ".bias" : ".weight";
  if (tensor.transpose) std::swap(result.shape.front(), result.shape.back());
  result.transpose = false;
  result.turns = Turns::none;
  const bool rotary = tensor.role.starts_with("attn.q") || tensor.role.starts_with("attn.k");
  result.paired = family.gguf_pairs_heads && rotary && !tensor.role.contains("norm");
  const bool gain = tensor.role.ends_with("norm");
  result.added = family.norm_plus_one && gain ? 1.0F : 0.0F;
  return result;
}

// Experts stand in one tensor, or in old files in one each.
void add_experts(const FamilyTensor& tensor, const Family& family, std::string_view name,
                 Family& gguf) {
  FamilyTensor single = renamed(tensor, family, std::string(name) + ".{E}");
  single.optional = true;
  FamilyTensor stack = renamed(tensor, family, std::string(name) + "_exps");
  stack.shape.insert(stack.shape.begin(), SizeFormula{{.symbol = Symbol::experts}});
  stack.optional = true;
  stack.per_expert = false;
  stack.stacked = true;
  gguf.tensors.push_back(std::move(stack));
  gguf.tensors.push_back(std::move(single));
}

Family gguf_form(const Family& family) {
  Family gguf = family;
  gguf.tensors.clear();
  gguf.ignorable = {"rope_freqs.weight"};
  gguf.layer_path = "blk.{L}.";
  if (family.gguf_architectures.empty()) return gguf;
  // A config beside the file may say the family's own type.
  gguf.model_types.insert(gguf.model_types.end(), family.gguf_architectures.begin(),
                          family.gguf_architectures.end());
  for (const FamilyTensor& tensor : family.tensors) {
    const std::string_view name = name_of(roles_of(tensor));
    if (name.empty()) continue;
    if (tensor.per_expert) {
      add_experts(tensor, family, name, gguf);
    } else {
      gguf.tensors.push_back(renamed(tensor, family, name));
    }
  }
  return gguf;
}

}  // namespace

std::span<const Family> gguf_families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> result;
    for (const Family& family : families()) result.push_back(gguf_form(family));
    return result;
  }();
  return all;
}

}  // namespace pedigree
