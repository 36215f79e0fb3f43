// Which indices of an axis are looked at: those with the smallest hashes, so
// that the sample of a short axis is the short part of the sample of a long one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

struct SamplingScheme {
  std::uint32_t neurons = 64;
  std::uint32_t hidden = 64;
  std::uint32_t tokens = 256;
  std::uint32_t head_rows = 128;  // rows of q, k, v: whole heads, one at least
  std::uint32_t sketch = 1024;    // bottom-k of token strings
  std::string salt;

  // Names every parameter that can move a number.
  std::string id() const;
};

// The hash that orders the indices of axis `axis` ("neuron", "hidden", "head",
// "token-row").
std::uint64_t sampling_hash(const SamplingScheme& scheme, std::string_view axis,
                            std::uint64_t index);
std::uint64_t token_hash(const SamplingScheme& scheme, std::string_view token_bytes);

// The `count` indices below `size` with the smallest hashes, ascending.
std::vector<std::uint64_t> sampled_indices(const SamplingScheme& scheme, std::string_view axis,
                                           std::uint64_t size, std::uint64_t count);

// Of so many experts of a layer: all up to eight; of more 1.5 √n of n, so that two models
// whose experts were renumbered share some in nine of ten layers.
inline constexpr std::uint64_t most_whole_experts = 8;
std::uint64_t experts_looked_at(std::uint64_t experts);

}  // namespace pedigree
