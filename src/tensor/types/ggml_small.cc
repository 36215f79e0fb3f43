// Ternary weights (TQ) and the four-bit floats of the MX and NVFP4 formats, in
// ggml's blocks.
#include <array>

#include "tensor/types/blocks.h"
#include "tensor/types/ggml_scales.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

// Digit n of a byte that holds five base-3 digits as a fraction of 256, most
// significant first; minus one.
float ternary(unsigned byte, std::size_t n) {
  constexpr std::array<unsigned, 5> powers = {1, 3, 9, 27, 81};
  const unsigned rest = byte * powers[n] & 0xFFU;
  return static_cast<float>(static_cast<int>(rest * 3 >> 8U) - 1);
}

// 32 bytes hold 160 elements, 16 bytes 80, the last four bytes 16.
void decode_tq1_0(const Block& block, float* out) {
  struct Part {
    std::size_t at, bytes, digits;
  };
  constexpr std::array parts = {Part{.at = 0, .bytes = 32, .digits = 5},
                                Part{.at = 32, .bytes = 16, .digits = 5},
                                Part{.at = 48, .bytes = 4, .digits = 4}};
  const float d = block.f16(52);
  for (const Part& part : parts) {
    for (std::size_t n = 0; n < part.digits; ++n) {
      for (std::size_t j = 0; j < part.bytes; ++j) {
        *out++ = d * ternary(block.u8(part.at + j), n);
      }
    }
  }
}

void decode_tq2_0(const Block& block, float* out) {
  const float d = block.f16(64);
  for (std::size_t run = 0; run < 8; ++run) {
    for (std::size_t j = 0; j < 32; ++j) {
      const unsigned code = block.u8(run / 4 * 32 + j) >> (run % 4 * 2) & 3U;
      out[run * 32 + j] = d * static_cast<float>(static_cast<int>(code) - 1);
    }
  }
}

void decode_mxfp4(const Block& block, float* out) {
  const float d = half_e8m0(block.u8(0));
  for (std::size_t j = 0; j < 16; ++j) {
    out[j] = d * doubled_e2m1[block.low(1 + j)];
    out[j + 16] = d * doubled_e2m1[block.high(1 + j)];
  }
}

void decode_nvfp4(const Block& block, float* out) {
  for (std::size_t sub = 0; sub < 4; ++sub) {
    const float d = half_ue4m3(block.u8(sub));
    for (std::size_t j = 0; j < 8; ++j) {
      out[sub * 16 + j] = d * doubled_e2m1[block.low(4 + sub * 8 + j)];
      out[sub * 16 + j + 8] = d * doubled_e2m1[block.high(4 + sub * 8 + j)];
    }
  }
}

}  // namespace

constinit const ElementType tq1_0 = block_type<decode_tq1_0, 256, 54>("TQ1_0");
constinit const ElementType tq2_0 = block_type<decode_tq2_0, 256, 66>("TQ2_0");
constinit const ElementType mxfp4 = block_type<decode_mxfp4, 32, 17>("MXFP4");
constinit const ElementType nvfp4 = block_type<decode_nvfp4, 64, 36>("NVFP4");

}  // namespace pedigree::types
