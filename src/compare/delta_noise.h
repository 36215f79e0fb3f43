// Is the whole change nothing but added noise, as a copy disguised with random numbers
// shows it? Training leaves strong directions, heavy tails and other sizes in every role.
#pragma once

#include <optional>
#include <vector>

#include "compare/change.h"
#include "compare/evidence.h"

namespace pedigree {

struct DeltaNoise {
  bool white = false;             // every test below holds
  double edge_ratio = 0;          // median of the largest singular value over the noise edge
  double largest_edge_ratio = 0;  // of all matrices
  double kurtosis = 0;            // median over matrices; 3 for a Gaussian
  double alignment = 0;           // largest |correlation| with the base's values, in 1/√N
  double spread = 0;  // of σ between matrices, absolute or relative to W: largest/smallest
  std::size_t matrices = 0;
  std::size_t values = 0;
};

// Over the matrices inside layers; nothing when a matrix did not change, when there are
// fewer than six, or when the change is not clearly above the rounding of the stored
// type (`sketched`: parts come from a fingerprint, which keeps eleven bits).
std::optional<DeltaNoise> delta_noise(const std::vector<Change>& changes, bool sketched);

Evidence noise_evidence(const DeltaNoise& noise);

}  // namespace pedigree
