#include "fingerprint/kept_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "fingerprint/sampling.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t most_neurons = 256;
constexpr std::size_t fewer_neurons = 128;
constexpr std::size_t fewest_layers = 4;
constexpr std::uint64_t budget = 17'000'000;   // bytes, of all experts and shared ones
constexpr std::uint64_t bytes_a_response = 2;  // and as many for a row's exponent
constexpr std::uint64_t views = 2;

std::uint64_t neurons_of(const Model& model, const FfnPlace& place) {
  const CanonicalTensor* up = find_part(model, place, FfnPart::up);
  return up == nullptr ? 0 : up->rows;
}

// Layers that hold experts, in the order of their hashes, with all blocks they hold besides
// their own.
class ExpertLayers {
 public:
  ExpertLayers(const Model& model, std::size_t tokens, std::string_view salt)
      : model_(model), tokens_(tokens), scheme_{.salt = std::string(salt)} {
    std::map<int, std::vector<FfnPlace>> by_layer;
    for (const FfnPlace& place : ffn_places(model)) {
      if (place.kind == FfnPlace::Kind::dense) continue;
      by_layer[place.layer].push_back(place);
      if (place.kind != FfnPlace::Kind::expert) continue;
      experts_ = std::max(experts_, static_cast<std::uint64_t>(std::max(place.expert, 0)) + 1);
    }
    layers_.reserve(by_layer.size());
    for (auto& [layer, places] : by_layer) layers_.push_back(std::move(places));
    std::ranges::sort(layers_, {}, [&](const std::vector<FfnPlace>& places) {
      const auto layer = static_cast<std::uint64_t>(places.front().layer);
      return std::pair(sampling_hash(scheme_, "layer", layer), layer);
    });
  }

  std::uint64_t experts() const { return experts_; }
  std::size_t size() const { return layers_.size(); }

  // Whole layers while they fit.
  std::vector<std::vector<FfnPlace>> fitting(std::uint64_t experts, std::size_t neurons) const {
    const auto sampled = sampled_indices(scheme_, "expert", experts_, experts);
    std::vector<std::vector<FfnPlace>> taken;
    std::uint64_t left = budget;
    for (std::vector<FfnPlace> places : layers_) {
      std::erase_if(places, [&](const FfnPlace& place) {
        return place.kind == FfnPlace::Kind::expert && place.expert >= 0 &&
               !std::ranges::binary_search(sampled, static_cast<std::uint64_t>(place.expert));
      });
      std::uint64_t bytes = 0;
      for (const FfnPlace& place : places) bytes += bytes_of(place, neurons);
      if (bytes > left) break;
      left -= bytes;
      taken.push_back(std::move(places));
    }
    return taken;
  }

 private:
  std::uint64_t bytes_of(const FfnPlace& place, std::size_t neurons) const {
    const std::uint64_t all = neurons_of(model_, place);
    const std::uint64_t kept = all <= 2 * neurons ? all : neurons;
    return views * kept * (tokens_ + 1) * bytes_a_response;
  }

  const Model& model_;
  std::size_t tokens_;
  SamplingScheme scheme_;
  std::uint64_t experts_ = 0;
  std::vector<std::vector<FfnPlace>> layers_ = {};
};

}  // namespace

ExpertBudget expert_budget(const Model& model, std::size_t tokens, std::string_view salt) {
  const ExpertLayers layers(model, tokens, salt);
  const std::size_t wanted = std::min(layers.size(), fewest_layers);
  std::uint64_t experts = experts_looked_at(layers.experts());
  ExpertBudget found{.neurons = most_neurons};
  auto taken = layers.fitting(experts, found.neurons);
  if (taken.size() < wanted) found.neurons = fewer_neurons;
  while (taken.size() < wanted && experts > 0) {
    taken = layers.fitting(experts, found.neurons);
    experts /= 2;
  }
  for (const std::vector<FfnPlace>& places : taken) {
    found.places.insert(found.places.end(), places.begin(), places.end());
  }
  std::ranges::sort(found.places);
  return found;
}

Result<std::vector<NeuronAnswers>> kept_answers(const Model& model,
                                                const std::vector<std::uint64_t>& tokens,
                                                std::string_view salt, unsigned threads,
                                                const Progress& progress) {
  AnswerRequest own{.tokens = tokens, .places = ffn_places(model), .chosen = most_neurons};
  std::erase_if(own.places,
                [](const FfnPlace& place) { return place.kind != FfnPlace::Kind::dense; });
  ExpertBudget experts = expert_budget(model, tokens.size(), salt);
  const AnswerRequest of_experts{.tokens = tokens,
                                 .places = std::move(experts.places),
                                 .chosen = experts.neurons,
                                 .whole = 2 * experts.neurons};
  std::vector<NeuronAnswers> kept;
  for (const AnswerRequest* request : {&std::as_const(own), &of_experts}) {
    auto answers = neuron_answers(model, *request, threads, progress);
    if (!answers) return answers;
    std::ranges::move(*answers, std::back_inserter(kept));
  }
  std::erase_if(kept, [](const NeuronAnswers& block) {
    return block.neurons.empty() || !all_finite(block.first) || !all_finite(block.second);
  });
  std::ranges::sort(kept, {}, &NeuronAnswers::place);
  return kept;
}

std::string answer_scheme() {
  return fmt::format("c{}:t{}:a{}", most_neurons, choosing_tokens, whole_below);
}

std::string expert_scheme() {
  return fmt::format("e{}:f{}:y{}:x{}", most_whole_experts, fewer_neurons, fewest_layers, budget);
}

}  // namespace pedigree
