#include "compare/moved_neurons.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/bounds.h"
#include "compare/layer_pairs.h"
#include "compare/signed_layers.h"

namespace pedigree {
namespace {

constexpr std::size_t looked_up_per_layer = 64;
constexpr double plainly_alike = 0.25;  // mean cosine; a long training leaves 0.5

class Finder {
 public:
  Finder(const Side& subject, const Side& base, Descent& descent, unsigned threads)
      : subject_(subject),
        base_(base),
        descent_(descent),
        threads_(threads),
        pairs_(subject.sketch, base.sketch) {}

  Result<MovedNeurons> find() {
    Alignment& alignment = descent_.alignment;
    if (descent_.faint) return std::move(found_);  // signs were found by index
    if (subject_.sketch.architecture.hidden != base_.sketch.architecture.hidden &&
        alignment.by_width()) {
      return std::move(found_);  // settled with the width
    }
    if (!alignment.hidden_by_index || alignment.layers.empty()) {
      set_kept(1.0);
      return std::move(found_);
    }
    const Cell by_index =
        pooled(alignment.layers, [&](int a, int b) { return pairs_.neurons(a, b); });
    const bool in_place = by_index.units > 0 && 2 * by_index.matched >= by_index.units;
    if (in_place) set_kept(1.0);
    auto problem = in_place ? find_some() : find_all();
    if (problem) return std::unexpected(std::move(*problem));
    return std::move(found_);
  }

 private:
  bool as_many() const { return subject_.sketch.architecture.ffn == base_.sketch.architecture.ffn; }

  std::optional<Problem> find_all() {
    Alignment& alignment = descent_.alignment;
    auto neurons = found_neurons(subject_, base_, alignment.layers, threads_);
    if (!neurons) return std::move(neurons.error());
    const std::size_t most =
        std::min(subject_.sketch.architecture.ffn, base_.sketch.architecture.ffn);
    const Found counts = summary_of(*neurons, std::min(looked_up_per_layer, most));
    if (counts.looked_up == 0 || 2 * counts.found < counts.looked_up) {
      found_.ffn_is_new = true;
      return std::nullopt;
    }
    note_order(counts);
    alignment.neurons = std::move(*neurons);
    alignment.neurons_by_index = false;
    set_kept(static_cast<double>(counts.found) / static_cast<double>(counts.looked_up));
    if (as_many()) note_permutation();
    return std::nullopt;
  }

  // Most layers have their neurons in place; some may not.
  std::optional<Problem> find_some() {
    Alignment& alignment = descent_.alignment;
    const LayerMap moved = layers_out_of_place();
    if (moved.empty() || !as_many() || subject_.weights == nullptr || base_.weights == nullptr) {
      return std::nullopt;
    }
    auto neurons = found_neurons(subject_, base_, moved, threads_);
    if (!neurons) return std::move(neurons.error());
    const Found counts = summary_of(*neurons, looked_up_per_layer);
    if (counts.looked_up == 0 || 2 * counts.found < counts.looked_up) return std::nullopt;
    note_order(counts);
    std::size_t next = 0;
    for (const auto& layer : alignment.layers) {
      const bool is_moved = next < moved.size() && layer == moved[next];
      alignment.neurons.push_back(is_moved ? std::move((*neurons)[next++]) : in_place(layer.first));
    }
    alignment.neurons_by_index = false;
    note_permutation();
    return std::nullopt;
  }

  LayerMap layers_out_of_place() const {
    LayerMap moved;
    for (const auto& [a, b] : descent_.alignment.layers) {
      const Cell cell = pairs_.neurons(a, b);
      if (cell.units > 0 && 4 * cell.matched < cell.units) moved.emplace_back(a, b);
    }
    return moved;
  }

  NeuronPairs in_place(int layer) const {
    NeuronPairs pairs;
    const Block* up = subject_.sketch.block("ffn.up", layer);
    if (up == nullptr) return pairs;
    for (const std::uint64_t neuron : up->rows) pairs.emplace_back(neuron, neuron);
    return pairs;
  }

  void note_permutation() {
    descent_.reparametrised = true;
    descent_.transforms.emplace_back("neuron-permute");
  }

  // `share` of the smaller side's neurons have a partner.
  void set_kept(double share) {
    const auto mine = static_cast<double>(subject_.sketch.architecture.ffn);
    const auto theirs = static_cast<double>(base_.sketch.architecture.ffn);
    if (mine <= 0 || theirs <= 0 || mine == theirs) return;
    if (!descent_.kept) descent_.kept = Kept{};
    descent_.kept->ffn =
        std::round(share * std::min(mine, theirs) / std::max(mine, theirs) * 1e4) / 1e4;
    (mine < theirs ? descent_.subject_lacks : descent_.base_lacks).insert("neurons");
  }

  void note_order(const Found& counts) {
    found_.evidence.push_back(
        {.statistic = "neuron-order/1",
         .outcome = Evidence::Outcome::measured,
         .value = static_cast<double>(counts.in_order),
         .log10_p = log10_increasing_run(counts.longest_run, looked_up_per_layer),
         .null = Evidence::Null::exact,
         .samples = counts.looked_up,
         .stage = "aligned",
         .because = fmt::format("{} of {} sampled neurons have a clear partner under another "
                                "number, {} of them in the original order.",
                                counts.found, counts.looked_up, counts.in_order)});
  }

  const Side& subject_;
  const Side& base_;
  Descent& descent_;
  unsigned threads_;
  LayerPairs pairs_;
  MovedNeurons found_;
};

}  // namespace

Result<MovedNeurons> find_moved_neurons(const Side& subject, const Side& base, Descent& descent,
                                        unsigned threads) {
  return Finder(subject, base, descent, threads).find();
}

void find_flipped_signs(const Side& subject, const Side& base, Descent& descent, unsigned threads) {
  if (!descent.alignment.hidden_by_index || descent.faint ||
      subject.sketch.architecture.hidden != base.sketch.architecture.hidden) {
    return;
  }
  const SignedLayers layers(subject.sketch, base.sketch, threads);
  const auto likeness = layers.dimension_likeness(descent.alignment.layers, threads);
  const auto negated =
      std::ranges::count_if(likeness, [](double value) { return value < -plainly_alike; });
  const auto alike =
      std::ranges::count_if(likeness, [](double value) { return std::abs(value) > plainly_alike; });
  const auto dimensions = static_cast<std::ptrdiff_t>(likeness.size());
  if (dimensions == 0 || 10 * negated < dimensions || 10 * alike < 8 * dimensions) return;
  descent.alignment.hidden_by_index = false;
  descent.reparametrised = true;
  descent.transforms.emplace_back("residual-sign");
}

}  // namespace pedigree
