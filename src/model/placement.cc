#include "model/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/block_runs.h"
#include "model/shape_fit.h"

namespace pedigree {
namespace {

constexpr double least_score = 0.9;
constexpr std::size_t most_widths = 2;
constexpr double same = 1e-9;

using Tensors = std::vector<const FamilyTensor*>;

// A family's tensors by where they stand.
struct FamilyShapes {
  explicit FamilyShapes(const Family& of) : family(&of) {
    for (const FamilyTensor& tensor : of.tensors) {
      if (!tensor.in_layer) {
        outside.push_back(&tensor);
        continue;
      }
      const auto stack = static_cast<std::size_t>(tensor.stack);
      if (stacks.size() <= stack) stacks.resize(stack + 1);
      stacks[stack].push_back(&tensor);
    }
    add_kinds();
    two_widths = uses_other_hidden(of);
  }

  static bool uses_other_hidden(const Family& of) {
    return std::ranges::any_of(of.tensors, [](const FamilyTensor& tensor) {
      return tensor.in_layer && std::ranges::any_of(tensor.shape, [](const SizeFormula& size) {
               return std::ranges::find(size, Symbol::other_hidden, &SizeTerm::symbol) !=
                      size.end();
             });
    });
  }

  // Layers of a family with two mixers, or with two kinds of feed-forward blocks, may have one or
  // the other or both: each is a stack of its own.
  void add_kinds() {
    if (stacks.size() != 1) return;
    const auto kind_of = [](const FamilyTensor& tensor) {
      const std::string_view role =
          tensor.parts.empty() ? std::string_view(tensor.role) : tensor.parts.front().role;
      const auto starts = [&](std::string_view start) { return role.starts_with(start); };
      if (starts("ssm.") || starts("lin.") || starts("conv.")) return 0;
      if (starts("attn.") && !starts("attn.norm") && !starts("attn.post_norm")) return 1;
      if (starts("moe.")) return 2;
      if (starts("ffn.") && !starts("ffn.norm") && !starts("ffn.post_norm")) return 3;
      return 4;
    };
    const Tensors all = stacks.front();
    const auto without = [&](int kind) {
      Tensors rest;
      std::ranges::copy_if(all, std::back_inserter(rest),
                           [&](const FamilyTensor* tensor) { return kind_of(*tensor) != kind; });
      return rest;
    };
    for (const auto& [one, other] : {std::pair(0, 1), std::pair(2, 3)}) {
      const Tensors lacking_one = without(one);
      const Tensors lacking_other = without(other);
      if (lacking_one.size() == all.size() || lacking_other.size() == all.size()) continue;
      mixed = true;
      stacks.push_back(lacking_one);
      stacks.push_back(lacking_other);
    }
  }

  // What tells two families apart where names say nothing.
  std::vector<std::string> signature() const {
    std::vector<std::string> result = {mixed ? "mixed" : "plain"};
    const auto add = [&](const Tensors& tensors) {
      std::vector<std::string> texts;
      texts.reserve(tensors.size());
      for (const FamilyTensor* tensor : tensors) texts.push_back(text_of(*tensor));
      std::ranges::sort(texts);
      std::ranges::move(texts, std::back_inserter(result));
      result.emplace_back("/");
    };
    for (const Tensors& stack : stacks) add(stack);
    add(outside);
    return result;
  }

  static std::string text_of(const FamilyTensor& tensor) {
    std::string text = tensor.optional ? "?" : "";
    text += tensor.per_expert ? "*" : "";
    text += tensor.flat ? "_" : "";
    for (const SizeFormula& size : tensor.shape) {
      text += ',';
      for (const SizeTerm& term : size) {
        text += fmt::format("+{}x{}", term.coefficient, static_cast<int>(term.symbol));
      }
    }
    return text;
  }

  const Family* family = nullptr;
  std::vector<Tensors> stacks = {};
  Tensors outside = {};
  bool mixed = false;  // layers of several kinds; the first stack has all
  bool two_widths = false;
  std::vector<const Family*> alike = {};  // with the same shapes, this one among them
};

// One for all families of the same shapes.
const std::vector<FamilyShapes>& family_shapes() {
  static const std::vector<FamilyShapes> all = [] {
    std::vector<FamilyShapes> result;
    std::map<std::vector<std::string>, std::size_t> known;
    for (const Family& family : families()) {
      FamilyShapes shapes(family);
      const auto [at, is_new] = known.try_emplace(shapes.signature(), result.size());
      if (is_new) result.push_back(std::move(shapes));
      result[at->second].alike.push_back(&family);
    }
    return result;
  }();
  return all;
}

std::size_t count(const ShapeBag& bag) {
  std::size_t total = 0;
  for (const auto& [shape, times] : bag) total += times;
  return total;
}

// Sizes that most tensors of the runs share, the most frequent first: one of them is the width.
std::vector<std::uint64_t> likely_widths(const BlockReading& reading) {
  std::map<std::uint64_t, std::size_t> frequency;
  for (const BlockRun& run : reading.runs) {
    for (const auto& [shape, times] : run.shapes) {
      const std::set<std::uint64_t> sizes(shape.begin(), shape.end());
      for (const std::uint64_t size : sizes) frequency[size] += times * run.times;
    }
  }
  std::vector<std::pair<std::size_t, std::uint64_t>> sorted;
  sorted.reserve(frequency.size());
  for (const auto& [size, times] : frequency) {
    if (size > 1) sorted.emplace_back(times, size);
  }
  std::ranges::sort(sorted, std::greater());
  if (sorted.size() > most_widths) sorted.resize(most_widths);
  std::vector<std::uint64_t> widths;
  widths.reserve(sorted.size());
  for (const auto& [times, size] : sorted) widths.push_back(size);
  return widths;
}

// How one family reads one reading of the model.
struct Fit {
  const FamilyShapes* family = nullptr;
  double score = 0;
  std::size_t optional = 0;  // tensors explained that a model of the family need not have

  auto key() const { return std::tuple(std::round(score / same), -static_cast<double>(optional)); }
};

class Matcher {
 public:
  Matcher(const FamilyShapes& family, const BlockReading& reading, const KnownSizes& known)
      : family_(family), reading_(reading), known_(known) {}

  Fit fit() {
    for (const BlockRun& run : reading_.runs) add_run(run);
    add_outside();
    add_unseen();
    const std::size_t all = stored_ + missing_;
    return {.family = &family_,
            .score = all == 0 ? 0 : static_cast<double>(matched_) / static_cast<double>(all),
            .optional = optional_};
  }

 private:
  // Each run is of the stack that explains it best.
  void add_run(const BlockRun& run) {
    stored_ += run.times * count(run.shapes);
    ShapeFit best;
    bool is_first = true;
    for (const Tensors& stack : family_.stacks) {
      ShapeFit fit = fit_shapes(stack, run.shapes, known_);
      const auto worth = [](const ShapeFit& one) {
        return static_cast<double>(one.matched) - static_cast<double>(one.missing);
      };
      if (is_first || worth(fit) > worth(best)) best = std::move(fit);
      is_first = false;
    }
    matched_ += run.times * best.matched;
    optional_ += run.times * best.optional;
    missing_ += run.times * best.missing;
    blocks_ += run.times;
    seen_.insert(best.seen.begin(), best.seen.end());
  }

  void add_outside() {
    stored_ += count(reading_.outside);
    const ShapeFit fit = fit_shapes(family_.outside, reading_.outside, known_);
    matched_ += fit.matched;
    optional_ += fit.optional;
    missing_ += fit.missing;
  }

  // Stacks that no run is of, and of kinds of layers those that are not there.
  void add_unseen() {
    for (const Tensors& stack : family_.stacks) {
      const bool is_there =
          std::ranges::any_of(stack, [&](const FamilyTensor* one) { return seen_.contains(one); });
      if (is_there && !family_.mixed) continue;
      missing_ += blocks_ * static_cast<std::size_t>(
                                std::ranges::count_if(stack, [&](const FamilyTensor* one) {
                                  return !one->optional && !seen_.contains(one);
                                }));
      if (family_.mixed) return;  // the first has all
    }
  }

  const FamilyShapes& family_;
  const BlockReading& reading_;
  const KnownSizes& known_;
  std::size_t stored_ = 0;
  std::size_t matched_ = 0;
  std::size_t optional_ = 0;
  std::size_t missing_ = 0;
  std::size_t blocks_ = 0;
  std::set<const FamilyTensor*> seen_;
};

Fit best_fit(const FamilyShapes& family, const BlockReading& reading,
             std::span<const std::uint64_t> widths) {
  Fit best = {.family = &family};
  for (const std::uint64_t width : widths) {
    KnownSizes known;
    known.set(Symbol::hidden, width);
    for (const std::uint64_t other : widths) {
      if (family.two_widths) known.set(Symbol::other_hidden, other);
      const Fit fit = Matcher(family, reading, known).fit();
      if (fit.key() > best.key()) best = fit;
      if (!family.two_widths) break;
    }
  }
  return best;
}

// Tensors by how many axes they have: what a family can explain at most, seen without sizes.
class Ranks {
 public:
  explicit Ranks(const ShapeBag& bag) {
    for (const auto& [shape, times] : bag) most_[clamped(shape.size())] += times;
    least_ = most_;
  }

  explicit Ranks(const Tensors& tensors) {
    constexpr std::size_t any = 1U << 20U;
    for (const FamilyTensor* tensor : tensors) {
      const std::size_t rank = clamped(tensor->shape.size() - (tensor->flat ? 1 : 0));
      most_[rank] += tensor->per_expert ? any : 1;
      if (!tensor->optional) ++least_[rank];
    }
  }

  std::size_t explained_by(const Ranks& family) const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < most_.size(); ++i) total += std::min(most_[i], family.most_[i]);
    return total;
  }

  std::size_t lacks(const Ranks& family) const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < most_.size(); ++i) {
      total += family.least_[i] - std::min(family.least_[i], most_[i]);
    }
    return total;
  }

 private:
  static std::size_t clamped(std::size_t rank) { return std::min<std::size_t>(rank, 5); }

  std::array<std::size_t, 6> most_ = {};
  std::array<std::size_t, 6> least_ = {};
};

// No fit scores more.
double highest_score(const FamilyShapes& family, const BlockReading& reading) {
  const Ranks outside(reading.outside);
  const Ranks around(family.outside);
  std::size_t stored = count(reading.outside);
  std::size_t explained = outside.explained_by(around);
  std::size_t missing = outside.lacks(around);
  for (const BlockRun& run : reading.runs) {
    const Ranks found(run.shapes);
    std::size_t most = 0;
    std::size_t least = std::numeric_limits<std::size_t>::max();
    for (const Tensors& stack : family.stacks) {
      most = std::max(most, found.explained_by(Ranks(stack)));
      least = std::min(least, found.lacks(Ranks(stack)));
    }
    stored += run.times * count(run.shapes);
    explained += run.times * most;
    missing += run.times * least;
  }
  const std::size_t all = stored + missing;
  return all == 0 ? 0 : static_cast<double>(explained) / static_cast<double>(all);
}

struct Candidate {
  const FamilyShapes* family = nullptr;
  const BlockReading* reading = nullptr;
  double most = 0;
};

// Families in any reading, the most promising first; those of one kind of layer before mixed ones.
std::vector<Candidate> candidates_of(std::span<const BlockReading> readings) {
  std::vector<Candidate> result;
  result.reserve(readings.size() * family_shapes().size());
  for (const BlockReading& reading : readings) {
    for (const FamilyShapes& family : family_shapes()) {
      result.push_back(
          {.family = &family, .reading = &reading, .most = highest_score(family, reading)});
    }
  }
  std::ranges::stable_sort(result, {}, [](const Candidate& candidate) {
    return std::pair(-candidate.most, candidate.family->mixed);
  });
  return result;
}

// The best fits, those of other families than the first among them.
class Ranking {
 public:
  void add(const Fit& fit) {
    const auto same_family = std::ranges::find(fits_, fit.family, &Fit::family);
    if (same_family == fits_.end()) {
      fits_.push_back(fit);
    } else if (fit.key() > same_family->key()) {
      *same_family = fit;
    }
    std::ranges::stable_sort(fits_, std::greater(), [](const Fit& one) { return one.key(); });
  }

  std::optional<Placement> placement() const {
    if (fits_.empty() || fits_.front().score < least_score) return std::nullopt;
    Placement placement = {.score = fits_.front().score};
    std::set<std::string_view> structures;
    for (const Fit& fit : fits_) {
      const std::vector<const Family*>& alike = fit.family->alike;
      if (fit.key() == fits_.front().key()) {
        placement.alike.insert(placement.alike.end(), alike.begin(), alike.end());
        for (const Family* family : alike) structures.insert(family->structure);
        continue;
      }
      const auto other = std::ranges::find_if(
          alike, [&](const Family* family) { return !structures.contains(family->structure); });
      if (other == alike.end() || fit.score <= 0) continue;
      placement.runner_up = *other;
      placement.runner_up_score = fit.score;
      break;
    }
    std::ranges::sort(placement.alike, {}, &Family::id);
    return placement;
  }

 private:
  std::vector<Fit> fits_;
};

// What a field of their structures is, where it is the same for all.
template <class Field>
auto agreed(std::span<const Family* const> alike, Field Structure::* field) {
  std::set<Field> values;
  for (const Family* family : alike) values.insert(parse_structure(family->structure).*field);
  return values.size() == 1 ? std::optional<Field>(*values.begin()) : std::nullopt;
}

}  // namespace

std::optional<Placement> place_by_structure(std::span<const StoredTensor> stored) {
  const std::vector<BlockReading> readings = block_readings(stored);
  Ranking ranking;
  std::optional<Placement> placement;
  for (const Candidate& candidate : candidates_of(readings)) {
    // Once both are known, what cannot reach the runner-up changes nothing.
    const double bar = placement ? placement->runner_up_score : least_score / 2;
    if (candidate.most < bar - same) break;
    ranking.add(best_fit(*candidate.family, *candidate.reading, likely_widths(*candidate.reading)));
    placement = ranking.placement();
  }
  return placement;
}

Structure agreed_structure(const Placement& placement, Structure shown) {
  const std::string unknown = "unknown";
  const std::span<const Family* const> alike = placement.alike;
  shown.kind = agreed(alike, &Structure::kind).value_or(unknown);
  shown.norm = agreed(alike, &Structure::norm).value_or(unknown);
  shown.placement = agreed(alike, &Structure::placement).value_or(unknown);
  shown.gated = agreed(alike, &Structure::gated).value_or(shown.gated);
  if (auto additions = agreed(alike, &Structure::additions)) shown.additions = *additions;
  return shown;
}

}  // namespace pedigree
