#include "compare/neuron_views.h"

#include <algorithm>
#include <set>

#include "compare/dense.h"
#include "fingerprint/fingerprint.h"
#include "fingerprint/sampling.h"

namespace pedigree {
namespace {

constexpr std::size_t chosen_here = 256;
constexpr std::size_t chosen_there = 768;

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

std::vector<NeuronViews> kept_views(const Fingerprint& sketch,
                                    std::span<const std::size_t> token_places) {
  auto views = views_of(sketch.answers, token_places);
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].full_neurons = full_neurons(sketch, sketch.answers[i]);
  }
  return views;
}

Result<std::vector<NeuronViews>> views_of_side(const Side& side, const Side& other,
                                               const Asked& asked, const CompareOptions& options) {
  if (side.weights == nullptr) return kept_views(side.sketch, asked.in_store);
  const auto answers = neuron_answers(
      *side.weights,
      {.tokens = asked.rows,
       .places = other.weights == nullptr ? places_beside(*side.weights, other.sketch)
                                          : viewed_places(*side.weights, other.sketch),
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
                     .gated = block.gated,
                     .full_neurons = block.full_neurons};
    regress_on_first(seen.first, seen.second);
    views.push_back(std::move(seen));
  }
  return views;
}

bool can_be_viewed(const Side& side) {
  if (side.weights != nullptr) return true;
  return has_experts(side.sketch) ? keeps_expert_answers(side.sketch) : keeps_answers(side.sketch);
}

Result<ViewsOfBoth> views_of_both(const Side& subject, const Side& base, const CommonTokens& tokens,
                                  const CompareOptions& options) {
  const bool few_here = is_asked_few(subject, base);
  auto mine = views_of_side(
      subject, base,
      {.rows = tokens.subject_rows, .in_store = tokens.subject_places, .few = few_here}, options);
  if (!mine) return std::unexpected(std::move(mine.error()));
  auto theirs = views_of_side(
      base, subject, {.rows = tokens.base_rows, .in_store = tokens.base_places, .few = !few_here},
      options);
  if (!theirs) return std::unexpected(std::move(theirs.error()));
  return ViewsOfBoth{.subject = std::move(*mine), .base = std::move(*theirs)};
}

std::vector<FfnPlace> viewed_places(const Model& model, const Fingerprint& other) {
  std::vector<FfnPlace> places = ffn_places(model);
  const std::uint64_t experts = experts_in(places);
  const bool equal_depth = model.architecture.layers == other.architecture.layers;
  const bool both = experts > 0 && experts_in(ffn_places(other)) > 0;
  const auto sampled = sampled_indices(SamplingScheme{}, "expert", experts,
                                       both ? experts_looked_at(experts) : few_experts);
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

std::vector<FfnPlace> places_beside(const Model& model, const Fingerprint& stored) {
  std::set<int> layers;
  std::set<std::uint64_t> numbers;
  for (const NeuronAnswers& block : stored.answers) {
    if (block.place.kind == FfnPlace::Kind::dense) continue;
    layers.insert(block.place.layer);
    if (block.place.expert >= 0) numbers.insert(static_cast<std::uint64_t>(block.place.expert));
  }
  std::vector<FfnPlace> places = ffn_places(model);
  const std::uint64_t experts = experts_in(places);
  for (const std::uint64_t number :
       sampled_indices(SamplingScheme{}, "expert", experts,
                       layers.empty() ? few_experts : experts_looked_at(experts))) {
    numbers.insert(number);
  }
  const bool equal_depth = model.architecture.layers == stored.architecture.layers;
  std::erase_if(places, [&](const FfnPlace& place) {
    if (place.kind == FfnPlace::Kind::dense) return false;
    if (equal_depth && !layers.empty() && !layers.contains(place.layer)) return true;
    return place.kind == FfnPlace::Kind::expert && place.expert >= 0 &&
           !numbers.contains(static_cast<std::uint64_t>(place.expert));
  });
  return places;
}

std::uint64_t full_neurons(const Fingerprint& sketch, const NeuronAnswers& block) {
  if (block.full_neurons > 0) return block.full_neurons;
  const Block* up = find_part(sketch, block.place, FfnPart::up);
  return up == nullptr ? 0 : up->full_rows;
}

}  // namespace pedigree
