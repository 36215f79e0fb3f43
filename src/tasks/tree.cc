#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "compare/family.h"
#include "tasks/judge.h"
#include "tasks/tasks.h"
#include "tasks/tree_kin.h"
#include "tasks/tree_models.h"

namespace pedigree {
namespace {

constexpr double unmeasured = 2;  // the distance of strangers, and of pairs without coordinates

TreeEdge::Kind kind_of_edge(FamilyLink::Kind kind) {
  switch (kind) {
    case FamilyLink::Kind::copy:
      return TreeEdge::Kind::copy;
    case FamilyLink::Kind::trained:
      return TreeEdge::Kind::trained;
    case FamilyLink::Kind::joint:
      return TreeEdge::Kind::merge;
    case FamilyLink::Kind::missing:
      return TreeEdge::Kind::missing;
  }
  return TreeEdge::Kind::trained;
}

// A link with what is known of it; ends are numbers of models, or of missing ones.
struct KnownLink {
  FamilyLink link = {};
  LinkDirection direction = LinkDirection::unknown;
  std::string because = {};
  std::optional<Comparison> comparison = {};
};

class TreeMaker {
 public:
  TreeMaker(const TreeRequest& request, Report& report)
      : request_(request), report_(report), models_(request.models, request.run, report) {
    const std::uint64_t count = models_.count();
    options_ = {.quick = request.quick,
                .alternatives = std::max<std::uint64_t>(1, count * (count - 1) / 2),
                .run = request.run};
  }

  void make() {
    Tree tree;
    tree.nodes = models_.nodes();
    tree.quick = request_.quick;
    if (models_.count() > 0 && !interrupted()) {
      auto kin = kin_of(models_, options_);
      if (!kin) return fail(report_, std::move(kin.error()));
      kin_ = std::move(*kin);
      tree.sketch_pairs = kin_.sketches.size();
      tree.deep_pairs = kin_.deep.size();
      add_families(tree);
      add_gaps(tree);
      settle_exit(tree);
    }
    report_.tree = std::move(tree);
  }

 private:
  bool interrupted() const { return options_.run.progress.stop(); }

  // Models that are missing follow those that are given.
  std::size_t node_of(std::size_t model) const {
    return model < models_.count() ? models_.node_of(model)
                                   : models_.nodes().size() + missing_place_.at(model);
  }

  void add_families(Tree& tree) {
    const std::vector<ConnectedFamily> families = families_of(kin_.graph);
    for (const ConnectedFamily& family : families) {
      for (const std::size_t missing : family.missing) {
        missing_place_.emplace(missing, missing_place_.size());
        tree.nodes.push_back({.name = fmt::format("not in this set #{}", missing_place_.size()),
                              .is_missing = true});
      }
    }
    for (const ConnectedFamily& family : families) {
      for (const std::size_t member : family.members) family_of_[member] = tree.families.size();
      tree.families.push_back(tree_family(family));
    }
  }

  TreeFamily tree_family(const ConnectedFamily& family) {
    std::vector<KnownLink> links;
    std::vector<LinkDirection> directions;
    for (const FamilyLink& link : family.links) {
      links.push_back(known(link));
      directions.push_back(links.back().direction);
    }
    const FamilyOrder order = order_of(family, directions, moved_apart(kin_.graph, family));
    TreeFamily made;
    const auto nodes = [&](const std::vector<std::size_t>& numbers) {
      std::vector<std::size_t> list;
      list.reserve(numbers.size());
      for (const std::size_t number : numbers) list.push_back(node_of(number));
      return list;
    };
    made.members = nodes(family.members);
    const auto missing = nodes(family.missing);
    made.members.insert(made.members.end(), missing.begin(), missing.end());
    made.unplaced = nodes(family.unplaced);
    made.roots = nodes(order.roots);
    made.drawn = nodes(order.drawn);
    const std::map<std::size_t, std::size_t> depth = depths(family, order.drawn);
    for (KnownLink& link : links) made.edges.push_back(edge(std::move(link), depth));
    std::ranges::sort(made.edges, {},
                      [](const TreeEdge& each) { return std::pair(each.to, each.from); });
    return made;
  }

  // How many links below the drawn beginnings each model stands; merges are cut.
  static std::map<std::size_t, std::size_t> depths(const ConnectedFamily& family,
                                                   const std::vector<std::size_t>& drawn) {
    std::map<std::size_t, std::size_t> depth;
    std::vector<std::size_t> open = drawn;
    for (const std::size_t start : drawn) depth[start] = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::size_t at = open[i];
      for (const FamilyLink& link : family.links) {
        if (link.kind == FamilyLink::Kind::joint) continue;
        if (link.first != at && link.second != at) continue;
        const std::size_t other = link.first == at ? link.second : link.first;
        if (depth.try_emplace(other, depth.at(at) + 1).second) open.push_back(other);
      }
    }
    return depth;
  }

  KnownLink known(const FamilyLink& link) {
    KnownLink made{.link = link};
    switch (link.kind) {
      case FamilyLink::Kind::joint: {
        const JointParents* joint = joint_of(link.second);
        made.direction = joint != nullptr && joint->exact ? LinkDirection::first_is_parent
                                                          : LinkDirection::unknown;
        made.because = joint != nullptr ? joint->because : std::string();
        made.comparison = sketch_comparison(link.first, link.second);
        return made;
      }
      case FamilyLink::Kind::missing:
        made.because = "rows that two of these models hold alike and the third does not";
        return made;
      case FamilyLink::Kind::copy:
      case FamilyLink::Kind::trained:
        break;
    }
    const TestedPair pair{.first = std::min(link.first, link.second),
                          .second = std::max(link.first, link.second)};
    made.comparison = deep_comparison(pair);
    tell_direction(made, pair);
    return made;
  }

  // Training looks the same from both ends, so only copies tell a direction. A
  // sign besides training says no more than who is not the other's ancestor.
  void tell_direction(KnownLink& known, const TestedPair& pair) const {
    if (!known.comparison) return;
    const bool first_is_base = pair.first == known.link.first;
    const Verdict& verdict = known.comparison->verdict;
    known.because = verdict.direction_because;
    const LinkDirection of_copy =
        parent_of_copy(*known.comparison, kin_.pair(pair.first, pair.second),
                       kin_.graph.models[pair.first], kin_.graph.models[pair.second]);
    if (of_copy != LinkDirection::unknown) {
      known.direction = (of_copy == LinkDirection::first_is_parent) == first_is_base
                            ? LinkDirection::first_is_parent
                            : LinkDirection::second_is_parent;
      return;
    }
    if (verdict.direction != "base-is-parent" && verdict.direction != "subject-is-parent") return;
    const bool base = verdict.direction == "base-is-parent";
    known.because = fmt::format(
        "{}, so {} does not come from {}; but both may come from a model that is not here, since "
        "they differ in more than that",
        verdict.direction_because, base ? known.comparison->base : known.comparison->subject,
        base ? known.comparison->subject : known.comparison->base);
  }

  const JointParents* joint_of(std::size_t child) const {
    const auto at = std::ranges::find(kin_.graph.joints, child, &JointParents::child);
    return at == kin_.graph.joints.end() ? nullptr : &*at;
  }

  const Comparison& sketch_comparison(std::size_t a, std::size_t b) const {
    return kin_.sketch(a, b).comparison;
  }

  Comparison deep_comparison(const TestedPair& pair) {
    const TestedPair* tested = kin_.find_deep(pair.first, pair.second);
    if (tested != nullptr) return tested->comparison;
    if (request_.quick || interrupted()) return sketch_comparison(pair.first, pair.second);
    if (options_.run.progress.report) {
      options_.run.progress.report("comparing neighbours", pair.second, models_.count());
    }
    return compared_deeply(models_, pair, options_);
  }

  TreeEdge edge(KnownLink link, const std::map<std::size_t, std::size_t>& depth) const {
    const FamilyLink& ends = link.link;
    bool forward = link.direction != LinkDirection::second_is_parent;
    const bool joint = ends.kind == FamilyLink::Kind::joint;
    if (link.direction == LinkDirection::unknown && !joint) {
      forward = depth.at(ends.first) <= depth.at(ends.second);
    }
    TreeEdge made{.from = node_of(forward ? ends.first : ends.second),
                  .to = node_of(forward ? ends.second : ends.first),
                  .kind = kind_of_edge(ends.kind),
                  .from_is_parent = link.direction != LinkDirection::unknown,
                  .because = std::move(link.because),
                  .change = change_between(ends),
                  .weight = ends.weight,
                  .comparison = std::move(link.comparison)};
    for (const std::size_t near : ends.as_near) made.as_near.push_back(node_of(near));
    return made;
  }

  std::optional<double> change_between(const FamilyLink& link) const {
    const auto at = std::ranges::find_if(kin_.graph.pairs, [&](const KinPair& pair) {
      return pair.first == std::min(link.first, link.second) &&
             pair.second == std::max(link.first, link.second);
    });
    if (at == kin_.graph.pairs.end() || at->distance >= unmeasured) return std::nullopt;
    return std::sqrt(at->distance);
  }

  // What keeps two families apart: the deepest test of any of their models.
  void add_gaps(Tree& tree) const {
    std::map<std::pair<std::size_t, std::size_t>, const TestedPair*> best;
    for (const std::vector<TestedPair>* tests : {&kin_.deep, &kin_.sketches}) {
      for (const TestedPair& pair : *tests) {
        const std::size_t x = family_of_.at(pair.first);
        const std::size_t y = family_of_.at(pair.second);
        if (x == y) continue;
        const TestedPair*& kept = best[{std::min(x, y), std::max(x, y)}];
        if (tells_more(pair, kept)) kept = &pair;
      }
    }
    for (const auto& [families, pair] : best) {
      tree.gaps.push_back(
          {.first = families.first, .second = families.second, .comparison = pair->comparison});
    }
  }

  // Deep tests come first, and stay; of samples, those that found something.
  bool tells_more(const TestedPair& pair, const TestedPair* other) const {
    if (other == nullptr) return true;
    const bool is_deep =
        std::ranges::any_of(kin_.deep, [&](const TestedPair& each) { return &each == other; });
    return !is_deep && pair.comparison.verdict.log10_p.value_or(0) <
                           other->comparison.verdict.log10_p.value_or(0);
  }

  // A damaged model hides nothing when its place was found all the same.
  void settle_exit(const Tree& tree) const {
    if (!tree.is_open()) report_.unreadable = false;
  }

  const TreeRequest& request_;
  Report& report_;
  TreeModels models_;
  KinOptions options_;
  Kin kin_;
  std::map<std::size_t, std::size_t> family_of_;      // of each model
  std::map<std::size_t, std::size_t> missing_place_;  // of each missing one, among those
};

}  // namespace

Report tree_of_models(const TreeRequest& request) {
  Report report = new_report("tree");
  TreeMaker(request, report).make();
  report.rerun = request.again;
  return report;
}

}  // namespace pedigree
