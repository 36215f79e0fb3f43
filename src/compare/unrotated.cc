// Taking a rotation back. With E' ≈ E R for the centred embeddings of common
// tokens, R is the polar factor of EᵀE' (Schönemann 1966). Neurons are then
// matched on un-rotated rows, R is refitted on embeddings, head and matched
// neurons together, and the statistics of origin.h are taken in the base's
// coordinates, with every reader multiplied by its gain: W diag(γ).
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "compare/dense.h"
#include "compare/origin.h"
#include "compare/parts.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t most_layers = 8;
constexpr std::size_t most_tokens = 4096;
constexpr std::uint64_t most_rows = 1024;  // of a reader, for column norms and matching
constexpr std::size_t most_links = 256;    // neurons of a layer, when not all of them
constexpr std::uint64_t wide = 1024;       // residual dimensions from which fewer rows are read
constexpr std::uint64_t matching_seed = 0x756E726F74ULL;

using Indices = std::vector<std::uint64_t>;

struct Readers {  // of one layer, gains multiplied in, rows × hidden
  Matrix gate = {};
  Matrix up = {};
  Matrix down = {};       // columns of down as rows
  Matrix attention = {};  // q, k and v stacked
};

struct CommonRows {
  Indices subject = {};
  Indices base = {};
};

CommonRows all_common_rows(const Model& subject, const Model& base) {
  CommonRows rows;
  const std::uint64_t limit_a = subject.architecture.vocab;
  const std::uint64_t limit_b = base.architecture.vocab;
  if (!subject.tokenizer || !base.tokenizer) {
    for (std::uint64_t i = 0; i < std::min({limit_a, limit_b, std::uint64_t{most_tokens}}); ++i) {
      rows.subject.push_back(i);
      rows.base.push_back(i);
    }
    return rows;
  }
  std::unordered_map<std::string_view, std::uint64_t> ids;
  const auto& theirs = base.tokenizer->tokens;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(theirs.size(), limit_b); ++i) {
    if (!theirs[i].empty()) ids.emplace(theirs[i], i);
  }
  const auto& mine = subject.tokenizer->tokens;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(mine.size(), limit_a); ++i) {
    const auto at = ids.find(mine[i]);
    if (at == ids.end() || rows.subject.size() == most_tokens) continue;
    rows.subject.push_back(i);
    rows.base.push_back(at->second);
  }
  return rows;
}

Matrix as_matrix(const std::vector<float>& values, std::size_t rows) {
  Matrix matrix(rows, rows == 0 ? 0 : values.size() / rows);
  std::ranges::transform(values, matrix.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return matrix;
}

Result<Matrix> rows_of(const Model& model, std::string_view role, int layer, const Indices& rows) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr || rows.empty()) return Matrix{};
  auto values = read_rows(model, *tensor, rows);
  if (!values) return std::unexpected(std::move(values.error()));
  return as_matrix(*values, rows.size());
}

Result<std::vector<double>> gain_of(const Model& model, std::string_view role, int layer) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr) return std::vector<double>(model.architecture.hidden, 1.0);
  auto values = read_all(model, *tensor);
  if (!values) return std::unexpected(std::move(values.error()));
  std::vector<double> gain(values->begin(), values->end());
  if (model.architecture.norm_plus_one) {
    for (double& value : gain) value += 1;
  }
  return gain;
}

void multiply_columns(Matrix& matrix, const std::vector<double>& factors) {
  if (factors.size() != matrix.cols) return;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] *= factors[j];
  }
}

void append_rows(Matrix& to, const Matrix& rows) {
  if (rows.rows == 0) return;
  to.cols = rows.cols;
  to.rows += rows.rows;
  to.values.insert(to.values.end(), rows.values.begin(), rows.values.end());
}

Indices spread(std::uint64_t size, std::uint64_t count) {
  Indices indices;
  for (const std::size_t place :
       spread_places(static_cast<std::size_t>(size), static_cast<std::size_t>(count))) {
    indices.push_back(place);
  }
  return indices;
}

Result<Readers> readers_of(const Model& model, int layer, const std::vector<NeuronLink>& neurons,
                           bool of_subject) {
  Readers readers;
  const auto ffn_gain = gain_of(model, "ffn.norm", layer);
  const auto attention_gain = gain_of(model, "attn.norm", layer);
  if (!ffn_gain) return std::unexpected(ffn_gain.error());
  if (!attention_gain) return std::unexpected(attention_gain.error());
  const Indices dimensions = spread(model.architecture.hidden, model.architecture.hidden);
  auto gate = linked_rows(model, neurons, of_subject, FfnPart::gate, dimensions);
  auto up = linked_rows(model, neurons, of_subject, FfnPart::up, dimensions);
  auto down = linked_rows(model, neurons, of_subject, FfnPart::down, dimensions);
  for (auto* part : {&gate, &up, &down}) {
    if (!*part) return std::unexpected(std::move(part->error()));
  }
  readers.gate = std::move(*gate);
  readers.up = std::move(*up);
  readers.down = std::move(*down);
  multiply_columns(readers.gate, *ffn_gain);
  multiply_columns(readers.up, *ffn_gain);
  for (const char* role : {"attn.q", "attn.k", "attn.v"}) {
    const CanonicalTensor* tensor = model.find(role, layer);
    if (tensor == nullptr) continue;
    const std::uint64_t limit = tensor->cols > wide ? 256 : most_rows;
    auto rows = rows_of(model, role, layer, spread(tensor->rows, limit));
    if (!rows) return std::unexpected(std::move(rows.error()));
    append_rows(readers.attention, *rows);
  }
  multiply_columns(readers.attention, *attention_gain);
  return readers;
}

// Every neuron of a block, to be read from either side.
std::vector<NeuronLink> all_of(const FfnPlace& place, std::uint64_t count) {
  std::vector<NeuronLink> links;
  for (std::uint64_t i = 0; i < count; ++i) {
    links.push_back({.subject = place, .base = place, .subject_neuron = i, .base_neuron = i});
  }
  return links;
}

void centre_columns(Matrix& matrix) {
  for (std::size_t j = 0; j < matrix.cols; ++j) {
    double total = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) total += matrix.at(i, j);
    const double mean = total / static_cast<double>(matrix.rows);
    for (std::size_t i = 0; i < matrix.rows; ++i) matrix.at(i, j) -= mean;
  }
}

Matrix unit_rows(Matrix matrix) {
  scale_rows(matrix);
  return matrix;
}

// The rotation R with base · R ≈ subject, from stacked corresponding rows.
Matrix rotation_between(const Matrix& base, const Matrix& subject, unsigned threads) {
  return nearest_orthogonal(times_transposed(transposed(base), transposed(subject), threads),
                            threads);
}

class Unrotation {
 public:
  Unrotation(const Model& subject, const Model& base, const Alignment& alignment, unsigned threads)
      : subject_(subject), base_(base), alignment_(alignment), threads_(threads) {}

  Result<Origin> run() {
    Origin origin;
    if (auto problem = read()) return std::unexpected(std::move(*problem));
    const auto width = subject_.architecture.hidden;
    if (layers_.empty() || tokens_subject_.rows < fewest_units ||
        width != base_.architecture.hidden) {
      return origin;
    }
    origin.chance = 1 / std::sqrt(static_cast<double>(std::max<std::uint64_t>(3, width) - 1));
    rotation_ = rotation_between(tokens_base_, tokens_subject_, threads_);
    match();
    refit();
    match();
    measure(origin);
    decide(origin);
    return origin;
  }

 private:
  struct Layer {
    Readers subject = {};
    Readers base = {};
    std::vector<std::size_t> partner = {};  // base place of each subject place, or npos
  };

  std::optional<Problem> read() {
    const CommonRows common = all_common_rows(subject_, base_);
    for (const char* role : {"embed.tokens", "head.out"}) {
      auto mine = rows_of(subject_, role, -1, common.subject);
      auto theirs = rows_of(base_, role, -1, common.base);
      if (!mine) return std::move(mine.error());
      if (!theirs) return std::move(theirs.error());
      if (mine->rows != theirs->rows || mine->rows == 0) continue;
      const bool head = std::string_view(role) == "head.out";
      if (head) {
        const auto a = gain_of(subject_, "head.norm", -1);
        const auto b = gain_of(base_, "head.norm", -1);
        if (!a) return a.error();
        if (!b) return b.error();
        multiply_columns(*mine, *a);
        multiply_columns(*theirs, *b);
      }
      centre_columns(*mine);
      centre_columns(*theirs);
      (head ? head_subject_ : tokens_subject_) = std::move(*mine);
      (head ? head_base_ : tokens_base_) = std::move(*theirs);
    }
    return read_layers();
  }

  std::optional<Problem> read_layers() {
    const std::size_t depth = subject_.architecture.hidden > wide ? most_layers / 2 : most_layers;
    for (const std::size_t place : spread_places(alignment_.layers.size(), depth)) {
      const auto [a, b] = alignment_.layers[place];
      const std::uint64_t mine = subject_.architecture.ffn;
      const std::uint64_t theirs = base_.architecture.ffn;
      std::vector<NeuronLink> of_subject;
      std::vector<NeuronLink> of_base;
      if (alignment_.experts.empty() && std::max(mine, theirs) <= most_rows) {
        // Few enough to be matched again without a rotation in between.
        of_subject = all_of({.layer = a}, mine);
        of_base = all_of({.layer = b}, theirs);
      } else {
        of_subject = neuron_links(alignment_, place, subject_, base_, most_links);
        of_base = of_subject;
      }
      auto subject = readers_of(subject_, a, of_subject, true);
      if (!subject) return std::move(subject.error());
      auto base = readers_of(base_, b, of_base, false);
      if (!base) return std::move(base.error());
      layers_.push_back({.subject = std::move(*subject), .base = std::move(*base)});
    }
    return std::nullopt;
  }

  Matrix turned_back(const Matrix& rows) const {
    return times_transposed(rows, rotation_, threads_);
  }

  void match() {
    for (Layer& layer : layers_) {
      const Matrix gate = times_transposed(unit_rows(turned_back(layer.subject.gate)),
                                           unit_rows(layer.base.gate), threads_);
      const Matrix up = times_transposed(unit_rows(turned_back(layer.subject.up)),
                                         unit_rows(layer.base.up), threads_);
      const Matrix down = times_transposed(unit_rows(turned_back(layer.subject.down)),
                                           unit_rows(layer.base.down), threads_);
      Matrix total = gate;
      for (std::size_t i = 0; i < total.values.size(); ++i) {
        total.values[i] += std::abs(up.values[i] + down.values[i]);
      }
      if (total.rows <= total.cols) {
        layer.partner = best_assignment(total, matching_seed);
        continue;
      }
      layer.partner.assign(total.rows, std::string::npos);
      const auto back = best_assignment(transposed(total), matching_seed);
      for (std::size_t j = 0; j < back.size(); ++j) layer.partner[back[j]] = j;
    }
  }

  static std::pair<Matrix, Matrix> paired(const Layer& layer, const Matrix Readers::* part) {
    const Matrix& mine = layer.subject.*part;
    const Matrix& theirs = layer.base.*part;
    std::pair<Matrix, Matrix> rows;
    for (std::size_t i = 0; i < layer.partner.size(); ++i) {
      if (layer.partner[i] == std::string::npos) continue;
      const auto a = mine.row(i);
      const auto b = theirs.row(layer.partner[i]);
      const double sign = product(a, a) > 0 ? 1 : 0;
      if (sign == 0) continue;
      rows.first.values.insert(rows.first.values.end(), a.begin(), a.end());
      rows.second.values.insert(rows.second.values.end(), b.begin(), b.end());
      ++rows.first.rows;
      ++rows.second.rows;
    }
    rows.first.cols = mine.cols;
    rows.second.cols = theirs.cols;
    return rows;
  }

  void refit() {
    Matrix subject = unit_rows(tokens_subject_);
    Matrix base = unit_rows(tokens_base_);
    append_rows(subject, unit_rows(head_subject_));
    append_rows(base, unit_rows(head_base_));
    for (const Layer& layer : layers_) {
      for (const auto part : {&Readers::gate, &Readers::up, &Readers::down}) {
        const auto [mine, theirs] = paired(layer, part);
        append_rows(subject, unit_rows(mine));
        append_rows(base, unit_rows(theirs));
      }
    }
    rotation_ = rotation_between(base, subject, threads_);
  }

  static std::vector<double> log_column_norms(const Matrix& matrix) {
    std::vector<double> norms(matrix.cols);
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      const auto row = matrix.row(i);
      for (std::size_t j = 0; j < row.size(); ++j) norms[j] += row[j] * row[j];
    }
    return norms;  // ranks are the same without the logarithm
  }

  void measure(Origin& origin) const {
    std::vector<double> gains;
    std::vector<double> forward;
    std::vector<double> backward;
    std::vector<double> cosines;
    for (const Layer& layer : layers_) {
      Matrix mine = layer.subject.gate;
      append_rows(mine, layer.subject.up);
      Matrix theirs = layer.base.gate;
      append_rows(theirs, layer.base.up);
      gains.push_back(
          rank_correlation(log_column_norms(turned_back(mine)), log_column_norms(theirs)));
      gains.push_back(rank_correlation(log_column_norms(turned_back(layer.subject.attention)),
                                       log_column_norms(layer.base.attention)));
      for (const auto part : {&Readers::gate, &Readers::up, &Readers::down}) {
        auto [a, b] = paired(layer, part);
        a = unit_rows(turned_back(a));
        scale_rows(b);
        if (part == &Readers::gate) {
          std::vector<double> of_layer(a.rows);
          for (std::size_t i = 0; i < a.rows; ++i) of_layer[i] = product(a.row(i), b.row(i));
          cosines.push_back(median(std::move(of_layer)));
        }
        forward.push_back(spectrum_ratio(b, a));
        backward.push_back(spectrum_ratio(a, b));
      }
    }
    const double there = median(forward);
    const double back = median(backward);
    origin.gains = median(gains);
    origin.spectrum = there > 0 && back > 0 ? std::sqrt(there * back) : 0;
    origin.row_cosine = median(cosines);
    origin.measured = true;
  }

  const Model& subject_;
  const Model& base_;
  const Alignment& alignment_;
  unsigned threads_;
  Matrix tokens_subject_;
  Matrix tokens_base_;
  Matrix head_subject_;
  Matrix head_base_;
  Matrix rotation_;
  std::vector<Layer> layers_;
};

}  // namespace

Result<Origin> unrotated_origin(const Side& subject, const Side& base, const Alignment& alignment,
                                unsigned threads) {
  if (subject.weights == nullptr || base.weights == nullptr) return Origin{};
  return Unrotation(*subject.weights, *base.weights, alignment, threads).run();
}

}  // namespace pedigree
