#include "fingerprint/ffn_place.h"

#include <algorithm>

#include "fingerprint/fingerprint.h"

namespace pedigree {
namespace {

struct FfnRole {
  FfnPlace::Kind kind;
  FfnPart part;
  std::string_view role;
};

constexpr FfnRole ffn_roles[] = {
    {.kind = FfnPlace::Kind::dense, .part = FfnPart::gate, .role = "ffn.gate"},
    {.kind = FfnPlace::Kind::dense, .part = FfnPart::up, .role = "ffn.up"},
    {.kind = FfnPlace::Kind::dense, .part = FfnPart::down, .role = "ffn.down"},
    {.kind = FfnPlace::Kind::expert, .part = FfnPart::gate, .role = "moe.gate"},
    {.kind = FfnPlace::Kind::expert, .part = FfnPart::up, .role = "moe.up"},
    {.kind = FfnPlace::Kind::expert, .part = FfnPart::down, .role = "moe.down"},
    {.kind = FfnPlace::Kind::shared, .part = FfnPart::gate, .role = "moe.shared.gate"},
    {.kind = FfnPlace::Kind::shared, .part = FfnPart::up, .role = "moe.shared.up"},
    {.kind = FfnPlace::Kind::shared, .part = FfnPart::down, .role = "moe.shared.down"},
};

template <class Items>
std::vector<FfnPlace> places_in(const Items& items) {
  std::vector<FfnPlace> places;
  for (const auto& item : items) {
    if (item.layer < 0) continue;
    if (auto place = ffn_place(item.role, item.layer, item.expert)) places.push_back(*place);
  }
  std::ranges::sort(places);
  const auto repeated = std::ranges::unique(places);
  places.erase(repeated.begin(), repeated.end());
  return places;
}

}  // namespace

std::string_view role_of(FfnPlace::Kind kind, FfnPart part) {
  const auto* const at = std::ranges::find_if(
      ffn_roles, [&](const FfnRole& each) { return each.kind == kind && each.part == part; });
  return at->role;
}

std::optional<FfnPlace> ffn_place(std::string_view role, int layer, int expert) {
  const auto* const at = std::ranges::find(ffn_roles, role, &FfnRole::role);
  if (at == std::ranges::end(ffn_roles)) return std::nullopt;
  return FfnPlace{.layer = layer, .kind = at->kind, .expert = expert};
}

FfnPart ffn_part(std::string_view role) {
  if (role.ends_with(".gate")) return FfnPart::gate;
  return role.ends_with(".up") ? FfnPart::up : FfnPart::down;
}

const Block* find_part(const Fingerprint& sketch, const FfnPlace& place, FfnPart part) {
  return sketch.block(role_of(place.kind, part), place.layer, place.expert);
}

const CanonicalTensor* find_part(const Model& model, const FfnPlace& place, FfnPart part) {
  return model.find(role_of(place.kind, part), place.layer, place.expert);
}

std::vector<FfnPlace> ffn_places(const Fingerprint& sketch) { return places_in(sketch.blocks); }

std::vector<FfnPlace> ffn_places(const Model& model) { return places_in(model.canonical); }

bool has_experts(const Fingerprint& sketch) {
  return std::ranges::any_of(ffn_places(sketch), [](const FfnPlace& place) {
    return place.kind != FfnPlace::Kind::dense;
  });
}

}  // namespace pedigree
