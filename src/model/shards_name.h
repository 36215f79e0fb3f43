// A weight file's name taken apart: "model-00001-of-00003.fp16.safetensors".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pedigree {

struct WeightName {
  std::string folder = {};                   // "unet/", "" at the root
  std::string stem = {};                     // "model"
  std::string separators = {};               // around "of": "--" or "__"
  std::string variant = {};                  // "fp16", ""
  std::string extension = {};                // "safetensors", lower case, without the dot
  std::optional<std::uint32_t> number = {};  // 1-based, of a shard
  std::uint32_t count = 0;                   // shards in all, 0 when the name does not say
  std::size_t digits = 0;                    // of number and count

  // Equal for the shards of one set, and for nothing else.
  std::string set() const;
  // "model-*-of-00003.safetensors", for people.
  std::string pattern() const;
  // The name of another shard of the same set, without the folder.
  std::string sibling(std::uint32_t other) const;
};

WeightName parse_weight_name(std::string_view path);

}  // namespace pedigree
