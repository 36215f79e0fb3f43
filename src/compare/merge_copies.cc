#include "compare/merge_copies.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_distinct = 16;
constexpr std::size_t fewest_values = fewest_shared * fewest_shared;
constexpr double lattice_share = 0.999;  // as for one parent: kind.cc

bool is_informative(std::span<const float> values) {
  std::set<float> distinct;
  for (const float value : values) {
    distinct.insert(value);
    if (distinct.size() > fewest_distinct) return true;
  }
  return false;
}

// Same values, bit for bit or after rounding into the subject's type.
class SameValues {
 public:
  explicit SameValues(const std::string& subject_type) : type_(find_element_type(subject_type)) {}

  bool operator()(float mine, float theirs) const {
    if (mine == theirs) return true;
    return type_ != nullptr && type_->precision > 0 && rounded_to(*type_, theirs) == mine;
  }

 private:
  const ElementType* type_;
};

SharedPlaces row_places(const Block& mine, const Block& theirs, const Fingerprint& subject,
                        const Fingerprint& other) {
  if (mine.role != "embed.tokens" && mine.role != "head.out") {
    return shared_places(mine.rows, theirs.rows);
  }
  return common_token_places(mine, theirs, common_tokens(subject, other));
}

// Walks the shared entries; stops at the first that differs unless there is a
// lattice, which decides by share.
bool holds_same(const Block& mine, const Block& theirs, const SharedPlaces& rows) {
  const SharedPlaces cols = shared_places(mine.cols, theirs.cols);
  const SameValues same(mine.element_type);
  std::size_t looked_at = 0;
  std::size_t inside = 0;
  for (std::size_t i = 0; i < rows.subject.size(); ++i) {
    for (std::size_t j = 0; j < cols.subject.size(); ++j) {
      const std::size_t at = rows.subject[i] * mine.cols.size() + cols.subject[j];
      const float a = mine.values[at];
      const float b = theirs.values[rows.base[i] * theirs.cols.size() + cols.base[j]];
      const float step = mine.steps.empty() ? 0 : mine.steps[at];
      const bool fits = same(a, b) || (step > 0 && std::abs(a - b) <= 0.5F * step * 1.01F);
      if (!fits && mine.steps.empty()) return false;
      ++looked_at;
      inside += fits ? 1U : 0U;
    }
  }
  return looked_at >= fewest_values &&
         static_cast<double>(inside) >= lattice_share * static_cast<double>(looked_at);
}

bool holds_same(const Gains& mine, const Gains& theirs) {
  if (mine.values.size() != theirs.values.size() || mine.channels != theirs.channels) return false;
  const SameValues same(mine.element_type);
  for (std::size_t i = 0; i < mine.values.size(); ++i) {
    if (!same(mine.values[i], theirs.values[i])) return false;
  }
  return true;
}

void add_block_sources(CopiedPart& part, const Block& mine, const Fingerprint& subject,
                       std::size_t candidate, const Fingerprint& other) {
  for (const Block& theirs : other.blocks) {
    if (theirs.role != mine.role || theirs.expert != mine.expert) continue;
    if ((theirs.layer < 0) != (mine.layer < 0) || theirs.full_cols != mine.full_cols) continue;
    if (mine.layer >= 0 && theirs.full_rows != mine.full_rows) continue;
    if (holds_same(mine, theirs, row_places(mine, theirs, subject, other))) {
      part.sources.push_back({.candidate = candidate, .layer = theirs.layer});
    }
  }
}

void add_gain_sources(CopiedPart& part, const Gains& mine, std::size_t candidate,
                      const Fingerprint& other) {
  for (const Gains& theirs : other.gains) {
    if (theirs.role != mine.role || (theirs.layer < 0) != (mine.layer < 0)) continue;
    if (holds_same(mine, theirs)) {
      part.sources.push_back({.candidate = candidate, .layer = theirs.layer});
    }
  }
}

std::vector<CopiedPart> parts_of(const Fingerprint& subject,
                                 std::span<const JointCandidate> candidates) {
  std::vector<CopiedPart> parts;
  for (const Block& mine : subject.blocks) {
    if (mine.values.size() < fewest_values || !is_informative(mine.values)) continue;
    CopiedPart part{.role = mine.role, .layer = mine.layer};
    part.size = static_cast<double>(mine.full_rows) * static_cast<double>(mine.full_cols);
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      add_block_sources(part, mine, subject, j, *candidates[j].sketch);
    }
    parts.push_back(std::move(part));
  }
  for (const Gains& mine : subject.gains) {
    if (!is_informative(mine.values)) continue;
    CopiedPart part{.role = mine.role, .layer = mine.layer};
    part.size = static_cast<double>(mine.full_size);
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      add_gain_sources(part, mine, j, *candidates[j].sketch);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

// The candidate that holds most of what none of `chosen` does.
std::size_t next_parent(const std::vector<CopiedPart>& parts, std::size_t candidates,
                        const std::vector<std::size_t>& chosen) {
  std::vector<double> gained(candidates, 0);
  for (const CopiedPart& part : parts) {
    const bool covered = std::ranges::any_of(
        chosen, [&](std::size_t candidate) { return part.is_held_by(candidate); });
    for (std::size_t j = 0; j < candidates && !covered; ++j) {
      gained[j] += part.is_held_by(j) ? part.size : 0;
    }
  }
  return static_cast<std::size_t>(std::ranges::max_element(gained) - gained.begin());
}

bool all_held(const std::vector<CopiedPart>& parts, const std::vector<std::size_t>& parents) {
  return std::ranges::all_of(parts, [&](const CopiedPart& part) {
    return std::ranges::any_of(parents, [&](std::size_t each) { return part.is_held_by(each); });
  });
}

class SourceChooser {
 public:
  explicit SourceChooser(Copies& copies) : copies_(copies) {}

  // Layer by layer, a source that holds all of the layer before one that holds
  // a part of it, and among those the layer behind the last one's source.
  void choose() {
    std::set<int> layers;
    for (const CopiedPart& part : copies_.parts) layers.insert(part.layer);
    for (const int layer : layers) choose_for(layer);
  }

 private:
  void choose_for(int layer) {
    std::vector<CopiedPart::Source> whole;
    bool is_first = true;
    for (const CopiedPart& part : copies_.parts) {
      if (part.layer != layer) continue;
      if (is_first) {
        whole = part.sources;
        is_first = false;
      } else {
        std::erase_if(whole, [&](const CopiedPart::Source& source) { return !has(part, source); });
      }
    }
    for (CopiedPart& part : copies_.parts) {
      if (part.layer == layer) part.chosen = best_of(whole.empty() ? part.sources : whole, layer);
    }
    if (!whole.empty()) last_ = best_of(whole, layer);
  }

  static bool has(const CopiedPart& part, const CopiedPart::Source& source) {
    return std::ranges::any_of(part.sources, [&](const CopiedPart::Source& each) {
      return each.candidate == source.candidate && each.layer == source.layer;
    });
  }

  CopiedPart::Source best_of(const std::vector<CopiedPart::Source>& sources, int layer) const {
    const auto rank = [&](const CopiedPart::Source& source) {
      const auto at = std::ranges::find(copies_.parents, source.candidate);
      const bool goes_on = source.candidate == last_.candidate && source.layer == last_.layer + 1;
      const auto place = at - copies_.parents.begin();
      return std::tuple(at == copies_.parents.end(), !goes_on, source.layer != layer, place);
    };
    return *std::ranges::min_element(sources, {}, rank);
  }

  Copies& copies_;
  CopiedPart::Source last_ = {.candidate = 0, .layer = -2};
};

void describe(Copies& copies) {
  double total = 0;
  std::set<std::size_t> givers;
  copies.shares.assign(copies.parents.size(), 0);
  for (const CopiedPart& part : copies.parts) {
    total += part.size;
    const auto at = std::ranges::find(copies.parents, part.chosen.candidate);
    copies.shares[static_cast<std::size_t>(at - copies.parents.begin())] += part.size;
    copies.moved = copies.moved || part.chosen.layer != part.layer;
    const auto holders = std::ranges::count_if(
        copies.parents, [&](std::size_t each) { return part.is_held_by(each); });
    copies.shared = copies.shared || holders > 1;
    const bool is_gain = part.role.ends_with("norm");
    if (holders == 1 && part.layer >= 0 && !is_gain) givers.insert(part.chosen.candidate);
  }
  for (double& share : copies.shares) share /= total;
  copies.each_gives_a_layer_matrix = givers.size() == copies.parents.size();
}

}  // namespace

bool CopiedPart::is_held_by(std::size_t candidate) const {
  return std::ranges::find(sources, candidate, &Source::candidate) != sources.end();
}

Copies copies_of(const Fingerprint& subject, std::span<const JointCandidate> candidates) {
  Copies copies{.parts = parts_of(subject, candidates)};
  copies.complete = !copies.parts.empty() &&
                    std::ranges::none_of(
                        copies.parts, [](const CopiedPart& part) { return part.sources.empty(); });
  if (!copies.complete) return copies;
  while (!all_held(copies.parts, copies.parents)) {
    copies.parents.push_back(next_parent(copies.parts, candidates.size(), copies.parents));
  }
  copies.one_is_enough = copies.parents.size() == 1;
  SourceChooser(copies).choose();
  describe(copies);
  return copies;
}

}  // namespace pedigree
