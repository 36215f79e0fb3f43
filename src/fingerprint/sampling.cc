#include "fingerprint/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "base/digest.h"

namespace pedigree {
namespace {

constexpr std::string_view domain = "pedigree-sample/1";

// Indices beyond take no part: a file that claims an endless axis must not cost
// an endless time.
constexpr std::uint64_t longest_axis = std::uint64_t{1} << 20U;

// Everything that is hashed in front of an index or a token: the domain, the
// salt's digest and the axis, with a zero byte behind the two words.
std::string prefix_of(const SamplingScheme& scheme, std::string_view axis) {
  std::string prefix(domain);
  prefix += '\0';
  for (const std::byte byte : sha256(scheme.salt)) prefix += std::to_integer<char>(byte);
  prefix += axis;
  prefix += '\0';
  return prefix;
}

// Hashes many indices of one axis with one hash object.
class IndexHash {
 public:
  IndexHash(const SamplingScheme& scheme, std::string_view axis)
      : prefix_(prefix_of(scheme, axis)) {}

  std::uint64_t of(std::uint64_t index) {
    std::array<std::byte, 8> little_endian = {};
    for (std::size_t i = 0; i < little_endian.size(); ++i) {
      little_endian[i] = static_cast<std::byte>(index >> (8 * i) & 0xFFU);
    }
    hash_.update(prefix_);
    hash_.update(little_endian);
    return first_u64(hash_.finish());
  }

 private:
  std::string prefix_;
  Sha256 hash_;
};

}  // namespace

std::string SamplingScheme::id() const {
  const std::string drawn = salt.empty() ? "public" : to_hex(sha256(salt)).substr(0, 16);
  return fmt::format("pedigree-sample/1:n{}:h{}:t{}:r{}:k{}:{}", neurons, hidden, tokens, head_rows,
                     sketch, drawn);
}

std::uint64_t sampling_hash(const SamplingScheme& scheme, std::string_view axis,
                            std::uint64_t index) {
  return IndexHash(scheme, axis).of(index);
}

std::uint64_t token_hash(const SamplingScheme& scheme, std::string_view token_bytes) {
  std::string bytes = prefix_of(scheme, "token");
  bytes += token_bytes;
  return first_u64(sha256(bytes));
}

// A heap of the smallest: memory is that of the sample, whatever the axis says.
std::vector<std::uint64_t> sampled_indices(const SamplingScheme& scheme, std::string_view axis,
                                           std::uint64_t size, std::uint64_t count) {
  IndexHash hash(scheme, axis);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> kept;
  for (std::uint64_t index = 0; count > 0 && index < std::min(size, longest_axis); ++index) {
    const std::pair candidate(hash.of(index), index);
    if (kept.size() == count) {
      if (candidate >= kept.front()) continue;
      std::ranges::pop_heap(kept);
      kept.pop_back();
    }
    kept.push_back(candidate);
    std::ranges::push_heap(kept);
  }
  std::vector<std::uint64_t> indices;
  indices.reserve(kept.size());
  for (const auto& [order, index] : kept) indices.push_back(index);
  std::ranges::sort(indices);
  return indices;
}

std::uint64_t experts_looked_at(std::uint64_t experts) {
  const auto root = std::sqrt(static_cast<double>(experts));
  return std::max(most_whole_experts, static_cast<std::uint64_t>(std::ceil(1.5 * root)));
}

}  // namespace pedigree
