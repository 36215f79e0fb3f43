#include "compare/merge_methods.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "compare/dense.h"

namespace pedigree {
namespace {

// What the candidates of a fit look like from each other, in one matrix.
struct PartGeometry {
  Matrix distance;  // squared, between candidates
  Matrix cosine;    // between candidates
};

PartGeometry geometry_of(const MergePart& part, const std::vector<std::size_t>& candidates) {
  const std::size_t count = candidates.size();
  PartGeometry geometry{.distance = Matrix(count, count), .cosine = Matrix(count, count)};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      const auto& a = part.candidates[candidates[i]];
      const auto& b = part.candidates[candidates[j]];
      std::vector<double> between(a.size());
      for (std::size_t k = 0; k < a.size(); ++k) between[k] = a[k] - b[k];
      geometry.distance.at(i, j) = product(between, between);
      const double length = std::sqrt(product(a, a) * product(b, b));
      geometry.cosine.at(i, j) = length > 0 ? product(a, b) / length : 0;
    }
  }
  return geometry;
}

double angle_of(double cosine) { return std::acos(std::clamp(cosine, -1.0, 1.0)); }

// The t of coefficients a on the first and b on the second model, Ω apart.
double slerp_position(double a, double b, double angle) {
  if (angle < 1e-4) return a + b != 0 ? b / (a + b) : 0;
  return std::atan2(b * std::sin(angle), a + b * std::cos(angle)) / angle;
}

// What SLERP's coefficients add up to.
double slerp_sum(double t, double angle) {
  return std::cos((0.5 - t) * angle) / std::cos(angle / 2);
}

class MethodFinder {
 public:
  MethodFinder(const MergeParts& parts, const MergeFit& fit) : parts_(parts), fit_(fit) {
    const std::size_t count = fit.candidates.size();
    Matrix pooled(count, count);
    for (std::size_t p = 0; p < parts.size(); ++p) {
      geometry_.push_back(geometry_of(parts.at(p), fit.candidates));
      for (std::size_t i = 0; i < pooled.values.size(); ++i) {
        pooled.values[i] += geometry_.back().distance.values[i];
      }
    }
    distance_ = std::move(pooled);
  }

  MergeMethod find() {
    weigh();
    if (!name_model_stock()) {
      if (const auto negative = lone_negative()) {
        method_.name = "task-arithmetic";
        method_.base = negative;
      } else if (fit_.candidates.size() == 2) {
        name_two();
      } else {
        method_.base = centre();
        method_.name = method_.base ? "linear/task-arithmetic" : "linear";
      }
    }
    return std::move(method_);
  }

 private:
  double size_of(std::size_t p) const { return parts_.part_size(p); }

  // Of the fitted weight, from the residual that is left.
  double error_of(std::size_t p, std::size_t j) const {
    const PartFit& part = fit_.parts[p];
    if (part.removal[j] <= 0 || part.samples == 0) return 0;
    const double noise = std::max(part.residual, part.rounding) / static_cast<double>(part.samples);
    return std::abs(part.weights[j]) * std::sqrt(noise / part.removal[j]);
  }

  // A weight that is the same everywhere is known best from the matrices that
  // show it best; one that varies is averaged over the parameters.
  void weigh() {
    for (std::size_t j = 0; j < fit_.candidates.size(); ++j) {
      double sum = 0;
      double precision = 0;
      std::vector<double> weights;
      double allowed = 0;
      for (std::size_t p = 0; p < fit_.parts.size(); ++p) {
        if (!fit_.parts[p].shows(j)) continue;
        const double error = std::max(error_of(p, j), 1e-9);
        sum += fit_.parts[p].weights[j] / (error * error);
        precision += 1 / (error * error);
        allowed += error * error;
        weights.push_back(fit_.parts[p].weights[j]);
      }
      const double common = precision > 0 ? sum / precision : 0;
      double spread = 0;
      for (const double weight : weights) spread += (weight - common) * (weight - common);
      const auto count = static_cast<double>(std::max<std::size_t>(1, weights.size()));
      spread = std::sqrt(spread / count);
      allowed = std::sqrt(allowed / count);
      const bool varies = spread > std::max(0.01, 4 * allowed);
      method_.varies = method_.varies || varies;
      method_.weights.push_back(varies ? fit_.weight(j, parts_) : common);
      method_.deviations.push_back(spread);
    }
    method_.sum = 0;
    for (const double weight : method_.weights) method_.sum += weight;
  }

  std::optional<std::size_t> lone_negative() const {
    constexpr double plainly = -0.01;
    std::optional<std::size_t> found;
    for (std::size_t j = 0; j < method_.weights.size(); ++j) {
      if (method_.weights[j] > plainly) continue;
      if (found) return std::nullopt;
      found = j;
    }
    return found;
  }

  // The candidate that the others lie around: nearer to each of them than they
  // are to one another.
  std::optional<std::size_t> centre() const {
    constexpr double nearer = 0.9;
    const std::size_t count = fit_.candidates.size();
    for (std::size_t b = 0; b < count; ++b) {
      double farthest = 0;
      double closest_pair = HUGE_VAL;
      for (std::size_t i = 0; i < count; ++i) {
        if (i == b) continue;
        farthest = std::max(farthest, distance_.at(b, i));
        for (std::size_t k = i + 1; k < count; ++k) {
          if (k != b) closest_pair = std::min(closest_pair, distance_.at(i, k));
        }
      }
      if (farthest <= nearer * nearer * closest_pair) return b;
    }
    return std::nullopt;
  }

  // t = N·c/(1 + (N−1)·c), c the mean cosine of the changes; all weights t/N.
  // Nothing is free in it, so it is held against every matrix.
  bool is_stock_of(std::size_t base, std::size_t p) const {
    constexpr double tolerance = 0.06;  // sampling error of a cosine over 4,096 values
    const std::size_t count = fit_.candidates.size();
    const auto models = static_cast<double>(count - 1);
    const PartGeometry& geometry = geometry_[p];
    double cosines = 0;
    double pairs = 0;
    double share = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (i == base) continue;
      share += fit_.parts[p].weights[i];
      for (std::size_t k = i + 1; k < count; ++k) {
        if (k == base) continue;
        const double a = geometry.distance.at(base, i);
        const double b = geometry.distance.at(base, k);
        if (a <= 0 || b <= 0) return false;
        cosines += (a + b - geometry.distance.at(i, k)) / (2 * std::sqrt(a * b));
        pairs += 1;
      }
    }
    const double c = cosines / pairs;
    const double expected = models * c / (1 + (models - 1) * c);
    if (std::abs(share - expected) > tolerance) return false;
    for (std::size_t i = 0; i < count; ++i) {
      const double wanted = i == base ? 1 - share : share / models;
      const double allowed = std::max(0.01, 4 * error_of(p, i));
      if (std::abs(fit_.parts[p].weights[i] - wanted) > allowed) return false;
    }
    return true;
  }

  bool name_model_stock() {
    constexpr double nearly_all = 0.9;
    if (fit_.candidates.size() < 3 || !method_.varies) return false;
    for (std::size_t base = 0; base < fit_.candidates.size(); ++base) {
      std::size_t fitting = 0;
      for (std::size_t p = 0; p < fit_.parts.size(); ++p) fitting += is_stock_of(base, p) ? 1U : 0U;
      if (static_cast<double>(fitting) < nearly_all * static_cast<double>(fit_.parts.size())) {
        continue;
      }
      method_.name = "model-stock";
      method_.base = base;
      return true;
    }
    return false;
  }

  // Where the angle is wide enough to show, do the coefficients add up to one or
  // to what SLERP's do?
  void name_two() {
    std::size_t round = 0;
    std::size_t straight = 0;
    double position = 0;
    std::vector<double> positions;
    double sizes = 0;
    for (std::size_t p = 0; p < fit_.parts.size(); ++p) {
      const PartFit& part = fit_.parts[p];
      const double angle = angle_of(geometry_[p].cosine.at(0, 1));
      const double t = slerp_position(part.weights[0], part.weights[1], angle);
      positions.push_back(t);
      position += t * size_of(p);
      sizes += size_of(p);
      const double bulge = slerp_sum(t, angle) - 1;
      const double noise =
          std::sqrt(std::max(part.residual, part.rounding) / std::max(part.energy, 1e-300));
      if (bulge <
          8 * noise / std::sqrt(static_cast<double>(std::max<std::size_t>(1, part.samples))))
        continue;
      const double seen = part.weights[0] + part.weights[1] - 1;
      round += std::abs(seen - bulge) < 0.25 * bulge ? 1U : 0U;
      straight += std::abs(seen) < 0.25 * bulge ? 1U : 0U;
    }
    const bool is_round = round > 2 * straight && 10 * round > fit_.parts.size();
    const bool is_open = round + straight == 0 && std::abs(method_.sum - 1) < 0.01;
    method_.name = is_round ? "slerp" : is_open ? "linear/slerp" : "linear";
    if (!is_round && !is_open) return;
    method_.t = sizes > 0 ? position / sizes : 0;
    method_.positions = std::move(positions);
  }

  const MergeParts& parts_;
  const MergeFit& fit_;
  std::vector<PartGeometry> geometry_;
  Matrix distance_;
  MergeMethod method_;
};

}  // namespace

MergeMethod merge_method(const MergeParts& parts, const MergeFit& fit) {
  return MethodFinder(parts, fit).find();
}

double cosine_between(const MergeParts& parts, std::size_t a, std::size_t b) {
  double across = 0;
  double own_a = 0;
  double own_b = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (parts.part_layer(p) < 0) continue;
    const MergePart part = parts.at(p);
    across += product(part.candidates[a], part.candidates[b]);
    own_a += product(part.candidates[a], part.candidates[a]);
    own_b += product(part.candidates[b], part.candidates[b]);
  }
  const double length = std::sqrt(own_a * own_b);
  return length > 0 ? across / length : 0;
}

}  // namespace pedigree
