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

bool InformationProbe::informative() const {
  if (distinct_.size() <= few_values || has_table_name(*entry_)) return false;
  const ElementType& type = *entry_->type;
  if (type.kind != ElementType::Kind::floating || type.decode == nullptr) return true;
  const bool is_row = entry_->shape.size() == 1;
  if (!is_row && entry_->shape.size() != 2) return true;
  const std::uint64_t wanted = entry_->shape.back();
  const std::optional<std::uint64_t> bytes = type.bytes_of(wanted);
  if (wanted < 8 || !bytes || *bytes > head_.size()) return true;
  std::vector<float> values(wanted);
  type.decode(head_, values);
  if (!is_row) return !starts_like_sinusoids(values);
  const double slack = relative_slack(type);
  return !is_geometric(values, slack) && !is_arithmetic(values, slack);
}

}  // namespace pedigree
