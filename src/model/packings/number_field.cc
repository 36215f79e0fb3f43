#include "model/packings/number_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "model/model.h"

namespace pedigree {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";
constexpr std::uint64_t most_ahead = std::uint64_t{1} << 20U;
constexpr unsigned word_bits = 32;

const ElementType& type_of(const NumberField& field, const TensorEntry& entry) {
  return field.type == nullptr ? *entry.type : *field.type;
}

std::uint64_t rounded_up(std::uint64_t value, std::uint64_t unit) {
  return value / unit + (value % unit == 0 ? 0 : 1);
}

std::uint64_t bits_of(std::uint64_t numbers, const NumberField& field) {
  return checked_multiply(numbers, field.bits, code);
}

// Runs of rows that share the elements of `high_row_first`.
std::uint64_t runs_of(const NumberField& field, const ElementType& type) {
  return type.bits / field.bits;
}

std::uint64_t bytes_needed(const NumberField& field, const TensorEntry& entry) {
  const ElementType& type = type_of(field, entry);
  const std::uint64_t numbers = checked_multiply(field.rows, field.cols, code);
  switch (field.order) {
    case Order::elements:
      if (type.decode == nullptr) malformed(code, fmt::format("{} is not decoded", type.id));
      return type.bytes_of(numbers).value_or(UINT64_MAX);
    case Order::along_row:
      if (entry.extent.size() % field.rows != 0) return UINT64_MAX;
      return checked_multiply(field.rows, rounded_up(bits_of(field.cols, field), 8), code);
    case Order::along_column:
      return checked_multiply(rounded_up(bits_of(field.rows, field), word_bits),
                              checked_multiply(field.cols, word_bits / 8, code), code);
    case Order::shuffled_row:
      return checked_multiply(field.rows, rounded_up(field.cols, 8) * 4, code);
    case Order::high_first:
      return rounded_up(numbers, 2);
    case Order::high_row_first:
      if (field.bits > type.bits) return UINT64_MAX;
      return checked_multiply(rounded_up(field.rows, runs_of(field, type)),
                              checked_multiply(field.cols, type.bits / 8, code), code);
  }
  return UINT64_MAX;
}

std::uint32_t load_word(std::span<const std::byte> bytes, std::uint64_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

}  // namespace

void check_field(const Model& model, const NumberField& field) {
  const TensorEntry& entry = model.tensors[field.tensor].entry;
  if (field.rows == 0 || field.cols == 0) malformed(code, "a table of no numbers");
  const bool packed = field.order != Order::elements;
  if (packed && (field.bits == 0 || field.bits > 8)) {
    malformed(code, fmt::format("numbers of {} bits", field.bits));
  }
  const std::uint64_t needed = bytes_needed(field, entry);
  if (needed > entry.extent.size()) {
    malformed(code,
              fmt::format("{} by {} numbers do not fit the {} bytes of \"{}\"", field.rows,
                          field.cols, entry.extent.size(), shown(entry.name.substr(0, 200))),
              entry.extent.begin);
  }
}

FieldReader::FieldReader(const Model& model, const NumberField& field)
    : source_(*model.shards[model.tensors[field.tensor].shard]),
      entry_(model.tensors[field.tensor].entry),
      type_(type_of(field, entry_)),
      field_(field),
      row_bytes_(entry_.extent.size() / field.rows) {}

void FieldReader::expect(std::uint64_t numbers) {
  const unsigned bits = field_.order == Order::elements ? type_.bits : field_.bits;
  ahead_ = std::min(most_ahead, std::min(numbers, most_ahead) * bits / 8);
}

std::optional<Problem> FieldReader::fetch(std::uint64_t offset, std::uint64_t size,
                                          std::span<const std::byte>& out) {
  const std::uint64_t limit = entry_.extent.size();
  check(offset <= limit && size <= limit - offset, "numbers beyond a tensor's bytes");
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    const Window& window = windows_[i];
    if (offset < window.begin || offset - window.begin > window.bytes.size()) continue;
    const std::uint64_t at = offset - window.begin;
    if (size > window.bytes.size() - at) continue;
    oldest_ = 1 - i;
    out = std::span(window.bytes).subspan(at, size);
    return std::nullopt;
  }
  Window& window = windows_[std::exchange(oldest_, 1 - oldest_)];
  window.begin = offset;
  window.bytes.resize(std::min(std::max(size, ahead_), limit - offset));
  if (auto problem = source_.read_at(entry_.extent.begin + offset, window.bytes)) {
    window.bytes.clear();
    return problem;
  }
  out = std::span(window.bytes).first(size);
  return std::nullopt;
}

std::optional<Problem> FieldReader::read_elements(std::uint64_t at, std::span<float> out) {
  const std::uint64_t run = type_.run();
  const std::uint64_t lead = at % run;
  const std::uint64_t numbers = rounded_up(lead + out.size(), run) * run;
  std::span<const std::byte> bytes;
  const std::uint64_t offset = at / run * type_.run_bytes();
  if (auto problem = fetch(offset, numbers / run * type_.run_bytes(), bytes)) return problem;
  if (numbers == out.size()) {
    type_.decode(bytes, out);
    return std::nullopt;
  }
  std::vector<float> values(numbers);
  type_.decode(bytes, values);
  std::ranges::copy(std::span(values).subspan(lead, out.size()), out.begin());
  return std::nullopt;
}

std::optional<Problem> FieldReader::read_along_row(std::uint64_t row, std::uint64_t first,
                                                   std::span<float> out) {
  const std::uint64_t begin = first * field_.bits;
  const std::uint64_t end = begin + out.size() * field_.bits;
  std::span<const std::byte> bytes;
  const std::uint64_t offset = begin / 8;
  if (auto problem = fetch(row * row_bytes_ + offset, rounded_up(end, 8) - offset, bytes)) {
    return problem;
  }
  const unsigned mask = (1U << field_.bits) - 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t bit = begin % 8 + i * field_.bits;
    const std::uint64_t at = bit / 8;
    unsigned both = std::to_integer<unsigned>(bytes[at]);
    if (bit % 8 + field_.bits > 8) both |= std::to_integer<unsigned>(bytes[at + 1]) << 8U;
    out[i] = static_cast<float>(both >> bit % 8 & mask);
  }
  return std::nullopt;
}

std::optional<Problem> FieldReader::read_along_column(std::uint64_t row, std::uint64_t first,
                                                      std::span<float> out) {
  constexpr std::uint64_t word_bytes = word_bits / 8;
  const std::uint64_t bit = row * field_.bits;
  const std::uint64_t size = out.size() * word_bytes;
  const std::uint64_t offset = (bit / word_bits * field_.cols + first) * word_bytes;
  std::span<const std::byte> low;
  if (auto problem = fetch(offset, size, low)) return problem;
  const auto shift = static_cast<unsigned>(bit % word_bits);
  const unsigned mask = (1U << field_.bits) - 1;
  if (shift + field_.bits <= word_bits) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(load_word(low, i * word_bytes) >> shift & mask);
    }
    return std::nullopt;
  }
  std::span<const std::byte> high;
  if (auto problem = fetch(offset + field_.cols * word_bytes, size, high)) return problem;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t both =
        load_word(low, i * word_bytes) | static_cast<std::uint64_t>(load_word(high, i * word_bytes))
                                             << word_bits;
    out[i] = static_cast<float>(both >> shift & mask);
  }
  return std::nullopt;
}

std::optional<Problem> FieldReader::read_shuffled(std::uint64_t row, std::uint64_t first,
                                                  std::span<float> out) {
  static constexpr std::array<unsigned, 8> shift_of_column = {0, 16, 4, 20, 8, 24, 12, 28};
  const std::uint64_t begin = first / 8;
  const std::uint64_t end = rounded_up(first + out.size(), 8);
  const std::uint64_t row_words = rounded_up(field_.cols, 8);
  std::span<const std::byte> words;
  if (auto problem = fetch((row * row_words + begin) * 4, (end - begin) * 4, words)) {
    return problem;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t column = first + i;
    const std::uint32_t word = load_word(words, (column / 8 - begin) * 4);
    out[i] = static_cast<float>(word >> shift_of_column[column % 8] & 0xFU);
  }
  return std::nullopt;
}

std::optional<Problem> FieldReader::read_high_first(std::uint64_t at, std::span<float> out) {
  const std::uint64_t begin = at / 2;
  std::span<const std::byte> bytes;
  if (auto problem = fetch(begin, rounded_up(at + out.size(), 2) - begin, bytes)) return problem;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(bytes[(at + i) / 2 - begin]);
    out[i] = static_cast<float>((at + i) % 2 == 0 ? byte >> 4U : byte & 0xFU);
  }
  return std::nullopt;
}

// Ten runs of three bits leave the two highest bits of a word unused.
std::optional<Problem> FieldReader::read_high_row(std::uint64_t row, std::uint64_t first,
                                                  std::span<float> out) {
  const std::uint64_t runs = runs_of(field_, type_);
  const std::uint64_t step = rounded_up(field_.rows, runs);
  const auto shift = static_cast<unsigned>((runs - 1 - row / step) * field_.bits);
  const std::uint64_t bytes_each = type_.bits / 8;
  std::span<const std::byte> bytes;
  const std::uint64_t offset = (row % step * field_.cols + first) * bytes_each;
  if (auto problem = fetch(offset, out.size() * bytes_each, bytes)) return problem;
  const unsigned mask = (1U << field_.bits) - 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint64_t element = 0;
    std::memcpy(&element, bytes.data() + i * bytes_each, bytes_each);
    out[i] = static_cast<float>(element >> shift & mask);
  }
  return std::nullopt;
}

std::optional<Problem> FieldReader::read(std::uint64_t row, std::uint64_t first,
                                         std::span<float> out) {
  check(row < field_.rows && first <= field_.cols && out.size() <= field_.cols - first,
        "numbers beyond a table");
  if (out.empty()) return std::nullopt;
  switch (field_.order) {
    case Order::elements:
      return read_elements(row * field_.cols + first, out);
    case Order::along_row:
      return read_along_row(row, first, out);
    case Order::along_column:
      return read_along_column(row, first, out);
    case Order::shuffled_row:
      return read_shuffled(row, first, out);
    case Order::high_first:
      return read_high_first(row * field_.cols + first, out);
    case Order::high_row_first:
      return read_high_row(row, first, out);
  }
  return std::nullopt;
}

}  // namespace pedigree
