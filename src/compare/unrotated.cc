// Taking a rotation back. With E' ≈ E R for the centred embeddings of common
// tokens, R is the polar factor of EᵀE' (Schönemann 1966). Neurons are then
// matched on un-rotated rows, R is refitted on embeddings, head and matched
// neurons together, and the statistics of origin.h are taken in the base's
// coordinates, with every reader multiplied by its gain: W diag(γ). In wide models
// R is found once, from tokens and the gate rows of matched neurons.
#include <algorithm>
#include <array>
#include <cmath>

#include "compare/dense.h"
#include "compare/origin.h"
#include "compare/readers.h"
#include "compare/wide_rotation.h"

namespace pedigree {
namespace {

constexpr std::size_t most_layers = 8;
constexpr std::size_t most_tokens = 4096;
constexpr std::uint64_t most_rows = 1024;  // of a reader, for column norms and matching
constexpr std::uint64_t wide = 512;  // residual dimensions; above, in floats and from fewer rows
constexpr std::size_t most_links = 256;  // neurons of a layer, when not all of them
constexpr std::size_t tokens_at_once = 1024;
constexpr std::uint64_t matching_seed = 0x756E726F74ULL;

Matrix unit_rows(Matrix matrix) {
  scale_rows(matrix);
  return matrix;
}

// The rotation R with base · R ≈ subject, from stacked corresponding rows.
Matrix rotation_between(const Matrix& base, const Matrix& subject, unsigned threads) {
  return nearest_orthogonal(times_transposed(transposed(base), transposed(subject), threads),
                            threads);
}

constexpr std::array all_parts = {&Readers::gate, &Readers::up, &Readers::down,
                                  &Readers::attention};

class Unrotation {
 public:
  Unrotation(const Model& subject, const Model& base, const Alignment& alignment, unsigned threads)
      : subject_(subject), base_(base), alignment_(alignment), threads_(threads) {}

  Result<Origin> run() {
    Origin origin;
    const auto width = subject_.architecture.hidden;
    if (width != base_.architecture.hidden) return origin;
    if (alignment_.layers.empty()) return origin;
    CommonRows common;
    if (alignment_.tokens_correspond) {
      common = common_rows(subject_, base_, most_tokens);
      if (common.subject.size() < fewest_units) return origin;
    }
    auto problem = width > wide ? turn_back_wide(common) : turn_back(common);
    if (problem) return std::unexpected(std::move(*problem));
    if (layers_.empty()) return origin;
    origin.chance = 1 / std::sqrt(static_cast<double>(std::max<std::uint64_t>(3, width) - 1));
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

  bool is_wide() const { return subject_.architecture.hidden > wide; }

  std::optional<Problem> turn_back(const CommonRows& common) {
    if (auto problem = read_tokens(common)) return problem;
    if (auto problem = read_layers(most_layers)) return problem;
    if (alignment_.tokens_correspond) {
      rotation_ = rotation_between(tokens_base_, tokens_subject_, threads_);
    } else {
      take_known_partners();
      refit();
    }
    match();
    refit();
    match();
    for (Layer& layer : layers_) {
      for (const auto part : all_parts) layer.subject.*part = turned_back(layer.subject.*part);
    }
    rotation_ = Matrix();
    return std::nullopt;
  }

  std::optional<Problem> turn_back_wide(const CommonRows& common) {
    WideRotation rotation(subject_.architecture.hidden, threads_);
    if (auto problem = read_layers(most_layers / 2)) return problem;
    auto problem =
        alignment_.tokens_correspond ? add_tokens(rotation, common) : add_other_layers(rotation);
    if (problem) return problem;
    if (layers_.empty()) return std::nullopt;
    rotation.solve();
    for (Layer& layer : layers_) {
      for (const auto part : all_parts) {
        layer.subject.*part = rotation.turned_back(layer.subject.*part);
      }
    }
    match();
    return std::nullopt;
  }

  // Tokens come and go in portions: all of them at once would take half a gigabyte.
  std::optional<Problem> add_tokens(WideRotation& rotation, const CommonRows& common) {
    for (const char* role : {"embed.tokens", "head.out"}) {
      for (std::size_t i = 0; i < common.subject.size(); i += tokens_at_once) {
        const std::size_t count = std::min(tokens_at_once, common.subject.size() - i);
        auto mine = centred_token_rows(subject_, role, part_of(common.subject, i, count));
        auto theirs = centred_token_rows(base_, role, part_of(common.base, i, count));
        if (!mine) return std::move(mine.error());
        if (!theirs) return std::move(theirs.error());
        if (mine->rows == theirs->rows) rotation.add(*theirs, *mine);
      }
    }
    for (const Layer& layer : layers_) {
      const Matrix& mine = layer.subject.gate;
      if (mine.rows == layer.base.gate.rows) rotation.add(layer.base.gate, mine);
    }
    return std::nullopt;
  }

  // Without tokens a few thousand neurons have to do. Those of the layers that are
  // measured are not among them: a rotation fitted to so few would flatter them.
  std::optional<Problem> add_other_layers(WideRotation& rotation) {
    const auto measured = spread_places(alignment_.layers.size(), most_layers / 2);
    std::uint64_t known = 0;
    for (std::size_t place = 0; place < alignment_.layers.size(); ++place) {
      if (std::ranges::binary_search(measured, place)) continue;
      const auto links = neuron_links(alignment_, place, subject_, base_, most_links);
      const auto [a, b] = alignment_.layers[place];
      const auto mine = first_rows_of(subject_, a, {.links = links, .of_subject = true});
      if (!mine) return mine.error();
      const auto theirs = first_rows_of(base_, b, {.links = links, .of_subject = false});
      if (!theirs) return theirs.error();
      if (mine->rows != theirs->rows) continue;
      rotation.add(*theirs, *mine);
      known += mine->rows;
    }
    if (known < 2 * subject_.architecture.hidden) layers_.clear();
    return std::nullopt;
  }

  static Indices part_of(const Indices& rows, std::size_t first, std::size_t count) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  std::optional<Problem> read_tokens(const CommonRows& common) {
    for (const char* role : {"embed.tokens", "head.out"}) {
      auto mine = centred_token_rows(subject_, role, common.subject);
      auto theirs = centred_token_rows(base_, role, common.base);
      if (!mine) return std::move(mine.error());
      if (!theirs) return std::move(theirs.error());
      if (mine->rows != theirs->rows || mine->rows == 0) continue;
      const bool head = std::string_view(role) == "head.out";
      (head ? head_subject_ : tokens_subject_) = std::move(*mine);
      (head ? head_base_ : tokens_base_) = std::move(*theirs);
    }
    return std::nullopt;
  }

  std::optional<Problem> read_layers(std::size_t depth) {
    for (const std::size_t place : spread_places(alignment_.layers.size(), depth)) {
      const auto [a, b] = alignment_.layers[place];
      const auto [of_subject, of_base] = neurons_to_read(place);
      auto subject =
          readers_of(subject_, a, {.links = of_subject, .of_subject = true}, attention_rows());
      if (!subject) return std::move(subject.error());
      auto base = readers_of(base_, b, {.links = of_base, .of_subject = false}, attention_rows());
      if (!base) return std::move(base.error());
      layers_.push_back({.subject = std::move(*subject), .base = std::move(*base)});
    }
    return std::nullopt;
  }

  std::uint64_t attention_rows() const { return is_wide() ? 256 : most_rows; }

  // Where all are read, those of either side in their own order.
  std::pair<std::vector<NeuronLink>, std::vector<NeuronLink>> neurons_to_read(
      std::size_t place) const {
    const auto mine = subject_.architecture.ffn;
    const auto theirs = base_.architecture.ffn;
    if (reads_every_neuron()) {
      const auto [a, b] = alignment_.layers[place];
      return {every_neuron({.layer = a}, mine), every_neuron({.layer = b}, theirs)};
    }
    auto links = neuron_links(alignment_, place, subject_, base_, most_links);
    return {links, links};
  }

  static std::vector<NeuronLink> every_neuron(const FfnPlace& place, std::uint64_t count) {
    std::vector<NeuronLink> links;
    links.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      links.push_back({.subject = place, .base = place, .subject_neuron = i, .base_neuron = i});
    }
    return links;
  }

  // As the alignment pairs them; where not all neurons are read, they were read in pairs.
  void take_known_partners() {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      layer.partner.assign(layer.subject.up.rows, std::string::npos);
      if (!reads_every_neuron()) {
        for (std::size_t k = 0; k < layer.partner.size(); ++k) layer.partner[k] = k;
        continue;
      }
      const std::size_t place = spread_places(alignment_.layers.size(), most_layers)[i];
      for (const auto& [mine, theirs] : alignment_.neurons[place]) layer.partner[mine] = theirs;
    }
  }

  bool reads_every_neuron() const {
    return !is_wide() && alignment_.experts.empty() &&
           std::max(subject_.architecture.ffn, base_.architecture.ffn) <= most_rows;
  }

  // In the base's coordinates; once layers are there themselves, unchanged.
  Matrix turned_back(const Matrix& rows) const {
    return rotation_.rows == 0 || rows.rows == 0 ? rows
                                                 : times_transposed(rows, rotation_, threads_);
  }

  Matrix likeness(const Layer& layer, const Matrix Readers::* part) const {
    return times_transposed(unit_rows(turned_back(layer.subject.*part)),
                            unit_rows(layer.base.*part), threads_);
  }

  void match() {
    for (Layer& layer : layers_) {
      if (layer.subject.up.rows == 0 || layer.base.up.rows == 0) continue;
      const bool gated = layer.subject.gate.rows > 0 && layer.base.gate.rows > 0;
      Matrix total = likeness(layer, gated ? &Readers::gate : &Readers::up);
      const Matrix down = likeness(layer, &Readers::down);
      if (gated) {
        const Matrix up = likeness(layer, &Readers::up);
        for (std::size_t i = 0; i < total.values.size(); ++i) {
          total.values[i] += std::abs(up.values[i] + down.values[i]);
        }
      } else {
        for (std::size_t i = 0; i < total.values.size(); ++i) total.values[i] += down.values[i];
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
    if (mine.rows == 0 || theirs.rows == 0) return rows;
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

  // How much of the rows lies along each of the base's coordinates; only ranks count.
  static std::vector<double> along_coordinates(const Matrix& rows) {
    std::vector<double> squares(rows.cols);
    for (std::size_t i = 0; i < rows.rows; ++i) {
      const auto row = rows.row(i);
      for (std::size_t j = 0; j < row.size(); ++j) squares[j] += row[j] * row[j];
    }
    return squares;
  }

  static double gains_agreement(const Matrix& subject, const Matrix& base) {
    return rank_correlation(along_coordinates(subject), along_coordinates(base));
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
      gains.push_back(gains_agreement(mine, theirs));
      gains.push_back(gains_agreement(layer.subject.attention, layer.base.attention));
      for (const auto part : {&Readers::gate, &Readers::up, &Readers::down}) {
        auto [a, b] = paired(layer, part);
        if (a.rows == 0) continue;
        scale_rows(a);
        scale_rows(b);
        const bool first = layer.base.gate.rows > 0 ? part == &Readers::gate : part == &Readers::up;
        if (first) cosines.push_back(median(row_cosines(a, b)));
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

  static std::vector<double> row_cosines(const Matrix& a, const Matrix& b) {
    std::vector<double> cosines(a.rows);
    for (std::size_t i = 0; i < a.rows; ++i) cosines[i] = product(a.row(i), b.row(i));
    return cosines;
  }

  const Model& subject_;
  const Model& base_;
  const Alignment& alignment_;
  unsigned threads_;
  Matrix tokens_subject_;
  Matrix tokens_base_;
  Matrix head_subject_;
  Matrix head_base_;
  Matrix rotation_;  // while layers_ wait to be turned back
  std::vector<Layer> layers_;
};

}  // namespace

Result<Origin> unrotated_origin(const Side& subject, const Side& base, const Alignment& alignment,
                                unsigned threads) {
  if (subject.weights == nullptr || base.weights == nullptr) return Origin{};
  return Unrotation(*subject.weights, *base.weights, alignment, threads).run();
}

}  // namespace pedigree
