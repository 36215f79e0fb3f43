// H1, H2 and H3 of one run of elements, fed in pieces of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "tensor/element_types.h"

namespace pedigree {

// Values as H2 sees them: floats widened to F32, F64 as F64, integers and
// booleans as I64. Types without values (opaque, complex) have no class.
enum class ValueClass { f32, f64, i64, none };

ValueClass value_class(const ElementType& type);

// To BF16, nearest even, -0 to +0, every NaN to 0x7FC0. From a double without
// rounding twice.
std::uint16_t bf16_bits(float value);
std::uint16_t bf16_bits(double value);

std::string digest_string(std::string_view scheme, const Sha256Value& value);  // "h2/1:sha256:…"

// Hashes canonical values. Feed the stored bytes in order, or floats.
class ValueHash {
 public:
  // `shape` is the canonical one. Asking for neither is allowed and costs nothing.
  ValueHash(const ElementType& type, std::span<const std::uint64_t> shape, bool h2, bool h3);

  void feed(std::span<const std::byte> stored);
  void feed_floats(std::span<const float> values);
  void finish();

  const std::string& h2() const { return h2_; }  // "" when not asked for or impossible
  const std::string& h3() const { return h3_; }

 private:
  void decode(std::span<const std::byte> stored, std::size_t count);
  void add_floats(std::span<const float> values);
  void add_doubles(std::span<const std::byte> stored);
  void add_integers(std::span<const std::byte> stored, std::size_t count);

  const ElementType* type_;
  ValueClass class_;
  bool wants_h2_;
  bool wants_h3_;
  std::uint64_t left_;  // elements still to come
  Sha256 exact_;
  Sha256 rounded_;
  std::vector<std::byte> carry_;  // an incomplete run
  std::vector<float> floats_;
  std::vector<std::uint16_t> halves_;
  std::vector<std::uint64_t> words_;
  std::string h2_;
  std::string h3_;
};

}  // namespace pedigree
