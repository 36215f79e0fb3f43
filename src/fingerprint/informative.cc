#include "fingerprint/informative.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

namespace pedigree {
namespace {

constexpr std::size_t few_values = 16;
constexpr std::size_t head_bytes = 65'536;

constexpr std::string_view table_names[] = {
    "inv_freq",    "position_ids", "rope_freqs",
    "rope.freqs",  "rotary_emb",   "masked_bias",
    "causal_mask", "freqs_cis",    "relative_position_index"};

bool has_table_name(const TensorEntry& entry) {
  return std::ranges::any_of(table_names, [&](std::string_view name) {
    return entry.name.find(name) != std::string::npos;
  });
}

// How far a quotient of two rounded values may be off, generously.
double relative_slack(const ElementType& type) {
  return std::ldexp(1.0, 3 - std::min(type.precision, 24));
}

bool is_geometric(std::span<const float> values, double slack) {
  const double ratio = static_cast<double>(values[1]) / static_cast<double>(values[0]);
  if (!std::isfinite(ratio) || ratio <= 0 || std::fabs(ratio - 1) < 4 * slack) return false;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double expected = static_cast<double>(values[i - 1]) * ratio;
    if (!(std::fabs(static_cast<double>(values[i]) - expected) <= slack * std::fabs(expected))) {
      return false;
    }
  }
  return true;
}

bool is_arithmetic(std::span<const float> values, double slack) {
  const double step = static_cast<double>(values[1]) - static_cast<double>(values[0]);
  double largest = 0;
  for (const float value : values)
    largest = std::max(largest, std::fabs(static_cast<double>(value)));
  const double allowed = slack * largest;
  if (!(std::fabs(step) > 4 * allowed)) return false;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double met = static_cast<double>(values[i]) - static_cast<double>(values[i - 1]);
    if (!(std::fabs(met - step) <= allowed)) return false;
  }
  return true;
}

// Position 0 of a table of sines and cosines holds nothing but zeros and ones.
bool starts_like_sinusoids(std::span<const float> row) {
  const auto zeros = std::ranges::count(row, 0.0F);
  const auto ones = std::ranges::count(row, 1.0F);
  return zeros > 0 && ones > 0 && static_cast<std::size_t>(zeros + ones) == row.size();
}

// Rows of a table of cosines or of sines alone: what column has angle a a step, has
// f((k+1)a) = 2 cos(a) f(ka) - f((k-1)a), whatever it begins with. Graphs keep the tables of
// rotary positions as constants under names that tell nothing.
bool is_rotation_table(std::span<const float> values, std::size_t width) {
  constexpr double slack = 0.02;  // what BF16 leaves of it
  const std::size_t rows = values.size() / width;
  if (rows < 4) return false;
  const auto first = values.first(width);
  const bool cosines = std::ranges::all_of(first, [](float value) { return value == 1; });
  const bool sines = std::ranges::all_of(first, [](float value) { return value == 0; });
  if (!cosines && !sines) return false;
  // Weights this small would pass for anything.
  if (std::ranges::none_of(values.subspan(width),
                           [](float value) { return std::fabs(value) >= 0.5F; })) {
    return false;
  }
  for (std::size_t column = 0; column < width; ++column) {
    const auto at = [&](std::size_t row) {
      return static_cast<double>(values[row * width + column]);
    };
    if (!(std::fabs(at(1)) <= 1)) return false;
    const double twice = 2 * (cosines ? at(1) : std::sqrt(1 - at(1) * at(1)));
    for (std::size_t row = 2; row < rows; ++row) {
      if (!(std::fabs(at(row) - (twice * at(row - 1) - at(row - 2))) <= slack)) return false;
    }
  }
  return true;
}

// Of a matrix, or of one with axes of one element around it.
bool is_matrix(const std::vector<std::uint64_t>& shape) {
  return shape.size() >= 2 && std::ranges::all_of(shape.begin(), shape.end() - 2,
                                                  [](std::uint64_t size) { return size == 1; });
}

}  // namespace

InformationProbe::InformationProbe(const TensorEntry& entry)
    : entry_(&entry), width_(std::clamp<std::size_t>(entry.type->bits / 8, 1, 8)) {}

void InformationProbe::feed(std::span<const std::byte> stored) {
  const std::size_t wanted = std::min(head_bytes - head_.size(), stored.size());
  head_.insert(head_.end(), stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(wanted));
  if (distinct_.size() > few_values) return;
  if (carry_.empty()) {
    count(stored);
    return;
  }
  carry_.insert(carry_.end(), stored.begin(), stored.end());
  std::vector<std::byte> joined;
  joined.swap(carry_);
  count(joined);
}

void InformationProbe::count(std::span<const std::byte> stored) {
  const std::size_t whole = stored.size() / width_ * width_;
  for (std::size_t at = 0; at < whole && distinct_.size() <= few_values; at += width_) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, stored.data() + at, width_);
    if (std::ranges::find(distinct_, bits) == distinct_.end()) distinct_.push_back(bits);
  }
  carry_.assign(stored.begin() + static_cast<std::ptrdiff_t>(whole), stored.end());
}

bool InformationProbe::starts_as_rotation_table() const {
  constexpr std::uint64_t most_rows = 16;
  const std::uint64_t width = entry_->shape.back();
  const ElementType& type = *entry_->type;
  const std::uint64_t held = head_.size() / type.run_bytes() * type.run() / width;
  std::vector<float> values(std::min({held, most_rows, entry_->element_count() / width}) * width);
  type.decode(head_, values);
  return is_rotation_table(values, width);
}

bool InformationProbe::informative() const {
  if (distinct_.size() <= few_values || has_table_name(*entry_)) return false;
  const ElementType& type = *entry_->type;
  if (type.kind != ElementType::Kind::floating || type.decode == nullptr) return true;
  const bool is_row = entry_->shape.size() == 1;
  if (!is_row && !is_matrix(entry_->shape)) return true;
  const std::uint64_t wanted = entry_->shape.back();
  const std::optional<std::uint64_t> bytes = type.bytes_of(wanted);
  if (wanted < 8 || !bytes || *bytes > head_.size()) return true;
  std::vector<float> values(wanted);
  type.decode(head_, values);
  if (!is_row) return !starts_like_sinusoids(values) && !starts_as_rotation_table();
  const double slack = relative_slack(type);
  return !is_geometric(values, slack) && !is_arithmetic(values, slack);
}

}  // namespace pedigree
