// What a file may ask of us before it is refused.
#pragma once

#include <cstdint>

namespace pedigree {

struct Limits {
  std::uint64_t header_bytes = 100'000'000;  // safetensors: the specification's own cap
  std::uint64_t tensors = 10'000'000;
  std::uint64_t rank = 64;  // dimensions of one tensor
  std::uint64_t name_bytes = 65'536;
  std::uint64_t shards = 10'000;
  std::uint64_t gguf_header_bytes = std::uint64_t{256} << 20U;  // ten times the largest seen
  std::uint64_t gguf_entries = std::uint64_t{1} << 20U;
  std::uint64_t list_items = std::uint64_t{1} << 23U;  // kept of all lists of a header
  std::uint64_t archive_members = 1'000'000;
  std::uint64_t pickle_operations = 10'000'000;
  std::uint64_t pickle_nodes = 2'000'000;  // values a pickle may build
  std::uint64_t pickle_stack = 100'000;    // values and marks
  std::uint64_t graph_nodes = 10'000'000;  // operators of a graph and those within it
  std::uint64_t nesting = 64;              // containers within containers of a state dict
};

}  // namespace pedigree
