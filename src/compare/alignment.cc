#include "compare/alignment.h"

#include <algorithm>
#include <set>

#include "base/parallel.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;

// Gate and up rows of all neurons on some residual dimensions.
Result<std::pair<Matrix, Matrix>> all_rows(const Model& model, int layer,
                                           std::span<const std::uint64_t> dimensions) {
  std::pair<Matrix, Matrix> both;
  for (Matrix* target : {&both.first, &both.second}) {
    const char* role = target == &both.first ? "ffn.gate" : "ffn.up";
    const CanonicalTensor* tensor = model.find(role, layer);
    if (tensor == nullptr) return std::pair<Matrix, Matrix>{};
    *target = Matrix(tensor->rows, dimensions.size());
    auto problem = stream_rows(
        model, *tensor, chunk_bytes,
        [&](std::uint64_t first, std::span<const float> values) -> std::optional<Problem> {
          for (std::size_t i = 0; i * tensor->cols < values.size(); ++i) {
            for (std::size_t j = 0; j < dimensions.size(); ++j) {
              target->at(first + i, j) =
                  static_cast<double>(values[i * tensor->cols + dimensions[j]]);
            }
          }
          return std::nullopt;
        });
    if (problem) return std::unexpected(std::move(*problem));
  }
  return both;
}

struct Sampled {
  std::vector<std::uint64_t> neurons = {};
  std::vector<std::uint64_t> dimensions = {};
  Matrix gate = {};
  Matrix up = {};
};

std::optional<Sampled> sampled_rows(const Fingerprint& sketch, int layer, const Fingerprint& other,
                                    int other_layer) {
  const Block* gate = sketch.block("ffn.gate", layer);
  const Block* up = sketch.block("ffn.up", layer);
  const Block* other_gate = other.block("ffn.gate", other_layer);
  if (gate == nullptr || up == nullptr || other_gate == nullptr) return std::nullopt;
  const auto dimensions = shared_places(gate->cols, other_gate->cols);
  if (dimensions.subject.size() < fewest_shared || gate->rows != up->rows) return std::nullopt;
  const auto every = first_indices(gate->rows.size());
  Sampled sampled{.neurons = gate->rows,
                  .gate = part_of(*gate, every, dimensions.subject),
                  .up = part_of(*up, every, dimensions.subject)};
  for (const std::size_t place : dimensions.subject) {
    sampled.dimensions.push_back(gate->cols[place]);
  }
  return sampled;
}

// A partner counts when it is clearly ahead of the second best on the sum of the
// gate cosine and the unsigned up cosine; each lies in [0, 1].
NeuronPairs confident_partners(const Sampled& few, const Matrix& gate, const Matrix& up) {
  Witness witness;
  witness.views.push_back({.subject = few.gate, .base = gate});
  witness.views.push_back({.subject = few.up, .base = up, .unsigned_group = 0});
  const Matrix cosines = rectangular_similarity(witness);
  NeuronPairs pairs;
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    const auto row = cosines.row(i);
    const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    double second = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (j != best) second = std::max(second, row[j]);
    }
    if (row[best] > 0.8 && row[best] - second > 0.2) pairs.emplace_back(few.neurons[i], best);
  }
  return pairs;
}

Result<NeuronPairs> found_in_layer(const Side& few, int few_layer, const Side& many,
                                   int many_layer) {
  const auto sampled = sampled_rows(few.sketch, few_layer, many.sketch, many_layer);
  if (!sampled) return NeuronPairs{};
  const auto rows = all_rows(*many.weights, many_layer, sampled->dimensions);
  if (!rows) return std::unexpected(rows.error());
  if (rows->first.rows == 0) return NeuronPairs{};
  return confident_partners(*sampled, rows->first, rows->second);
}

}  // namespace

FfnMatch match_of(const BlockAgreement& agreement) {
  return {.subject = agreement.subject,
          .base = agreement.base,
          .by_index = false,
          .neurons = agreement.neurons,
          .looked_up = agreement.looked_at,
          .found = agreement.neurons.size(),
          .in_part = agreement.in_part};
}

IndexPairs paired_head_rows(const Side& subject, const Side& base, const NeuronPairs& heads,
                            bool of_values, std::size_t most) {
  const Architecture& mine = subject.sketch.architecture;
  const Architecture& theirs = base.sketch.architecture;
  const std::uint64_t size = mine.head_dim;
  IndexPairs rows;
  if (size == 0 || size != theirs.head_dim || mine.kv_heads == 0 || theirs.kv_heads == 0) {
    return rows;
  }
  std::set<std::pair<std::uint64_t, std::uint64_t>> pairs;
  for (auto [a, b] : heads) {
    if (of_values) {
      a = a * mine.kv_heads / std::max<std::uint64_t>(1, mine.heads);
      b = b * theirs.kv_heads / std::max<std::uint64_t>(1, theirs.heads);
    }
    pairs.emplace(a, b);
  }
  for (const auto& [a, b] : pairs) {
    for (std::uint64_t row = 0; row < size && rows.subject.size() < most; ++row) {
      rows.subject.push_back(a * size + row);
      rows.base.push_back(b * size + row);
    }
  }
  return rows;
}

Result<std::vector<NeuronPairs>> found_neurons(const Side& subject, const Side& base,
                                               const LayerMap& layers, unsigned threads) {
  const bool subject_is_few = subject.sketch.architecture.ffn <= base.sketch.architecture.ffn;
  const Side& few = subject_is_few ? subject : base;
  const Side& many = subject_is_few ? base : subject;
  std::vector<NeuronPairs> neurons(layers.size());
  if (many.weights == nullptr) return neurons;
  auto problem =
      parallel_for(layers.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        const auto [a, b] = layers[i];
        auto pairs =
            subject_is_few ? found_in_layer(few, a, many, b) : found_in_layer(few, b, many, a);
        if (!pairs) return std::move(pairs.error());
        if (!subject_is_few) {
          for (auto& [mine, theirs] : *pairs) std::swap(mine, theirs);
          std::ranges::sort(*pairs);
        }
        neurons[i] = std::move(*pairs);
        return std::nullopt;
      });
  if (problem) return std::unexpected(std::move(*problem));
  return neurons;
}

std::size_t longest_increasing_run(const NeuronPairs& pairs) {
  std::vector<std::uint64_t> tails;  // smallest last value of a run of each length
  for (const auto& [unused, value] : pairs) {
    const auto at = std::ranges::lower_bound(tails, value);
    if (at == tails.end()) {
      tails.push_back(value);
    } else {
      *at = value;
    }
  }
  return tails.size();
}

Found summary_of(const std::vector<NeuronPairs>& neurons, std::size_t looked_up_per_layer) {
  Found found;
  for (const NeuronPairs& pairs : neurons) {
    const std::size_t run = longest_increasing_run(pairs);
    found.longest_run = found.looked_up == 0 ? run : std::min(found.longest_run, run);
    found.looked_up += looked_up_per_layer;
    found.found += pairs.size();
    found.in_order += run;
  }
  return found;
}

}  // namespace pedigree
