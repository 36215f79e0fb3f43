#include "compare/family_order.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/problem.h"

namespace pedigree {
namespace {

using Numbers = std::vector<std::size_t>;

struct Step {
  std::size_t to = 0;
  bool against = false;  // to the parent, as is known
};

using Steps = std::map<std::size_t, std::vector<Step>>;

Steps steps_of(const Family& family, const std::vector<LinkDirection>& directions) {
  Steps steps;
  for (const Numbers* models : {&family.members, &family.missing}) {
    for (const std::size_t model : *models) steps[model] = {};
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
  std::set<std::size_t> models = {};
  bool against = false;  // a known parent was reached from its child
};

Reached reached_from(std::size_t start, const Steps& steps) {
  Reached reached{.models = {start}};
  Numbers open = {start};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    for (const Step& step : steps.at(at)) {
      if (!reached.models.insert(step.to).second) continue;
      reached.against = reached.against || step.against;
      open.push_back(step.to);
    }
  }
  return reached;
}

}  // namespace

FamilyOrder order_of(const Family& family, const std::vector<LinkDirection>& directions) {
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
    const std::set<std::size_t> tree = reached_from(start, steps).models;
    seen.insert(tree.begin(), tree.end());
    Numbers possible;
    Numbers headed;  // by a merge: its parents are known and lie outside
    for (const std::size_t model : tree) {
      if (merged.contains(model)) headed.push_back(model);
      if (!reached_from(model, steps).against) possible.push_back(model);
    }
    if (headed.empty()) order.roots.insert(order.roots.end(), possible.begin(), possible.end());
    const Numbers every(tree.begin(), tree.end());
    const Numbers& from = !headed.empty() ? headed : (possible.empty() ? every : possible);
    order.drawn.push_back(*std::ranges::max_element(
        from, {}, [&](std::size_t model) { return steps.at(model).size(); }));
  }
  std::ranges::sort(order.roots);
  return order;
}

}  // namespace pedigree
