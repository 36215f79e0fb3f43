#include "model/adapter_targets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "model/families_match.h"
#include "model/families_names.h"

namespace pedigree {
namespace {

// A matrix of a base by name: shapes as stored unpacked.
struct BaseMatrix {
  std::string name = {};
  const std::vector<std::uint64_t>* shape = nullptr;
};

std::string flat(std::string_view name) {
  std::string result(name);
  std::ranges::replace(result, '.', '_');
  return result;
}

std::string without_weight(std::string_view name) {
  constexpr std::string_view ending = ".weight";
  if (name.ends_with(ending)) name.remove_suffix(ending.size());
  return std::string(name);
}

// "layers.3.self_attn.q_proj": numbers put back into the core name.
std::string core_of(std::string_view module) {
  const CoreName core = core_name(std::string(module) + ".weight");
  std::string text = core.core;
  for (const int number : core.numbers) {
    const std::size_t at = text.find("{}");
    if (at == std::string::npos) break;
    text.replace(at, 2, std::to_string(number));
  }
  return text;
}

std::string_view without_trainer(std::string_view module) {
  for (const std::string_view prefix :
       {"lora_unet_", "lora_te1_", "lora_te2_", "lora_te_", "lora_transformer_"}) {
    if (module.starts_with(prefix)) return module.substr(prefix.size());
  }
  return module;
}

class BaseNames {
 public:
  explicit BaseNames(const ModelInfo& base) {
    std::set<std::size_t> hidden;
    for (const PackedMatrix& matrix : base.packed) {
      hidden.insert(matrix.parts.begin(), matrix.parts.end());
      add({.name = matrix.name, .shape = &matrix.shape});
    }
    for (std::size_t at = 0; at < base.tensors.size(); ++at) {
      const TensorEntry& entry = base.tensors[at].entry;
      if (!hidden.contains(at)) add({.name = entry.name, .shape = &entry.shape});
    }
  }

  const BaseMatrix* find(std::string_view module) const {
    const auto by_core = core_.find(core_of(module));
    if (by_core != core_.end()) return &by_core->second;
    const auto by_flat = flat_.find(without_trainer(module));
    return by_flat == flat_.end() ? nullptr : &by_flat->second;
  }

 private:
  void add(const BaseMatrix& matrix) {
    const std::string module = without_weight(matrix.name);
    core_.emplace(core_of(module), matrix);
    flat_.emplace(flat(module), matrix);
    // Text encoders are stored with a wrapper that trainers keep or drop.
    const std::size_t dot = module.find('.');
    if (dot != std::string::npos) flat_.emplace(flat(module.substr(dot + 1)), matrix);
  }

  std::map<std::string, BaseMatrix, std::less<>> core_;
  std::map<std::string, BaseMatrix, std::less<>> flat_;
};

// The matrices an adapter aims at, as if they were stored: `swapped` as [in, out].
std::vector<StoredTensor> aimed_at(const Adapter& adapter, const ModelInfo& model,
                                   const BaseNames* names, bool swapped) {
  std::vector<StoredTensor> stored;
  stored.reserve(adapter.updates.size());
  for (const AdapterUpdate& update : adapter.updates) {
    StoredTensor tensor = model.tensors[update.up];
    const BaseMatrix* matrix = names == nullptr ? nullptr : names->find(update.module);
    tensor.entry.name = matrix == nullptr ? update.module + ".weight" : matrix->name;
    tensor.entry.shape = {update.rows, update.cols};
    if (swapped != update.embedding) std::swap(tensor.entry.shape[0], tensor.entry.shape[1]);
    tensor.entry.extent = {.begin = 0, .end = std::max<std::uint64_t>(update.rows, 1)};
    stored.push_back(std::move(tensor));
  }
  return stored;
}

struct Reading {
  double explained = 0;
  std::vector<AdapterTarget> targets = {};
};

Reading reading_of(std::span<const StoredTensor> stored) {
  constexpr double enough = 0.5;
  const std::vector<FamilyMatch> ranked = rank_families(stored, {});
  const FamilyMatch& best = ranked.front();
  if (best.matched.empty() || best.byte_share < enough) return {};
  Reading reading{.explained = best.explained()};
  const Sizes sizes(stored, best.matched);
  std::set<std::size_t> paired;
  for (const MatchedTensor& one : best.matched) {
    if (one.as->paired) paired.insert(one.tensor);
  }
  for (CanonicalTensor& part : canonical_tensors(stored, best.matched, sizes)) {
    part.paired_heads = paired.contains(part.tensor) ? 1 : 0;  // how many, the base knows
    const std::size_t update = part.tensor;
    reading.targets.push_back({.update = update, .part = std::move(part)});
  }
  return reading;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  return fmt::format("{}", fmt::join(shape, "×"));
}

bool has_shape(const AdapterUpdate& update, const Model& model,
               const std::vector<std::uint64_t>& shape) {
  if (shape.size() < 2) return false;
  std::vector<std::uint64_t> updated = model.tensors[update.down].entry.shape;
  updated.front() = update.rows;
  if (updated == shape) return true;
  // Stored as [in, out], or an embedding's.
  return shape.size() == 2 && shape[0] == update.cols && shape[1] == update.rows;
}

// The base's matrix of the same role, where names are spelled by another container.
// A fused one is as high as its parts together.
std::optional<std::vector<std::uint64_t>> by_role(std::span<const AdapterTarget* const> targets,
                                                  const ModelInfo& base) {
  std::vector<std::uint64_t> shape;
  for (const AdapterTarget* target : targets) {
    const CanonicalTensor& part = target->part;
    const auto found = std::ranges::find_if(base.canonical, [&](const CanonicalTensor& each) {
      return each.role == part.role && each.layer == part.layer && each.expert == part.expert;
    });
    if (found == base.canonical.end()) return std::nullopt;
    if (shape.empty()) shape = {0, found->cols};
    shape[0] += found->rows;
  }
  return shape.empty() ? std::nullopt : std::optional(std::move(shape));
}

bool holds_the_same(const Model& model, const StoredTensor& copy, const Model& base,
                    const StoredTensor& original) {
  constexpr std::uint64_t most = std::uint64_t{1} << 20U;
  constexpr std::size_t few = 16;
  const auto size = static_cast<std::size_t>(std::min(copy.entry.extent.size(), most));
  std::vector<std::byte> one(size);
  std::vector<std::byte> other(size);
  if (model.shards[copy.shard]->read_at(copy.entry.extent.begin, one) ||
      base.shards[original.shard]->read_at(original.entry.extent.begin, other)) {
    return false;
  }
  return one == other && std::set<std::byte>(one.begin(), one.end()).size() > few;
}

void fit_copies(const Adapter& adapter, const Model& model, const Model& base, AdapterFit& fit) {
  std::map<std::string, const StoredTensor*, std::less<>> by_core;
  for (const StoredTensor& tensor : base.tensors) {
    by_core.emplace(core_of(without_weight(tensor.entry.name)), &tensor);
  }
  for (const std::size_t at : adapter.copies) {
    const StoredTensor& copy = model.tensors[at];
    const auto found = by_core.find(core_of(without_weight(copy.entry.name)));
    if (found == by_core.end() || found->second->entry.shape != copy.entry.shape) continue;
    ++fit.copies;
    const StoredTensor& original = *found->second;
    if (original.entry.type != copy.entry.type || !holds_the_same(model, copy, base, original)) {
      continue;
    }
    if (fit.equal++ == 0) fit.equal_name = shown(copy.entry.name.substr(0, 200));
  }
}

}  // namespace

std::vector<AdapterTarget> adapter_targets(const Adapter& adapter, const ModelInfo& model,
                                           const ModelInfo* base) {
  if (adapter.updates.empty()) return {};
  std::optional<BaseNames> names;
  if (base != nullptr) names.emplace(*base);
  const BaseNames* known = names ? &*names : nullptr;
  Reading plain = reading_of(aimed_at(adapter, model, known, false));
  Reading swapped = reading_of(aimed_at(adapter, model, known, true));
  return swapped.explained > plain.explained ? std::move(swapped.targets)
                                             : std::move(plain.targets);
}

AdapterFit fit_adapter(const Adapter& adapter, const Model& model, const Model& base) {
  AdapterFit fit;
  const BaseNames names(base);
  const std::vector<AdapterTarget> targets = adapter_targets(adapter, model, &base);
  std::vector<std::vector<const AdapterTarget*>> targets_of(adapter.updates.size());
  for (const AdapterTarget& target : targets) targets_of[target.update].push_back(&target);
  for (std::size_t at = 0; at < adapter.updates.size(); ++at) {
    const AdapterUpdate& update = adapter.updates[at];
    const BaseMatrix* matrix = names.find(update.module);
    const auto role = matrix == nullptr ? by_role(targets_of[at], base) : std::nullopt;
    const std::vector<std::uint64_t>* shape =
        matrix != nullptr ? matrix->shape : (role ? &*role : nullptr);
    const std::string module = shown(update.module.substr(0, 200));
    if (shape == nullptr) {
      ++fit.absent;
      if (fit.first.empty()) fit.first = fmt::format("it has no \"{}\"", module);
    } else if (!has_shape(update, model, *shape)) {
      ++fit.misfits;
      if (fit.misfits == 1) {
        fit.first = fmt::format("\"{}\" is {} there, and the adapter updates one of {}×{}", module,
                                shape_text(*shape), update.rows, update.cols);
      }
    } else {
      ++fit.updates;
    }
  }
  fit_copies(adapter, model, base, fit);
  return fit;
}

}  // namespace pedigree
