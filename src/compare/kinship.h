// How near two models of one family stand, from their fingerprints alone: which
// sampled rows they still hold alike, and how far apart the rest is.
//
// A row that training has moved never comes back to its old bits. So rows held
// alike say where in the family a model left it, and they say so exactly;
// distances say how far it went, and are led astray by models that moved the
// same way for the same reason (docs/decisions/0013-family-trees.md).
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "compare/alignment.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

// Parts of a model that training moves by different laws.
enum class ModelPart { embedding, head, attention, feed_forward };
inline constexpr std::size_t model_parts = 4;

// Sums over the values both sides sampled at the same places.
struct PartSum {
  double squares = 0;  // ‖first − second‖²
  double first = 0;    // ‖first‖²
  double second = 0;
  double first_rounding = 0;  // what rounding into its stored type adds
  double second_rounding = 0;
  bool aligned = false;  // place i of one is place i of the other
};

struct Kinship {
  std::array<PartSum, model_parts> parts = {};
  double levelled = 2;              // see distance()
  std::vector<bool> compared = {};  // per row, in the order of the blocks: has information
  std::vector<bool> equal = {};     // and is equal to the last bit
  std::size_t rows = 0;             // compared, in aligned parts
  std::size_t kept_rows = 0;        // of these, equal up to rounding and one factor
  bool same = false;                // everything equal, or one side is the other, rounded
  bool unmoved = false;             // aligned parts differ by no more than rounding
  bool first_is_rounded = false;    // holds second's values, of which some were rounded
  bool second_is_rounded = false;   // and the other way round
  // Shares of the values of either side that stand against nothing of the other:
  // layers it lacks, units it lacks, parts that are not aligned.
  double new_in_first = 1;
  double new_in_second = 1;

  const PartSum& part(ModelPart which) const { return parts[static_cast<std::size_t>(which)]; }
  bool measured() const { return rows > 0; }
  double changed_rows() const;  // share, 1 when nothing was measured
  // ‖first − second‖² over the mean of ‖first‖² and ‖second‖² in aligned parts,
  // after neurons' own factors between up and down were taken out; 2 for strangers.
  double distance() const { return levelled; }
};

// Layers are paired by `layers` (first's, second's), blocks of experts by `experts`
// (none between dense models), everything else by index.
Kinship kinship_of(const Fingerprint& first, const Fingerprint& second,
                   const std::vector<std::pair<int, int>>& layers,
                   const std::vector<FfnMatch>& experts = {});

// Did both sample the same places of the same shapes? Then sums over any two of
// several such models are over the same values and may be set against each other.
bool same_places(const Fingerprint& first, const Fingerprint& second);

// Least precision of the stored matrices, in bits: which of equal copies is the
// one that was not widened.
int stored_precision(const Fingerprint& sketch);

// Do all sampled values fit a coarser type than they are stored in? Then they were
// widened, and the model they were taken from may be another one.
bool is_widened(const Fingerprint& sketch);

}  // namespace pedigree
