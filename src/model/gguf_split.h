// What the parts of a split GGUF file say of the split, held against each other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "formats/formats.h"

namespace pedigree {

struct SplitPart {
  std::string file = {};                             // relative path
  std::optional<std::uint64_t> number = {};          // split.no, from 0
  std::optional<std::uint64_t> count = {};           // split.count
  std::optional<std::uint64_t> tensors_in_all = {};  // split.tensors.count
  std::uint64_t tensors = 0;                         // of this file
};

SplitPart split_part(std::span<const HeaderField> fields, std::string_view file,
                     std::uint64_t tensors);

// gguf-split, where parts contradict each other or what was read. Missing parts that
// file names tell of are told elsewhere; a sum is judged only when all are there.
std::vector<Problem> check_split(std::span<const SplitPart> parts);

}  // namespace pedigree
