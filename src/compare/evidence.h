// What one statistic measured of a pair of models, and what that is worth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pedigree {

struct Evidence {
  enum class Outcome {
    measured,        // value and log10_p hold
    not_applicable,  // the question has no meaning for this pair
    insufficient,    // it has, but too little was readable to answer it
  };
  enum class Null { none, digest, exact, bound, asymptotic, assumed };

  std::string statistic = {};  // id with version: "ffn-pairing/1"
  Outcome outcome = Outcome::insufficient;
  double value = 0;                    // in the statistic's own unit
  std::optional<double> log10_p = {};  // of an unrelated pair scoring this high, every try paid for
  Null null = Null::none;
  std::uint64_t samples = 0;  // units, values or tensors behind it
  std::string stage = {};     // digests, aligned, layer-map, responses, two-view, couplings
  std::string because = {};   // one sentence a person can check by hand
};

std::string_view outcome_name(Evidence::Outcome outcome);
std::string_view null_name(Evidence::Null null);

}  // namespace pedigree
