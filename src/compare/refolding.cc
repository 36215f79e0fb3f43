#include "compare/refolding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "compare/dense.h"
#include "compare/low_rank.h"
#include "compare/refolded_heads.h"

namespace pedigree {
namespace {

struct Fold {
  std::string_view gain;
  std::array<std::string_view, 3> readers;
};
constexpr std::array folds = {Fold{.gain = "attn.norm", .readers = {"attn.q", "attn.k", "attn.v"}},
                              Fold{.gain = "ffn.norm", .readers = {"ffn.gate", "ffn.up", ""}}};

// Gain of the subject over gain of the base at the shared sampled columns of a reader;
// empty where one is not known.
std::vector<double> gain_ratios(const Gains& mine, const Gains& theirs, const Block& a,
                                const Block& b) {
  const auto at = [](const Gains& gains, std::uint64_t channel) -> double {
    if (gains.channels.empty()) {
      return channel < gains.values.size() ? static_cast<double>(gains.values[channel]) : 0;
    }
    const auto found = std::ranges::lower_bound(gains.channels, channel);
    if (found == gains.channels.end() || *found != channel) return 0;
    return static_cast<double>(
        gains.values[static_cast<std::size_t>(found - gains.channels.begin())]);
  };
  std::vector<double> ratios;
  for (const std::size_t place : shared_places(a.cols, b.cols).subject) {
    const double own = at(mine, a.cols[place]);
    const double other = at(theirs, a.cols[place]);
    if (own == 0 || other == 0) return {};
    ratios.push_back(own / other);
  }
  return ratios;
}

struct Folded {
  Change* change = nullptr;
  std::vector<double> ratios = {};
};

// ‖subject·ratio − base‖² of the sampled part.
double distance_with(const Change& change, const std::vector<double>& ratios) {
  double squares = 0;
  for (std::size_t i = 0; i < change.subject.rows; ++i) {
    for (std::size_t j = 0; j < change.subject.cols; ++j) {
      const double left = change.subject.at(i, j) * ratios[j] - change.base.at(i, j);
      squares += left * left;
    }
  }
  return squares;
}

class GainFolds {
 public:
  GainFolds(const Side& subject, const Side& base, std::vector<Change>& all)
      : subject_(subject.sketch), base_(base.sketch), all_(all) {}

  bool take_out() {
    for (const Fold& fold : folds) collect(fold);
    // One reader is enough: the others may have been scaled against something else as well.
    if (std::ranges::none_of(by_role_, [](const auto& role) { return is_refolded(role.second); })) {
      return false;
    }
    for (const auto& [change, ratios] : folded_) {
      for (std::size_t i = 0; i < change->subject.rows; ++i) {
        const auto row = change->subject.row(i);
        for (std::size_t j = 0; j < row.size(); ++j) row[j] *= ratios[j];
      }
      measure(*change);
    }
    forget_gains();
    return true;
  }

 private:
  void collect(const Fold& fold) {
    for (Change& change : all_) {
      if (change.is_vector || std::ranges::find(fold.readers, change.role) == fold.readers.end()) {
        continue;
      }
      const Gains* mine = subject_.gain(fold.gain, change.subject_layer);
      const Gains* theirs = base_.gain(fold.gain, change.base_layer);
      const Block* a = subject_.block(change.role, change.subject_layer, change.expert);
      const Block* b = base_.block(change.role, change.base_layer, change.base_expert);
      if (mine == nullptr || theirs == nullptr || a == nullptr || b == nullptr) continue;
      auto ratios = gain_ratios(*mine, *theirs, *a, *b);
      if (ratios.size() != change.subject.cols) continue;
      const double length = product(change.base.values, change.base.values);
      if (length <= 0) continue;
      Products& role = by_role_[change.role];
      role.before += distance_with(change, std::vector<double>(ratios.size(), 1.0)) / length;
      role.after += distance_with(change, ratios) / length;
      role.size += 1;
      folded_.push_back({.change = &change, .ratios = std::move(ratios)});
    }
  }

  // They changed because their readers did.
  void forget_gains() {
    for (Change& change : all_) {
      if (!change.is_vector || change.subject_layer < 0) continue;
      if (std::ranges::find(folds, change.role, &Fold::gain) == folds.end()) continue;
      change.subject = change.base;
      measure(change);
    }
  }

  const Fingerprint& subject_;
  const Fingerprint& base_;
  std::vector<Change>& all_;
  std::vector<Folded> folded_;
  std::map<std::string, Products> by_role_;
};

// What attention roles are left with once heads explain them.
void leave_explained(const RefoldedHeads& heads, std::vector<Change>& all, Refolding& refolding) {
  std::set<std::string_view> roles;
  if (heads.values.is_explained()) roles.insert({"attn.v", "attn.o"});
  if (heads.queries.is_explained()) roles.insert({"attn.q", "attn.k"});
  for (const Change& change : all) {
    if (!roles.contains(change.role)) continue;
    const bool value = change.role == "attn.v" || change.role == "attn.o";
    refolding.explained.push_back({.role = change.role,
                                   .layer = change.subject_layer,
                                   .relative_delta = (value ? heads.values : heads.queries).left(),
                                   .expert = change.expert});
  }
  std::erase_if(all, [&](const Change& change) { return roles.contains(change.role); });
}

}  // namespace

Result<Refolding> take_out_refolding(const Side& subject, const Side& base,
                                     const Alignment& alignment, std::vector<Change>& all) {
  Refolding refolding;
  if (!alignment.hidden_by_index || alignment.by_width()) return refolding;
  if (GainFolds(subject, base, all).take_out()) refolding.transforms.emplace_back("gain-fold");
  if (subject.weights == nullptr || base.weights == nullptr) return refolding;
  const auto attention = [](const Change& change) {
    return !change.is_vector && change.role.starts_with("attn.") && change.relative_delta > 0.05;
  };
  if (std::ranges::none_of(all, attention)) return refolding;
  const auto heads =
      refolded_heads(*subject.weights, *base.weights, alignment.layers, refolding.found());
  if (!heads) return std::unexpected(heads.error());
  if (heads->moved && (heads->values.is_explained() || heads->queries.is_explained())) {
    refolding.transforms.emplace_back("head-permute");
  }
  if (heads->values.is_explained() && heads->values_mixed) {
    refolding.transforms.emplace_back("value-mix");
  }
  if (heads->queries.is_explained() && heads->queries_scaled) {
    refolding.transforms.emplace_back("query-key-scale");
  }
  leave_explained(*heads, all, refolding);
  return refolding;
}

}  // namespace pedigree
