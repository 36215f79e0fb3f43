// Types as a big-endian file stores them: the wide fields of each block are turned
// round, and the little-endian decoder does the rest.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/problem.h"
#include "tensor/types/types.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = 4096;

// `width` bytes are turned round at each of the places `at` of a block.
template <const ElementType& little, unsigned width, unsigned... at>
void decode_turned(std::span<const std::byte> bytes, std::span<float> out) {
  const std::size_t run = little.run();
  const std::size_t run_bytes = little.run_bytes();
  const std::size_t most = chunk_bytes / run_bytes;
  check(out.size() % run == 0, "part of a block cannot be decoded");
  check(bytes.size() / run_bytes >= out.size() / run, "too few bytes to decode");
  std::array<std::byte, chunk_bytes> chunk = {};
  while (!out.empty()) {
    const std::size_t count = std::min(most, out.size() / run);
    std::memcpy(chunk.data(), bytes.data(), count * run_bytes);
    for (std::size_t i = 0; i < count; ++i) {
      std::byte* const block = chunk.data() + i * run_bytes;
      (std::reverse(block + at, block + at + width), ...);
    }
    little.decode(std::span(chunk).first(count * run_bytes), out.first(count * run));
    bytes = bytes.subspan(count * run_bytes);
    out = out.subspan(count * run);
  }
}

template <const ElementType& little, unsigned width, unsigned... at>
ElementType turned() {
  ElementType type = little;
  type.decode = decode_turned<little, width, at...>;
  return type;
}

}  // namespace

// The types that big-endian files are written in; bytes alone need no turning.
const ElementType* big_endian_type(const ElementType& type) {
  using namespace types;
  static const std::array table = {
      turned<f32, 4, 0>(),     turned<f16, 2, 0>(),       turned<bf16, 2, 0>(),
      turned<q4_0, 2, 0>(),    turned<q4_1, 2, 0, 2>(),   turned<q8_0, 2, 0>(),
      turned<q4_k, 2, 0, 2>(), turned<q5_k, 2, 0, 2>(),   turned<q6_k, 2, 208>(),
      turned<q3_k, 2, 108>(),  turned<q2_k, 2, 80, 82>(), turned<iq4_nl, 2, 0>()};
  const bool same = type.id == mxfp4.id || type.id == nvfp4.id || type.id == i8.id;
  if (same) return &type;
  const auto* const found = std::ranges::find(table, type.id, &ElementType::id);
  return found == table.end() ? nullptr : found;
}

}  // namespace pedigree
