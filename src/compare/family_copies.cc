#include "compare/family_copies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "compare/disjoint_sets.h"

namespace pedigree {
namespace {

constexpr double no_distance = 1e-8;  // squared and relative: rounding into a finer type
constexpr double clearly = 2;
constexpr double nothing_new = 0.02;
constexpr double grade = 0.05;

bool are_equal(const KinPair& pair) {
  if (!pair.related || !pair.copy) return false;
  return pair.same || (pair.direction == LinkDirection::unknown && pair.distance <= no_distance &&
                       std::max(pair.new_in_first, pair.new_in_second) <= nothing_new);
}

}  // namespace

double graded(double share) { return std::round(share / grade) * grade; }

FamilyCopies::FamilyCopies(const KinGraph& graph)
    : graph_(graph), table_(graph), parent_(graph.models.size(), nobody) {
  for (const KinModel& model : graph.models) {
    smallest_ = &model == graph.models.data() ? model.size : std::min(smallest_, model.size);
  }
  measure_remoteness();
  group_equals();
  find_parents();
}

double FamilyCopies::new_size(const KinPair& pair, std::size_t model) const {
  return graded(pair.new_in(model) * graph_.models[model].size / smallest_);
}

double FamilyCopies::new_content(const KinPair& pair) const {
  const double first = new_size(pair, pair.first);
  const double second = new_size(pair, pair.second);
  // What was made from a third model can only be the parent here.
  if (parent_[pair.first] != nobody && parent_[pair.first] != pair.second) return second;
  if (parent_[pair.second] != nobody && parent_[pair.second] != pair.first) return first;
  return std::min(first, second);
}

void FamilyCopies::measure_remoteness() {
  remoteness_.assign(graph_.models.size(), 0);
  for (const KinPair& pair : graph_.pairs) {
    const double fresh = std::min(pair.new_in_first, pair.new_in_second);
    const double apart =
        pair.related && pair.measured() ? graded(fresh) + grade * graded(pair.changed_rows) : 2;
    remoteness_[pair.first] += apart;
    remoteness_[pair.second] += apart;
  }
}

void FamilyCopies::group_equals() {
  DisjointSets equal(graph_.models.size());
  std::vector<bool> rounded(graph_.models.size());  // of another one's values
  for (const KinPair& pair : graph_.pairs) {
    if (!are_equal(pair)) continue;
    equal.join(pair.first, pair.second);
    rounded[pair.first] = rounded[pair.first] || pair.first_is_rounded;
    rounded[pair.second] = rounded[pair.second] || pair.second_is_rounded;
  }
  const double step = 0.2 * static_cast<double>(graph_.models.size());
  const auto rank = [&](std::size_t model) {
    const int bits = graph_.models[model].precision;
    return std::tuple(std::round(remoteness_[model] / step), static_cast<bool>(rounded[model]),
                      graph_.models[model].by_row, bits == 0, bits, remoteness_[model], model);
  };
  std::map<std::size_t, std::size_t> chosen;
  for (std::size_t i = 0; i < graph_.models.size(); ++i) {
    const auto [at, fresh] = chosen.try_emplace(equal.find(i), i);
    if (!fresh && rank(i) < rank(at->second)) at->second = i;
  }
  for (std::size_t i = 0; i < graph_.models.size(); ++i) {
    stands_for_.push_back(chosen.at(equal.find(i)));
  }
}

bool FamilyCopies::was_made_from(std::size_t child, std::size_t parent) const {
  const KinPair* pair = table_.find(child, parent);
  if (pair == nullptr || !pair->related || !pair->copy) return false;
  return pair->direction ==
         (pair->first == parent ? LinkDirection::first_is_parent : LinkDirection::second_is_parent);
}

bool FamilyCopies::carries_changes(std::size_t from, std::size_t copy, std::size_t other) const {
  const KinPair* here = table_.find(copy, other);
  const KinPair* there = table_.find(from, other);
  if (here == nullptr || !here->related) return false;
  if (there == nullptr || !there->related) return true;
  if (table_.find(from, copy)->averaged) return false;
  if (new_size(*here, other) > new_size(*there, other)) return false;
  const auto& shape = graph_.models[copy].shape;
  if (shape != graph_.models[from].shape) {
    if (shape == graph_.models[other].shape) return true;
  } else if (table_.one_chart(from, copy) && table_.one_chart(from, other)) {
    return table_.carries(from, copy, other);
  }
  return here->distance * clearly < there->distance;
}

bool FamilyCopies::descends(std::size_t model, std::size_t ancestor) const {
  for (std::size_t at = model; at != nobody; at = parent_[at]) {
    if (at == ancestor) return true;
  }
  return false;
}

bool FamilyCopies::is_behind(std::size_t model, std::size_t child) const {
  for (std::size_t i = 0; i < graph_.models.size(); ++i) {
    if (i != model && i != child && was_made_from(model, i) && was_made_from(child, i) &&
        !carries_changes(i, model, child)) {
      return true;
    }
  }
  return false;
}

void FamilyCopies::find_parents() {
  const std::size_t count = graph_.models.size();
  for (std::size_t child = 0; child < count; ++child) {
    if (stands_for_[child] != child) continue;
    std::optional<std::tuple<double, double, double, std::size_t, double, std::size_t>> least;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t parent = stands_for_[i];
      if (parent == child || !was_made_from(child, i) || descends(parent, child)) continue;
      if (is_behind(i, child)) continue;
      const KinPair& pair = *table_.find(child, i);
      const std::tuple key(graded(pair.new_in(child)), pair.distance, graded(pair.new_in(i)),
                           pair.unlike, remoteness_[i], i);
      if (least && key >= *least) continue;
      least = key;
      parent_[child] = parent;
    }
  }
}

bool FamilyCopies::may_touch(std::size_t model, std::size_t other) const {
  const std::size_t from = parent_[model];
  if (from == nobody || from == other) return true;
  return carries_changes(from, model, other);
}

}  // namespace pedigree
