// Which tensors of an adapter belong together, and which matrices they update.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "model/adapter.h"
#include "model/adapter_targets.h"
#include "model/model.h"

namespace pedigree {
namespace {

enum class Side { down, up, scale, magnitude };

// Where the module's name ends; whether more may follow, such as an adapter's own name; what
// such a tensor is; whose spelling it is.
using Spelling = std::tuple<std::string_view, bool, Side, std::string_view>;

struct Spelled {
  std::string module = {};
  bool embedding = false;
  Side side = Side::down;
  std::string_view layout = {};
};

// The first that fits a name decides.
constexpr std::array spellings = {Spelling{".lora_embedding_A", true, Side::down, "peft"},
                                  Spelling{".lora_embedding_B", true, Side::up, "peft"},
                                  Spelling{".lora_magnitude_vector", true, Side::magnitude, "peft"},
                                  Spelling{".lora_A.", true, Side::down, "peft"},
                                  Spelling{".lora_B.", true, Side::up, "peft"},
                                  Spelling{".lora_down.weight", false, Side::down, "kohya"},
                                  Spelling{".lora_up.weight", false, Side::up, "kohya"},
                                  Spelling{".lora.down.weight", false, Side::down, "diffusers"},
                                  Spelling{".lora.up.weight", false, Side::up, "diffusers"},
                                  Spelling{".weight.lora_a", false, Side::down, "gguf"},
                                  Spelling{".weight.lora_b", false, Side::up, "gguf"},
                                  Spelling{".dora_scale", false, Side::magnitude, "kohya"},
                                  Spelling{".alpha", false, Side::scale, "kohya"}};

struct Found {
  std::optional<std::size_t> down = {};
  std::optional<std::size_t> up = {};
  std::optional<std::size_t> scale = {};
  bool magnitude = false;
  bool embedding = false;
};

std::optional<Spelled> spelled(std::string_view name) {
  for (const auto& [mark, open, side, layout] : spellings) {
    const std::size_t at = name.rfind(mark);
    if (at == name.npos || at == 0) continue;
    if (!open && at + mark.size() != name.size()) continue;
    std::string_view module = name.substr(0, at);
    for (const std::string_view wrapper : {"base_model.model.", "unet.", "text_encoder."}) {
      if (wrapper != "base_model.model." && layout != "diffusers") continue;
      if (module.starts_with(wrapper)) module.remove_prefix(wrapper.size());
    }
    return Spelled{.module = std::string(module),
                   .embedding = mark.starts_with(".lora_embedding"),
                   .side = side,
                   .layout = layout};
  }
  return std::nullopt;
}

std::optional<double> scalar_of(const Model& model, std::size_t tensor) {
  const StoredTensor& stored = model.tensors[tensor];
  if (stored.entry.element_count() != 1 || stored.entry.type->decode == nullptr ||
      stored.entry.type->run() != 1) {
    return std::nullopt;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored.entry.extent.size()));
  if (model.shards[stored.shard]->read_at(stored.entry.extent.begin, bytes)) return std::nullopt;
  std::array<float, 1> value = {};
  stored.entry.type->decode(bytes, value);
  if (!std::isfinite(value[0])) return std::nullopt;
  return static_cast<double>(value[0]);
}

// alpha_pattern's keys are regular expressions that name a module or the end of its path;
// of those, plain names are understood.
std::optional<double> alpha_of(const AdapterDeclaration& declared, std::string_view module) {
  for (const auto& [pattern, alpha] : declared.alphas) {
    std::string_view plain = pattern;
    if (plain.starts_with('^')) plain.remove_prefix(1);
    if (plain.ends_with('$')) plain.remove_suffix(1);
    if (plain.find_first_of("\\*+?()[]{}|^$") != plain.npos) return std::nullopt;
    if (module == plain || module.ends_with("." + std::string(plain))) return alpha;
  }
  return declared.alpha;
}

std::optional<double> scale_of(const Model& model, const AdapterDeclaration& declared,
                               const Found& found, const AdapterUpdate& update) {
  const auto rank = static_cast<double>(update.rank);
  if (found.scale) {
    const auto alpha = scalar_of(model, *found.scale);
    return alpha ? std::optional(*alpha / rank) : std::nullopt;
  }
  const auto alpha = alpha_of(declared, update.module);
  if (!alpha || !std::isfinite(*alpha)) return std::nullopt;
  return *alpha / (declared.rank_stabilised ? std::sqrt(rank) : rank);
}

// Shapes that can be multiplied: [rank, in…] and [out, rank], convolutions with ones behind.
std::optional<AdapterUpdate> update_of(const Model& model, std::string module, const Found& found) {
  if (!found.down || !found.up) return std::nullopt;
  const auto& down = model.tensors[*found.down].entry.shape;
  const auto& up = model.tensors[*found.up].entry.shape;
  if (down.size() < 2 || up.size() < 2 || down[0] == 0 || up[0] == 0 || up[1] != down[0]) {
    return std::nullopt;
  }
  if (std::any_of(up.begin() + 2, up.end(), [](std::uint64_t size) { return size != 1; })) {
    return std::nullopt;
  }
  AdapterUpdate update{.module = std::move(module),
                       .down = *found.down,
                       .up = *found.up,
                       .rank = down[0],
                       .rows = up[0],
                       .cols = 1,
                       .embedding = found.embedding,
                       .scaled_rows = found.magnitude};
  for (std::size_t axis = 1; axis < down.size(); ++axis) {
    if (__builtin_mul_overflow(update.cols, down[axis], &update.cols)) return std::nullopt;
  }
  return update.cols == 0 ? std::nullopt : std::optional(std::move(update));
}

void describe(const Model& model, Adapter& adapter) {
  std::set<std::string> roles;
  for (const AdapterTarget& target : adapter_targets(adapter, model)) {
    AdapterUpdate& update = adapter.updates[target.update];
    update.role = target.part.role;
    update.layer = target.part.layer;
    roles.insert(target.part.role);
  }
  adapter.roles.assign(roles.begin(), roles.end());
  for (const AdapterUpdate& update : adapter.updates) {
    adapter.largest_rank = std::max(adapter.largest_rank, update.rank);
    adapter.least_rank =
        adapter.least_rank == 0 ? update.rank : std::min(adapter.least_rank, update.rank);
  }
}

using Modules = std::map<std::string, Found>;

// Sorts an adapter's tensors by the module they are for; the rest are counted or listed.
Modules modules_of(const Model& model, Adapter& adapter) {
  Modules modules;
  for (std::size_t at = 0; at < model.tensors.size(); ++at) {
    const std::string& name = model.tensors[at].entry.name;
    const auto found = spelled(name);
    if (!found) {
      if (is_adapter_tensor(name)) {
        ++adapter.others;
      } else {
        adapter.copies.push_back(at);
      }
      continue;
    }
    Found& one = modules[found->module];
    if (adapter.layout.empty()) adapter.layout = found->layout;
    one.embedding = one.embedding || found->embedding;
    one.magnitude = one.magnitude || found->side == Side::magnitude;
    if (found->side == Side::down) one.down = at;
    if (found->side == Side::up) one.up = at;
    if (found->side == Side::scale) one.scale = at;
  }
  return modules;
}

}  // namespace

Adapter read_adapter(const Model& model, AdapterDeclaration declared) {
  Adapter adapter;
  const Modules modules = modules_of(model, adapter);
  if (declared.type.empty() && !modules.empty()) declared.type = "LORA";
  for (const auto& [module, found] : modules) {
    auto update = update_of(model, module, found);
    if (!update) {
      adapter.others += std::size_t{found.down.has_value()} + std::size_t{found.up.has_value()};
      continue;
    }
    update->scale = scale_of(model, declared, found, *update);
    adapter.updates.push_back(std::move(*update));
  }
  adapter.declared = std::move(declared);
  describe(model, adapter);
  return adapter;
}

}  // namespace pedigree
