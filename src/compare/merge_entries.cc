#include "compare/merge_entries.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "compare/dense.h"
#include "compare/merge_changes.h"

namespace pedigree {
namespace {

constexpr std::size_t most_parents = 4;
constexpr std::size_t parts_for_screening = 6;

using Values = std::vector<double>;

// What was kept of one parent's change, and whether size decided it.
struct Mask {
  std::vector<double> kept;     // sizes of its change where it was kept
  std::vector<double> dropped;  // and where it was not
};

// How often a kept change is larger than a dropped one.
double chance_of_larger(const Mask& mask) {
  std::vector<std::pair<double, bool>> all;
  all.reserve(mask.kept.size() + mask.dropped.size());
  for (const double size : mask.kept) all.emplace_back(size, true);
  for (const double size : mask.dropped) all.emplace_back(size, false);
  std::ranges::sort(all);
  double wins = 0;
  double below = 0;
  for (const auto& [size, is_kept] : all) {
    if (is_kept) wins += below;
    below += is_kept ? 0 : 1;
  }
  const auto pairs =
      static_cast<double>(mask.kept.size()) * static_cast<double>(mask.dropped.size());
  return pairs > 0 ? wins / pairs : 0.5;
}

struct Tally {
  double entries = 0;
  double matched = 0;
  double changed = 0;
  double matched_changed = 0;
  double tried_elsewhere = 0;  // changes of other entries held against this one's values
  double matched_elsewhere = 0;
  double against_each_other = 0;         // entries whose parents disagree in sign
  double against_each_other_summed = 0;  // and that hold both all the same
  Values factors = {};
  Values shares = {};
  double parts = 0;
  std::vector<double> kept = {};
  std::vector<double> seen = {};
  std::vector<double> larger = {};  // sums of chance_of_larger over parts

  explicit Tally(std::size_t parents)
      : factors(parents), shares(parents), kept(parents), seen(parents), larger(parents) {}

  void add(const Tally& other) {
    entries += other.entries;
    matched += other.matched;
    changed += other.changed;
    matched_changed += other.matched_changed;
    tried_elsewhere += other.tried_elsewhere;
    matched_elsewhere += other.matched_elsewhere;
    against_each_other += other.against_each_other;
    against_each_other_summed += other.against_each_other_summed;
    parts += other.parts;
    for (std::size_t j = 0; j < factors.size(); ++j) {
      factors[j] += other.factors[j];
      shares[j] += other.shares[j];
      kept[j] += other.kept[j];
      seen[j] += other.seen[j];
      larger[j] += other.larger[j];
    }
  }
};

class PartTally {
 public:
  PartTally(const Counted& part, const Recipe& recipe)
      : part_(part), recipe_(recipe), tally_(recipe.factor.size()), masks_(recipe.factor.size()) {}

  Tally take() {
    const std::size_t count = part_.change.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (part_.unit[i] <= 0) continue;
      const double change = part_.change[i];
      const unsigned found = matching_subsets(recipe_, part_, i, change);
      tally_.entries += 1;
      tally_.matched += found != 0 ? 1 : 0;
      if (change == 0) {
        note_masks(i, found);
        continue;
      }
      tally_.changed += 1;
      tally_.matched_changed += found != 0 ? 1 : 0;
      note_masks(i, found);
      const double elsewhere = part_.change[(i + count / 2) % count];
      if (elsewhere == 0) continue;
      tally_.tried_elsewhere += 1;
      tally_.matched_elsewhere += matching_subsets(recipe_, part_, i, elsewhere) != 0 ? 1 : 0;
    }
    tally_.parts = 1;
    tally_.factors = recipe_.factor;
    if (!recipe_.share.empty()) tally_.shares = recipe_.share;
    for (std::size_t j = 0; j < masks_.size(); ++j) {
      tally_.larger[j] = chance_of_larger(masks_[j]);
    }
    return std::move(tally_);
  }

 private:
  // Do the parents' changes point one way? Nothing where one of them is too small
  // to be told from none.
  std::optional<bool> parents_agree(std::size_t entry) const {
    bool agree = true;
    for (const Values& change : part_.parents) {
      if (std::abs(change[entry]) < 2 * part_.unit[entry]) return std::nullopt;
      agree = agree && change[entry] * part_.parents.front()[entry] > 0;
    }
    return agree;
  }

  // Only entries that can be read one way speak of masks.
  void note_masks(std::size_t entry, unsigned found) {
    if (!std::has_single_bit(found)) return;
    const auto subset = static_cast<unsigned>(std::countr_zero(found));
    const auto agree = parents_agree(entry);
    if (!agree) return;
    if (!*agree) {
      tally_.against_each_other += 1;
      tally_.against_each_other_summed += std::popcount(subset) > 1 ? 1 : 0;
      return;
    }
    for (std::size_t j = 0; j < masks_.size(); ++j) {
      const bool is_kept = (subset >> j & 1U) != 0;
      const double size = std::abs(part_.parents[j][entry]);
      (is_kept ? masks_[j].kept : masks_[j].dropped).push_back(size);
      tally_.seen[j] += 1;
      tally_.kept[j] += is_kept ? 1 : 0;
    }
  }

  const Counted& part_;
  const Recipe& recipe_;
  Tally tally_;
  std::vector<Mask> masks_;
};

Tally tally_of(const MergeParts& parts, const Reading& reading, bool as_means,
               std::span<const std::size_t> places) {
  Tally total(reading.parents.size());
  for (const std::size_t p : places) {
    const Counted part = counted(parts.at(p), reading);
    Recipe recipe = sums(part);
    if (as_means) recipe = means(part, std::move(recipe));
    total.add(PartTally(part, recipe).take());
  }
  return total;
}

std::string method_of(const EntryFit& fit, const Tally& tally, bool as_means) {
  const bool lone = fit.parents.size() == 1;
  if (fit.larger > 0.9) return lone && !fit.scaled ? "ties/arcee-fusion" : "ties";
  if (as_means) return "ties";
  if (fit.larger > 0.53) return "della";
  const bool consents = tally.against_each_other > 100 &&
                        tally.against_each_other_summed < 0.02 * tally.against_each_other;
  return !lone && consents ? "dare-ties" : "dare-linear";
}

EntryFit fit_from(const Tally& tally, const Reading& reading, bool as_means) {
  EntryFit fit{.base = reading.base};
  fit.samples = static_cast<std::size_t>(tally.entries);
  fit.matched = tally.matched / std::max(1.0, tally.entries);
  fit.matched_changed = tally.matched_changed / std::max(1.0, tally.changed);
  fit.by_chance = tally.matched_elsewhere / std::max(1.0, tally.tried_elsewhere);
  fit.as_base = 1 - tally.changed / std::max(1.0, tally.entries);
  for (std::size_t j = 0; j < reading.parents.size(); ++j) {
    EntryParent parent{.candidate = reading.parents[j]};
    parent.factor = tally.factors[j] / tally.parts;
    parent.kept = tally.seen[j] > 0 ? tally.kept[j] / tally.seen[j] : 0;
    parent.weight = parent.factor * (as_means ? tally.shares[j] / tally.parts : parent.kept);
    fit.larger += tally.larger[j] / tally.parts / static_cast<double>(reading.parents.size());
    fit.scaled = fit.scaled || std::abs(parent.factor - 1) > 0.01;
    fit.parents.push_back(parent);
  }
  fit.method = method_of(fit, tally, as_means);
  return fit;
}

bool is_good_enough(const EntryFit& fit) {
  constexpr double all_but_few = 0.98;
  constexpr double all = 0.999;
  constexpr double most_by_chance = 0.5;
  constexpr double fewest_kept = 0.01;
  constexpr double not_all_kept = 0.97;
  const bool lone = fit.parents.size() == 1;
  return fit.matched >= (lone ? all : all_but_few) && fit.matched_changed >= all_but_few &&
         fit.by_chance <= most_by_chance &&
         std::ranges::all_of(fit.parents,
                             [](const EntryParent& parent) {
                               return parent.factor > 0 && parent.kept >= fewest_kept;
                             }) &&
         std::ranges::any_of(fit.parents,
                             [](const EntryParent& parent) { return parent.kept <= not_all_kept; });
}

class EntryFinder {
 public:
  explicit EntryFinder(const MergeParts& parts) : parts_(parts) {
    for (std::size_t p = 0; p < parts.size(); ++p) {
      if (parts.part_layer(p) >= 0) all_.push_back(p);
    }
    for (const std::size_t place : spread_places(all_.size(), parts_for_screening)) {
      few_.push_back(all_[place]);
    }
  }

  std::optional<EntryFit> find() {
    for (std::size_t base = 0; base < parts_.candidates() && !few_.empty(); ++base) screen(base);
    if (!best_) return std::nullopt;
    EntryFit fit = fit_from(tally_of(parts_, best_reading_, best_as_means_, all_), best_reading_,
                            best_as_means_);
    if (!is_good_enough(fit)) return std::nullopt;
    Reading back = best_reading_;
    back.reversed = true;
    fit.reversed = fit_from(tally_of(parts_, back, false, all_), back, false).matched;
    return fit;
  }

 private:
  // Candidates by how many entries agree on one factor of their change, most first.
  std::vector<std::size_t> parents_of(std::size_t base) const {
    std::vector<std::pair<double, std::size_t>> peaks;
    for (std::size_t j = 0; j < parts_.candidates(); ++j) {
      if (j == base) continue;
      double agreeing = 0;
      for (const std::size_t p : few_) {
        const Counted part = counted(parts_.at(p), {.base = base, .parents = {j}});
        agreeing += static_cast<double>(factor_peak(part, 0).count);
      }
      peaks.emplace_back(-agreeing, j);
    }
    std::ranges::stable_sort(peaks, {}, &std::pair<double, std::size_t>::first);
    std::vector<std::size_t> parents;
    for (const auto& [peak, j] : peaks) {
      if (parents.size() < most_parents) parents.push_back(j);
    }
    return parents;
  }

  // Two models exchanged entry by entry read both ways: the base is the one that
  // more was left of.
  static bool is_better(const EntryFit& fit, const EntryFit& than) {
    constexpr double as_good = 0.001;
    if (std::abs(fit.matched - than.matched) < as_good) {
      return fit.base != than.base && fit.as_base > than.as_base;
    }
    return fit.matched > than.matched;
  }

  void screen(std::size_t base) {
    const auto likeliest = parents_of(base);
    for (std::size_t count = 1; count <= likeliest.size(); ++count) {
      Reading reading{.base = base};
      reading.parents.assign(likeliest.begin(),
                             likeliest.begin() + static_cast<std::ptrdiff_t>(count));
      std::ranges::sort(reading.parents);
      consider(reading, false);
      if (count > 1) consider(reading, true);
    }
  }

  void consider(const Reading& reading, bool as_means) {
    const EntryFit fit = fit_from(tally_of(parts_, reading, as_means, few_), reading, as_means);
    if (!is_good_enough(fit) || (best_ && !is_better(fit, *best_))) return;
    best_ = fit;
    best_reading_ = reading;
    best_as_means_ = as_means;
  }

  const MergeParts& parts_;
  std::vector<std::size_t> all_;
  std::vector<std::size_t> few_;
  std::optional<EntryFit> best_;
  Reading best_reading_;
  bool best_as_means_ = false;
};

}  // namespace

std::optional<EntryFit> fit_entries(const MergeParts& parts) { return EntryFinder(parts).find(); }

}  // namespace pedigree
