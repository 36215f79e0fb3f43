#include "compare/anchors.h"

#include <algorithm>
#include <optional>

#include "compare/dense.h"

namespace pedigree {
namespace {

Matrix as_matrix(const std::vector<float>& values, std::size_t rows) {
  Matrix matrix(rows, rows == 0 ? 0 : values.size() / rows);
  std::ranges::copy(values, matrix.values.begin());
  return matrix;
}

// Row by row less its mean.
void centre(Matrix& matrix) {
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    double total = 0;
    for (const double value : row) total += value;
    for (double& value : row) value -= total / static_cast<double>(row.size());
  }
}

NeuronViews finished(NeuronViews views) {
  centre(views.first);
  centre(views.second);
  regress_on_first(views.first, views.second);
  return views;
}

NeuronViews unseen(const CoupledNeurons& neurons) {
  return {.place = {.layer = neurons.layer}, .neurons = neurons.neurons, .gated = neurons.gated};
}

// Products of one layer's neurons with the first rows of another's.
class Products {
 public:
  Products(const CoupledPair& pair, bool turned, std::size_t others)
      : pair_(pair), turned_(turned), others_(others) {}

  double by_first(std::size_t neuron, std::size_t anchor) const {
    return at(pair_.first_first, neuron, anchor);
  }
  double by_second(std::size_t neuron, std::size_t anchor) const {
    return at(turned_ ? pair_.first_second : pair_.second_first, neuron, anchor);
  }

 private:
  double at(const std::vector<float>& values, std::size_t neuron, std::size_t anchor) const {
    return static_cast<double>(turned_ ? values[anchor * others_ + neuron]
                                       : values[neuron * others_ + anchor]);
  }

  const CoupledPair& pair_;
  bool turned_;         // the anchors' layer is the pair's first
  std::size_t others_;  // neurons of the pair's second layer
};

std::optional<Products> products_between(const CoupledSide& side, std::size_t place,
                                         std::size_t anchored) {
  const CoupledNeurons& mine = side.layers[place];
  const CoupledNeurons& theirs = side.layers[anchored];
  const bool turned = mine.layer > theirs.layer;
  const int one = std::min(mine.layer, theirs.layer);
  const int other = std::max(mine.layer, theirs.layer);
  const auto at = std::ranges::find_if(
      side.pairs, [&](const CoupledPair& pair) { return pair.one == one && pair.other == other; });
  if (at == side.pairs.end()) return std::nullopt;
  return Products(*at, turned, turned ? mine.neurons.size() : theirs.neurons.size());
}

std::optional<NeuronViews> by_products(const CoupledSide& side, std::size_t place,
                                       const AnchorPlaces& anchors) {
  NeuronViews views = unseen(side.layers[place]);
  const std::size_t neurons = views.neurons.size();
  if (neurons == 0) return views;
  views.first = Matrix(neurons, anchors.size());
  views.second = Matrix(neurons, anchors.size());
  for (std::size_t j = 0; j < anchors.size(); ++j) {
    const auto products = products_between(side, place, anchors[j].layer);
    if (!products) return std::nullopt;
    for (std::size_t i = 0; i < neurons; ++i) {
      views.first.at(i, j) = products->by_first(i, anchors[j].neuron);
      views.second.at(i, j) = products->by_second(i, anchors[j].neuron);
    }
  }
  return finished(std::move(views));
}

}  // namespace

bool CoupledSide::has_rows() const {
  return std::ranges::any_of(layers,
                             [](const CoupledNeurons& layer) { return layer.first.rows > 0; });
}

CoupledSide coupled_side(const StoredCouplings& stored, const std::vector<int>& looked_at) {
  CoupledSide side{.pairs = stored.pairs};
  for (const int number : looked_at) {
    CoupledNeurons layer{.layer = number};
    const auto kept = std::ranges::find(stored.layers, number, &CoupledLayer::layer);
    if (kept != stored.layers.end()) {
      layer.gated = kept->gated;
      layer.neurons = kept->neurons;
      layer.probes = kept->probes;
      layer.first_strengths = as_matrix(kept->first_strengths, kept->neurons.size());
      layer.second_strengths = as_matrix(kept->second_strengths, kept->neurons.size());
    }
    side.layers.push_back(std::move(layer));
  }
  return side;
}

Matrix anchor_rows(const CoupledSide& side, const AnchorPlaces& anchors) {
  if (anchors.empty() || !side.has_rows()) return {};
  Matrix rows(anchors.size(), side.layers[anchors.front().layer].first.cols);
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    std::ranges::copy(side.layers[anchors[i].layer].first.row(anchors[i].neuron),
                      rows.row(i).begin());
  }
  return rows;
}

NeuronViews anchored_views(const CoupledNeurons& neurons, const Matrix& anchors, unsigned threads) {
  NeuronViews views = unseen(neurons);
  if (neurons.neurons.empty()) return views;
  views.first = times_transposed(neurons.first, anchors, threads);
  views.second = times_transposed(neurons.second, anchors, threads);
  return finished(std::move(views));
}

std::vector<NeuronViews> anchored_views(const CoupledSide& side,
                                        const std::vector<std::size_t>& places,
                                        const AnchorPlaces& anchors, unsigned threads) {
  std::vector<NeuronViews> seen;
  const bool by_rows = side.has_rows();
  const Matrix rows = anchor_rows(side, anchors);
  for (const std::size_t place : places) {
    if (by_rows) {
      seen.push_back(anchored_views(side.layers[place], rows, threads));
    } else if (auto views = by_products(side, place, anchors)) {
      seen.push_back(std::move(*views));
    }
  }
  return seen;
}

}  // namespace pedigree
