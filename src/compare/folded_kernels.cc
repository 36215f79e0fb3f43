#include "compare/folded_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pedigree {
namespace {

double size_of(float value) { return std::fabs(static_cast<double>(value)); }

// Of the values of an output the largest.
std::size_t loudest(std::span<const float> values, const OutputAxis& axis, std::uint64_t output) {
  std::size_t best = output * axis.run;
  for (std::size_t first = best; first < values.size(); first += axis.outputs * axis.run) {
    for (std::size_t i = first; i < first + axis.run; ++i) {
      if (size_of(values[i]) > size_of(values[best])) best = i;
    }
  }
  return best;
}

}  // namespace

std::vector<OutputAxis> output_axes(std::span<const std::uint64_t> shape) {
  std::vector<OutputAxis> axes;
  axes.reserve(3);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 1 && axis + 1 < shape.size()) continue;
    std::uint64_t run = 1;
    for (std::size_t inner = axis + 1; inner < shape.size(); ++inner) run *= shape[inner];
    axes.push_back({.outputs = shape[axis], .run = run});
  }
  return axes;
}

double rounding_tolerance(int precision) {
  return 4 * std::ldexp(1.0, -precision) + 8 * std::ldexp(1.0, -24);
}

bool are_alike(std::span<const float> values, std::span<const float> others, double tolerance) {
  double largest = 0;
  for (const float each : others) largest = std::max(largest, size_of(each));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double apart = static_cast<double>(values[i]) - static_cast<double>(others[i]);
    if (!(std::fabs(apart) <= tolerance * largest)) return false;  // nor where it is no number
  }
  return true;
}

bool are_products(std::span<const float> values, std::span<const float> others,
                  const OutputFactors& factors, double tolerance) {
  const OutputAxis& axis = factors.axis;
  for (std::uint64_t output = 0; output < axis.outputs; ++output) {
    const double factor = factors.factor(output);
    const std::size_t top = loudest(others, axis, output);
    const double most = tolerance * size_of(others[top]);
    const auto is_apart = [&](std::size_t i) {
      const double product = static_cast<double>(values[i]) * factor;
      return !(std::fabs(product - static_cast<double>(others[i])) <= most);
    };
    if (is_apart(top)) return false;
    const std::size_t step = axis.outputs * axis.run;
    for (std::size_t first = output * axis.run; first < values.size(); first += step) {
      for (std::size_t i = first; i < first + axis.run; ++i) {
        if (is_apart(i)) return false;
      }
    }
  }
  return true;
}

// Of two numbers below the largest, one lies so near the other with at most twice the tolerance;
// twice that again, for weights crowd around zero.
double log10_chance_alike(std::span<const float> values, double tolerance) {
  const auto count = std::ranges::count_if(values, [](float each) { return each != 0; });
  return static_cast<double>(count) * std::min(0.0, std::log10(4 * tolerance));
}

}  // namespace pedigree
