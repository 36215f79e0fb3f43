// Channels that were dealt anew: found from the inputs on and from the outputs back, and called
// found where both ways agree.
//
// A kernel's rows are matched by what they read, in the order in which its inputs were matched
// before: a chain that begins at pixels or tokens, which mean something. Its columns in the kernel
// that reads it are matched in the order in which that kernel's outputs were matched: a chain that
// begins at classes. The first uses no kernel behind this one and the second none up to it, so
// that no number is seen by both. That unrelated nets agree no more than by chance is an
// assumption all the same (decision 9): what a channel reads and what reads it may go together
// in every net.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "compare/net_wiring.h"
#include "compare/witness.h"

namespace pedigree {

// Which unit of the base each of the subject's is.
struct AxisMap {
  std::vector<std::size_t> partner = {};
  std::vector<double> sign = {};
  std::vector<bool> sure = {};  // no other unit of the base is as like
  double score = 0;             // how far from chance, to choose among candidates
  double cosine = 0;            // median over units
};

// Outputs × some of what they read, inputs in the order of `inputs`.
Matrix rows_of(const WiredKernel& kernel, const std::vector<float>& values, const AxisMap& inputs);

struct Channels {
  std::size_t count = 0;
  bool last = false;  // behind the positions of a picture
};

// Channels × some of what reads them, outputs in the order of `outputs`.
Matrix columns_of(const WiredKernel& kernel, const std::vector<float>& values,
                  const AxisMap& outputs, const Channels& channels);

// The best partners by all views of the units at once.
AxisMap matched(std::vector<View> views, bool up_to_sign, std::uint64_t seed, unsigned threads);

AxisMap as_stored(std::size_t size);

// `map` of channels for an axis that holds `size` / channels positions of each.
AxisMap spread_over(const AxisMap& map, std::size_t size, bool channels_last);

struct ChannelMap {
  std::optional<AxisMap> forward = {};
  std::optional<AxisMap> backward = {};
  // The kernel whose channels the inputs are, as far as content shows; none of an input.
  std::optional<std::size_t> producer = {};
  bool channels_last = false;  // where the inputs are positions of a picture
  double producer_score = 0;
  std::uint64_t tried = 1;  // candidates on both sides
};

struct ChannelAgreement {
  std::size_t kernel = 0;
  std::size_t units = 0;
  std::size_t agreeing = 0;  // sure of the same partner both ways
  double cosine = 0;         // the smaller of both ways
};

struct Redealing {
  std::vector<ChannelMap> maps = {};  // by kernel
  std::vector<ChannelAgreement> agreements = {};
  double log10_tries = 0;
  bool complete = false;  // every numbering was matched both ways

  std::size_t agreeing() const;
  std::size_t units() const;
  double largest_share() const;  // of a numbering's channels that agree
  // If unrelated nets agreed by chance: a bound that must hold beside the shares.
  double log10_chance() const;
};

// By shares alone: nets trained apart on one task agree far beyond chance (decision 19), so that no
// probability is stated.
// Agreement that unrelated nets were never seen to reach, in enough numberings.
bool are_redealt_copies(const Redealing& seen);
// One numbering of it.
bool passes(const ChannelAgreement& agreement);
// Some numbering agrees more than unrelated nets were seen to, yet there is no decision.
bool leaves_doubt(const Redealing& seen);

// Largest share, in hundredths, of a numbering on which nets trained apart agreed (decision 19).
inline constexpr int seen_of_unrelated = 34;

double redealing_work(const Wiring& wiring);  // in multiplications

// `up_to_sign`: where units may have been turned round as well (odd activations). Products and
// assignments are cubic in the channels: nothing is returned beyond a bound on the work.
std::optional<Redealing> find_redealing(const Wiring& wiring, bool up_to_sign, unsigned threads);

}  // namespace pedigree
