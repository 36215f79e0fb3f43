#include "tasks/tree_places.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <vector>

namespace pedigree {
namespace {

constexpr double same_answers = 3e-5;     // squared: what rounding rotated weights leaves, 0.5 %
constexpr std::size_t most_members = 24;  // that a rotated model is measured against
constexpr std::size_t most_means = 5;
constexpr std::size_t most_in_the_middle = 5;  // tests before the neighbours of the best
constexpr double nothing = 1e-8;               // squared

using Numbers = std::vector<std::size_t>;

class Placer {
 public:
  Placer(TreeModels& models, Kin& kin, const KinOptions& options)
      : models_(models),
        kin_(kin),
        options_(options),
        copies_(kin.graph),
        joints_(joint_parents_of(kin.graph)) {}

  std::optional<Problem> run() {
    for (std::size_t i = 0; i < models_.count(); ++i) {
      if (!models_.has_weights(i)) continue;
      if (options_.run.progress.stop()) return make_problem("interrupted", {}, "stopped");
      if (options_.run.progress.report) {
        options_.run.progress.report("placing models", i, models_.count());
      }
      auto problem = is_settled(i) ? std::nullopt : place(i);
      if (!problem) problem = find_means(i);
      if (problem) return problem;
    }
    return std::nullopt;
  }

 private:
  Numbers relatives_of(std::size_t model) const {
    Numbers relatives;
    for (std::size_t i = 0; i < models_.count(); ++i) {
      if (i != model && kin_.pair(i, model).related) relatives.push_back(i);
    }
    return relatives;
  }

  // Is there someone against whom the samples set all of it? Or nobody at all.
  bool is_settled(std::size_t model) const {
    const Numbers relatives = relatives_of(model);
    return relatives.empty() || std::ranges::any_of(relatives, [&](std::size_t other) {
             const KinPair& pair = kin_.pair(model, other);
             return pair.measured() && graded(pair.new_in(model)) == 0 &&
                    kin_.find_deep(model, other) == nullptr;
           });
  }

  // Fewer experts, or one block, may be means of the other's: that shows on whole weights.
  bool may_hold_means(std::size_t model, std::size_t other) const {
    return kin_.graph.models[other].experts() > 1 &&
           kin_.graph.models[model].experts() < kin_.graph.models[other].experts();
  }

  // Everyone whom the pair tests tie to it, over others where they have to.
  Numbers family_of(std::size_t model) const {
    std::set<std::size_t> family = {model};
    Numbers open = {model};
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      for (const std::size_t next : relatives_of(at)) {
        if (family.insert(next).second) open.push_back(next);
      }
    }
    family.erase(model);
    Numbers members;
    for (const std::size_t member : family) {
      if (copies_.stands_for(member) == member && models_.has_weights(member)) {
        members.push_back(member);
      }
    }
    return members;
  }

  // Models whose means the experts or blocks of this one may be.
  std::optional<Problem> find_means(std::size_t model) {
    Numbers candidates = family_of(model);
    std::erase_if(candidates, [&](std::size_t other) {
      return !kin_.pair(model, other).related || !may_hold_means(model, other);
    });
    std::ranges::sort(candidates, {}, [&](std::size_t other) {
      const KinPair& pair = kin_.pair(model, other);
      return std::tuple(graded(pair.new_in(model)), pair.distance, other);
    });
    std::size_t tests = 0;
    for (const std::size_t other : candidates) {
      if (tests == most_means) break;
      if (auto problem = test(model, other, tests)) return problem;
    }
    return std::nullopt;
  }

  // Parents of merges that the model is related to come first: it is one of theirs.
  bool is_parent_of_relative(std::size_t model, std::size_t other) const {
    return std::ranges::any_of(joints_, [&](const JointParents& joint) {
      return kin_.pair(model, joint.child).related &&
             std::ranges::find(joint.parents, other) != joint.parents.end();
    });
  }

  Numbers by_nearness(std::size_t model) const {
    Numbers candidates = family_of(model);
    std::erase_if(candidates, [&](std::size_t other) {
      return std::ranges::find(joints_, other, &JointParents::child) != joints_.end();
    });
    std::ranges::sort(candidates, {}, [&](std::size_t other) {
      const KinPair& pair = kin_.pair(model, other);
      const bool known = pair.related && pair.measured();
      return std::tuple(!known, !is_parent_of_relative(model, other),
                        !known && copies_.parent(other) != FamilyCopies::nobody,
                        known ? std::round(1e4 * pair.distance) : 0, copies_.remoteness(other),
                        pair.unlike, other);
    });
    return candidates;
  }

  std::optional<Problem> place(std::size_t model) {
    Numbers candidates = by_nearness(model);
    Placing placing;
    for (const std::size_t other : candidates) {
      if (placing.tests == most_in_the_middle) break;
      if (placing.is_rotated && kin_.pair(model, other).measured()) continue;
      if (auto problem = try_beside(model, other, candidates, placing)) return problem;
      if (placing.is_done) return std::nullopt;
    }
    if (!placing.best || placing.is_rotated) return std::nullopt;
    return place_around(model, std::move(candidates), placing.best, placing.tests);
  }

  struct Placing {
    std::size_t tests = 0;
    std::optional<std::size_t> best = {};
    bool is_rotated = false;  // and measured by its answers
    bool is_done = false;
  };

  std::optional<Problem> try_beside(std::size_t model, std::size_t other, const Numbers& candidates,
                                    Placing& placing) {
    if (auto problem = test(model, other, placing.tests)) return problem;
    if (is_rotated_beside(model, other)) {
      if (auto problem = measure_answers(model, other, candidates)) return problem;
      placing.is_rotated = placing.is_rotated || kin_.pair(model, other).measured();
      placing.is_done = is_forgotten_;
      return std::nullopt;  // on to members that are built otherwise
    }
    take_better(model, other, placing.best);
    placing.is_done = is_found(model, placing.best);
    return std::nullopt;
  }

  // The nearest members to the best so far may be nearer still.
  std::optional<Problem> place_around(std::size_t model, Numbers candidates,
                                      std::optional<std::size_t> best, std::size_t tests) {
    const std::size_t middle = best.value_or(model);
    std::ranges::stable_sort(candidates, {}, [&](std::size_t other) {
      return other == middle ? 0.0 : kin_.pair(middle, other).distance;
    });
    for (const std::size_t other : candidates) {
      if (tests == most_place_tests) break;
      if (auto problem = test(model, other, tests)) return problem;
      take_better(model, other, best);
      if (is_found(model, best)) break;
    }
    return std::nullopt;
  }

  std::optional<Problem> test(std::size_t model, std::size_t other, std::size_t& tests) {
    if (options_.run.progress.stop()) return make_problem("interrupted", {}, "stopped");
    if (kin_.find_deep(model, other) != nullptr) return std::nullopt;
    ++tests;
    TestedPair pair{.first = std::min(model, other), .second = std::max(model, other)};
    pair.comparison = compared_deeply(models_, pair, options_);
    take_deep_of(models_, kin_, pair);
    kin_.deep.push_back(std::move(pair));
    return std::nullopt;
  }

  bool is_rotated_beside(std::size_t model, std::size_t other) const {
    const KinPair& pair = kin_.pair(model, other);
    const TestedPair* deep = kin_.find_deep(model, other);
    return pair.related && !pair.measured() && deep != nullptr && deep->comparison.change.empty();
  }

  void take_better(std::size_t model, std::size_t other, std::optional<std::size_t>& best) const {
    const auto looseness = [&](std::size_t each) {
      const KinPair& pair = kin_.pair(model, each);
      return std::tuple(!pair.related, graded(pair.new_in(model)), pair.distance);
    };
    if (kin_.find_deep(model, other) == nullptr) return;
    if (!best || looseness(other) < looseness(*best)) best = other;
  }

  bool is_found(std::size_t model, const std::optional<std::size_t>& best) const {
    if (!best) return false;
    const KinPair& pair = kin_.pair(model, *best);
    return pair.related && pair.distance <= nothing && graded(pair.new_in(model)) == 0;
  }

  // Distances of a rotated model to members of the family it was found to belong to.
  std::optional<Problem> measure_answers(std::size_t model, std::size_t reference,
                                         const Numbers& family) {
    auto own = models_.open(model);
    if (!own) return own.error();
    const auto keep = std::move(*own);  // the next one opened may take its place
    const auto other = models_.open(reference);
    if (!other) return other.error();
    const auto sampled = models_.sampled(std::min(model, reference), std::max(model, reference));
    if (!sampled || sampled->own) return std::nullopt;
    const bool model_is_first = model < reference;
    const Fingerprint& mine = model_is_first ? *sampled->first : *sampled->second;
    const Fingerprint& theirs = model_is_first ? *sampled->second : *sampled->first;
    const auto anchor =
        ResponseAnchor::find({.sketch = mine, .weights = keep->model.get()},
                             {.sketch = theirs, .weights = (*other)->model.get()},
                             compare_options(options_, false, options_.run.threads));
    if (!anchor) return anchor.error();
    const auto& found = *anchor;
    if (!found) return std::nullopt;
    std::size_t measured = 0;
    bool is_nameless = false;  // a member that answers to no token by name
    for (const std::size_t member : family) {
      if (measured == most_members) break;
      if (!is_built_like(member, reference)) continue;
      ++measured;
      if (auto problem = measure(*found, model, member)) return problem;
      is_nameless = is_nameless || kin_.graph.models[member].by_row;
    }
    // It may be the nearest, and nobody can tell.
    is_forgotten_ = is_nameless;
    if (is_nameless) forget_distances(model);
    return std::nullopt;
  }

  void forget_distances(std::size_t model) {
    for (const std::size_t other : relatives_of(model)) {
      KinPair& pair = kin_.pair(model, other);
      pair.distance = KinPair::unmeasured;
      pair.copy = false;
      pair.new_in_first = 1;
      pair.new_in_second = 1;
    }
  }

  // Layers and residual dimensions mean the same in both.
  bool is_built_like(std::size_t a, std::size_t b) const {
    const auto& x = kin_.graph.models[a].shape;
    const auto& y = kin_.graph.models[b].shape;
    return x[0] == y[0] && x[1] == y[1];
  }

  std::optional<Problem> measure(const ResponseAnchor& anchor, std::size_t model,
                                 std::size_t member) {
    const auto opened = models_.open(member);
    if (!opened) return opened.error();
    const auto sampled = models_.sampled(std::min(model, member), std::max(model, member));
    if (!sampled || sampled->own) return std::nullopt;
    const Fingerprint& sketch = model < member ? *sampled->second : *sampled->first;
    const auto distance = anchor.distance_to({.sketch = sketch, .weights = (*opened)->model.get()});
    if (!distance) return distance.error();
    const auto& value = *distance;
    if (!value || *value >= 1) return std::nullopt;
    KinPair& kin = kin_.pair(model, member);
    kin.related = true;
    kin.distance = *value;
    kin.changed_rows = 1;
    kin.copy = *value <= same_answers;
    kin.new_in_first = 0;
    kin.new_in_second = 0;
    return std::nullopt;
  }

  TreeModels& models_;
  Kin& kin_;
  const KinOptions& options_;
  FamilyCopies copies_;  // as the samples showed them
  std::vector<JointParents> joints_;
  bool is_forgotten_ = false;  // the last rotated model's distances
};

}  // namespace

std::optional<Problem> find_places(TreeModels& models, Kin& kin, const KinOptions& options) {
  return Placer(models, kin, options).run();
}

}  // namespace pedigree
