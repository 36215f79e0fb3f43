// Which residual dimensions, neurons and heads a narrower model kept, when sampled
// indices no longer mean the same on both sides (Minitron, Sheared LLaMA).
//
// Residual dimensions are found first, as columns of the embedding and the head for
// tokens both models have; neurons and heads are then looked up on those dimensions.
// A partner counts when it is clearly ahead of the second best.
#pragma once

#include <optional>
#include <vector>

#include "compare/kind.h"

namespace pedigree {

// Units of one kind on the narrower side, and how many found their partner.
struct KeptUnits {
  std::uint64_t out_of = 0;  // on that side, in a layer
  std::size_t looked_up = 0;
  std::size_t found = 0;
  std::size_t longest_run = 0;  // order-preserving; of the first layer for units in layers

  double share() const {
    return looked_up == 0 ? 0 : static_cast<double>(found) / static_cast<double>(looked_up);
  }
};

struct Width {
  IndexPairs dimensions = {};             // by index where both sides have as many
  std::vector<NeuronPairs> neurons = {};  // per layer pair; empty: by index, or not looked for
  std::vector<NeuronPairs> heads = {};    // query heads, per layer pair
  KeptUnits kept_dimensions = {};
  KeptUnits kept_neurons = {};
  KeptUnits kept_heads = {};
};

// Nothing when hidden size and head count are equal on both sides, a side has no
// weights, or too few residual dimensions find a partner. Heads count only where both
// sides cut them alike: their number is then a number of rows, not the config's word.
// Reads the common tokens' rows; gate and up of the wider side where hidden sizes
// differ; q of both.
Result<std::optional<Width>> find_width(const Side& subject, const Side& base,
                                        const LayerMap& layers, unsigned threads);

// For a pair of unlike hidden sizes that no other stage could settle: do the residual
// dimensions of one stand, in order, among those of the other?
struct WidthSearch {
  std::vector<Evidence> evidence = {};
  double log10_p = 0;
  LayerMap layers = {};  // where 20 and more neurons were found as well
};
Result<WidthSearch> search_width(const Side& subject, const Side& base, const LayerMap& layers,
                                 double log10_alternatives, unsigned threads);

// Puts what was found into the descent: the alignment by width, the kept shares, who
// lacks what. Returns the evidence: kept residual dimensions stand in their old order
// by chance with probability at most C(m,k)/k!.
std::vector<Evidence> take_width(Descent& descent, Width width, const Architecture& subject,
                                 const Architecture& base);

// A partner for each row of `few` among the rows of `many`, both seen through the same
// views: best cosine over `least`, ahead of the second by `lead`, taken by no other
// row with more right to it. Positions of rows.
NeuronPairs clear_partners(const Matrix& cosines, double least, double lead);

}  // namespace pedigree
