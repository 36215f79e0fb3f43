#include "compare/kinship.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "compare/change.h"
#include "compare/kept_rows.h"
#include "tensor/element_types.h"

namespace pedigree {
namespace {

constexpr double least_cosine = 0.1;  // unrelated parts of 4,096 values reach 0.05
constexpr int stored_bits = 11;       // fingerprints keep halves
constexpr double rounding_only = 4;   // times the floor

ModelPart part_of_role(std::string_view role) {
  if (role == "embed.tokens") return ModelPart::embedding;
  if (role.starts_with("head.")) return ModelPart::head;
  return role.starts_with("attn.") ? ModelPart::attention : ModelPart::feed_forward;
}

using Sums = std::array<PartSum, model_parts>;

void add(const Change& change, PartSum& sum) {
  for (std::size_t i = 0; i < change.subject.values.size(); ++i) {
    const double a = change.subject.values[i];
    const double b = change.base.values[i];
    sum.squares += (a - b) * (a - b);
    sum.first += a * a;
    sum.second += b * b;
    const double x = stored_step(a, change.subject_type, stored_bits);
    const double y = stored_step(b, change.base_type, stored_bits);
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
    const RowTypes types{
        .first = change.subject_type, .second = change.base_type, .bits = stored_bits};
    for (std::size_t i = 0; i < change.subject.rows; ++i) {
      const auto a = change.subject.row(i);
      const auto b = change.base.row(i);
      const bool informative = is_informative_row(a) && is_informative_row(b);
      const bool equal = informative && is_equal_row(a, b);
      const bool kept = equal || (informative && is_kept_row(a, b, types));
      result_.compared.push_back(informative);
      result_.equal.push_back(equal);
      if (!aligned || !informative) continue;
      ++result_.rows;
      result_.kept_rows += kept ? 1U : 0U;
    }
  }

  // Everything in aligned parts is equal, or one side's values, rounded.
  bool find_exact() {
    bool forward = true;
    bool backward = true;
    for (const Change& change : changes_) {
      if (!is_aligned(change)) continue;
      forward = forward && change.subject_is_rounded;
      backward = backward && change.base_is_rounded;
    }
    if (!result_.measured()) return false;
    result_.first_is_rounded = forward && !backward;
    result_.second_is_rounded = backward && !forward;
    return forward || backward;
  }

  void find_distance(const Sums& levelled) {
    const bool exact = find_exact();
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

const Block* counterpart(const Block& block, const Fingerprint& other, int layer) {
  const Block* same = other.block(block.role, layer);
  if (same != nullptr || !ffn_place(block.role, block.layer, block.expert)) return same;
  const auto at = std::ranges::find_if(other.blocks, [&](const Block& each) {
    return each.layer == layer && ffn_place(each.role, each.layer, each.expert) &&
           ffn_part(each.role) == ffn_part(block.role);
  });
  return at == other.blocks.end() ? nullptr : &*at;
}

double share_of(std::uint64_t there, std::uint64_t here) {
  return here == 0 ? 0 : std::min(1.0, static_cast<double>(there) / static_cast<double>(here));
}

// Of the values of `own`, the share that stands against nothing of `other`.
double new_in(const Fingerprint& own, const Fingerprint& other,
              const std::vector<std::pair<int, int>>& layers, const Kinship& kinship) {
  double total = 0;
  double known = 0;
  for (const Block& block : own.blocks) {
    const double size = static_cast<double>(block.full_rows) * static_cast<double>(block.full_cols);
    total += size;
    if (!kinship.part(part_of_role(block.role)).aligned) continue;
    int layer = -1;
    if (block.layer >= 0) {
      const auto at = std::ranges::find(layers, block.layer, &std::pair<int, int>::first);
      if (at == layers.end()) continue;
      layer = at->second;
    }
    const Block* there = counterpart(block, other, layer);
    if (there == nullptr) continue;
    known += size * share_of(there->full_rows, block.full_rows) *
             share_of(there->full_cols, block.full_cols);
  }
  return total > 0 ? 1 - known / total : 1;
}

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
                   const std::vector<std::pair<int, int>>& layers,
                   const std::vector<FfnMatch>& experts) {
  Alignment alignment;
  alignment.layers = layers;
  alignment.experts = experts;
  // No weights, and neurons by index: nothing is read, so nothing can fail.
  auto all = changes({.sketch = first}, {.sketch = second}, alignment);
  if (!all) return {};
  Kinship kinship = Measurer(std::move(*all)).run();
  if (!kinship.measured()) return kinship;
  kinship.new_in_first = new_in(first, second, layers, kinship);
  std::vector<std::pair<int, int>> back;
  back.reserve(layers.size());
  for (const auto& [a, b] : layers) back.emplace_back(b, a);
  kinship.new_in_second = new_in(second, first, back, kinship);
  return kinship;
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

bool is_widened(const Fingerprint& sketch) {
  constexpr std::string_view coarsest = "BF16";
  const ElementType& type = *find_element_type(coarsest);
  if (stored_precision(sketch) <= type.precision) return false;
  return std::ranges::all_of(sketch.blocks, [&](const Block& block) {
    return block.layer < 0 ||
           std::ranges::all_of(
               block.values, [&](float value) { return rounded_to(type, value) == value; });
  });
}

}  // namespace pedigree
