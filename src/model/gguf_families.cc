// Families as GGUF files spell them. All share one set of names, so a family's form
// follows from its own tensors; what differs beside the names stands in its file.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "model/families.h"

namespace pedigree {
namespace {

using Names = std::pair<std::string_view, std::string_view>;

// Role to name, within the layer where it is a layer's; experts' without "_exps".
constexpr std::array<Names, 40> names = {{
    {"embed.tokens", "token_embd"},
    {"embed.positions", "position_embd"},
    {"embed.types", "token_types"},
    {"embed.norm", "token_embd_norm"},
    {"head.norm", "output_norm"},
    {"head.out", "output"},
    {"attn.norm", "attn_norm"},
    {"attn.q", "attn_q"},
    {"attn.k", "attn_k"},
    {"attn.v", "attn_v"},
    {"attn.o", "attn_output"},
    {"attn.q.norm", "attn_q_norm"},
    {"attn.k.norm", "attn_k_norm"},
    {"attn.q_a", "attn_q_a"},
    {"attn.q_a.norm", "attn_q_a_norm"},
    {"attn.q_b", "attn_q_b"},
    {"attn.kv_a", "attn_kv_a_mqa"},
    {"attn.kv_a.norm", "attn_kv_a_norm"},
    {"attn.k_b+attn.v_b", "attn_kv_b"},
    {"attn.k_b", "attn_k_b"},
    {"attn.v_b", "attn_v_b"},
    {"attn.sinks", "attn_sinks"},
    {"attn.sub_norm", "attn_sub_norm"},
    {"attn.post_norm", "post_attention_norm"},
    {"ffn.norm", "ffn_norm"},
    {"ffn.gate", "ffn_gate"},
    {"ffn.up", "ffn_up"},
    {"ffn.down", "ffn_down"},
    {"ffn.sub_norm", "ffn_sub_norm"},
    {"ffn.post_norm", "post_ffw_norm"},
    {"ffn.gate+ffn.up", "ffn_up"},
    {"moe.router", "ffn_gate_inp"},
    {"moe.gate", "ffn_gate"},
    {"moe.up", "ffn_up"},
    {"moe.down", "ffn_down"},
    {"moe.shared.gate", "ffn_gate_shexp"},
    {"moe.shared.up", "ffn_up_shexp"},
    {"moe.shared.down", "ffn_down_shexp"},
    {"moe.shared.router", "ffn_gate_inp_shexp"},
    {"attn.q+attn.k+attn.v", "attn_qkv"},
}};

constexpr std::string_view bias = ".bias";

std::string_view without_bias(std::string_view role) {
  if (role.ends_with(bias)) role.remove_suffix(bias.size());
  return role;
}

// "attn.q+attn.k+attn.v" of a fused tensor, without ".bias".
std::string roles_of(const FamilyTensor& tensor) {
  if (tensor.parts.empty()) return std::string(without_bias(tensor.role));
  std::string roles;
  for (const FamilyPart& part : tensor.parts) {
    if (!roles.empty()) roles += '+';
    roles += without_bias(part.role);
  }
  return roles;
}

bool is_bias(const FamilyTensor& tensor) {
  return (tensor.parts.empty() ? tensor.role : tensor.parts.front().role).ends_with(bias);
}

// The name of a tensor's role or fused roles without its ending; "" when there is none.
std::string_view name_of(const FamilyTensor& tensor, const Family& family) {
  const std::string roles = roles_of(tensor);
  for (const auto& [role, name] : family.gguf_names) {
    if (role == tensor.role || role == roles) return name;
  }
  for (const auto& [role, name] : names) {
    if (role == roles) return name;
  }
  return {};
}

// `tensor` under its GGUF name: as [out, in], not transposed, without axes of one.
FamilyTensor renamed(const FamilyTensor& tensor, const Family& family, std::string_view name) {
  FamilyTensor result = tensor;
  result.name = tensor.in_layer ? "blk.{L}." : "";
  result.name += name;
  result.name += is_bias(tensor) ? ".bias" : ".weight";
  if (tensor.transpose) std::swap(result.shape.end()[-2], result.shape.end()[-1]);
  result.transpose = false;
  result.flat = false;
  std::erase_if(result.shape, is_one);
  // Queries, keys and values that take turns are put behind each other.
  if (!tensor.parts.empty() && tensor.parts.front().role.starts_with("attn.q")) {
    result.turns = Turns::none;
  }
  const bool rotary = tensor.role.starts_with("attn.q") || tensor.role.starts_with("attn.k");
  result.paired = family.gguf_pairs_heads && rotary && !tensor.role.contains("norm");
  const bool gain = tensor.role.ends_with("norm");
  result.added = family.norm_plus_one && gain ? 1.0F : 0.0F;
  return result;
}

// The parts of a fused tensor as tensors of their own.
std::vector<FamilyTensor> split(const FamilyTensor& tensor) {
  std::vector<FamilyTensor> result;
  for (const FamilyPart& part : tensor.parts) {
    FamilyTensor one = tensor;
    one.role = part.role;
    one.parts.clear();
    one.turns = Turns::none;
    // Of a bias and of a matrix stored as [in, out] the out axis is the last.
    const bool last = is_bias(tensor) || tensor.transpose;
    one.shape.end()[last ? -1 : -2] = part.rows;
    result.push_back(std::move(one));
  }
  return result;
}

// Experts stand in one tensor, or in old files in one each.
void add_experts(const FamilyTensor& tensor, const Family& family, std::string_view name,
                 Family& gguf) {
  FamilyTensor stack = renamed(tensor, family, std::string(name) + "_exps");
  if (!tensor.stacked) stack.shape.insert(stack.shape.begin(), {{.symbol = Symbol::experts}});
  stack.optional = true;
  stack.per_expert = false;
  stack.stacked = true;
  gguf.tensors.push_back(std::move(stack));
  if (tensor.stacked) return;
  FamilyTensor single = renamed(tensor, family, std::string(name) + ".{E}");
  single.optional = true;
  gguf.tensors.push_back(std::move(single));
}

// What makes keys and values of compressed ones: fused as in the family's own files, or, since
// 2025, a matrix of each head for either, that of keys turned round (llama.cpp,
// conversion/deepseek.py). Forks write both.
void add_compressed(const FamilyTensor& fused, const Family& family, Family& gguf) {
  FamilyTensor whole = renamed(fused, family, name_of(fused, family));
  whole.optional = true;
  gguf.tensors.push_back(std::move(whole));
  for (const FamilyTensor& part : split(fused)) {
    FamilyTensor apart = renamed(part, family, name_of(part, family));
    apart.optional = true;
    apart.by_head = true;
    if (part.role == "attn.k_b") {
      apart.turned_heads = true;
      apart.shape = {{{.symbol = Symbol::head_ranks}}, {{.symbol = Symbol::head_keys}}};
    }
    gguf.tensors.push_back(std::move(apart));
  }
}

void add(const FamilyTensor& tensor, const Family& family, Family& gguf) {
  const std::string_view name = name_of(tensor, family);
  if (name.empty()) return;
  if (roles_of(tensor) == "attn.k_b+attn.v_b") {
    add_compressed(tensor, family, gguf);
  } else if (tensor.per_expert || tensor.stacked) {
    add_experts(tensor, family, name, gguf);
  } else {
    gguf.tensors.push_back(renamed(tensor, family, name));
  }
}

Family gguf_form(const Family& family) {
  Family gguf = family;
  gguf.tensors.clear();
  gguf.ignorable = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};
  gguf.layer_path = "blk.{L}.";
  if (family.gguf_architectures.empty()) return gguf;
  // A config beside the file may say the family's own type.
  gguf.model_types.insert(gguf.model_types.end(), family.gguf_architectures.begin(),
                          family.gguf_architectures.end());
  for (const FamilyTensor& tensor : family.tensors) {
    if (std::ranges::find(family.gguf_splits, roles_of(tensor)) == family.gguf_splits.end()) {
      add(tensor, family, gguf);
      continue;
    }
    for (const FamilyTensor& part : split(tensor)) add(part, family, gguf);
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
