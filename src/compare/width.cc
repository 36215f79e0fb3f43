#include "compare/width.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "base/parallel.h"
#include "compare/bounds.h"
#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t dimensions_looked_up = 512;
constexpr std::size_t dimensions_used = 256;  // as features of neurons and heads
constexpr std::size_t neurons_looked_up = 64;
constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;

constexpr double least_lead = 0.1;
constexpr double least_head_cosine = 0.3;  // the mean over a head's rows

// On f features unrelated rows have a cosine of 1/√f; the largest among ten thousand is
// four times that and leads the second by a tenth of it.
double least_cosine(const Witness& witness) {
  std::size_t features = 0;
  for (const View& view : witness.views) features += view.base.cols;
  return std::max(0.35, 5.5 / std::sqrt(static_cast<double>(features)));
}

using Indices = std::vector<std::uint64_t>;

Result<Matrix> block_of(const Model& model, const CanonicalTensor& tensor, const Indices& rows,
                        const Indices& cols) {
  const auto values = read_block(model, tensor, rows, cols);
  if (!values) return std::unexpected(values.error());
  Matrix block(rows.size(), cols.size());
  std::ranges::transform(*values, block.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return block;
}

Indices spread_indices(std::uint64_t size, std::size_t count) {
  const auto places = spread_places(static_cast<std::size_t>(size), count);
  return {places.begin(), places.end()};
}

Indices all_indices(std::uint64_t size) { return spread_indices(size, size); }

// Which side is the narrower, and the pair seen from there.
struct Sides {
  const Side& few;
  const Side& many;
  bool subject_is_few;

  std::pair<int, int> layers(std::pair<int, int> pair) const {
    return subject_is_few ? pair : std::pair(pair.second, pair.first);
  }
  NeuronPairs as_subject_base(NeuronPairs pairs) const {
    if (!subject_is_few) {
      for (auto& [mine, theirs] : pairs) std::swap(mine, theirs);
      std::ranges::sort(pairs);
    }
    return pairs;
  }
};

// Residual dimensions as columns of a token matrix, prepared cosines to all others.
Result<NeuronPairs> partner_dimensions(const Sides& sides, const Indices& looked_up) {
  const CommonTokens tokens = common_tokens(sides.few.sketch, sides.many.sketch);
  if (tokens.subject_rows.size() < fewest_shared) return NeuronPairs{};
  Witness witness;
  for (const std::string_view role : {"embed.tokens", "head.out"}) {
    const CanonicalTensor* few = sides.few.weights->find(role);
    const CanonicalTensor* many = sides.many.weights->find(role);
    if (few == nullptr || many == nullptr) continue;
    const auto beyond = [](const Indices& rows, const CanonicalTensor* tensor) {
      return std::ranges::any_of(rows, [&](std::uint64_t row) { return row >= tensor->rows; });
    };
    if (beyond(tokens.subject_rows, few) || beyond(tokens.base_rows, many)) continue;
    const auto a = block_of(*sides.few.weights, *few, tokens.subject_rows, looked_up);
    if (!a) return std::unexpected(a.error());
    const auto b = block_of(*sides.many.weights, *many, tokens.base_rows, all_indices(many->cols));
    if (!b) return std::unexpected(b.error());
    witness.views.push_back({.subject = transposed(*a), .base = transposed(*b)});
  }
  if (witness.views.empty()) return NeuronPairs{};
  Matrix cosines = rectangular_similarity(witness);
  for (double& value : cosines.values) value /= static_cast<double>(witness.views.size());
  NeuronPairs pairs = clear_partners(cosines, least_cosine(witness), least_lead);
  for (auto& [place, partner] : pairs) place = looked_up[place];
  return pairs;
}

// All rows of a matrix on some dimensions.
Result<Matrix> rows_on(const Model& model, std::string_view role, int layer,
                       const Indices& dimensions) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr || dimensions.empty() ||
      *std::ranges::max_element(dimensions) >= tensor->cols) {
    return Matrix{};
  }
  Matrix rows(tensor->rows, dimensions.size());
  auto problem = stream_rows(
      model, *tensor, chunk_bytes,
      [&](std::uint64_t first, std::span<const float> values) -> std::optional<Problem> {
        for (std::size_t i = 0; i * tensor->cols < values.size(); ++i) {
          for (std::size_t j = 0; j < dimensions.size(); ++j) {
            rows.at(first + i, j) = static_cast<double>(values[i * tensor->cols + dimensions[j]]);
          }
        }
        return std::nullopt;
      });
  if (problem) return std::unexpected(std::move(*problem));
  return rows;
}

Result<NeuronPairs> partner_neurons(const Sides& sides, std::pair<int, int> layers,
                                    const IndexPairs& dimensions) {
  const auto [few_layer, many_layer] = layers;
  const CanonicalTensor* few = sides.few.weights->find("ffn.up", few_layer);
  if (few == nullptr) return NeuronPairs{};
  const Indices looked_up = spread_indices(few->rows, neurons_looked_up);
  Witness witness;
  for (const std::string_view role : {"ffn.gate", "ffn.up"}) {
    const CanonicalTensor* tensor = sides.few.weights->find(role, few_layer);
    if (tensor == nullptr || tensor->rows != few->rows) continue;
    auto a = block_of(*sides.few.weights, *tensor, looked_up, dimensions.subject);
    if (!a) return std::unexpected(std::move(a.error()));
    auto b = rows_on(*sides.many.weights, role, many_layer, dimensions.base);
    if (!b) return std::unexpected(std::move(b.error()));
    if (b->rows < looked_up.size()) continue;
    witness.views.push_back({.subject = std::move(*a),
                             .base = std::move(*b),
                             .unsigned_group = role == "ffn.up" ? 0 : -1});
  }
  if (witness.views.empty()) return NeuronPairs{};
  Matrix cosines = rectangular_similarity(witness);
  for (double& value : cosines.values) value /= static_cast<double>(witness.views.size());
  NeuronPairs pairs = clear_partners(cosines, least_cosine(witness), least_lead);
  for (auto& [place, partner] : pairs) place = looked_up[place];
  return pairs;
}

// Mean over a head's rows of their cosines; rows of one head keep their order.
Matrix head_cosines(Matrix few, Matrix many, std::size_t head) {
  scale_rows(few);
  scale_rows(many);
  Matrix cosines(few.rows / head, many.rows / head);
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    for (std::size_t j = 0; j < cosines.cols; ++j) {
      for (std::size_t c = 0; c < head; ++c) {
        cosines.at(i, j) +=
            product(few.row(i * head + c), many.row(j * head + c)) / static_cast<double>(head);
      }
    }
  }
  return cosines;
}

// Are heads cut alike on both sides, so that fewer of them are fewer rows of q?
bool are_comparable_heads(const Architecture& a, const Architecture& b) {
  return a.head_dim != 0 && a.head_dim == b.head_dim;
}

Result<NeuronPairs> partner_heads(const Sides& sides, std::pair<int, int> layers,
                                  const IndexPairs& dimensions) {
  const std::uint64_t head = sides.few.sketch.architecture.head_dim;
  if (!are_comparable_heads(sides.few.sketch.architecture, sides.many.sketch.architecture)) {
    return NeuronPairs{};
  }
  auto few = rows_on(*sides.few.weights, "attn.q", layers.first, dimensions.subject);
  if (!few) return std::unexpected(std::move(few.error()));
  auto many = rows_on(*sides.many.weights, "attn.q", layers.second, dimensions.base);
  if (!many) return std::unexpected(std::move(many.error()));
  if (few->rows == 0 || many->rows == 0 || few->rows % head != 0 || many->rows % head != 0) {
    return NeuronPairs{};
  }
  return clear_partners(head_cosines(std::move(*few), std::move(*many), head), least_head_cosine,
                        least_lead);
}

void count(KeptUnits& kept, const std::vector<NeuronPairs>& found, std::size_t looked_up) {
  looked_up = std::min<std::size_t>(looked_up, kept.out_of);
  for (const NeuronPairs& pairs : found) {
    if (kept.looked_up == 0) kept.longest_run = longest_increasing_run(pairs);
    kept.looked_up += looked_up;
    kept.found += pairs.size();
  }
}

bool are_by_index(const std::vector<NeuronPairs>& found) {
  return std::ranges::all_of(found, [](const NeuronPairs& pairs) {
    return std::ranges::all_of(pairs, [](const auto& pair) { return pair.first == pair.second; });
  });
}

IndexPairs thinned(const IndexPairs& pairs, std::size_t most) {
  IndexPairs some;
  for (const std::size_t place : spread_places(pairs.subject.size(), most)) {
    some.subject.push_back(pairs.subject[place]);
    some.base.push_back(pairs.base[place]);
  }
  return some;
}

// Finds the pairs of residual dimensions, (subject, base); false when too few.
Result<bool> find_dimensions(const Sides& sides, Width& width) {
  const auto few = sides.few.sketch.architecture.hidden;
  const Indices looked_up = spread_indices(few, dimensions_looked_up);
  if (few == sides.many.sketch.architecture.hidden) {
    width.dimensions = {.subject = looked_up, .base = looked_up};
    return true;
  }
  auto found = partner_dimensions(sides, looked_up);
  if (!found) return std::unexpected(std::move(found.error()));
  width.kept_dimensions = {.out_of = few,
                           .looked_up = looked_up.size(),
                           .found = found->size(),
                           .longest_run = longest_increasing_run(*found)};
  for (const auto& [mine, theirs] : sides.as_subject_base(*found)) {
    width.dimensions.subject.push_back(mine);
    width.dimensions.base.push_back(theirs);
  }
  return found->size() >= fewest_shared && 2 * found->size() >= looked_up.size();
}

double rounded_share(double share) { return std::round(share * 1e4) / 1e4; }

// Nearly all found: the others were trained away, not put in anew.
constexpr double as_good_as_all = 0.9;

// Kept share of one kind of units, and which side lacks the others.
void note_kept(Descent& descent, double& share, const KeptUnits& kept,
               std::pair<std::uint64_t, std::uint64_t> sizes, const char* units) {
  const auto [mine, theirs] = sizes;
  if (mine == theirs || mine == 0 || theirs == 0 || kept.looked_up == 0) return;
  const auto few = static_cast<double>(std::min(mine, theirs));
  const auto common = std::min(few, kept.share() * static_cast<double>(kept.out_of));
  share = rounded_share((common >= as_good_as_all * few ? few : common) /
                        static_cast<double>(std::max(mine, theirs)));
  (mine < theirs ? descent.subject_lacks : descent.base_lacks).insert(units);
}

Evidence order_evidence(const KeptUnits& kept) {
  return {.statistic = "dimension-order/1",
          .outcome = Evidence::Outcome::measured,
          .value = static_cast<double>(kept.longest_run),
          .log10_p = log10_increasing_run(kept.longest_run, kept.looked_up),
          .null = Evidence::Null::exact,
          .samples = kept.looked_up,
          .stage = "aligned",
          .because = fmt::format("{} of {} residual dimensions have a clear partner among the "
                                 "wider model's by common tokens, {} of them in the original "
                                 "order.",
                                 kept.found, kept.looked_up, kept.longest_run)};
}

// Heads of every layer, and neurons of those that have a list for them.
std::optional<Problem> find_partners(const Sides& sides, const LayerMap& layers, Width& width,
                                     unsigned threads) {
  const IndexPairs used = thinned(width.dimensions, dimensions_used);
  const IndexPairs from_few =
      sides.subject_is_few ? used : IndexPairs{.subject = used.base, .base = used.subject};
  return parallel_for(layers.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
    auto heads = partner_heads(sides, sides.layers(layers[i]), from_few);
    if (!heads) return std::move(heads.error());
    width.heads[i] = std::move(*heads);
    if (i >= width.neurons.size()) return std::nullopt;
    auto neurons = partner_neurons(sides, sides.layers(layers[i]), from_few);
    if (!neurons) return std::move(neurons.error());
    width.neurons[i] = std::move(*neurons);
    return std::nullopt;
  });
}

}  // namespace

std::vector<Evidence> take_width(Descent& descent, Width width, const Architecture& subject,
                                 const Architecture& base) {
  Alignment& alignment = descent.alignment;
  Kept kept = descent.kept.value_or(Kept{});
  note_kept(descent, kept.hidden, width.kept_dimensions, {subject.hidden, base.hidden},
            "residual dimensions");
  note_kept(descent, kept.heads, width.kept_heads, {subject.heads, base.heads}, "heads");
  note_kept(descent, kept.ffn, width.kept_neurons, {subject.ffn, base.ffn}, "neurons");
  const bool narrower = !descent.subject_lacks.empty() || !descent.base_lacks.empty();
  if (!narrower) return {};
  descent.kept = kept;
  alignment.dimensions = std::move(width.dimensions);
  alignment.heads = std::move(width.heads);
  if (subject.hidden == base.hidden) return {};
  // Found coordinate by coordinate: not a rotation, whatever the stage looked for.
  alignment.hidden_by_index = true;
  alignment.neurons_by_index = width.neurons.empty();
  alignment.neurons = std::move(width.neurons);
  descent.reparametrised = false;
  descent.transforms.clear();
  return {order_evidence(width.kept_dimensions)};
}

NeuronPairs clear_partners(const Matrix& cosines, double least, double lead) {
  std::map<std::size_t, std::pair<double, std::size_t>> taken;  // column to (cosine, row)
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    const auto row = cosines.row(i);
    const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    double second = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (j != best) second = std::max(second, row[j]);
    }
    if (row[best] < least || row[best] - second < lead) continue;
    const auto [at, is_new] = taken.try_emplace(best, row[best], i);
    if (!is_new && row[best] > at->second.first) at->second = {row[best], i};
  }
  NeuronPairs pairs;
  for (const auto& [column, holder] : taken) pairs.emplace_back(holder.second, column);
  std::ranges::sort(pairs);
  return pairs;
}

Result<std::optional<Width>> find_width(const Side& subject, const Side& base,
                                        const LayerMap& layers, unsigned threads) {
  const Architecture& mine = subject.sketch.architecture;
  const Architecture& theirs = base.sketch.architecture;
  const bool same_hidden = mine.hidden == theirs.hidden;
  const bool heads_tell = are_comparable_heads(mine, theirs);
  if (subject.weights == nullptr || base.weights == nullptr || layers.empty() ||
      (same_hidden && (!heads_tell || mine.heads == theirs.heads))) {
    return std::nullopt;
  }
  const bool subject_is_few = same_hidden ? mine.heads < theirs.heads : mine.hidden < theirs.hidden;
  const Sides sides{.few = subject_is_few ? subject : base,
                    .many = subject_is_few ? base : subject,
                    .subject_is_few = subject_is_few};
  Width width;
  const auto enough = find_dimensions(sides, width);
  if (!enough) return std::unexpected(enough.error());
  if (!*enough) return std::nullopt;
  width.neurons.resize(same_hidden ? 0 : layers.size());
  width.heads.resize(layers.size());
  if (auto problem = find_partners(sides, layers, width, threads)) {
    return std::unexpected(std::move(*problem));
  }
  if (heads_tell) {
    width.kept_heads.out_of = sides.few.sketch.architecture.heads;
    count(width.kept_heads, width.heads, width.kept_heads.out_of);
  }
  width.kept_neurons.out_of = sides.few.sketch.architecture.ffn;
  count(width.kept_neurons, width.neurons, neurons_looked_up);
  for (NeuronPairs& pairs : width.heads) pairs = sides.as_subject_base(std::move(pairs));
  for (NeuronPairs& pairs : width.neurons) pairs = sides.as_subject_base(std::move(pairs));
  if (mine.ffn == theirs.ffn && are_by_index(width.neurons)) width.neurons.clear();
  return width;
}

Result<WidthSearch> search_width(const Side& subject, const Side& base, const LayerMap& layers,
                                 double log10_alternatives, unsigned threads) {
  WidthSearch search;
  if (subject.sketch.architecture.hidden == base.sketch.architecture.hidden) return search;
  const auto width = find_width(subject, base, layers, threads);
  if (!width) return std::unexpected(width.error());
  const std::optional<Width>& seen = *width;
  if (!seen) return search;
  Evidence evidence = order_evidence(seen->kept_dimensions);
  search.log10_p = std::min(0.0, evidence.log10_p.value_or(0) + log10_alternatives);
  evidence.log10_p = search.log10_p;
  search.evidence.push_back(std::move(evidence));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t found = seen->neurons.empty() ? fewest_shared : seen->neurons[i].size();
    if (found >= fewest_shared) search.layers.push_back(layers[i]);
  }
  return search;
}

}  // namespace pedigree
