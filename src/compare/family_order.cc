#include "compare/family_order.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/problem.h"
#include "compare/kin_table.h"
#include "compare/third_model.h"

namespace pedigree {
namespace {

// Models that links without a joint one hold together.
struct Part {
  std::vector<std::size_t> every = {};
  std::vector<std::size_t> possible = {};  // as the oldest
  std::vector<std::size_t> headed = {};    // by a merge: its parents are known and lie outside

  const std::vector<std::size_t>& drawn_from() const {
    if (!headed.empty()) return headed;
    return possible.empty() ? every : possible;
  }
};

using Numbers = std::vector<std::size_t>;

struct Step {
  std::size_t to = 0;
  bool against = false;  // to the parent, as is known
};

using Steps = std::map<std::size_t, std::vector<Step>>;

Steps steps_of(const ConnectedFamily& family, const std::vector<LinkDirection>& directions) {
  Steps steps;
  for (const Numbers* models : {&family.members, &family.missing}) {
    for (const std::size_t model : *models) {
      if (std::ranges::find(family.unplaced, model) == family.unplaced.end()) steps[model] = {};
    }
  }
  for (std::size_t i = 0; i < family.links.size(); ++i) {
    const FamilyLink& link = family.links[i];
    if (link.kind == FamilyLink::Kind::joint) continue;
    steps[link.first].push_back(
        {.to = link.second, .against = directions[i] == LinkDirection::second_is_parent});
    steps[link.second].push_back(
        {.to = link.first, .against = directions[i] == LinkDirection::first_is_parent});
  }
  return steps;
}

struct Reached {
  std::map<std::size_t, std::size_t> from =
      {};                // of each model, the one before it; of the start, itself
  bool against = false;  // a known parent was reached from its child
};

Reached reached_from(std::size_t start, const Steps& steps) {
  Reached reached{.from = {{start, start}}};
  Numbers open = {start};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    for (const Step& step : steps.at(at)) {
      if (!reached.from.try_emplace(step.to, at).second) continue;
      reached.against = reached.against || step.against;
      open.push_back(step.to);
    }
  }
  return reached;
}

// From the start, does the way to the third lead through one of the two that
// moved away from it?
bool leads_through(const Reached& reached, const MovedApart& apart) {
  const auto at = reached.from.find(apart.third);
  return at != reached.from.end() && (at->second == apart.a || at->second == apart.b);
}

bool may_be_oldest(std::size_t model, const Steps& steps, const std::vector<MovedApart>& apart) {
  const Reached reached = reached_from(model, steps);
  return !reached.against && std::ranges::none_of(apart, [&](const MovedApart& each) {
    return leads_through(reached, each);
  });
}

}  // namespace

std::vector<MovedApart> moved_apart(const KinGraph& graph, const ConnectedFamily& family) {
  const KinTable table(graph);
  std::map<std::size_t, Numbers> around;
  for (const FamilyLink& link : family.links) {
    if (link.kind != FamilyLink::Kind::trained || !table.one_chart(link.first, link.second))
      continue;
    around[link.first].push_back(link.second);
    around[link.second].push_back(link.first);
  }
  std::vector<MovedApart> found;
  for (const auto& [third, near] : around) {
    for (std::size_t i = 0; i < near.size(); ++i) {
      for (std::size_t j = i + 1; j < near.size(); ++j) {
        const KinPair* a = table.find(near[i], third);
        const KinPair* b = table.find(near[j], third);
        const KinPair* across = table.find(near[i], near[j]);
        if (a == nullptr || b == nullptr || across == nullptr) continue;
        if (third_model(*a, *b, *across).siblings()) {
          found.push_back({.third = third, .a = near[i], .b = near[j]});
        }
      }
    }
  }
  return found;
}

FamilyOrder order_of(const ConnectedFamily& family, const std::vector<LinkDirection>& directions,
                     const std::vector<MovedApart>& apart) {
  check(directions.size() == family.links.size(), "a direction for every link");
  std::set<std::size_t> merged;
  for (const FamilyLink& link : family.links) {
    if (link.kind == FamilyLink::Kind::joint) merged.insert(link.second);
  }
  const Steps steps = steps_of(family, directions);
  FamilyOrder order;
  std::set<std::size_t> seen;
  for (const auto& [start, unused] : steps) {
    if (seen.contains(start)) continue;
    Part part;
    for (const auto& [model, before] : reached_from(start, steps).from) {
      seen.insert(model);
      part.every.push_back(model);
      if (merged.contains(model)) part.headed.push_back(model);
      if (may_be_oldest(model, steps, apart)) part.possible.push_back(model);
    }
    if (part.headed.empty()) {
      order.roots.insert(order.roots.end(), part.possible.begin(), part.possible.end());
    }
    order.drawn.push_back(*std::ranges::max_element(
        part.drawn_from(), {}, [&](std::size_t model) { return steps.at(model).size(); }));
  }
  std::ranges::sort(order.roots);
  return order;
}

}  // namespace pedigree
