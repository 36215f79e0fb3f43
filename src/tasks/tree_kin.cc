#include "tasks/tree_kin.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/parallel.h"
#include "tasks/judge.h"
#include "tasks/tree_places.h"

namespace pedigree {

CompareOptions compare_options(const KinOptions& options, bool quick, unsigned threads) {
  CompareOptions made;
  made.quick = quick;
  made.threads = threads;
  made.alternatives = options.alternatives;
  made.progress = options.run.progress;
  return made;
}

namespace {

constexpr int most_rounds = 3;  // of tests between families

using Numbers = std::vector<std::size_t>;

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
      if (auto problem = find_places(models_, kin_, options_)) {
        return std::unexpected(std::move(*problem));
      }
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
    const Fingerprint& first = sampled->first_sketch();
    const Fingerprint& second = sampled->second_sketch();
    pair.comparison =
        compare({.sketch = second}, {.sketch = first}, compare_options(options_, true, 1));
    pair.comparison.subject = models_.name_of(pair.second);
    pair.comparison.base = models_.name_of(pair.first);
    KinPair kin = kin_pair(first, second, pair.comparison);
    kin.first = pair.first;
    kin.second = pair.second;
    kin.direction = place_of_copy(pair.comparison, kin, kin_.graph.models[pair.first],
                                  kin_.graph.models[pair.second]);
    kin_.graph.pairs[place] = std::move(kin);
    return std::nullopt;
  }

  void join(std::size_t a, std::size_t b) {
    const auto [least, most] =
        std::pair(std::min(family_[a], family_[b]), std::max(family_[a], family_[b]));
    std::ranges::replace(family_, most, least);
  }

  Numbers members_of(std::size_t family) const {
    Numbers members;
    for (std::size_t i = 0; i < family_.size(); ++i) {
      if (family_[i] == family) members.push_back(i);
    }
    return members;
  }

  // One test for each two families, then a second and a third by models of another
  // shape, as far as the tests go round: the surest first.
  std::optional<Problem> compare_families() {
    std::size_t left = most_family_tests * models_.count();
    for (int round = 0; round < most_rounds; ++round) {
      for (const TestedPair& pair : telling_pairs(round)) {
        if (options_.run.progress.stop()) return make_problem("interrupted", {}, "stopped");
        if (left == 0) return std::nullopt;
        if (family_[pair.first] == family_[pair.second]) continue;  // joined meanwhile
        compare_families(pair);
        --left;
      }
    }
    return std::nullopt;
  }

  void compare_families(TestedPair pair) {
    pair.comparison = compared_deeply(models_, pair, options_);
    kin_.deep.push_back(pair);
    if (pair.comparison.verdict.derived != "yes") return;
    take_deep_of(models_, kin_, pair);
    join(pair.first, pair.second);
  }

  std::vector<TestedPair> telling_pairs(int round) {
    Numbers families = family_;
    std::ranges::sort(families);
    families.erase(std::ranges::unique(families).begin(), families.end());
    std::vector<TestedPair> pairs;
    for (std::size_t i = 0; i < families.size(); ++i) {
      for (std::size_t j = i + 1; j < families.size(); ++j) {
        const auto pair = most_telling(members_of(families[i]), members_of(families[j]), round);
        if (pair) pairs.push_back(*pair);
      }
    }
    std::ranges::stable_sort(pairs, {}, [&](const TestedPair& pair) {
      return std::tuple(kin_.sketch(pair.first, pair.second).comparison.verdict.log10_p.value_or(0),
                        kin_.pair(pair.first, pair.second).unlike);
    });
    return pairs;
  }

  std::size_t relatives_of(std::size_t model) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < models_.count(); ++i) {
      count += i != model && kin_.pair(i, model).related ? 1U : 0U;
    }
    return count;
  }

  bool was_tried(std::size_t a, std::size_t b) const {
    const auto shape = [this](std::size_t model) { return kin_.graph.models[model].shape; };
    return std::ranges::any_of(kin_.deep, [&](const TestedPair& each) {
      const bool alike = shape(each.first) == shape(a) && shape(each.second) == shape(b);
      const bool crossed = shape(each.first) == shape(b) && shape(each.second) == shape(a);
      const bool same = (family_[each.first] == family_[a] && family_[each.second] == family_[b]) ||
                        (family_[each.first] == family_[b] && family_[each.second] == family_[a]);
      return same && (alike || crossed);
    });
  }

  // The pair whose samples were the most alike; among equals, of the same structure,
  // and with the most relatives. Later rounds ask for most relatives first.
  std::optional<TestedPair> most_telling(const Numbers& mine, const Numbers& theirs, int round) {
    std::optional<TestedPair> best;
    std::tuple<double, std::size_t, std::size_t> least;
    for (const std::size_t a : mine) {
      for (const std::size_t b : theirs) {
        if (!models_.has_weights(a) || !models_.has_weights(b) || was_tried(a, b)) continue;
        const auto strangeness = 2 * models_.count() - relatives_of(a) - relatives_of(b);
        const double p = kin_.sketch(a, b).comparison.verdict.log10_p.value_or(0);
        const std::size_t unlike = kin_.pair(a, b).unlike;
        const std::tuple key =
            round == 0 ? std::tuple(p, unlike, strangeness) : std::tuple(0.0, strangeness, unlike);
        if (best && key >= least) continue;
        best = TestedPair{.first = std::min(a, b), .second = std::max(a, b)};
        least = key;
      }
    }
    return best;
  }

  TreeModels& models_;
  const KinOptions& options_;
  Kin kin_;
  Numbers family_;  // of each model, its smallest member
};

}  // namespace

const TestedPair* Kin::find_deep(std::size_t a, std::size_t b) const {
  const auto at = std::ranges::find_if(deep, [&](const TestedPair& each) {
    return each.first == std::min(a, b) && each.second == std::max(a, b);
  });
  return at == deep.end() ? nullptr : &*at;
}

// Rows of the upper triangle, one after the other.
std::size_t Kin::place_of(std::size_t a, std::size_t b) const {
  const std::size_t first = std::min(a, b);
  return first * graph.models.size() - first * (first + 1) / 2 + std::max(a, b) - first - 1;
}

void take_deep_of(const TreeModels& models, Kin& kin, const TestedPair& pair) {
  const auto sampled = models.sampled(pair.first, pair.second);
  if (!sampled) return;
  KinPair& known = kin.pair(pair.first, pair.second);
  take_deep(known, sampled->first_sketch(), sampled->second_sketch(), pair.comparison);
  known.direction = place_of_copy(pair.comparison, known, kin.graph.models[pair.first],
                                  kin.graph.models[pair.second]);
}

Result<Kin> kin_of(TreeModels& models, const KinOptions& options) {
  return KinFinder(models, options).run();
}

Comparison compared_deeply(TreeModels& models, const TestedPair& pair, const KinOptions& options) {
  const std::string& subject = models.name_of(pair.second);
  const std::string& base = models.name_of(pair.first);
  auto mine = models.open(pair.second);
  const auto theirs = models.open(pair.first);
  if (!mine || !theirs) {
    return not_compared(
        subject, base, could_not_open(mine ? base : subject, mine ? theirs.error() : mine.error()));
  }
  const auto keep = std::move(*mine);  // the next one opened may take its place
  Comparison comparison =
      compare_opened(*keep, **theirs, compare_options(options, options.quick, options.run.threads),
                     {.run = options.run});
  comparison.subject = subject;
  comparison.base = base;
  return comparison;
}

}  // namespace pedigree
