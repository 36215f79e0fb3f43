#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/kind.h"
#include "tensor/block_steps.h"

namespace pedigree {
namespace {

// Half a step, and what rounding into the stored type adds to it. Quantisers that spread a
// matrix over several tensors round scales, to half precision, after they found the codes; steps
// of ggml's blocks have that in them.
double allowance(const Change& change, std::size_t i, double step) {
  constexpr int scale_precision = 11;
  int precision = 24;
  if (const ElementType* type = change.subject_type; type != nullptr) {
    const bool spread = type->block != 0 && !has_block_steps(*type);
    precision = spread ? scale_precision : type->precision;
  }
  return step / 2 + std::abs(change.subject.values[i]) * std::ldexp(1.0, 1 - precision);
}

}  // namespace

std::optional<LatticeFit> lattice_fit(const std::vector<Change>& all) {
  LatticeFit fit{.worst_share = 1};
  std::size_t matrices = 0;
  for (const Change& change : all) {
    if (change.is_vector || change.subject_layer < 0) continue;
    ++matrices;
    if (change.subject_steps.values.empty() ||
        change.subject_steps.values == change.base_steps.values) {
      continue;
    }
    std::size_t inside = 0;
    std::size_t looked_at = 0;
    for (std::size_t i = 0; i < change.subject.values.size(); ++i) {
      const double step = change.subject_steps.values[i];
      if (step <= 0) continue;
      ++looked_at;
      const double delta = std::abs(change.subject.values[i] - change.base.values[i]);
      inside += delta <= allowance(change, i, step) ? 1U : 0U;
    }
    if (looked_at == 0) continue;
    ++fit.matrices;
    fit.worst_share =
        std::min(fit.worst_share, static_cast<double>(inside) / static_cast<double>(looked_at));
  }
  if (fit.matrices == 0 || 2 * fit.matrices < matrices) return std::nullopt;
  return fit;
}

Evidence lattice_evidence(const LatticeFit& fit) {
  return {.statistic = "lattice-residual/1",
          .outcome = Evidence::Outcome::measured,
          .value = fit.worst_share,
          .samples = fit.matrices,
          .stage = "aligned",
          .because = fmt::format(
              "In the matrix that fits worst, {:.2f} % of the dequantised values lie within half "
              "a quantiser step of the other model's; a sibling fits at most 99.1 %.",
              100 * fit.worst_share)};
}

}  // namespace pedigree
