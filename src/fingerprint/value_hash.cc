#include "fingerprint/value_hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/problem.h"

namespace pedigree {
namespace {

static_assert(std::endian::native == std::endian::little, "digests hash values as they lie here");

constexpr std::size_t elements_at_once = 16'384;

std::string_view class_tag(ValueClass value_class) {
  switch (value_class) {
    case ValueClass::f32:
      return "F32 ";
    case ValueClass::f64:
      return "F64 ";
    case ValueClass::i64:
      return "I64 ";
    case ValueClass::none:
      return "none";
  }
  return {};
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

// One stored integer, widened with its own sign.
std::uint64_t widened(std::span<const std::byte> bytes, bool is_signed) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  }
  const auto unused = static_cast<unsigned>(64 - 8 * bytes.size());
  if (is_signed && unused > 0) {
    value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
  }
  return value;
}

}  // namespace

ValueClass value_class(const ElementType& type) {
  switch (type.kind) {
    case ElementType::Kind::floating:
      return type.id == "F64" ? ValueClass::f64 : ValueClass::f32;
    case ElementType::Kind::integer:
      return type.bits % 8 == 0 ? ValueClass::i64 : ValueClass::none;
    case ElementType::Kind::boolean:
      return ValueClass::i64;
    case ElementType::Kind::scale:
      return ValueClass::f32;
    case ElementType::Kind::complex:
    case ElementType::Kind::opaque:
      return ValueClass::none;
  }
  return ValueClass::none;
}

std::uint16_t bf16_bits(float value) {
  if (std::isnan(value)) return 0x7FC0U;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto rounded = static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
  return rounded == 0x8000U ? std::uint16_t{0} : rounded;
}

// Rounding to odd first keeps what the second rounding needs to know.
std::uint16_t bf16_bits(double value) {
  auto nearest = static_cast<float>(value);
  if (std::isfinite(value) && static_cast<double>(nearest) != value) {
    if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) {
      nearest = std::nextafterf(nearest, 0.0F);
    }
    nearest = std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) | 1U);
  }
  return bf16_bits(nearest);
}

std::string digest_string(std::string_view scheme, const Sha256Value& value) {
  return std::string(scheme) + ":sha256:" + to_hex(value);
}

ValueHash::ValueHash(const ElementType& type, std::span<const std::uint64_t> shape, bool h2,
                     bool h3)
    : type_(&type),
      class_(value_class(type)),
      wants_h2_(h2 && class_ != ValueClass::none),
      wants_h3_(h3 && class_ != ValueClass::none),
      left_(1) {
  std::vector<std::uint64_t> head = {shape.size()};
  head.reserve(shape.size() + 1);
  for (const std::uint64_t size : shape) {
    head.push_back(size);
    left_ *= size;
  }
  exact_.update(bytes_of(head));
  exact_.update(class_tag(class_));
  rounded_.update(bytes_of(head));
  rounded_.update(class_ == ValueClass::i64 ? class_tag(class_) : std::string_view("BF16"));
}

void ValueHash::feed(std::span<const std::byte> stored) {
  if (!wants_h2_ && !wants_h3_) return;
  const std::size_t run = type_->run();
  const std::size_t run_bytes = type_->run_bytes();
  if (!carry_.empty()) {
    const std::size_t taken = std::min(run_bytes - carry_.size(), stored.size());
    carry_.insert(carry_.end(), stored.begin(),
                  stored.begin() + static_cast<std::ptrdiff_t>(taken));
    stored = stored.subspan(taken);
    if (carry_.size() < run_bytes) return;
    decode(carry_, run);
    carry_.clear();
  }
  const std::size_t whole = stored.size() / run_bytes * run_bytes;
  const std::size_t stride = elements_at_once / run * run_bytes;
  for (std::size_t begin = 0; begin < whole; begin += stride) {
    const std::size_t size = std::min(stride, whole - begin);
    decode(stored.subspan(begin, size), size / run_bytes * run);
  }
  carry_.assign(stored.begin() + static_cast<std::ptrdiff_t>(whole), stored.end());
}

void ValueHash::feed_floats(std::span<const float> values) {
  check(class_ == ValueClass::f32, "floats for another value class");
  add_floats(values);
}

void ValueHash::decode(std::span<const std::byte> stored, std::size_t count) {
  count = std::min<std::size_t>(count, left_);
  left_ -= count;
  switch (class_) {
    case ValueClass::f32:
      floats_.resize(count);
      type_->decode(stored, floats_);
      add_floats(floats_);
      return;
    case ValueClass::f64:
      add_doubles(stored.first(count * sizeof(double)));
      return;
    case ValueClass::i64:
      add_integers(stored, count);
      return;
    case ValueClass::none:
      return;
  }
}

void ValueHash::add_floats(std::span<const float> values) {
  if (wants_h2_) exact_.update(std::as_bytes(values));
  if (!wants_h3_) return;
  halves_.resize(values.size());
  std::ranges::transform(values, halves_.begin(), [](float value) { return bf16_bits(value); });
  rounded_.update(bytes_of(halves_));
}

void ValueHash::add_doubles(std::span<const std::byte> stored) {
  if (wants_h2_) exact_.update(stored);
  if (!wants_h3_) return;
  halves_.clear();
  for (std::size_t at = 0; at < stored.size(); at += sizeof(double)) {
    double value = 0;
    std::memcpy(&value, stored.data() + at, sizeof value);
    halves_.push_back(bf16_bits(value));
  }
  rounded_.update(bytes_of(halves_));
}

void ValueHash::add_integers(std::span<const std::byte> stored, std::size_t count) {
  const std::size_t width = type_->bits / 8;
  const bool is_signed = type_->id.starts_with('I');
  words_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    words_.push_back(widened(stored.subspan(i * width, width), is_signed));
  }
  if (wants_h2_) exact_.update(bytes_of(words_));
  if (wants_h3_) rounded_.update(bytes_of(words_));
}

void ValueHash::finish() {
  if (!wants_h2_ && !wants_h3_) return;
  check(carry_.empty(), "elements end within a byte or a block");
  if (wants_h2_) h2_ = digest_string("h2/1", exact_.finish());
  if (wants_h3_) h3_ = digest_string("h3/1", rounded_.finish());
}

}  // namespace pedigree
