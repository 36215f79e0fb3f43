// A feed-forward block and where it stands: a layer's own, one of its experts, or
// the expert that every token passes through.
#pragma once

#include <compare>
#include <optional>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace pedigree {

struct Block;
struct Fingerprint;

struct FfnPlace {
  enum class Kind { dense, expert, shared };

  int layer = -1;
  Kind kind = Kind::dense;
  int expert = -1;  // number of an expert in its layer

  auto operator<=>(const FfnPlace&) const = default;
};

enum class FfnPart { gate, up, down };

std::string_view role_of(FfnPlace::Kind kind, FfnPart part);  // "moe.up"

// What a tensor of this role belongs to; nothing for roles outside feed-forward blocks.
std::optional<FfnPlace> ffn_place(std::string_view role, int layer, int expert);

FfnPart ffn_part(std::string_view role);  // of such a role

// Null where the side has no such part.
const Block* find_part(const Fingerprint& sketch, const FfnPlace& place, FfnPart part);
const CanonicalTensor* find_part(const Model& model, const FfnPlace& place, FfnPart part);

// Ascending; of a sketch only what it keeps.
std::vector<FfnPlace> ffn_places(const Fingerprint& sketch);
std::vector<FfnPlace> ffn_places(const Model& model);

bool has_experts(const Fingerprint& sketch);

}  // namespace pedigree
