// Models made of names and shapes alone, for tests of roles and architecture.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/families.h"
#include "model/model.h"
#include "model/roles.h"

namespace pedigree::test {

// Tensors in file order, one after another; model() sorts them by name as
// open_model does.
class NamedTensors {
 public:
  NamedTensors& add(std::string name, std::vector<std::uint64_t> shape,
                    std::string_view type = "BF16") {
    StoredTensor stored;
    stored.entry.name = std::move(name);
    stored.entry.type = find_element_type(type);
    stored.entry.type_name = type;
    stored.entry.shape = std::move(shape);
    const std::uint64_t size = stored.entry.element_count() * stored.entry.type->bits / 8;
    stored.entry.extent = {.begin = end_, .end = end_ + size};
    end_ += size;
    tensors_.push_back(std::move(stored));
    return *this;
  }

  NamedTensors& drop(std::string_view part) {
    std::erase_if(tensors_, [&](const StoredTensor& tensor) {
      return tensor.entry.name.find(part) != std::string::npos;
    });
    return *this;
  }

  // Every name spelled anew; the place in the file stays.
  template <class Rename>
  NamedTensors& rename(Rename spelled) {
    for (StoredTensor& tensor : tensors_) tensor.entry.name = spelled(tensor.entry.name);
    return *this;
  }

  // The tensors laid out again in this order of names.
  template <class Order>
  NamedTensors& place_by(Order order) {
    std::ranges::stable_sort(tensors_, {},
                             [&](const StoredTensor& t) { return order(t.entry.name); });
    std::uint64_t at = 0;
    for (StoredTensor& tensor : tensors_) {
      const std::uint64_t size = tensor.entry.extent.size();
      tensor.entry.extent = {.begin = at, .end = at + size};
      at += size;
    }
    return *this;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const StoredTensor& tensor : tensors_) result.push_back(tensor.entry.name);
    return result;
  }

  ModelInfo model(const ConfigFacts& config = {}) const {
    ModelInfo info;
    info.tensors = tensors_;
    std::ranges::sort(info.tensors, {}, [](const StoredTensor& t) { return t.entry.name; });
    assign_roles(info, config);
    return info;
  }

 private:
  std::vector<StoredTensor> tensors_;
  std::uint64_t end_ = 0;
};

using SizeTable = std::map<Symbol, std::uint64_t>;

inline SizeTable small_sizes() {
  return {{Symbol::one, 1},         {Symbol::hidden, 96},     {Symbol::other_hidden, 72},
          {Symbol::embed, 96},      {Symbol::projection, 80}, {Symbol::vocab, 768},
          {Symbol::head_rows, 768}, {Symbol::positions, 64},  {Symbol::other_positions, 50},
          {Symbol::types, 2},       {Symbol::buckets, 32},    {Symbol::head_dim, 24},
          {Symbol::heads, 4},       {Symbol::kv_heads, 2},    {Symbol::q, 96},
          {Symbol::kv, 48},         {Symbol::values, 48},     {Symbol::plain_keys, 64},
          {Symbol::q_rank, 40},     {Symbol::kv_rank, 32},    {Symbol::kv_in, 40},
          {Symbol::ffn, 256},       {Symbol::experts, 2},     {Symbol::shared_ffn, 128},
          {Symbol::inner, 160},     {Symbol::state, 18},      {Symbol::dt_rank, 6},
          {Symbol::channels, 196},  {Symbol::keys, 56},       {Symbol::ssm_heads, 8},
          {Symbol::mix_rank, 12},   {Symbol::decay_rank, 14}, {Symbol::rate_rank, 10},
          {Symbol::gate_rank, 22},  {Symbol::value_rank, 15}, {Symbol::kernel, 4},
          {Symbol::inputs, 3},      {Symbol::patch, 7}};
}

inline std::string with_number(std::string name, std::string_view slot, std::uint64_t number) {
  const std::size_t at = name.find(slot);
  if (at != std::string::npos) name.replace(at, slot.size(), std::to_string(number));
  return name;
}

inline const Family& family_called(std::string_view id) {
  return *std::ranges::find(families(), id, &Family::id);
}

inline bool takes_turns(const Family& family) {
  return std::ranges::any_of(family.tensors,
                             [](const FamilyTensor& t) { return t.turns != Turns::none; });
}

inline bool has_experts(const Family& family) {
  return std::ranges::any_of(family.tensors,
                             [](const FamilyTensor& t) { return t.per_expert || t.stacked; });
}

inline std::uint64_t stacks_of(const Family& family) {
  return 1 + static_cast<std::uint64_t>(
                 std::ranges::max(family.tensors, {}, &FamilyTensor::stack).stack);
}

inline bool uses(const Family& family, Symbol symbol) {
  for (const FamilyTensor& tensor : family.tensors) {
    for (const SizeFormula& formula : tensor.shape) {
      if (std::ranges::find(formula, symbol, &SizeTerm::symbol) != formula.end()) return true;
    }
  }
  return false;
}

// All required tensors of a family, and the optional ones named in `with`.
inline NamedTensors tensors_of(const Family& family, std::uint64_t layers = 4,
                               SizeTable sizes = small_sizes(), std::string_view with = "lm_head") {
  NamedTensors result;
  const auto add = [&](const FamilyTensor& tensor, std::uint64_t layer) {
    if (tensor.optional && tensor.name.find(with) == std::string::npos) return;
    std::vector<std::uint64_t> shape;
    for (const SizeFormula& formula : tensor.shape) {
      std::uint64_t size = 0;
      for (const SizeTerm& term : formula) size += term.coefficient * sizes[term.symbol];
      shape.push_back(size);
    }
    if (tensor.flat) shape = {shape[0] * shape[1], shape[2]};
    const std::uint64_t experts = tensor.per_expert ? sizes[Symbol::experts] : 1;
    for (std::uint64_t expert = 0; expert < experts; ++expert) {
      result.add(with_number(with_number(tensor.name, "{L}", layer), "{E}", expert), shape);
    }
  };
  const auto in_layer = std::ranges::find(family.tensors, true, &FamilyTensor::in_layer);
  const auto after = std::find_if(in_layer, family.tensors.end(),
                                  [](const FamilyTensor& t) { return !t.in_layer; });
  std::for_each(family.tensors.begin(), in_layer, [&](const FamilyTensor& t) { add(t, 0); });
  for (std::uint64_t layer = 0; layer < layers; ++layer) {
    std::for_each(in_layer, after, [&](const FamilyTensor& t) { add(t, layer); });
  }
  std::for_each(after, family.tensors.end(), [&](const FamilyTensor& t) { add(t, 0); });
  return result;
}

inline NamedTensors llama(std::uint64_t layers = 4, SizeTable sizes = small_sizes()) {
  return tensors_of(family_called("llama"), layers, std::move(sizes));
}

// "attn.q/2" for the second layer's, by stored name.
inline std::map<std::string, std::string> roles_by_name(const ModelInfo& info) {
  std::map<std::string, std::string> result;
  for (const CanonicalTensor& tensor : info.canonical) {
    std::string& text = result[info.tensors[tensor.tensor].entry.name];
    text += (text.empty() ? "" : "+") + tensor.role;
    if (tensor.layer >= 0) text += "/" + std::to_string(tensor.layer);
    if (tensor.expert >= 0) text += "/" + std::to_string(tensor.expert);
  }
  return result;
}

inline std::vector<std::string> codes(const ModelInfo& info) {
  std::vector<std::string> result;
  for (const Problem& problem : info.problems) result.push_back(problem.code);
  return result;
}

}  // namespace pedigree::test
