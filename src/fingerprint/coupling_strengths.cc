#include "fingerprint/coupling_strengths.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>

#include "fingerprint/residual_rows.h"
#include "tensor/multiply.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;
constexpr std::uint64_t rows_at_once = 512;  // of a probe's matrix
// Multiplications a neuron's strengths may take. In models of up to some 2,000 residual
// dimensions that lets every probe in; at a width of 4096 the first four thousand rows.
constexpr std::uint64_t most_values = std::uint64_t{1} << 24U;

// In the order they are taken up while most_values lasts.
struct ProbeKind {
  int offset;
  std::string_view role;
};
constexpr std::array probe_kinds = {
    ProbeKind{.offset = 0, .role = "attn.k"},    ProbeKind{.offset = 1, .role = "attn.k"},
    ProbeKind{.offset = -1, .role = "attn.k"},   ProbeKind{.offset = 0, .role = "attn.q"},
    ProbeKind{.offset = 0, .role = "attn.v"},    ProbeKind{.offset = 0, .role = "attn.o"},
    ProbeKind{.offset = 1, .role = "attn.q"},    ProbeKind{.offset = 1, .role = "attn.v"},
    ProbeKind{.offset = 1, .role = "attn.o"},    ProbeKind{.offset = -1, .role = "attn.q"},
    ProbeKind{.offset = -1, .role = "attn.v"},   ProbeKind{.offset = -1, .role = "attn.o"},
    ProbeKind{.offset = 0, .role = "ffn.gate"},  ProbeKind{.offset = 0, .role = "ffn.up"},
    ProbeKind{.offset = 0, .role = "ffn.down"},  ProbeKind{.offset = 1, .role = "ffn.gate"},
    ProbeKind{.offset = 1, .role = "ffn.up"},    ProbeKind{.offset = 1, .role = "ffn.down"},
    ProbeKind{.offset = -1, .role = "ffn.gate"}, ProbeKind{.offset = -1, .role = "ffn.up"},
    ProbeKind{.offset = -1, .role = "ffn.down"},
};

std::vector<std::uint64_t> every(std::uint64_t count) {
  std::vector<std::uint64_t> indices(count);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  return indices;
}

std::vector<std::size_t> first_places(std::size_t count) {
  std::vector<std::size_t> places(count);
  for (std::size_t i = 0; i < count; ++i) places[i] = i;
  return places;
}

// Rows as the residual stream sees them.
class RowReader {
 public:
  RowReader(const Model& model, int layer) : model_(model), layer_(layer) {}

  const CanonicalTensor* find(std::string_view role) const { return model_.find(role, layer_); }

  std::uint64_t units(std::string_view role) const {
    const CanonicalTensor* tensor = find(role);
    return tensor == nullptr ? 0 : units_of(*tensor);
  }

  // None where the layer lacks the role or it has another width.
  Result<Matrix> read(std::string_view role, const std::vector<std::uint64_t>& units) const {
    const CanonicalTensor* tensor = find(role);
    const std::uint64_t width = model_.architecture.hidden;
    if (tensor == nullptr || residual_width_of(*tensor) != width) return Matrix{};
    auto rows = residual_rows(model_, *tensor, units, every(width));
    if (!rows) return rows;
    if (auto problem = pass_norm(model_, *tensor, *rows)) {
      return std::unexpected(std::move(*problem));
    }
    return rows;
  }

 private:
  const Model& model_;
  int layer_;
};

using Floats = std::vector<float>;

std::vector<double> squares_of(const Matrix& rows) {
  std::vector<double> squares(rows.rows);
  for (std::size_t i = 0; i < rows.rows; ++i) squares[i] = dot(rows.row(i), rows.row(i));
  return squares;
}

// Neurons in float, ready to be multiplied with any probe.
struct Turned {
  Floats values = {};
  std::vector<double> squares = {};  // by neuron

  explicit Turned(const Matrix& rows) : values(turned(rows)), squares(squares_of(rows)) {}
};

// Rows of a probe, by place, each with the factor that its free scale is taken off by.
struct ProbeRows {
  std::vector<std::size_t> rows = {};
  std::vector<double> weights = {};  // of their squares
};

// The rows of one matrix, a few at a time, and lists of neurons along them.
class Couplers {
 public:
  Couplers(std::size_t rows, std::vector<const Turned*> neurons, unsigned threads)
      : neurons_(std::move(neurons)), rows_(rows), threads_(threads) {
    squares_.reserve(rows);
    for (const Turned* each : neurons_) along_.emplace_back(each->squares.size() * rows);
  }

  bool is_whole() const { return squares_.size() == rows_; }

  // The next rows. A product does not depend on what stands beside it.
  void add(const Matrix& next) {
    const Floats turned_rows = turned(next);
    for (std::size_t list = 0; list < neurons_.size(); ++list) {
      const ProductShape shape{
          .depth = next.cols, .rows = neurons_[list]->squares.size(), .cols = next.rows};
      Floats products(shape.rows * shape.cols);
      add_transposed_product(neurons_[list]->values, turned_rows, shape, products, threads_);
      for (std::size_t i = 0; i < shape.rows; ++i) {
        std::copy_n(products.data() + i * shape.cols, shape.cols,
                    along_[list].data() + i * rows_ + squares_.size());
      }
    }
    const auto squares = squares_of(next);
    squares_.insert(squares_.end(), squares.begin(), squares.end());
  }

  // `together` rows that follow each other in `rows` share one free factor.
  ProbeRows probe(std::vector<std::size_t> rows, std::size_t together) const {
    ProbeRows probe{.rows = std::move(rows)};
    for (std::size_t i = 0; i < probe.rows.size(); i += together) {
      const std::size_t end = std::min(probe.rows.size(), i + together);
      double squares = 0;
      for (std::size_t k = i; k < end; ++k) squares += squares_[probe.rows[k]];
      probe.weights.insert(probe.weights.end(), end - i, squares > 0 ? 1 / squares : 0);
    }
    return probe;
  }

  // Of the neurons of one list.
  std::vector<double> strengths(std::size_t list, const ProbeRows& probe) const {
    const Turned& neurons = *neurons_[list];
    const Floats& along = along_[list];
    double all = 0;
    for (std::size_t k = 0; k < probe.rows.size(); ++k) {
      all += squares_[probe.rows[k]] * probe.weights[k];
    }
    std::vector<double> strengths(neurons.squares.size());
    for (std::size_t i = 0; i < strengths.size(); ++i) {
      double shared = 0;
      for (std::size_t k = 0; k < probe.rows.size(); ++k) {
        const auto value = static_cast<double>(along[i * rows_ + probe.rows[k]]);
        shared += value * value * probe.weights[k];
      }
      const double size = all * neurons.squares[i];
      if (!(size > 0) || !std::isfinite(shared / size)) continue;
      strengths[i] = shared / size;
    }
    return strengths;
  }

 private:
  std::vector<const Turned*> neurons_;  // owned by the caller
  std::size_t rows_;
  unsigned threads_;
  std::vector<double> squares_ = {};
  std::vector<Floats> along_ = {};  // by list, neurons × rows
};

class Strengths {
 public:
  Strengths(const Model& model, unsigned threads) : model_(model), threads_(threads) {}

  std::optional<Problem> add_to(CoupledNeurons& found) const {
    const Turned first(found.first);
    const Turned second(found.second);
    Columns columns;
    std::uint64_t left = most_values;
    for (const ProbeKind& kind : probe_kinds) {
      const RowReader reader(model_, found.layer + kind.offset);
      const std::uint64_t units = reader.units(kind.role);
      if (units == 0 || units * model_.architecture.hidden > left) continue;
      left -= units * model_.architecture.hidden;
      Couplers couplers(units, {&first, &second}, threads_);
      if (auto problem = read_rows(reader, kind.role, units, couplers)) return problem;
      if (couplers.is_whole()) add_columns(kind, units, couplers, columns);
    }
    put(columns, found);
    return std::nullopt;
  }

 private:
  using Columns = std::map<Probe, std::pair<std::vector<double>, std::vector<double>>>;

  // Windows of a matrix rather than all of it in binary64.
  static std::optional<Problem> read_rows(const RowReader& reader, std::string_view role,
                                          std::uint64_t units, Couplers& couplers) {
    for (std::uint64_t begin = 0; begin < units; begin += rows_at_once) {
      std::vector<std::uint64_t> some = every(std::min(rows_at_once, units - begin));
      for (std::uint64_t& unit : some) unit += begin;
      const auto rows = reader.read(role, some);
      if (!rows) return rows.error();
      if (rows->rows == 0) break;
      couplers.add(*rows);
    }
    return std::nullopt;
  }

  void add_columns(const ProbeKind& kind, std::size_t rows, const Couplers& couplers,
                   Columns& columns) const {
    for (const auto& [frequency, probe] : probes_of(couplers, rows, kind.role)) {
      columns[{.offset = kind.offset, .role = std::string(kind.role), .frequency = frequency}] = {
          couplers.strengths(0, probe), couplers.strengths(1, probe)};
    }
  }

  static void put(const Columns& columns, CoupledNeurons& found) {
    found.first_strengths = Matrix(found.neurons.size(), columns.size());
    found.second_strengths = Matrix(found.neurons.size(), columns.size());
    for (const auto& [probe, values] : columns) {
      const std::size_t at = found.probes.size();
      for (std::size_t i = 0; i < found.neurons.size(); ++i) {
        found.first_strengths.at(i, at) = values.first[i];
        found.second_strengths.at(i, at) = values.second[i];
      }
      found.probes.push_back(probe);
    }
  }

  std::uint64_t heads_of(std::string_view role) const {
    const Architecture& architecture = model_.architecture;
    const bool of_queries = role == "attn.q" || role == "attn.o";
    return of_queries || architecture.kv_heads == 0 ? architecture.heads : architecture.kv_heads;
  }

  // By frequency; -1 for all rows at once.
  std::vector<std::pair<int, ProbeRows>> probes_of(const Couplers& couplers, std::size_t count,
                                                   std::string_view role) const {
    std::vector<std::pair<int, ProbeRows>> probes;
    const std::uint64_t heads = heads_of(role);
    const bool in_heads = !role.starts_with("ffn") && heads > 0 && count % heads == 0;
    const std::size_t size = in_heads ? count / heads : count;
    const bool pinned = model_.architecture.positions == "rope" && in_heads && size % 2 == 0 &&
                        (role == "attn.q" || role == "attn.k");
    if (!pinned) {
      const std::size_t together = role.starts_with("ffn") ? 1 : size;
      probes.emplace_back(-1, couplers.probe(first_places(count), together));
      return probes;
    }
    for (std::size_t frequency = 0; frequency < size / 2; ++frequency) {
      std::vector<std::size_t> both;  // the two rows that RoPE turns into each other, by head
      for (std::size_t head = 0; head < heads; ++head) {
        both.push_back(head * size + frequency);
        both.push_back(head * size + size / 2 + frequency);
      }
      probes.emplace_back(static_cast<int>(frequency), couplers.probe(std::move(both), 2));
    }
    return probes;
  }

  const Model& model_;
  unsigned threads_;
};

// The neurons with the longest first rows, all of a small layer.
Result<std::vector<std::uint64_t>> chosen_neurons(const Model& model, int layer,
                                                  std::string_view role,
                                                  const CouplingRequest& request) {
  const RowReader reader(model, layer);
  const CanonicalTensor& tensor = *reader.find(role);
  std::vector<std::uint64_t> neurons = every(tensor.rows);
  if (neurons.size() <= std::max<std::uint64_t>(request.whole, request.chosen)) return neurons;
  const std::size_t at_once =
      std::max<std::size_t>(1, chunk_bytes / sizeof(float) / static_cast<std::size_t>(tensor.cols));
  std::vector<double> size;
  size.reserve(neurons.size());
  for (std::size_t i = 0; i < neurons.size(); i += at_once) {
    const auto begin = neurons.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end =
        neurons.begin() + static_cast<std::ptrdiff_t>(std::min(neurons.size(), i + at_once));
    const auto rows = reader.read(role, {begin, end});
    if (!rows) return std::unexpected(rows.error());
    for (std::size_t k = 0; k < rows->rows; ++k) {
      size.push_back(dot(rows->row(k), rows->row(k)));
    }
  }
  std::ranges::stable_sort(neurons, std::greater{}, [&](std::uint64_t i) { return size[i]; });
  neurons.resize(request.chosen);
  std::ranges::sort(neurons);
  return neurons;
}

std::optional<Problem> read_neurons(const Model& model, const CouplingRequest& request,
                                    CoupledNeurons& found) {
  const RowReader reader(model, found.layer);
  const std::uint64_t width = model.architecture.hidden;
  found.gated = reader.find("ffn.gate") != nullptr;
  const std::string_view first = found.gated ? "ffn.gate" : "ffn.up";
  const std::string_view second = found.gated ? "ffn.up" : "ffn.down";
  if (reader.units(first) == 0 || reader.units(first) != reader.units(second)) return std::nullopt;
  if (reader.find(first)->cols != width) return std::nullopt;
  auto neurons = chosen_neurons(model, found.layer, first, request);
  if (!neurons) return std::move(neurons.error());
  auto one = reader.read(first, *neurons);
  if (!one) return std::move(one.error());
  auto other = reader.read(second, *neurons);
  if (!other) return std::move(other.error());
  if (one->rows == 0 || other->rows == 0) return std::nullopt;
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::ranges::all_of(one->values, finite) || !std::ranges::all_of(other->values, finite)) {
    return std::nullopt;
  }
  found.neurons = std::move(*neurons);
  found.first = std::move(*one);
  found.second = std::move(*other);
  return std::nullopt;
}

}  // namespace

std::string strength_scheme() { return "m" + std::to_string(most_values); }

std::vector<float> turned(const Matrix& rows) {
  std::vector<float> values(rows.values.size());
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t j = 0; j < rows.cols; ++j) {
      values[j * rows.rows + i] = static_cast<float>(rows.at(i, j));
    }
  }
  return values;
}

std::vector<double> strengths(const Matrix& rows, const Matrix& probe, unsigned threads) {
  const Turned neurons(rows);
  Couplers couplers(probe.rows, {&neurons}, threads);
  couplers.add(probe);
  return couplers.strengths(
      0, {.rows = first_places(probe.rows), .weights = std::vector<double>(probe.rows, 1.0)});
}

Result<std::vector<CoupledNeurons>> coupled_neurons(const Model& model,
                                                    const CouplingRequest& request) {
  std::vector<CoupledNeurons> layers(request.layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].layer = request.layers[i];
    if (auto problem = read_neurons(model, request, layers[i])) {
      return std::unexpected(std::move(*problem));
    }
  }
  return layers;
}

std::optional<Problem> add_strengths(const Model& model, std::vector<CoupledNeurons>& layers,
                                     unsigned threads, const Progress& progress) {
  const Strengths strengths(model, threads);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (progress.stop()) return make_problem("interrupted", {}, "interrupted");
    if (progress.report) progress.report("coupling neurons", i, layers.size());
    if (layers[i].neurons.empty()) continue;
    if (auto problem = strengths.add_to(layers[i])) return problem;
  }
  return std::nullopt;
}

}  // namespace pedigree
