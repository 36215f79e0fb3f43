// A model as runs of equal blocks, of which there may be several: an encoder's and a decoder's,
// dense layers and those of experts. What stands in no run is around them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/shape_fit.h"

namespace pedigree {

struct BlockRun {
  ShapeBag shapes = {};  // of one block
  std::size_t times = 0;

  bool operator==(const BlockRun&) const = default;
};

struct BlockReading {
  std::vector<BlockRun> runs = {};
  ShapeBag outside = {};

  bool operator==(const BlockReading&) const = default;
};

// Every reading worth trying, in order of trust: by the numbers in the names, by place in the
// files, by natural order of the names. None where nothing repeats.
std::vector<BlockReading> block_readings(std::span<const StoredTensor> stored);

// What most of the model is made of, where nobody knows its roles: "28 × {2 of 64 · 64×64 · …}",
// the same for the same shapes whatever their names. "" where nothing repeats.
std::string block_template(std::span<const StoredTensor> stored);

}  // namespace pedigree
