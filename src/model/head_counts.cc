#include "model/head_counts.h"

#include <initializer_list>

namespace pedigree {
namespace {

constexpr std::uint64_t most_heads = 1'000'000;

bool divides(std::uint64_t part, std::uint64_t whole) { return part != 0 && whole % part == 0; }

// Rows of queries, which may be made of compressed ones.
std::uint64_t query_rows(const RoleTable& roles) {
  return roles.has("attn.q") ? roles.rows("attn.q") : roles.rows("attn.q_b");
}

// Do these heads explain the rows of q, k and v and the columns of o?
bool fit(const RoleTable& roles, const HeadCounts& counts) {
  if (counts.heads == 0 || counts.heads > most_heads || counts.kv_heads == 0) return false;
  if (counts.heads * counts.head_dim != query_rows(roles)) return false;
  if (!divides(counts.kv_heads, counts.heads)) return false;
  if (roles.has("attn.k") && counts.kv_heads * counts.head_dim != roles.rows("attn.k")) {
    return false;
  }
  const std::uint64_t values = roles.rows("attn.v");
  const std::uint64_t read = roles.cols("attn.o");
  if (!divides(counts.kv_heads, values) || !divides(counts.heads, read)) return false;
  // Each query head hands on one value head.
  return values == 0 || read == 0 || values / counts.kv_heads == read / counts.heads;
}

// The counts that heads of this size mean.
HeadCounts of_size(const RoleTable& roles, std::uint64_t head_dim) {
  const std::uint64_t queries = query_rows(roles);
  if (queries == 0 || !divides(head_dim, queries)) return {};
  HeadCounts counts{.heads = queries / head_dim, .head_dim = head_dim};
  const std::uint64_t keys = roles.rows("attn.k");
  if (!divides(head_dim, keys)) return {};
  counts.kv_heads = keys == 0 ? counts.heads : keys / head_dim;
  return counts;
}

bool agrees(const RoleTable& roles, const ConfigFacts& config, const HeadCounts& counts) {
  if (config.heads && *config.heads != counts.heads) return false;
  // One head's worth of compressed keys, that GGUF files of 2025 count, is no head of keys.
  if (roles.has("attn.kv_a")) return true;
  if (config.kv_heads) return *config.kv_heads == counts.kv_heads;
  // Said to be as many as query heads, unless the size of a head was said as well.
  return !config.heads || config.head_dim || counts.kv_heads == counts.heads;
}

// A norm for all heads or one of each shows a head's size; one on all of q shows nothing.
std::uint64_t size_by_norm(const RoleTable& roles) {
  if (roles.cols("attn.q.norm") > 1) return roles.cols("attn.q.norm");
  const std::uint64_t rows = roles.rows("attn.q.norm");
  return rows == roles.rows("attn.q") ? 0 : rows;
}

}  // namespace

HeadCounts head_counts(const RoleTable& roles, const ConfigFacts& config) {
  const HeadCounts shown = of_size(roles, size_by_norm(roles));
  if (fit(roles, shown)) return shown;
  const std::uint64_t declared = config.heads.value_or(0);
  const std::uint64_t queries = query_rows(roles);
  const std::uint64_t shared_out = divides(declared, queries) ? queries / declared : 0;
  for (const std::uint64_t size : {config.head_dim.value_or(0), shared_out}) {
    const HeadCounts counts = of_size(roles, size);
    if (fit(roles, counts) && agrees(roles, config, counts)) return counts;
  }
  return {};
}

}  // namespace pedigree
