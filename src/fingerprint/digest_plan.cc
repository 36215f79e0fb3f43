#include <algorithm>
#include <string_view>
#include <utility>

#include "fingerprint/digest_pass.h"
#include "fingerprint/value_hash.h"

namespace pedigree {
namespace {

std::vector<std::uint64_t> canonical_shape(const CanonicalTensor& tensor) {
  if (tensor.cols == 1) return {tensor.rows};
  return {tensor.rows, tensor.cols};
}

// rows × cols, or nothing where that is beyond 64 bits.
std::optional<std::uint64_t> size_of(const CanonicalTensor& tensor) {
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(tensor.rows, tensor.cols, &size)) return std::nullopt;
  return size;
}

// Where the part lies, when its values stand in order in whole bytes.
std::optional<Extent> extent_of(const TensorEntry& entry, const CanonicalTensor& part) {
  const auto size = size_of(part);
  if (!part.is_plain() || !size) return std::nullopt;
  const auto bytes_of = [&](std::uint64_t rows) -> std::optional<std::uint64_t> {
    std::uint64_t elements = 0;
    if (__builtin_mul_overflow(rows, part.cols, &elements)) return std::nullopt;
    return entry.type->bytes_of(elements);
  };
  const auto before = bytes_of(part.first_row);
  const auto bytes = bytes_of(part.rows);
  if (!before || !bytes || *before > entry.extent.size()) return std::nullopt;
  if (*bytes > entry.extent.size() - *before) return std::nullopt;
  return Extent{.begin = entry.extent.begin + *before,
                .end = entry.extent.begin + *before + *bytes};
}

class Planner {
 public:
  Planner(const Model& model, const DigestOptions& options, std::vector<TensorDigest>& results)
      : model_(model), options_(options), results_(results) {}

  DigestPlan plan();

 private:
  void plan_tensor(std::size_t index, const std::vector<std::size_t>& canonical);
  void plan_values(std::size_t tensor, std::size_t canonical, std::size_t result);
  void name_role(TensorDigest& result, const CanonicalTensor& tensor) const;

  bool wants_values() const { return options_.h2 || options_.h3; }

  const Model& model_;
  const DigestOptions& options_;
  std::vector<TensorDigest>& results_;
  DigestPlan plan_;
};

void Planner::name_role(TensorDigest& result, const CanonicalTensor& tensor) const {
  result.role = tensor.role;
  result.layer = tensor.layer;
  result.expert = tensor.expert;
  result.shape = canonical_shape(tensor);
}

void Planner::plan_values(std::size_t tensor, std::size_t canonical, std::size_t result) {
  const StoredTensor& stored = model_.tensors[tensor];
  const CanonicalTensor& part = model_.canonical[canonical];
  if (const auto extent = extent_of(stored.entry, part)) {
    plan_.shards[stored.shard].values.push_back(
        {.extent = *extent, .tensor = tensor, .result = result, .shape = results_[result].shape});
  } else if (value_class(model_.type_of(part)) == ValueClass::f32) {
    plan_.rest.push_back({.canonical = canonical, .result = result});
  }
}

void Planner::plan_tensor(std::size_t index, const std::vector<std::size_t>& canonical) {
  const StoredTensor& stored = model_.tensors[index];
  const auto whole = std::ranges::find_if(canonical, [&](std::size_t candidate) {
    const CanonicalTensor& part = model_.canonical[candidate];
    const std::uint64_t elements =
        part.packed ? model_.packed[*part.packed].count() : stored.entry.element_count();
    return size_of(part) == elements;
  });
  if (whole != canonical.end()) {
    name_role(results_[index], model_.canonical[*whole]);
    if (wants_values()) plan_values(index, *whole, index);
  } else if (canonical.empty()) {
    if (!wants_values()) return;
    plan_.shards[stored.shard].values.push_back({.extent = stored.entry.extent,
                                                 .tensor = index,
                                                 .result = index,
                                                 .shape = stored.entry.shape});
  } else if (wants_values()) {
    results_[index].fused = true;
    for (const std::size_t part : canonical) {
      const CanonicalTensor& tensor = model_.canonical[part];
      TensorDigest result = {.name = stored.entry.name + '#' + tensor.role,
                             .elements = size_of(tensor).value_or(0)};
      name_role(result, tensor);
      results_.push_back(std::move(result));
      plan_.parents.push_back(index);
      plan_values(index, part, results_.size() - 1);
    }
  }
}

// Keeps the pieces a single pass can serve and sets the others apart.
void set_apart(std::vector<Piece>& pieces, std::vector<Piece>& apart) {
  std::ranges::sort(pieces, {},
                    [](const Piece& piece) { return std::pair(piece.extent.begin, piece.result); });
  std::vector<Piece> kept;
  for (Piece& piece : pieces) {
    const bool follows = kept.empty() || piece.extent.begin >= kept.back().extent.end;
    (follows && piece.extent.size() > 0 ? kept : apart).push_back(std::move(piece));
  }
  pieces = std::move(kept);
}

DigestPlan Planner::plan() {
  plan_.shards.resize(model_.shards.size());
  std::vector<std::vector<std::size_t>> canonical(model_.tensors.size());
  for (std::size_t i = 0; i < model_.canonical.size(); ++i) {
    canonical[model_.canonical[i].tensor].push_back(i);
  }
  for (const StoredTensor& stored : model_.tensors) {
    results_.push_back({.name = stored.entry.name,
                        .shape = stored.entry.shape,
                        .elements = stored.entry.element_count()});
  }
  for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
    const StoredTensor& stored = model_.tensors[i];
    plan_.shards[stored.shard].raw.push_back(
        {.extent = stored.entry.extent, .tensor = i, .result = i, .shape = {}});
    plan_tensor(i, canonical[i]);
  }
  for (ShardPlan& shard : plan_.shards) {
    set_apart(shard.raw, shard.raw_apart);
    set_apart(shard.values, shard.values_apart);
  }
  return std::move(plan_);
}

}  // namespace

DigestPlan plan_digests(const Model& model, const DigestOptions& options,
                        std::vector<TensorDigest>& results) {
  return Planner(model, options, results).plan();
}

}  // namespace pedigree
