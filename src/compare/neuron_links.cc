#include <algorithm>
#include <iterator>
#include <set>

#include "compare/alignment.h"
#include "compare/dense.h"
#include "fingerprint/residual_rows.h"

namespace pedigree {
namespace {

std::vector<NeuronLink> spread(const std::vector<NeuronLink>& links, std::size_t limit) {
  std::vector<NeuronLink> chosen;
  for (const std::size_t i : spread_places(links.size(), limit)) chosen.push_back(links[i]);
  return chosen;
}

// Neurons found by content, each once.
std::vector<NeuronLink> found_links(const std::vector<FfnMatch>& matches) {
  std::vector<NeuronLink> links;
  std::set<std::pair<FfnPlace, std::uint64_t>> used_here;
  std::set<std::pair<FfnPlace, std::uint64_t>> used_there;
  for (const FfnMatch& match : matches) {
    for (const auto& [mine, theirs] : match.neurons) {
      if (used_here.contains({match.subject, mine}) || used_there.contains({match.base, theirs})) {
        continue;
      }
      used_here.emplace(match.subject, mine);
      used_there.emplace(match.base, theirs);
      links.push_back({.subject = match.subject,
                       .base = match.base,
                       .subject_neuron = mine,
                       .base_neuron = theirs});
    }
  }
  return links;
}

// Neurons of one matrix as rows; empty where it has fewer of them or is narrower.
Result<Matrix> neuron_rows(const Model& model, const std::pair<FfnPlace, FfnPart>& matrix,
                           const std::vector<std::uint64_t>& neurons,
                           const std::vector<std::uint64_t>& dimensions) {
  const CanonicalTensor* tensor = find_part(model, matrix.first, matrix.second);
  if (tensor == nullptr) return Matrix{};
  if (*std::ranges::max_element(neurons) >= units_of(*tensor) ||
      *std::ranges::max_element(dimensions) >= residual_width_of(*tensor)) {
    return Matrix{};
  }
  return residual_rows(model, *tensor, neurons, dimensions);
}

}  // namespace

std::vector<FfnMatch> ffn_matches(const Alignment& alignment, std::size_t place) {
  const auto [a, b] = alignment.layers[place];
  std::vector<FfnMatch> matches;
  std::ranges::copy_if(alignment.experts, std::back_inserter(matches), [&](const FfnMatch& match) {
    return match.subject.layer == a && match.base.layer == b;
  });
  if (!matches.empty()) return matches;
  FfnMatch dense{.subject = {.layer = a}, .base = {.layer = b}};
  dense.by_index = alignment.neurons_by_index;
  if (!dense.by_index && place < alignment.neurons.size()) dense.neurons = alignment.neurons[place];
  matches.push_back(std::move(dense));
  return matches;
}

std::optional<std::pair<FfnPlace, FfnPlace>> indexed_blocks(const Alignment& alignment,
                                                            std::size_t place) {
  const auto matches = ffn_matches(alignment, place);
  const FfnMatch* nearest = nullptr;
  for (const FfnMatch& match : matches) {
    if (!match.by_index) continue;
    if (nearest == nullptr || match.distance < nearest->distance) nearest = &match;
  }
  if (nearest == nullptr) return std::nullopt;
  return std::pair(nearest->subject, nearest->base);
}

std::vector<NeuronLink> neuron_links(const Alignment& alignment, std::size_t place,
                                     const Model& subject, const Model& base, std::size_t limit) {
  const auto blocks = indexed_blocks(alignment, place);
  if (!blocks) return spread(found_links(ffn_matches(alignment, place)), limit);
  const CanonicalTensor* mine = find_part(subject, blocks->first, FfnPart::up);
  const CanonicalTensor* theirs = find_part(base, blocks->second, FfnPart::up);
  std::vector<NeuronLink> links;
  if (mine == nullptr || theirs == nullptr) return links;
  for (const std::size_t i : spread_places(std::min(mine->rows, theirs->rows), limit)) {
    links.push_back(
        {.subject = blocks->first, .base = blocks->second, .subject_neuron = i, .base_neuron = i});
  }
  return links;
}

Result<Matrix> linked_rows(const Model& model, const std::vector<NeuronLink>& links,
                           bool of_subject, FfnPart part,
                           const std::vector<std::uint64_t>& dimensions) {
  if (links.empty() || dimensions.empty()) return Matrix{};
  Matrix rows(links.size(), dimensions.size());
  const auto place_of = [&](std::size_t i) {
    return of_subject ? links[i].subject : links[i].base;
  };
  for (std::size_t begin = 0; begin < links.size();) {
    const FfnPlace place = place_of(begin);
    std::vector<std::uint64_t> neurons;
    std::size_t end = begin;
    for (; end < links.size() && place_of(end) == place; ++end) {
      neurons.push_back(of_subject ? links[end].subject_neuron : links[end].base_neuron);
    }
    const auto found = neuron_rows(model, {place, part}, neurons, dimensions);
    if (!found) return std::unexpected(found.error());
    if (found->rows == 0) return Matrix{};
    std::ranges::copy(found->values,
                      rows.values.begin() + static_cast<std::ptrdiff_t>(begin * rows.cols));
    begin = end;
  }
  return rows;
}

}  // namespace pedigree
