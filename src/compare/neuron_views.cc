#include "compare/neuron_views.h"

#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "fingerprint/fingerprint.h"
#include "fingerprint/sampling.h"

namespace pedigree {
namespace {

constexpr std::size_t chosen_here = 256;
constexpr std::size_t chosen_there = 768;

constexpr std::uint64_t all_experts = 8;
constexpr std::uint64_t few_experts = 4;
constexpr std::size_t most_blocks = 128;

// Some columns of neurons × tokens, each row less its mean over them.
Matrix centred_at(const std::vector<float>& values, std::size_t neurons,
                  std::span<const std::size_t> places) {
  Matrix part(neurons, places.size());
  const std::size_t tokens = neurons == 0 ? 0 : values.size() / neurons;
  for (std::size_t i = 0; i < neurons; ++i) {
    const auto row = part.row(i);
    double total = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = static_cast<double>(values[i * tokens + places[j]]);
      total += row[j];
    }
    for (double& value : row) value -= total / static_cast<double>(row.size());
  }
  return part;
}

// One more than the largest number of an expert.
std::uint64_t experts_in(const std::vector<FfnPlace>& places) {
  std::uint64_t count = 0;
  for (const FfnPlace& place : places) {
    if (place.kind == FfnPlace::Kind::expert) {
      count = std::max(count, static_cast<std::uint64_t>(place.expert) + 1);
    }
  }
  return count;
}

// A stored deep part holds few; else the side with fewer neurons is asked for few.
bool is_asked_few(const Side& subject, const Side& base) {
  if ((subject.weights == nullptr) != (base.weights == nullptr)) return subject.weights == nullptr;
  return subject.sketch.architecture.ffn <= base.sketch.architecture.ffn;
}

struct Asked {
  const std::vector<std::uint64_t>& rows;    // of the common tokens in the embedding
  const std::vector<std::size_t>& in_store;  // their places among a sketch's tokens
  bool few = false;
};

Result<std::vector<NeuronViews>> views_of_side(const Side& side, const Fingerprint& other,
                                               const Asked& asked, const CompareOptions& options) {
  if (side.weights == nullptr) return views_of(side.sketch.answers, asked.in_store);
  const auto answers = neuron_answers(*side.weights,
                                      {.tokens = asked.rows,
                                       .places = viewed_places(*side.weights, other),
                                       .chosen = asked.few ? chosen_here : chosen_there},
                                      options.threads, options.progress);
  if (!answers) return std::unexpected(answers.error());
  return views_of(*answers, first_indices(asked.rows.size()));
}

}  // namespace

void regress_on_first(const Matrix& first, Matrix& second) {
  for (std::size_t i = 0; i < first.rows; ++i) {
    const auto known = first.row(i);
    const auto left = second.row(i);
    const double squares = product(known, known);
    if (squares <= 0) continue;
    const double slope = product(known, left) / squares;
    for (std::size_t j = 0; j < known.size(); ++j) left[j] -= slope * known[j];
  }
}

std::vector<NeuronViews> views_of(const std::vector<NeuronAnswers>& answers,
                                  std::span<const std::size_t> token_places) {
  std::vector<NeuronViews> views;
  views.reserve(answers.size());
  for (const NeuronAnswers& block : answers) {
    NeuronViews seen{.place = block.place,
                     .neurons = block.neurons,
                     .first = centred_at(block.first, block.neurons.size(), token_places),
                     .second = centred_at(block.second, block.neurons.size(), token_places),
                     .gated = block.gated};
    regress_on_first(seen.first, seen.second);
    views.push_back(std::move(seen));
  }
  return views;
}

bool can_be_viewed(const Side& side) {
  return side.weights != nullptr || (keeps_answers(side.sketch) && !has_experts(side.sketch));
}

Result<ViewsOfBoth> views_of_both(const Side& subject, const Side& base, const CommonTokens& tokens,
                                  const CompareOptions& options) {
  const bool few_here = is_asked_few(subject, base);
  auto mine = views_of_side(
      subject, base.sketch,
      {.rows = tokens.subject_rows, .in_store = tokens.subject_places, .few = few_here}, options);
  if (!mine) return std::unexpected(std::move(mine.error()));
  auto theirs = views_of_side(
      base, subject.sketch,
      {.rows = tokens.base_rows, .in_store = tokens.base_places, .few = !few_here}, options);
  if (!theirs) return std::unexpected(std::move(theirs.error()));
  return ViewsOfBoth{.subject = std::move(*mine), .base = std::move(*theirs)};
}

std::vector<FfnPlace> viewed_places(const Model& model, const Fingerprint& other) {
  std::vector<FfnPlace> places = ffn_places(model);
  const std::uint64_t experts = experts_in(places);
  const bool equal_depth = model.architecture.layers == other.architecture.layers;
  const bool both = experts > 0 && experts_in(ffn_places(other)) > 0;
  const auto root = std::sqrt(static_cast<double>(experts));
  const auto sampled = sampled_indices(
      SamplingScheme{}, "expert", experts,
      both ? std::max(all_experts, static_cast<std::uint64_t>(std::ceil(1.5 * root)))
           : few_experts);
  std::erase_if(places, [&](const FfnPlace& place) {
    return place.kind == FfnPlace::Kind::expert &&
           !std::ranges::binary_search(sampled, static_cast<std::uint64_t>(place.expert));
  });
  if (!both || !equal_depth || places.size() <= most_blocks) return places;
  const auto depth = static_cast<std::size_t>(model.architecture.layers);
  const auto layers = spread_places(depth, most_blocks / sampled.size());
  std::erase_if(places, [&](const FfnPlace& place) {
    return !std::ranges::binary_search(layers, static_cast<std::size_t>(place.layer));
  });
  return places;
}

}  // namespace pedigree
