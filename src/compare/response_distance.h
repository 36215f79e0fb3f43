// How far apart two models stand in how their neurons answer tokens: what is
// left to measure when coordinates were rotated or neurons re-dealt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

// From stored responses, neurons by index; nothing when they do not agree or
// are too few. Relative and squared, as Kinship::distance().
std::optional<double> stored_response_distance(const Fingerprint& first, const Fingerprint& second,
                                               const std::vector<std::pair<int, int>>& layers);

// A disguised model, anchored to a reference in whose family it belongs: some
// of its neurons under the numbers they have there. Distances to all members
// that share the reference's numbering then cost a few rows of each.
class ResponseAnchor {
 public:
  // Needs weights on both sides, and costs two-view agreement once. Nothing when
  // the two do not agree.
  static Result<std::optional<ResponseAnchor>> find(const Side& disguised, const Side& reference,
                                                    const CompareOptions& options);

  // Relative and squared; reads up to 64 gate rows of up to eight layers. Nothing
  // when `member` lacks weights or tokens.
  Result<std::optional<double>> distance_to(const Side& member) const;

 private:
  struct Layer {
    int number = 0;                           // in the reference
    std::vector<std::uint64_t> neurons = {};  // there
    std::vector<double> answers = {};         // of the disguised model, neurons × tokens
  };

  std::vector<std::uint64_t> tokens_ = {};  // hashes, ascending
  std::vector<Layer> layers_ = {};
};

}  // namespace pedigree
