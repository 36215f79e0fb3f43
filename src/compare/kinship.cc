#include "compare/kinship.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

#include "compare/change.h"
#include "compare/dense.h"

namespace pedigree {
namespace {

constexpr double least_cosine = 0.1;         // unrelated parts of 4,096 values reach 0.05
constexpr std::size_t fewest_distinct = 16;  // values a row must have to be evidence
constexpr int stored_bits = 11;              // fingerprints keep halves
constexpr double slack = 1.02;               // decay is applied in single precision, step by step
constexpr double rounding_only = 4;          // times the floor

ModelPart part_of_role(std::string_view role) {
  if (role == "embed.tokens") return ModelPart::embedding;
  if (role.starts_with("head.")) return ModelPart::head;
  return role.starts_with("attn.") ? ModelPart::attention : ModelPart::feed_forward;
}

struct Grid {
  int precision = stored_bits;
  int smallest = -24;

  explicit Grid(const ElementType* type) {
    if (type == nullptr || type->precision == 0) return;
    precision = std::min(type->precision, stored_bits);
    smallest = type->smallest_exponent;
  }
  double step(double value) const {
    if (value == 0) return std::ldexp(1.0, smallest);
    int exponent = 0;
    static_cast<void>(std::frexp(value, &exponent));
    return std::ldexp(1.0, std::max(exponent - precision, smallest));
  }
};

// Is there one factor c with `to` = round(c · `from`) everywhere? Unused tokens
// under weight decay leave such rows, and neurons whose scale was moved.
bool rounds_to(std::span<const double> from, std::span<const double> to, const Grid& grid) {
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double half = slack * grid.step(to[i]) / 2;
    if (from[i] == 0) {
      if (std::abs(to[i]) > half) return false;
      continue;
    }
    const double low = (to[i] - half) / from[i];
    const double high = (to[i] + half) / from[i];
    least = std::max(least, std::min(low, high));
    most = std::min(most, std::max(low, high));
    if (least > most) return false;
  }
  return most > 0 && std::isfinite(most);
}

bool is_informative(std::span<const double> row) {
  std::set<double> distinct;
  for (const double value : row) {
    if (value != 0) distinct.insert(value);
    if (distinct.size() >= fewest_distinct) return true;
  }
  return false;
}

using Sums = std::array<PartSum, model_parts>;

void add(const Change& change, PartSum& sum) {
  const Grid mine(change.subject_type);
  const Grid theirs(change.base_type);
  for (std::size_t i = 0; i < change.subject.values.size(); ++i) {
    const double a = change.subject.values[i];
    const double b = change.base.values[i];
    sum.squares += (a - b) * (a - b);
    sum.first += a * a;
    sum.second += b * b;
    const double x = mine.step(a);
    const double y = theirs.step(b);
    sum.first_rounding += x * x / 12;
    sum.second_rounding += y * y / 12;
  }
}

Sums sums_of(const std::vector<Change>& changes) {
  Sums sums;
  for (const Change& change : changes) {
    if (change.is_vector) continue;
    add(change, sums[static_cast<std::size_t>(part_of_role(change.role))]);
  }
  for (PartSum& sum : sums) {
    const double across = sum.first + sum.second - sum.squares;  // twice the product
    sum.aligned = across > 2 * least_cosine * std::sqrt(sum.first * sum.second);
  }
  return sums;
}

class Measurer {
 public:
  explicit Measurer(std::vector<Change> changes) : changes_(std::move(changes)) {}

  Kinship run() {
    result_.parts = sums_of(changes_);
    for (const Change& change : changes_) count(change);
    std::vector<Change> levelled = changes_;
    static_cast<void>(take_out_rescaling(levelled));
    find_distance(sums_of(levelled));
    return std::move(result_);
  }

 private:
  bool is_aligned(const Change& change) const {
    return result_.part(part_of_role(change.role)).aligned;
  }

  void count(const Change& change) {
    const bool aligned = is_aligned(change);
    const Grid mine(change.subject_type);
    const Grid theirs(change.base_type);
    for (std::size_t i = 0; i < change.subject.rows; ++i) {
      const auto a = change.subject.row(i);
      const auto b = change.base.row(i);
      const bool informative = is_informative(a) && is_informative(b);
      const bool kept = informative && (rounds_to(b, a, mine) || rounds_to(a, b, theirs));
      result_.compared.push_back(informative);
      result_.kept.push_back(kept);
      if (!aligned || !informative) continue;
      ++result_.rows;
      result_.kept_rows += kept ? 1U : 0U;
    }
  }

  // Everything in aligned parts is equal, or one side's values, rounded.
  bool is_exact() const {
    bool forward = true;
    bool backward = true;
    for (const Change& change : changes_) {
      if (!is_aligned(change)) continue;
      forward = forward && change.subject_is_rounded;
      backward = backward && change.base_is_rounded;
    }
    return result_.measured() && (forward || backward);
  }

  void find_distance(const Sums& levelled) {
    const bool exact = is_exact();
    result_.same = exact && std::ranges::all_of(changes_, [this](const Change& change) {
                     return is_aligned(change);
                   });
    double squares = 0;
    double size = 0;
    double rounding = 0;
    for (const PartSum& sum : levelled) {
      if (!sum.aligned) continue;
      squares += sum.squares;
      size += (sum.first + sum.second) / 2;
      rounding += sum.first_rounding + sum.second_rounding;
    }
    if (size > 0) result_.levelled = squares / size;
    result_.unmoved = result_.measured() && (exact || squares <= rounding_only * rounding);
  }

  std::vector<Change> changes_;
  Kinship result_;
};

bool same_block_places(const Block& a, const Block& b) {
  return a.role == b.role && a.layer == b.layer && a.expert == b.expert &&
         a.full_rows == b.full_rows && a.full_cols == b.full_cols && a.rows == b.rows &&
         a.cols == b.cols;
}

}  // namespace

double Kinship::changed_rows() const {
  if (rows == 0) return 1;
  return static_cast<double>(rows - kept_rows) / static_cast<double>(rows);
}

Kinship kinship_of(const Fingerprint& first, const Fingerprint& second,
                   const std::vector<std::pair<int, int>>& layers) {
  Alignment alignment;
  alignment.layers = layers;
  // No weights, and neurons by index: nothing is read, so nothing can fail.
  auto all = changes({.sketch = first}, {.sketch = second}, alignment);
  if (!all) return {};
  return Measurer(std::move(*all)).run();
}

bool same_places(const Fingerprint& first, const Fingerprint& second) {
  return std::ranges::equal(first.tokens, second.tokens,
                            [](const SampledToken& a, const SampledToken& b) {
                              return a.row == b.row && a.hash == b.hash;
                            }) &&
         std::ranges::equal(first.blocks, second.blocks, same_block_places);
}

int stored_precision(const Fingerprint& sketch) {
  int least = 0;
  for (const Block& block : sketch.blocks) {
    const ElementType* type = find_element_type(block.element_type);
    if (type == nullptr || type->precision == 0) continue;
    least = least == 0 ? type->precision : std::min(least, type->precision);
  }
  return least;
}

}  // namespace pedigree
