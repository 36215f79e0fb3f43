#include "compare/family_tree.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "compare/disjoint_sets.h"
#include "compare/family_copies.h"
#include "compare/kin_table.h"

namespace pedigree {
namespace {

// Ends within a tenth of the shortest distance are as near: measured, a model
// trained at length stands up to 2 % nearer to a short fine-tune on like data
// than to its own parent.
constexpr double tie = 1.1 * 1.1;     // distances here are squared
constexpr double fewest_kept = 0.1;   // share of rows
constexpr double on_the_line = -0.2;  // cosine towards two parents of a merge
constexpr std::size_t most_named = 8;
constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

using Numbers = std::vector<std::size_t>;

bool holds(const Numbers& numbers, std::size_t number) {
  return std::ranges::find(numbers, number) != numbers.end();
}

class Joiner {
 public:
  explicit Joiner(const KinGraph& graph)
      : graph_(graph),
        table_(graph),
        copies_(graph),
        sets_(graph.models.size()),
        head_(graph.models.size(), nobody),
        neighbours_(graph.models.size()) {}

  std::vector<ConnectedFamily> run() {
    hang_equal_copies();
    take_joints();
    find_heads();
    hang_copies();
    set_aside_unmeasured();
    join();
    find_missing();
    for (const auto& [child, joint] : joints_) link_parents(child, joint);
    return families();
  }

 private:
  std::size_t stands_for(std::size_t model) const { return copies_.stands_for(model); }
  bool stands(std::size_t model) const { return stands_for(model) == model; }

  // From the surest to the loosest pair.
  auto looseness(const KinPair& pair) const {
    // Where other places were sampled, a few rows that nobody ever trained say nothing.
    const bool rows_tell =
        table_.one_chart(pair.first, pair.second) || pair.changed_rows <= 1 - fewest_kept;
    const double rows = rows_tell ? pair.changed_rows : 1;
    return std::tuple(copies_.new_content(pair), !pair.copy, rows, pair.distance,
                      graded(pair.new_in_first + pair.new_in_second), pair.unlike,
                      copies_.remoteness(pair.first) + copies_.remoteness(pair.second), pair.first,
                      pair.second);
  }

  void hang_equal_copies() {
    for (std::size_t i = 0; i < graph_.models.size(); ++i) {
      if (stands(i)) continue;
      links_.push_back({.first = stands_for(i), .second = i, .kind = FamilyLink::Kind::copy});
      sets_.join(stands_for(i), i);
    }
  }

  void hang_copies() {
    for (std::size_t i = 0; i < graph_.models.size(); ++i) {
      const std::size_t parent = copies_.parent(i);
      if (parent == FamilyCopies::nobody || joints_.contains(i)) continue;
      if (head_[parent] != head_[i] || !sets_.join(parent, i)) continue;
      add({.first = parent, .second = i, .kind = FamilyLink::Kind::copy});
    }
  }

  // Related to several models, and how far it stands from them could not be measured:
  // it belongs to their family, and no line would say more than that.
  void set_aside_unmeasured() {
    for (std::size_t i = 0; i < graph_.models.size(); ++i) {
      if (!stands(i) || joints_.contains(i)) continue;
      std::size_t measured = 0;
      std::set<std::size_t> others;
      for (const KinPair& pair : graph_.pairs) {
        if (!pair.related || (pair.first != i && pair.second != i)) continue;
        measured += pair.measured() ? 1U : 0U;
        others.insert(stands_for(pair.first == i ? pair.second : pair.first));
      }
      if (measured > 0 || others.empty() || has_one_relative(i, others)) continue;
      sets_.join(*others.begin(), i);
      unplaced_.insert(i);
    }
  }

  // Nobody else is related to the only model that this one is related to.
  bool has_one_relative(std::size_t model, const std::set<std::size_t>& others) const {
    return others.size() == 1 && std::ranges::none_of(graph_.pairs, [&](const KinPair& pair) {
             const std::size_t a = stands_for(pair.first);
             const std::size_t b = stands_for(pair.second);
             return pair.related && a != b && a != model && b != model &&
                    (others.contains(a) || others.contains(b));
           });
  }

  bool is_made_from(std::size_t model, std::size_t other) const {
    const auto at = joints_.find(model);
    return at != joints_.end() && std::ranges::any_of(at->second.parents, [&](std::size_t parent) {
             return parent == other || is_made_from(parent, other);
           });
  }

  void take_joints() {
    for (JointParents joint : graph_.joints) {
      joint.child = stands_for(joint.child);
      for (std::size_t& parent : joint.parents) parent = stands_for(parent);
      const bool circular = std::ranges::any_of(joint.parents, [&](std::size_t parent) {
        return parent == joint.child || is_made_from(parent, joint.child);
      });
      if (joint.parents.size() < 2 || circular) continue;
      const std::size_t child = joint.child;
      joints_.try_emplace(child, std::move(joint));
    }
  }

  // What hangs below a merged model carries what the merge changed, whichever
  // parent one starts from, holds no row of a parent that the merge lost, and
  // stands on the line between the parents rather than aside of it, as the
  // parents' own base does. All else is merely as near as an average is to all.
  bool hangs_below(const JointParents& joint, std::size_t model) const {
    const std::size_t merged = joint.child;
    const KinPair* own = table_.find(merged, model);
    if (own == nullptr || !own->related || holds(joint.parents, model)) return false;
    if (own->copy) {
      return std::ranges::none_of(joint.parents, [&](std::size_t parent) {
        const KinPair* other = table_.find(parent, model);
        return other != nullptr && looseness(*other) < looseness(*own);
      });
    }
    return table_.cosine(model, joint.parents[0], joint.parents[1]) < on_the_line &&
           std::ranges::all_of(
               joint.parents,
               [&](std::size_t parent) {
                 return table_.carries(parent, merged, model) &&
                        table_.rows_alike_without(model, parent, merged) == 0;
               });
  }

  // A merged model and what hangs below it make a tree of their own, tied to the
  // parents by the merge alone; it never stands between others.
  void find_heads() {
    for (const auto& [child, joint] : joints_) {
      head_[child] = child;
      for (std::size_t i = 0; i < graph_.models.size(); ++i) {
        if (!stands(i) || joints_.contains(i) || !hangs_below(joint, i)) continue;
        if (head_[i] == nobody ||
            looseness(*table_.find(child, i)) < looseness(*table_.find(head_[i], i))) {
          head_[i] = child;
        }
      }
    }
  }

  bool may_link(const KinPair& pair) const {
    return pair.related && stands(pair.first) && stands(pair.second) &&
           !unplaced_.contains(pair.first) && !unplaced_.contains(pair.second) &&
           head_[pair.first] == head_[pair.second] && copies_.may_touch(pair.first, pair.second) &&
           copies_.may_touch(pair.second, pair.first);
  }

  void join() {
    std::vector<const KinPair*> order;
    for (const KinPair& pair : graph_.pairs) {
      if (may_link(pair)) order.push_back(&pair);
    }
    std::ranges::sort(order, {}, [this](const KinPair* pair) { return looseness(*pair); });
    for (const KinPair* pair : order) {
      if (sets_.find(pair->first) == sets_.find(pair->second)) continue;
      FamilyLink link{.first = pair->first,
                      .second = pair->second,
                      .kind = pair->copy ? FamilyLink::Kind::copy : FamilyLink::Kind::trained};
      if (!pair->copy) settle_ends(*pair, link);
      sets_.join(link.first, link.second);
      add(link);
    }
  }

  void add(const FamilyLink& link) {
    neighbours_[link.first].push_back(link.second);
    neighbours_[link.second].push_back(link.first);
    links_.push_back(link);
  }

  // Both ends in turn, each as seen from the other.
  void settle_ends(const KinPair& pair, FamilyLink& link) {
    const Numbers near_first = ends_as_near(pair.first, pair.second, pair);
    link.first = source_of(best_end(near_first, pair.second), pair.second);
    const Numbers near_second = ends_as_near(pair.second, link.first, pair);
    link.second = source_of(best_end(near_second, link.first), link.first);
    for (const Numbers* ends : {&near_first, &near_second}) {
      for (const std::size_t end : *ends) {
        if (end != link.first && end != link.second && link.as_near.size() < most_named) {
          link.as_near.push_back(end);
        }
      }
    }
  }

  // A quantised copy is a leaf: what was trained came from where it came from,
  // unless it carries the rounding as well.
  std::size_t source_of(std::size_t end, std::size_t far) const {
    for (const std::size_t next : neighbours_[end]) {
      const KinPair* pair = table_.find(next, end);
      if (pair == nullptr || !pair->copy || !table_.one_chart(next, end)) continue;
      const LinkDirection made =
          pair->first == next ? LinkDirection::first_is_parent : LinkDirection::second_is_parent;
      if (pair->direction == made && !table_.carries(next, end, far)) return source_of(next, far);
    }
    return end;
  }

  // Of the tree that `end` belongs to, all that `far` could be linked to as well.
  Numbers ends_as_near(std::size_t end, std::size_t far, const KinPair& best) {
    Numbers ends;
    for (std::size_t i = 0; i < graph_.models.size(); ++i) {
      if (sets_.find(i) != sets_.find(end)) continue;
      const KinPair* pair = table_.find(i, far);
      if (i != end && (pair == nullptr || !may_link(*pair))) continue;
      if (i == end ||
          (copies_.new_content(*pair) <= copies_.new_content(best) &&
           pair->changed_rows <= best.changed_rows && pair->distance <= tie * best.distance)) {
        ends.push_back(i);
      }
    }
    return ends;
  }

  std::size_t best_end(const Numbers& ends, std::size_t far) const {
    if (ends.size() == 1) return ends.front();
    std::size_t at = most_central(ends);
    // From there outwards while `far` carries what the next one changed.
    for (bool moved = true; moved;) {
      moved = false;
      for (const std::size_t next : neighbours_[at]) {
        const KinPair* here = table_.find(at, far);
        const KinPair* there = table_.find(next, far);
        if (!std::ranges::binary_search(ends, next) || here == nullptr || there == nullptr ||
            there->distance >= here->distance || !table_.carries(at, next, far)) {
          continue;
        }
        at = next;
        moved = true;
        break;
      }
    }
    return at;
  }

  // The one from which the way along the tree to all others is shortest.
  std::size_t most_central(const Numbers& ends) const {
    std::size_t best = ends.front();
    double least = -1;
    for (const std::size_t end : ends) {
      const std::map<std::size_t, double> ways = ways_from(end);
      double total = 0;
      for (const std::size_t other : ends) {
        const auto at = ways.find(other);
        total += at == ways.end() ? 0 : at->second;
      }
      if (least >= 0 && total >= least) continue;
      least = total;
      best = end;
    }
    return best;
  }

  std::map<std::size_t, double> ways_from(std::size_t start) const {
    std::map<std::size_t, double> ways = {{start, 0}};
    Numbers open = {start};
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      for (const std::size_t next : neighbours_[at]) {
        const KinPair* pair = table_.find(at, next);
        const double length = pair == nullptr ? 0 : pair->distance;
        if (ways.try_emplace(next, ways.at(at) + length).second) open.push_back(next);
      }
    }
    return ways;
  }

  // Siblings strung on one of them are hung on the model they come from.
  void find_missing() {
    for (std::size_t hub = 0; hub < graph_.models.size(); ++hub) {
      const Numbers around = trained_around(hub);
      for (std::size_t i = 0; i < around.size(); ++i) {
        for (std::size_t j = i + 1; j < around.size(); ++j) {
          if (!table_.meet_elsewhere(hub, around[i], around[j])) continue;
          hang_on_missing({hub, around[i], around[j]});
          i = j = around.size();
        }
      }
    }
  }

  Numbers trained_around(std::size_t model) const {
    Numbers around;
    for (const FamilyLink& link : links_) {
      if (link.kind != FamilyLink::Kind::trained) continue;
      if (link.first == model) around.push_back(link.second);
      if (link.second == model) around.push_back(link.first);
    }
    std::ranges::sort(around);
    return around;
  }

  void hang_on_missing(Numbers star) {
    const std::size_t missing = graph_.models.size() + missing_.size();
    for (std::size_t i = 0; i < star.size(); ++i) {
      for (const std::size_t next : trained_around(star[i])) {
        const bool fits = !holds(star, next) && std::ranges::any_of(star, [&](std::size_t other) {
          return other != star[i] && table_.meet_elsewhere(star[i], next, other);
        });
        if (fits) star.push_back(next);
      }
    }
    std::erase_if(links_, [&](const FamilyLink& link) {
      return link.kind == FamilyLink::Kind::trained && holds(star, link.first) &&
             holds(star, link.second);
    });
    std::ranges::sort(star);
    for (const std::size_t member : star) {
      links_.push_back({.first = missing, .second = member, .kind = FamilyLink::Kind::missing});
    }
    missing_.push_back(star.front());
  }

  void link_parents(std::size_t child, const JointParents& joint) {
    for (std::size_t i = 0; i < joint.parents.size(); ++i) {
      FamilyLink link{.first = joint.parents[i], .second = child, .kind = FamilyLink::Kind::joint};
      if (i < joint.weights.size()) link.weight = joint.weights[i];
      links_.push_back(std::move(link));
      sets_.join(joint.parents[i], child);
    }
  }

  std::vector<ConnectedFamily> families() {
    std::map<std::size_t, ConnectedFamily> by_first;
    for (std::size_t i = 0; i < graph_.models.size(); ++i)
      by_first[sets_.find(i)].members.push_back(i);
    for (const std::size_t i : unplaced_) by_first[sets_.find(i)].unplaced.push_back(i);
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      by_first[sets_.find(missing_[i])].missing.push_back(graph_.models.size() + i);
    }
    for (FamilyLink& link : links_) {
      by_first[sets_.find(link.second)].links.push_back(std::move(link));
    }
    std::vector<ConnectedFamily> all;
    for (auto& [unused, family] : by_first) {
      std::ranges::sort(family.links, {},
                        [](const FamilyLink& link) { return std::pair(link.second, link.first); });
      all.push_back(std::move(family));
    }
    return all;
  }

  const KinGraph& graph_;
  KinTable table_;
  FamilyCopies copies_;
  DisjointSets sets_;
  Numbers head_;  // the merged model it hangs below, or nobody
  std::map<std::size_t, JointParents> joints_;
  std::vector<Numbers> neighbours_;
  std::vector<FamilyLink> links_;
  std::set<std::size_t> unplaced_;
  Numbers missing_;  // a member of each missing model's star
};

}  // namespace

std::vector<ConnectedFamily> families_of(const KinGraph& graph) { return Joiner(graph).run(); }

}  // namespace pedigree
