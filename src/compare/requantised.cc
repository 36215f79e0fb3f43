#include "compare/requantised.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "compare/readers.h"
#include "model/weights.h"
#include "tensor/requantise.h"

namespace pedigree {
namespace {

constexpr std::size_t most_matrices = 32;
constexpr std::uint64_t rows_each = 8;

using Twins = std::vector<std::pair<const CanonicalTensor*, const CanonicalTensor*>>;

const CanonicalTensor* counterpart(const CanonicalTensor& tensor, const Model& source,
                                   const LayerMap& layers) {
  int layer = -1;
  if (tensor.layer >= 0) {
    const auto at = std::ranges::find(layers, tensor.layer, &std::pair<int, int>::first);
    if (at == layers.end()) return nullptr;
    layer = at->second;
  }
  const CanonicalTensor* twin = source.find(tensor.role, layer, tensor.expert);
  const bool fits = twin != nullptr && twin->cols == tensor.cols && source.is_decodable(*twin);
  return fits ? twin : nullptr;
}

// Blocks lie along stored rows, so only matrices whose rows are stored as rows can tell.
Twins twins_of(const Model& copy, const Model& source, const LayerMap& layers) {
  Twins twins;
  for (const CanonicalTensor& tensor : copy.canonical) {
    const ElementType& type = copy.type_of(tensor);
    if (tensor.packed || tensor.transposed || tensor.cols == 1 || type.block == 0) continue;
    if (requantiser_of(type) == nullptr || tensor.cols % type.block != 0) continue;
    const CanonicalTensor* twin = counterpart(tensor, source, layers);
    if (twin != nullptr) twins.emplace_back(&tensor, twin);
  }
  Twins spread;
  spread.reserve(most_matrices);
  for (const std::uint64_t at : spread_indices(twins.size(), most_matrices)) {
    spread.push_back(twins[at]);
  }
  return spread;
}

struct Rows {
  std::vector<float> copy = {};
  std::vector<float> source = {};
};

// Adds what the rows say; the number of blocks looked at.
std::uint64_t hold_against(const Rows& rows, const ElementType& type, Requantised& found) {
  const Requantise requantise = requantiser_of(type);
  std::vector<float> rounded(rows.source.size());
  std::vector<float> fused(rows.source.size());
  requantise(rows.source, Products::rounded, rounded);
  requantise(rows.source, Products::fused, fused);
  std::uint64_t looked_at = 0;
  for (std::size_t i = 0; i < rows.copy.size(); i += type.block) {
    const auto block = [&](const std::vector<float>& values) {
      return std::span(values).subspan(i, type.block);
    };
    const auto mine = block(rows.copy);
    if (std::ranges::all_of(mine, [](float value) { return value == 0; })) continue;
    ++looked_at;
    found.equal +=
        std::ranges::equal(mine, block(rounded)) || std::ranges::equal(mine, block(fused)) ? 1U
                                                                                           : 0U;
  }
  found.blocks += looked_at;
  return looked_at;
}

}  // namespace

Result<std::optional<Requantised>> requantised(const Model& copy, const Model& source,
                                               const LayerMap& layers) {
  Requantised found;
  std::map<std::string, std::uint64_t> types;
  for (const auto& [tensor, twin] : twins_of(copy, source, layers)) {
    const auto rows = spread_indices(std::min(tensor->rows, twin->rows), rows_each);
    auto mine = read_rows(copy, *tensor, rows);
    if (!mine) return std::unexpected(std::move(mine.error()));
    auto theirs = read_rows(source, *twin, rows);
    if (!theirs) return std::unexpected(std::move(theirs.error()));
    const ElementType& type = copy.type_of(*tensor);
    types[std::string(type.id)] +=
        hold_against({.copy = std::move(*mine), .source = std::move(*theirs)}, type, found);
    ++found.matrices;
  }
  if (found.blocks == 0) return std::nullopt;
  found.type =
      std::ranges::max_element(types, {}, &std::pair<const std::string, std::uint64_t>::second)
          ->first;
  return found;
}

Evidence requantised_evidence(const Requantised& found) {
  return {.statistic = "requantised/1",
          .outcome = Evidence::Outcome::measured,
          .value = found.share(),
          .samples = found.blocks,
          .stage = "aligned",
          .because = fmt::format(
              "Quantised again by the rule of {}, {} of {} blocks of {} matrices come out equal to "
              "the last bit: {}.",
              found.type, found.equal, found.blocks, found.matrices,
              found.is_source()
                  ? "this very model was quantised, and not a relative of it"
                  : "it was not quantised by that rule alone, or a relative was quantised")};
}

}  // namespace pedigree
