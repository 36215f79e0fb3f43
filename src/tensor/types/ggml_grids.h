// The points of ggml's IQ grids: constants no rule generates, so they are data.
// scripts/make-ggml-tables writes ggml_grids.cc.
#pragma once

#include <array>
#include <cstdint>

namespace pedigree::types {

// Eight elements of two bits, the first lowest: indices of magnitudes.
extern const std::array<std::uint16_t, 256> iq2_xxs_grid;
extern const std::array<std::uint16_t, 512> iq2_xs_grid;
extern const std::array<std::uint16_t, 1024> iq2_s_grid;

// The same for −1, 0 and 1; of IQ1_S and IQ1_M.
extern const std::array<std::uint16_t, 2048> iq1_s_grid;

// Four elements of a nibble, the first lowest: indices of magnitudes.
extern const std::array<std::uint16_t, 256> iq3_xxs_grid;
extern const std::array<std::uint16_t, 512> iq3_s_grid;

}  // namespace pedigree::types
