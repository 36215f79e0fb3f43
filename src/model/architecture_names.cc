#include "model/architecture_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "model/families_names.h"

namespace pedigree {
namespace {

std::string without_ending(std::string_view name) {
  for (const std::string_view ending : {".weight", ".bias"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  return std::string(name);
}

std::string short_name(const FamilyTensor& tensor) {
  constexpr std::string_view slot = "{L}.";
  std::string_view name = tensor.name;
  if (tensor.in_layer) name.remove_prefix(name.find(slot) + slot.size());
  return without_ending(name);
}

void add(Renames& renames, std::string ours, std::string theirs) {
  if (ours == theirs) return;
  std::pair<std::string, std::string> rename = {std::move(ours), std::move(theirs)};
  if (std::ranges::find(renames, rename) == renames.end()) renames.push_back(std::move(rename));
}

// The name behind the layer's number; "" when there is no number.
std::string behind_layer(const CoreName& name) {
  const std::size_t at = name.core.find("{}.");
  return at == std::string::npos ? "" : without_ending(std::string_view(name.core).substr(at + 3));
}

// Role to short name; empty when one role has several names among the layers.
std::map<std::string_view, std::string> names_by_role(const ModelInfo& info) {
  std::map<std::string_view, std::string> names;
  for (const CanonicalTensor& tensor : info.canonical) {
    const std::string& stored = info.tensors[tensor.tensor].entry.name;
    std::string name = tensor.layer < 0 ? without_ending(stored) : behind_layer(core_name(stored));
    if (name.empty()) return {};
    const auto [known, is_new] = names.try_emplace(tensor.role, name);
    if (!is_new && known->second != name) return {};
  }
  return names;
}

}  // namespace

Renames renames_of(const Family& family, const std::vector<CanonicalTensor>& canonical) {
  Renames renames;
  const Family* reference = reference_family(family.structure);
  if (reference == nullptr || reference == &family) return renames;
  std::set<std::string_view> roles;
  for (const CanonicalTensor& tensor : canonical) roles.insert(tensor.role);
  for (const FamilyTensor& tensor : family.tensors) {
    const FamilyTensor* theirs = reference->find_role(tensor.role);
    if (theirs == nullptr || !roles.contains(tensor.role)) continue;
    add(renames, short_name(tensor), short_name(*theirs));
  }
  return renames;
}

Renames renames_by_role(const ModelInfo& info) {
  Renames renames;
  const Family* reference = reference_family(info.architecture.structure);
  if (reference == nullptr) return renames;
  const std::map<std::string_view, std::string> names = names_by_role(info);
  for (const FamilyTensor& theirs : reference->tensors) {
    const auto ours = names.find(theirs.role);
    if (ours == names.end()) continue;
    add(renames, ours->second, short_name(theirs));
  }
  return renames;
}

}  // namespace pedigree
