#include "model/planned_tensors.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/architecture.h"
#include "model/config_sizes.h"

namespace pedigree {
namespace {

std::string_view first_role(const FamilyTensor& tensor) {
  return tensor.parts.empty() ? tensor.role : tensor.parts.front().role;
}

bool is_ffn_matrix(std::string_view role) {
  return role.starts_with("ffn.gate") || role.starts_with("ffn.up") || role.starts_with("ffn.down");
}

bool asks_for(const FamilyTensor& tensor, Symbol symbol) {
  return std::ranges::any_of(tensor.shape, [&](const SizeFormula& size) {
    return std::ranges::find(size, symbol, &SizeTerm::symbol) != size.end();
  });
}

class Planner {
 public:
  Planner(const Family& family, const ConfigFacts& config)
      : family_(family),
        config_(config),
        sizes_(family, config),
        compresses_queries_(sizes_.find(Symbol::q_rank, "").has_value()),
        has_experts_(config.experts.value_or(0) > 0),
        knows_experts_(std::ranges::any_of(family.tensors, [](const FamilyTensor& tensor) {
          return first_role(tensor).starts_with("moe.");
        })) {}

  std::vector<MatchedTensor> plan() {
    int first = 0;
    int stacks = 0;
    for (const FamilyTensor& tensor : family_.tensors) stacks = std::max(stacks, tensor.stack);
    for (const FamilyTensor& tensor : family_.tensors) {
      if (!tensor.in_layer && is_asked_for(tensor)) add(tensor, -1);
    }
    for (int stack = 0; stack <= stacks; ++stack) {
      const std::uint64_t layers = std::min<std::uint64_t>(layers_of(stack), most_planned);
      for (std::uint64_t layer = 0; layer < layers && planned_.size() < most_planned; ++layer) {
        add_layer(stack, layer, first + static_cast<int>(layer));
      }
      first += static_cast<int>(layers);
    }
    return std::move(planned_);
  }

 private:
  std::uint64_t layers_of(int stack) const {
    const std::uint64_t layers = config_.layers.value_or(0);
    if (stack == 0) return layers;
    if (parse_structure(family_.structure).kind == "two-towers") {
      return sizes_.count("vision_config.num_hidden_layers").value_or(layers);
    }
    return config_.more_layers.value_or(layers);
  }

  void add_layer(int stack, std::uint64_t layer, int number) {
    const bool dense = knows_experts_ && (!has_experts_ || is_dense_layer(sizes_, layer));
    for (const FamilyTensor& tensor : family_.tensors) {
      if (!tensor.in_layer || tensor.stack != stack) continue;
      const std::string_view role = first_role(tensor);
      // Beside experts dense blocks are in some layers, or in all.
      const bool either = knows_experts_ && tensor.optional && is_ffn_matrix(role);
      if (either ? !dense : !is_asked_for(tensor)) continue;
      if (dense && role.starts_with("moe.")) continue;
      add(tensor, number);
    }
  }

  void add(const FamilyTensor& tensor, int layer) {
    const std::uint64_t experts = tensor.per_expert ? config_.experts.value_or(0) : 1;
    for (std::uint64_t expert = 0; expert < experts && planned_.size() < most_planned; ++expert) {
      planned_.push_back({.tensor = planned_.size(),
                          .as = &tensor,
                          .layer = layer,
                          .expert = tensor.per_expert ? static_cast<int>(expert) : -1});
    }
  }

  bool says(std::string_view key) const {
    return std::ranges::any_of(config_.entries, [&](const ConfigEntry& entry) {
      return entry.value == "true" &&
             (entry.key == key || entry.key == config_.nested + "." + std::string(key));
    });
  }

  bool is_asked_for(const FamilyTensor& tensor) const {
    const std::string_view role = first_role(tensor);
    // V2-Lite makes its queries from nothing compressed.
    if (asks_for(tensor, Symbol::q_rank)) return compresses_queries_;
    if (role == "attn.q" && tensor.optional) return !compresses_queries_;
    if (!tensor.optional) return true;
    if (role == "head.out") return !config_.tie_word_embeddings.value_or(family_.tied);
    if (role.ends_with(".bias")) {
      return role.starts_with("attn.") ? config_.attention_bias.value_or(false)
                                       : role.starts_with("ffn.") && says("mlp_bias");
    }
    if (role == "attn.q.norm" || role == "attn.k.norm") {
      return says("use_qk_norm") || says("qk_layernorm") || says("qk_norm");
    }
    return false;
  }

  const Family& family_;
  const ConfigFacts& config_;
  const ConfigSizes sizes_;
  bool compresses_queries_ = false;
  bool has_experts_ = false;
  bool knows_experts_ = false;
  std::vector<MatchedTensor> planned_;
};

// The canonical parts of a family's tensor, of one expert where it has many: [out, in].
class Shapes {
 public:
  Shapes(const Family& family, const ConfigFacts& config) : sizes_(family, config) {}

  const std::vector<CanonicalTensor>& of(const FamilyTensor& tensor) {
    const auto [at, fresh] = known_.try_emplace(&tensor);
    if (fresh) at->second = made(tensor);
    return at->second;
  }

  std::uint64_t experts() const { return sizes_.find(Symbol::experts, "moe.up").value_or(0); }

 private:
  std::vector<CanonicalTensor> made(const FamilyTensor& tensor) const {
    const std::string_view role = first_role(tensor);
    std::vector<std::uint64_t> axes;
    for (std::size_t axis = tensor.stacked ? 1 : 0; axis < tensor.shape.size(); ++axis) {
      const SizeFormula& size = tensor.shape[axis];
      if (is_one(size)) continue;
      axes.push_back(sizes_.evaluate(size, role).value_or(0));
    }
    if (axes.empty()) axes.push_back(1);
    if (axes.size() == 1) axes.push_back(1);
    // Of a kernel each output channel is a row.
    for (; axes.size() > 2; axes.pop_back()) axes[axes.size() - 2] *= axes.back();
    if (tensor.transpose) std::swap(axes[0], axes[1]);
    if (tensor.parts.empty()) return {{.role = tensor.role, .rows = axes[0], .cols = axes[1]}};
    std::vector<CanonicalTensor> parts;
    parts.reserve(tensor.parts.size());
    for (const FamilyPart& part : tensor.parts) {
      parts.push_back({.role = part.role,
                       .rows = sizes_.evaluate(part.rows, part.role).value_or(0),
                       .cols = axes[1]});
    }
    return parts;
  }

  ConfigSizes sizes_;
  std::map<const FamilyTensor*, std::vector<CanonicalTensor>> known_;
};

}  // namespace

std::vector<MatchedTensor> planned_by_config(const Family& family, const ConfigFacts& config) {
  return Planner(family, config).plan();
}

std::vector<CanonicalTensor> planned_tensors(const Family& family, const ConfigFacts& config,
                                             std::span<const MatchedTensor> matched) {
  Shapes shapes(family, config);
  const std::uint64_t stacked = std::min<std::uint64_t>(shapes.experts(), most_planned);
  std::vector<CanonicalTensor> result;
  for (const MatchedTensor& one : matched) {
    for (CanonicalTensor part : shapes.of(*one.as)) {
      part.layer = one.layer;
      part.expert = one.expert;
      if (!one.as->stacked) {
        result.push_back(part);
        continue;
      }
      for (std::uint64_t expert = 0; expert < stacked && result.size() < most_planned; ++expert) {
        part.expert = static_cast<int>(expert);
        result.push_back(part);
      }
    }
  }
  std::ranges::sort(result, {}, [](const CanonicalTensor& tensor) {
    return std::tuple(tensor.layer, std::string_view(tensor.role), tensor.expert);
  });
  return result;
}

}  // namespace pedigree
