#include "tasks/tree_kin.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/parallel.h"
#include "tasks/judge.h"

namespace pedigree {
namespace {

constexpr double same_answers = 3e-5;      // squared: what rounding rotated weights leaves, 0.5 %
constexpr std::size_t most_disguised = 8;  // of one family, placed one by one

using Numbers = std::vector<std::size_t>;

CompareOptions compare_options(const KinOptions& options, bool quick, unsigned threads) {
  CompareOptions made;
  made.quick = quick;
  made.threads = threads;
  made.alternatives = options.alternatives;
  made.progress = options.run.progress;
  return made;
}

class KinFinder {
 public:
  KinFinder(TreeModels& models, const KinOptions& options)
      : models_(models), options_(options), family_(models.count()) {
    for (std::size_t i = 0; i < family_.size(); ++i) family_[i] = i;
  }

  Result<Kin> run() {
    add_models();
    if (auto problem = compare_samples()) return std::unexpected(std::move(*problem));
    if (!options_.quick) {
      if (auto problem = compare_families()) return std::unexpected(std::move(*problem));
    }
    kin_.graph.joints = joint_parents_of(kin_.graph);
    return std::move(kin_);
  }

 private:
  void add_models() {
    for (std::size_t i = 0; i < models_.count(); ++i) {
      KinModel model = kin_model(models_.sketch_of(i));
      model.chart = static_cast<int>(i);
      for (std::size_t j = 0; j < i; ++j) {
        if (!same_places(models_.sketch_of(j), models_.sketch_of(i))) continue;
        model.chart = kin_.graph.models[j].chart;
        break;
      }
      kin_.graph.models.push_back(model);
    }
  }

  std::optional<Problem> compare_samples() {
    for (std::size_t i = 0; i < models_.count(); ++i) {
      for (std::size_t j = i + 1; j < models_.count(); ++j) {
        kin_.sketches.push_back({.first = i, .second = j});
      }
    }
    kin_.graph.pairs.resize(kin_.sketches.size());
    auto problem = parallel_for(
        kin_.sketches.size(), options_.run.threads, options_.run.progress,
        [this](std::size_t place) { return compare_sample(kin_.sketches[place], place); });
    if (problem) return problem;
    for (const KinPair& pair : kin_.graph.pairs) {
      if (pair.related) join(pair.first, pair.second);
    }
    return std::nullopt;
  }

  std::optional<Problem> compare_sample(TestedPair& pair, std::size_t place) {
    const auto sampled = models_.sampled(pair.first, pair.second);
    if (!sampled) return sampled.error();
    const Fingerprint& first = sampled->first != nullptr ? *sampled->first : *sampled->own;
    const Fingerprint& second = sampled->second != nullptr ? *sampled->second : *sampled->own;
    pair.comparison =
        compare({.sketch = second}, {.sketch = first}, compare_options(options_, true, 1));
    pair.comparison.subject = models_.name_of(pair.second);
    pair.comparison.base = models_.name_of(pair.first);
    KinPair kin = kin_pair(first, second, pair.comparison);
    kin.first = pair.first;
    kin.second = pair.second;
    kin_.graph.pairs[place] = std::move(kin);
    return std::nullopt;
  }

  void join(std::size_t a, std::size_t b) {
    const auto [least, most] =
        std::pair(std::min(family_[a], family_[b]), std::max(family_[a], family_[b]));
    std::ranges::replace(family_, most, least);
  }

  KinPair& kin_pair_of(std::size_t a, std::size_t b) {
    const auto [first, second] = std::pair(std::min(a, b), std::max(a, b));
    // Rows of the upper triangle, one after the other.
    const std::size_t before = first * models_.count() - first * (first + 1) / 2;
    return kin_.graph.pairs[before + second - first - 1];
  }

  const TestedPair& sketch_pair_of(std::size_t a, std::size_t b) {
    return kin_.sketches[static_cast<std::size_t>(&kin_pair_of(a, b) - kin_.graph.pairs.data())];
  }

  Numbers members_of(std::size_t family) const {
    Numbers members;
    for (std::size_t i = 0; i < family_.size(); ++i) {
      if (family_[i] == family) members.push_back(i);
    }
    return members;
  }

  std::optional<Problem> compare_families() {
    Numbers families = family_;
    std::ranges::sort(families);
    families.erase(std::ranges::unique(families).begin(), families.end());
    for (std::size_t i = 0; i < families.size(); ++i) {
      for (std::size_t j = i + 1; j < families.size(); ++j) {
        if (options_.run.progress.stop()) return make_problem("interrupted", {}, "stopped");
        // Either may have joined others meanwhile.
        const std::size_t a = family_[families[i]];
        const std::size_t b = family_[families[j]];
        if (a == b) continue;
        if (auto problem = compare_families(a, b)) return problem;
      }
    }
    return std::nullopt;
  }

  std::optional<Problem> compare_families(std::size_t a, std::size_t b) {
    const Numbers mine = members_of(a);
    const Numbers theirs = members_of(b);
    TestedPair pair = most_telling(mine, theirs);
    if (!models_.has_weights(pair.first) || !models_.has_weights(pair.second)) return std::nullopt;
    if (was_tested(pair)) return std::nullopt;
    pair.comparison = compared_deeply(models_, pair, options_);
    const bool related = pair.comparison.verdict.derived == "yes";
    kin_.deep.push_back(pair);
    if (!related) return std::nullopt;
    KinPair& kin = kin_pair_of(pair.first, pair.second);
    kin.related = true;
    kin.copy = kin.copy || is_copy(pair.comparison);
    kin.direction = copy_direction(pair.comparison);
    const bool first_is_mine = family_[pair.first] == a;
    const std::size_t own = first_is_mine ? pair.first : pair.second;
    const std::size_t other = first_is_mine ? pair.second : pair.first;
    auto problem =
        mine.size() >= theirs.size() ? place(theirs, own, mine) : place(mine, other, theirs);
    join(pair.first, pair.second);
    return problem;
  }

  bool was_tested(const TestedPair& pair) const {
    return std::ranges::any_of(kin_.deep, [&](const TestedPair& each) {
      return each.first == pair.first && each.second == pair.second;
    });
  }

  // The pair whose samples were the most alike; among equals, of the same
  // structure, and with the most relatives.
  TestedPair most_telling(const Numbers& mine, const Numbers& theirs) {
    const auto relatives = [this](std::size_t model) {
      std::size_t count = 0;
      for (std::size_t i = 0; i < models_.count(); ++i) {
        count += i != model && kin_pair_of(i, model).related ? 1U : 0U;
      }
      return count;
    };
    const TestedPair* best = nullptr;
    std::tuple<bool, double, std::size_t, std::size_t> least;
    for (const std::size_t a : mine) {
      for (const std::size_t b : theirs) {
        const TestedPair& pair = sketch_pair_of(a, b);
        const std::tuple key(!models_.has_weights(a) || !models_.has_weights(b),
                             pair.comparison.verdict.log10_p.value_or(0), kin_pair_of(a, b).unlike,
                             2 * models_.count() - relatives(a) - relatives(b));
        if (best != nullptr && key >= least) continue;
        best = &pair;
        least = key;
      }
    }
    return {.first = best->first, .second = best->second};
  }

  // Distances of disguised models to the family they were found to belong to.
  std::optional<Problem> place(const Numbers& disguised, std::size_t reference,
                               const Numbers& family) {
    for (std::size_t i = 0; i < std::min(disguised.size(), most_disguised); ++i) {
      const std::size_t model = disguised[i];
      if (kin_pair_of(model, reference).changed_rows < 1) continue;  // coordinates agree
      if (auto problem = place_one(model, reference, family)) return problem;
    }
    return std::nullopt;
  }

  std::optional<Problem> place_one(std::size_t model, std::size_t reference,
                                   const Numbers& family) {
    const auto own = models_.open(model);
    if (!own) return own.error();
    const auto other = models_.open(reference);
    if (!other) return other.error();
    const auto sampled = models_.sampled(std::min(model, reference), std::max(model, reference));
    if (!sampled || sampled->own) return std::nullopt;
    const bool model_is_first = model < reference;
    const Fingerprint& mine = model_is_first ? *sampled->first : *sampled->second;
    const Fingerprint& theirs = model_is_first ? *sampled->second : *sampled->first;
    const auto anchor =
        ResponseAnchor::find({.sketch = mine, .weights = (*own)->model.get()},
                             {.sketch = theirs, .weights = (*other)->model.get()},
                             compare_options(options_, false, options_.run.threads));
    if (!anchor) return anchor.error();
    if (!*anchor) return std::nullopt;
    for (const std::size_t member : family) {
      if (auto problem = measure(**anchor, model, member)) return problem;
    }
    return std::nullopt;
  }

  std::optional<Problem> measure(const ResponseAnchor& anchor, std::size_t model,
                                 std::size_t member) {
    if (!models_.has_weights(member)) return std::nullopt;
    const auto opened = models_.open(member);
    if (!opened) return opened.error();
    const auto sampled = models_.sampled(std::min(model, member), std::max(model, member));
    if (!sampled || sampled->own) return std::nullopt;
    const Fingerprint& sketch = model < member ? *sampled->second : *sampled->first;
    const auto distance = anchor.distance_to({.sketch = sketch, .weights = (*opened)->model.get()});
    if (!distance) return distance.error();
    if (!*distance) return std::nullopt;
    KinPair& kin = kin_pair_of(model, member);
    kin.related = true;
    kin.distance = **distance;
    kin.copy = **distance <= same_answers;
    return std::nullopt;
  }

  TreeModels& models_;
  const KinOptions& options_;
  Kin kin_;
  Numbers family_;  // of each model, its smallest member
};

}  // namespace

Result<Kin> kin_of(TreeModels& models, const KinOptions& options) {
  return KinFinder(models, options).run();
}

Comparison compared_deeply(TreeModels& models, const TestedPair& pair, const KinOptions& options) {
  const std::string& subject = models.name_of(pair.second);
  const std::string& base = models.name_of(pair.first);
  const auto mine = models.open(pair.second);
  const auto theirs = models.open(pair.first);
  if (!mine || !theirs) {
    return not_compared(
        subject, base, could_not_open(mine ? base : subject, mine ? theirs.error() : mine.error()));
  }
  const auto keep = *mine;
  Comparison comparison =
      compare_opened(*keep, **theirs, compare_options(options, options.quick, options.run.threads),
                     {.run = options.run});
  comparison.subject = subject;
  comparison.base = base;
  return comparison;
}

}  // namespace pedigree
