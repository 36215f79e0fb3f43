// Why a likelihood and not a tolerance: values of coarse types are multiples of
// something anyway (a BF16 number is k · 2^e with k < 256), so "all values are
// near a multiple" proves nothing where the type's own spacing is as wide as the
// step. Each value therefore counts −log2 of the share of the step its rounding
// interval covers, and nothing when that share is one half or more. The integer
// part of that logarithm is enough, so no transcendental function is needed.
#include "fingerprint/lattice.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "base/problem.h"

namespace pedigree {
namespace {

constexpr int largest_multiple = 128;         // 8-bit symmetric
constexpr int largest_offset_multiple = 255;  // 8-bit with offset
constexpr int needed_bits = 27;               // 19 beyond the 7 or 8 that trying n costs
constexpr int most_bits = 20;                 // from one value
constexpr double arithmetic_slack = 0x1p-22;  // of the reach: quantisers compute in F32
constexpr std::size_t probes = 24;
constexpr std::size_t examined_blocks = 1024;

// Half a unit in the last place: what storing a value may have moved it by.
double half_unit(const Lattice& grid, float value) {
  const int exponent = value == 0 ? grid.smallest_exponent : std::ilogb(value) - grid.precision + 1;
  return std::ldexp(0.5, std::max(exponent, grid.smallest_exponent));
}

// The coarsest type that holds all values: a BF16 tensor copied into an F32 file
// was still rounded to BF16.
Lattice grid_of(std::span<const float> values, const ElementType& type) {
  Lattice grid = {.precision = std::min(type.precision, 24),
                  .smallest_exponent = std::max(type.smallest_exponent, -149)};
  for (const std::string_view id : {"BF16", "F16"}) {
    const ElementType* const coarser = find_element_type(id);
    if (coarser == nullptr || coarser->precision >= grid.precision) continue;
    const auto fits = [&](float value) { return rounded_to(*coarser, value) == value; };
    if (std::ranges::all_of(values, fits)) {
      grid.precision = coarser->precision;
      grid.smallest_exponent = coarser->smallest_exponent;
      return grid;
    }
  }
  return grid;
}

// One block prepared for trying many steps on it.
class Block {
 public:
  // The widest step that explains the block; 0 when none does.
  float step(std::span<const float> values, const Lattice& grid);

 private:
  struct Point {
    double away = 0;   // from where multiples count
    double slack = 0;  // how far rounding may have moved it
  };

  void measure(std::span<const float> values, const Lattice& grid);
  bool fits(int n) const;

  std::vector<Point> points_;
  double reach_ = 0;  // the largest distance
  double reach_slack_ = 0;
};

void Block::measure(std::span<const float> values, const Lattice& grid) {
  const float low = *std::ranges::min_element(values);
  const double origin = grid.offset ? static_cast<double>(low) : 0;
  const double origin_slack = grid.offset ? half_unit(grid, low) : 0;
  points_.clear();
  reach_ = 0;
  for (const float value : values) {
    const Point point = {.away = std::fabs(static_cast<double>(value) - origin),
                         .slack = half_unit(grid, value) + origin_slack};
    points_.push_back(point);
    if (point.away > reach_) {
      reach_ = point.away;
      reach_slack_ = point.slack;
    }
  }
}

// Does every value lie on a multiple of reach / n, and is that surprising? The
// values that define the hypothesis (the origin, one at full reach) say nothing.
bool Block::fits(int n) const {
  const double step = reach_ / n;
  int bits = 0;
  bool met_largest = false;
  for (const Point& point : points_) {
    if (point.away == 0) continue;
    const double multiple = point.away / step;
    const double nearest = std::nearbyint(multiple);
    const double moved = point.slack + nearest / n * reach_slack_ + arithmetic_slack * reach_;
    const double slack = moved / step * 1.01;
    if (std::fabs(multiple - nearest) > slack) return false;
    const bool defines = !met_largest && point.away == reach_;
    met_largest = met_largest || defines;
    if (!defines && slack < 0.25) bits += std::min(-std::ilogb(2 * slack) - 1, most_bits);
  }
  return bits >= needed_bits;
}

float Block::step(std::span<const float> values, const Lattice& grid) {
  measure(values, grid);
  if (!(reach_ > 0) || !std::isfinite(reach_)) return 0;
  const int most = grid.offset ? largest_offset_multiple : largest_multiple;
  for (int n = 1; n <= most; ++n) {
    if (fits(n)) return static_cast<float>(reach_ / n);
  }
  return 0;
}

bool is_constant(std::span<const float> block) {
  return std::ranges::all_of(block, [&](float value) { return value == block.front(); });
}

// Nineteen blocks of twenty must fit; constant blocks have no say.
bool explains(std::span<const float> values, const Lattice& trial, std::size_t limit) {
  const std::size_t blocks = values.size() / trial.group;
  const std::size_t looked_at = std::min(blocks, limit);
  std::size_t fitting = 0;
  std::size_t voting = 0;
  Block prepared;
  for (std::size_t i = 0; i < looked_at; ++i) {
    const std::size_t index = i * blocks / looked_at;
    const auto block = values.subspan(index * trial.group, trial.group);
    if (is_constant(block)) continue;
    ++voting;
    if (prepared.step(block, trial) > 0) ++fitting;
    if ((voting - fitting) * 20 > looked_at) return false;
  }
  return voting >= 4 && fitting * 20 >= voting * 19;
}

}  // namespace

Lattice find_lattice(std::uint64_t rows, std::uint64_t cols, std::span<const float> values,
                     const ElementType& type) {
  check(values.size() == rows * cols, "rows of another size");
  if (type.kind != ElementType::Kind::floating || type.precision == 0 || values.empty()) return {};
  Lattice trial = grid_of(values, type);
  for (const std::uint64_t group : {cols, std::uint64_t{256}, std::uint64_t{128}, std::uint64_t{64},
                                    std::uint64_t{32}, std::uint64_t{16}}) {
    if (group > cols || cols % group != 0 || group < 16) continue;
    for (const bool offset : {false, true}) {
      trial.group = group;
      trial.offset = offset;
      if (explains(values, trial, probes) && explains(values, trial, examined_blocks)) return trial;
    }
  }
  return {};
}

std::vector<float> lattice_steps(const Lattice& lattice, std::span<const float> row,
                                 std::span<const std::uint64_t> cols) {
  check(lattice.found() && row.size() % lattice.group == 0, "steps without a lattice");
  std::vector<float> steps;
  steps.reserve(cols.size());
  Block prepared;
  std::uint64_t known = row.size();  // the block `step` belongs to; none yet
  float step = 0;
  for (const std::uint64_t col : cols) {
    const std::uint64_t block = col / lattice.group;
    if (block != known) {
      step = prepared.step(row.subspan(block * lattice.group, lattice.group), lattice);
      known = block;
    }
    steps.push_back(step);
  }
  return steps;
}

}  // namespace pedigree
