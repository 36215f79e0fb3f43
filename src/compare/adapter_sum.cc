#include "compare/adapter_sum.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "compare/adapter_blocks.h"
#include "model/adapter.h"

namespace pedigree {
namespace {

constexpr double most_outside = 0.005;     // of a matrix's values, beyond rounding
constexpr double least_reproduced = 0.95;  // of the matrices that changed
constexpr std::size_t fewest_visible = 256;
constexpr double whole_factor = 0.02;  // a factor this near to one is one
constexpr double barely = 0.1;

using Factors = std::vector<double>;

double sum_of(const AdapterBlock& block, const Factors& factors, std::size_t at) {
  double sum = 0;
  for (std::size_t k = 0; k < factors.size(); ++k) {
    if (!block.added[k].empty()) sum += factors[k] * block.added[k][at];
  }
  return sum;
}

// How far rounding may leave the subject's value from the sum.
double tolerance(const AdapterBlock& block, const Factors& factors, std::size_t at) {
  double behind = 0;
  for (std::size_t k = 0; k < factors.size(); ++k) {
    if (!block.behind[k].empty()) behind += std::abs(factors[k]) * block.behind[k][at];
  }
  return block.step[at] * (1 + 1e-6) + block.slack * behind;
}

struct Held {
  std::size_t outside = 0;
  std::size_t visible = 0;  // values that the sum moves by more than rounding could
  double residual = 0;      // Σ (change − sum)²
  double energy = 0;        // Σ change²
  double rounding = 0;      // Σ (2·step)²/12
  std::size_t values = 0;

  bool within() const {
    return static_cast<double>(outside) <= most_outside * static_cast<double>(values);
  }
  void add(const Held& other) {
    outside += other.outside;
    visible += other.visible;
    residual += other.residual;
    energy += other.energy;
    rounding += other.rounding;
    values += other.values;
  }
};

Held held(const AdapterBlock& block, const Factors& factors) {
  Held result{.values = block.change.size()};
  for (std::size_t at = 0; at < block.change.size(); ++at) {
    const double sum = sum_of(block, factors, at);
    const double rest = block.change[at] - sum;
    const double allowed = tolerance(block, factors, at);
    if (!(std::abs(rest) <= allowed)) ++result.outside;
    if (std::abs(sum) > 2 * allowed) ++result.visible;
    result.residual += rest * rest;
    result.energy += block.change[at] * block.change[at];
    if (block.step[at] > 0) result.rounding += block.step[at] * block.step[at] / 3;
  }
  return result;
}

double product_of(const std::vector<double>& a, const std::vector<double>& b) {
  double product = 0;
  const std::size_t count = std::min(a.size(), b.size());  // 0 where one does not aim here
  for (std::size_t at = 0; at < count; ++at) product += a[at] * b[at];
  return product;
}

// Least squares over some blocks: the factor of each adapter.
Factors fit(const std::vector<const AdapterBlock*>& blocks, std::size_t count) {
  const auto size = static_cast<Eigen::Index>(count);
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(size, size);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
  for (const AdapterBlock* block : blocks) {
    for (Eigen::Index j = 0; j < size; ++j) {
      const auto& a = block->added[static_cast<std::size_t>(j)];
      right(j) += product_of(a, block->change);
      for (Eigen::Index k = 0; k < size; ++k) {
        gram(j, k) += product_of(a, block->added[static_cast<std::size_t>(k)]);
      }
    }
  }
  const Eigen::VectorXd solved = gram.completeOrthogonalDecomposition().solve(right);
  Factors factors(count);
  for (std::size_t k = 0; k < count; ++k) {
    const double value = solved(static_cast<Eigen::Index>(k));
    factors[k] = std::isfinite(value) ? value : 0;
  }
  return factors;
}

// A matrix that an adapter aims at and that is not the base's.
struct Merged {
  const AdapterBlock* block = nullptr;
  Factors factors = {};
  bool own_factor = false;
  bool reproduced = false;
};

struct Findings {
  std::vector<Merged> merged = {};
  std::size_t left_out = 0;  // matrices it aims at and would have moved, unchanged
  Factors factors = {};
  Held all = {};  // of the merged ones, under their factors

  std::size_t reproduced() const {
    return static_cast<std::size_t>(std::ranges::count(merged, true, &Merged::reproduced));
  }
  std::size_t with_own_factor() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        merged, [](const Merged& one) { return one.reproduced && one.own_factor; }));
  }
  bool explains() const {
    return !merged.empty() && all.visible >= fewest_visible &&
           static_cast<double>(reproduced()) >=
               least_reproduced * static_cast<double>(merged.size());
  }
  double explained_share() const {
    return all.energy > 0 ? std::clamp(1 - all.residual / all.energy, 0.0, 1.0) : 0;
  }
};

Findings find(const AdapterBlocks& blocks, std::size_t adapters) {
  Findings result;
  std::vector<const AdapterBlock*> moved;
  std::vector<const AdapterBlock*> still;
  for (const AdapterBlock& block : blocks.blocks) {
    (block.is_unchanged() ? still : moved).push_back(&block);
  }
  result.factors = fit(moved, adapters);
  for (const AdapterBlock* block : moved) {
    Merged one{.block = block, .factors = result.factors};
    one.reproduced = held(*block, one.factors).within();
    if (!one.reproduced) {
      Factors own = fit({block}, adapters);
      if (held(*block, own).within()) {
        one = {.block = block, .factors = std::move(own), .own_factor = true, .reproduced = true};
      }
    }
    result.all.add(held(*block, one.factors));
    result.merged.push_back(std::move(one));
  }
  for (const AdapterBlock* block : still) {
    const std::size_t visible = held(*block, result.factors).visible;
    if (visible > block->change.size() / 20) ++result.left_out;
  }
  return result;
}

std::string of_them(std::size_t some, std::size_t all) {
  if (all == 1) return "the matrix";
  return some == all ? fmt::format("all {} matrices", all)
                     : fmt::format("{} of the {} matrices", some, all);
}

std::string matrices(std::size_t count) {
  return count == 1 ? "one matrix" : fmt::format("{} matrices", count);
}

class Answer {
 public:
  Answer(const NamedModel& subject, const NamedModel& base, std::span<const NamedModel> adapters,
         const AdapterBlocks& blocks)
      : subject_(subject), base_(base), adapters_(adapters), blocks_(blocks) {}

  Joint put(const Findings& found) const {
    Joint joint;
    double energy = 0;
    for (const Merged& one : found.merged) energy += one.block->subject_energy;
    joint.residual = energy > 0 ? std::sqrt(found.all.residual / energy) : 0;
    if (found.all.rounding > 0) {
      joint.rounding_ratio = std::sqrt(found.all.residual / found.all.rounding);
    }
    joint.evidence.push_back(evidence(found));
    if (!found.explains()) {
      joint.relation = "inconclusive";
      joint.summary = not_explained(found);
      return joint;
    }
    joint.relation = "lora-merge";
    joint.within_rounding = blocks_.others_changed == 0 && blocks_.unread == 0;
    joint.base = JointParent{.name = base_.name, .weight = 1};
    for (std::size_t k = 0; k < adapters_.size(); ++k) {
      joint.parents.push_back({.name = adapters_[k].name, .weight = found.factors[k]});
    }
    joint.lora = lora(found);
    for (const Merged& one : found.merged) {
      JointPart part{.layer = one.block->layer, .role = one.block->role, .weights = one.factors};
      part.weights.push_back(1);
      joint.parts.push_back(std::move(part));
    }
    settle_direction(joint, found);
    joint.summary = explained(found);
    return joint;
  }

 private:
  std::string names() const {
    std::vector<std::string> texts;
    texts.reserve(adapters_.size());
    for (const NamedModel& each : adapters_) texts.push_back(each.name);
    return fmt::format("{}", fmt::join(texts, " and "));
  }

  std::string factors_text(const Findings& found) const {
    std::vector<std::string> texts;
    const double sign = is_reversed(found) ? -1 : 1;
    for (std::size_t k = 0; k < adapters_.size(); ++k) {
      const double factor = sign * found.factors[k];
      if (blocks_.scaled[k] && std::abs(factor - 1) <= whole_factor) continue;
      const std::string of = adapters_.size() > 1 ? " of " + adapters_[k].name : "";
      texts.push_back(fmt::format("factor {:.3g}{}{}", factor, of,
                                  blocks_.scaled[k] ? "" : " on B·A, whose scale no file says"));
    }
    return texts.empty() ? "" : fmt::format(", {}", fmt::join(texts, ", "));
  }

  std::string explained(const Findings& found) const {
    const bool reversed = is_reversed(found);
    const std::string& sum = reversed ? subject_.name : base_.name;
    const std::string& whole = reversed ? base_.name : subject_.name;
    std::string text = fmt::format(
        "{} is {} with the adapter{} {} merged into it{}: {} that changed {} reproduced within "
        "rounding",
        whole, sum, adapters_.size() > 1 ? "s" : "", names(), factors_text(found),
        of_them(found.reproduced(), found.merged.size()), found.merged.size() == 1 ? "is" : "are");
    if (found.left_out > 0) {
      text += fmt::format("; {} that it updates kept the base's values", matrices(found.left_out));
    }
    if (found.with_own_factor() > 0) {
      text += fmt::format("; {} took a factor of their own", matrices(found.with_own_factor()));
    }
    if (blocks_.others_changed > 0) {
      text += fmt::format("; {} that it does not update changed too",
                          blocks_.others_changed == 1
                              ? "one tensor"
                              : fmt::format("{} tensors", blocks_.others_changed));
    }
    if (blocks_.unread > 0) {
      text += fmt::format("; {} more could not be held against it", blocks_.unread);
    }
    return text + ".";
  }

  std::string not_explained(const Findings& found) const {
    std::string text = fmt::format(
        "The adapter{} {} do{} not explain how {} differs from {}: the best multiple of what {} "
        "add{} leaves {:.0f} % of the change in the matrices {} update{}",
        adapters_.size() > 1 ? "s" : "", names(), adapters_.size() > 1 ? "" : "es", subject_.name,
        base_.name, adapters_.size() > 1 ? "they" : "it", adapters_.size() > 1 ? "" : "s",
        100 * (1 - found.explained_share()), adapters_.size() > 1 ? "they" : "it",
        adapters_.size() > 1 ? "" : "s");
    if (blocks_.scaled_rows) text += "; rows scaled by DoRA are not undone here";
    return text + ".";
  }

  Evidence evidence(const Findings& found) const {
    const double inside = found.all.values == 0 ? 0
                                                : 1 - static_cast<double>(found.all.outside) /
                                                          static_cast<double>(found.all.values);
    return {.statistic = "adapter-sum/1",
            .outcome = Evidence::Outcome::measured,
            .value = inside,
            .samples = found.all.values,
            .stage = "aligned",
            .because = fmt::format(
                "of {} values in {} that changed and that the adapter updates, {:.1f} % are the "
                "base's plus scale·B·A to within rounding; it moves {} of them by more than that",
                found.all.values, matrices(found.merged.size()), 100 * inside, found.all.visible)};
  }

  Lora lora(const Findings& found) const {
    Lora result;
    std::set<std::string> roles;
    for (const Merged& one : found.merged) roles.insert(one.block->role);
    result.roles.assign(roles.begin(), roles.end());
    for (const NamedModel& each : adapters_) {
      result.rank = std::max(result.rank, each.model->adapter->largest_rank);
    }
    return result;
  }

  static bool is_reversed(const Findings& found) {
    return std::ranges::all_of(found.factors, [](double factor) { return factor < -barely; });
  }

  void settle_direction(Joint& joint, const Findings& found) const {
    if (is_reversed(found)) {
      joint.direction = "subject-is-parent";
      joint.direction_because = "the adapter has to be taken off the subject to reach the base";
    } else {
      joint.direction = "base-is-parent";
      joint.direction_because = "the adapter, added to the base, gives the subject";
    }
  }

  const NamedModel& subject_;
  const NamedModel& base_;
  std::span<const NamedModel> adapters_;
  const AdapterBlocks& blocks_;
};

}  // namespace

Result<std::optional<Joint>> joint_with_adapters(const NamedModel& subject, const NamedModel& base,
                                                 std::span<const NamedModel> adapters) {
  const auto blocks = adapter_blocks(*subject.model, *base.model, adapters);
  if (!blocks) return std::unexpected(blocks.error());
  if (blocks->blocks.empty()) return std::optional<Joint>{};
  const Findings found = find(*blocks, adapters.size());
  if (found.merged.empty()) return std::optional<Joint>{};
  return Answer(subject, base, adapters, *blocks).put(found);
}

}  // namespace pedigree
