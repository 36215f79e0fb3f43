// With m, x, y the sampled values of three models of one chart, all products
// follow from squared lengths: 2⟨x, y⟩ = ‖x‖² + ‖y‖² − ‖x − y‖². So the least
// squares of m on x and y cost nothing, part by part. An average leaves next to
// nothing of m's distance to either parent; a training step that leads from x
// by way of m to y leaves most of it, since two steps are never quite in line:
// measured, a second run on the very same data leaves a third.
#include "compare/joint_parents.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "compare/kin_table.h"

namespace pedigree {
namespace {

constexpr double most_left = 0.05;   // of the squared distance to the nearer parent
constexpr double rounding_only = 4;  // times what rounding into the stored type adds
constexpr double least_weight = 0.02;
// Below this weight a close relative of a parent would leave no more than rounding, too.
constexpr double telling_weight = 0.2;
constexpr double least_sum = 0.9;  // of the two weights: one on a line, up to
constexpr double most_sum = 1.25;  // 1 + Ω²/8 on an arc of angle Ω
constexpr double every_row = 0.999;
constexpr double own_share = 0.05;  // of the rows: from one parent alone
constexpr double parallel = 1e-9;

struct Triple {
  std::size_t child = 0;
  std::size_t x = 0;
  std::size_t y = 0;
};

// Least squares of one part: ‖m − ax − by‖² = left.
struct Fit {
  double a = 0;
  double b = 0;
  double left = 0;
};

class Fitter {
 public:
  Fitter(const KinGraph& graph, const KinTable& table) : graph_(graph), table_(table) {}

  // Both pairs with the child are known to be related, and of one chart.
  std::optional<JointParents> explained(const Triple& triple) const {
    auto joint = as_average(triple);
    return joint ? joint : as_assembly(triple);
  }

 private:
  double distance(std::size_t a, std::size_t b, std::size_t part) const {
    return table_.find(a, b)->squares[part];
  }

  std::optional<Fit> fit(const Triple& t, std::size_t part) const {
    const double mm = graph_.models[t.child].squares[part];
    const double xx = graph_.models[t.x].squares[part];
    const double yy = graph_.models[t.y].squares[part];
    const double xy = (xx + yy - distance(t.x, t.y, part)) / 2;
    const double mx = (mm + xx - distance(t.child, t.x, part)) / 2;
    const double my = (mm + yy - distance(t.child, t.y, part)) / 2;
    const double determinant = xx * yy - xy * xy;
    if (determinant <= parallel * xx * yy) return std::nullopt;
    Fit fit{.a = (mx * yy - my * xy) / determinant, .b = (my * xx - mx * xy) / determinant};
    fit.left = std::max(0.0, mm - (fit.a * mx + fit.b * my));
    return fit;
  }

  std::optional<JointParents> as_average(const Triple& t) const {
    double left = 0;
    double to_x = 0;
    double to_y = 0;
    double rounding = 0;
    double size = 0;
    double a = 0;
    double b = 0;
    for (std::size_t part = 0; part < model_parts; ++part) {
      const double here = graph_.models[t.child].squares[part];
      if (here <= 0) continue;
      const double apart = distance(t.x, t.y, part);
      rounding += graph_.models[t.child].rounding[part];
      to_x += distance(t.child, t.x, part);
      to_y += distance(t.child, t.y, part);
      const auto of_part = apart > 0 ? fit(t, part) : std::nullopt;
      if (!of_part) {  // the parents are one here
        left += std::min(distance(t.child, t.x, part), distance(t.child, t.y, part));
        continue;
      }
      const double sum = of_part->a + of_part->b;
      if (std::min(of_part->a, of_part->b) < least_weight || sum < least_sum || sum > most_sum) {
        return std::nullopt;
      }
      left += of_part->left;
      a += here * of_part->a;
      b += here * of_part->b;
      size += here;
    }
    const double nearer = std::min(to_x, to_y);
    if (size <= 0 || nearer <= rounding_only * rounding || left > most_left * nearer) {
      return std::nullopt;
    }
    return JointParents{
        .child = t.child,
        .parents = {t.x, t.y},
        .weights = {a / size, b / size},
        .exact = left <= rounding_only * rounding && std::min(a, b) >= telling_weight * size,
        .residual = left / nearer,
        .because = fmt::format("weighted {:.2f} and {:.2f} they leave {:.1g} of its distance to "
                               "the nearer one",
                               a / size, b / size, left / nearer)};
  }

  std::optional<JointParents> as_assembly(const Triple& t) const {
    const KinPair& x = *table_.find(t.child, t.x);
    const KinPair& y = *table_.find(t.child, t.y);
    if (x.changed_rows + y.changed_rows > 2 - every_row) return std::nullopt;
    std::size_t rows = 0;
    std::size_t neither = 0;
    std::size_t only_x = 0;
    std::size_t only_y = 0;
    for (std::size_t i = 0; i < std::min(x.equal.size(), y.equal.size()); ++i) {
      if (!x.compared[i] && !y.compared[i]) continue;
      ++rows;
      neither += !x.equal[i] && !y.equal[i] ? 1U : 0U;
      only_x += x.equal[i] && !y.equal[i] ? 1U : 0U;
      only_y += y.equal[i] && !x.equal[i] ? 1U : 0U;
    }
    const auto share = [rows](std::size_t count) {
      return rows == 0 ? 0 : static_cast<double>(count) / static_cast<double>(rows);
    };
    if (share(neither) > 1 - every_row || share(only_x) < own_share || share(only_y) < own_share) {
      return std::nullopt;
    }
    return JointParents{.child = t.child,
                        .parents = {t.x, t.y},
                        .exact = neither == 0,
                        .residual = share(neither),
                        .because = fmt::format("of {} sampled rows, {} are the first's alone, {} "
                                               "the second's alone, {} neither's",
                                               rows, only_x, only_y, neither)};
  }

  const KinGraph& graph_;
  const KinTable& table_;
};

// Related to the child, of its chart, and no copy of it.
std::vector<std::size_t> parent_candidates(std::size_t child, std::size_t models,
                                           const KinTable& table) {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < models; ++i) {
    const KinPair* pair = i == child ? nullptr : table.find(child, i);
    if (pair != nullptr && pair->related && !pair->copy && table.one_chart(child, i)) {
      candidates.push_back(i);
    }
  }
  return candidates;
}

// May y be a second parent beside x? A small share of one is too faint for a pair test,
// and shows here; of two plain relatives the smaller number is taken first.
bool may_be_second(std::size_t child, std::size_t x, std::size_t y, const KinTable& table) {
  const KinPair* own = y == child || y == x ? nullptr : table.find(child, y);
  if (own == nullptr || own->copy || !table.one_chart(child, y)) return false;
  if (own->related && y < x) return false;
  const KinPair* between = table.find(x, y);
  return between != nullptr && !between->copy;
}

std::optional<JointParents> best_parents(std::size_t child, std::size_t models,
                                         const KinTable& table, const Fitter& fitter) {
  std::optional<JointParents> best;
  for (const std::size_t x : parent_candidates(child, models, table)) {
    for (std::size_t y = 0; y < models; ++y) {
      if (!may_be_second(child, x, y, table)) continue;
      auto joint = fitter.explained({.child = child, .x = std::min(x, y), .y = std::max(x, y)});
      if (joint && (!best || joint->residual < best->residual)) best = std::move(joint);
    }
  }
  return best;
}

}  // namespace

std::vector<JointParents> joint_parents_of(const KinGraph& graph) {
  const KinTable table(graph);
  const Fitter fitter(graph, table);
  std::vector<JointParents> joints;
  for (std::size_t child = 0; child < graph.models.size(); ++child) {
    auto best = best_parents(child, graph.models.size(), table, fitter);
    if (best) joints.push_back(std::move(*best));
  }
  return joints;
}

}  // namespace pedigree
