#include "compare/coupling_strengths.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>

#include "compare/dense.h"
#include "fingerprint/neuron_answers.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;
// Multiplications a neuron's strengths may take. In models of up to some 2,000 residual
// dimensions that lets every probe in; at a width of 4096 the first four thousand rows.
constexpr std::uint64_t most_values = std::uint64_t{1} << 24U;
constexpr double weakest = 1e-12;  // logs of less would be rounding

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

bool writes(std::string_view role) { return role == "attn.o" || role == "ffn.down"; }

std::vector<std::uint64_t> every(std::uint64_t count) {
  std::vector<std::uint64_t> indices(count);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  return indices;
}

// Rows as the residual stream sees them.
class RowReader {
 public:
  RowReader(const Model& model, int layer) : model_(model), layer_(layer) {}

  const CanonicalTensor* find(std::string_view role) const { return model_.find(role, layer_); }

  std::uint64_t units(std::string_view role) const {
    const CanonicalTensor* tensor = find(role);
    if (tensor == nullptr) return 0;
    return writes(role) ? tensor->cols : tensor->rows;
  }

  // These rows (columns, of what writes) over the residual dimensions; none where the
  // layer lacks the role or it has another width.
  Result<Matrix> read(std::string_view role, const std::vector<std::uint64_t>& units) const {
    const CanonicalTensor* tensor = find(role);
    const std::uint64_t width = model_.architecture.hidden;
    if (tensor == nullptr || (writes(role) ? tensor->rows : tensor->cols) != width) {
      return Matrix{};
    }
    auto values = writes(role) ? read_block(model_, *tensor, every(width), units)
                               : read_rows(model_, *tensor, units);
    if (!values) return std::unexpected(std::move(values.error()));
    Matrix rows(units.size(), static_cast<std::size_t>(width));
    for (std::size_t i = 0; i < rows.rows; ++i) {
      for (std::size_t j = 0; j < rows.cols; ++j) {
        const std::size_t at = writes(role) ? j * rows.rows + i : i * rows.cols + j;
        rows.at(i, j) = static_cast<double>((*values)[at]);
      }
    }
    if (auto problem = pass_norm(rows, role)) return std::unexpected(std::move(*problem));
    return rows;
  }

 private:
  std::optional<Problem> pass_norm(Matrix& rows, std::string_view role) const {
    const CanonicalTensor* norm = find(role.starts_with("ffn") ? "ffn.norm" : "attn.norm");
    if (!writes(role) && norm != nullptr && norm->rows == rows.cols) {
      const auto gain = read_all(model_, *norm);
      if (!gain) return gain.error();
      const double one = model_.architecture.norm_plus_one ? 1 : 0;
      for (std::size_t i = 0; i < rows.values.size(); ++i) {
        rows.values[i] *= static_cast<double>((*gain)[i % rows.cols]) + one;
      }
    }
    if (model_.architecture.norm != "layernorm") return std::nullopt;
    for (std::size_t i = 0; i < rows.rows; ++i) {
      const auto row = rows.row(i);
      double total = 0;
      for (const double value : row) total += value;
      for (double& value : row) value -= total / static_cast<double>(row.size());
    }
    return std::nullopt;
  }

  const Model& model_;
  int layer_;
};

Matrix some_rows(const Matrix& rows, const std::vector<std::size_t>& wanted) {
  Matrix part(wanted.size(), rows.cols);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::ranges::copy(rows.row(wanted[i]), part.row(i).begin());
  }
  return part;
}

// Each by its own length, so that no free factor of a neuron, a head or a frequency counts.
void balance(Matrix& rows, std::size_t together) {
  for (std::size_t i = 0; i < rows.rows; i += together) {
    double squares = 0;
    const std::size_t end = std::min(rows.rows, i + together);
    for (std::size_t k = i; k < end; ++k) squares += product(rows.row(k), rows.row(k));
    if (squares <= 0) continue;
    const double factor = 1 / std::sqrt(squares);
    for (std::size_t k = i; k < end; ++k) {
      for (double& value : rows.row(k)) value *= factor;
    }
  }
}

class Strengths {
 public:
  Strengths(const Model& model, unsigned threads) : model_(model), threads_(threads) {}

  std::optional<Problem> add_to(CoupledNeurons& found) const {
    std::map<Probe, std::pair<std::vector<double>, std::vector<double>>> columns;
    std::uint64_t left = most_values;
    for (const ProbeKind& kind : probe_kinds) {
      const RowReader reader(model_, found.layer + kind.offset);
      const std::uint64_t units = reader.units(kind.role);
      if (units == 0 || units * model_.architecture.hidden > left) continue;
      left -= units * model_.architecture.hidden;
      const auto rows = reader.read(kind.role, every(units));
      if (!rows) return rows.error();
      for (auto& [frequency, probe] : probes_of(*rows, kind.role)) {
        columns[{.offset = kind.offset, .role = std::string(kind.role), .frequency = frequency}] = {
            log_strengths(found.first, probe, threads_),
            log_strengths(found.second, probe, threads_)};
      }
    }
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
    return std::nullopt;
  }

 private:
  std::uint64_t heads_of(std::string_view role) const {
    const Architecture& architecture = model_.architecture;
    const bool of_queries = role == "attn.q" || role == "attn.o";
    return of_queries || architecture.kv_heads == 0 ? architecture.heads : architecture.kv_heads;
  }

  std::vector<std::pair<int, Matrix>> probes_of(const Matrix& rows, std::string_view role) const {
    std::vector<std::pair<int, Matrix>> probes;
    if (rows.rows == 0) return probes;
    if (role.starts_with("ffn")) {
      probes.emplace_back(-1, rows);
      balance(probes.back().second, 1);
      return probes;
    }
    const std::uint64_t heads = heads_of(role);
    const bool in_heads = heads > 0 && rows.rows % heads == 0;
    const std::size_t size = in_heads ? rows.rows / heads : rows.rows;
    const bool pinned = model_.architecture.positions == "rope" && in_heads && size % 2 == 0 &&
                        (role == "attn.q" || role == "attn.k");
    if (!pinned) {
      probes.emplace_back(-1, rows);
      balance(probes.back().second, size);
      return probes;
    }
    for (std::size_t frequency = 0; frequency < size / 2; ++frequency) {
      std::vector<std::size_t> turned;  // the two rows that RoPE turns into each other, by head
      for (std::size_t head = 0; head < heads; ++head) {
        turned.push_back(head * size + frequency);
        turned.push_back(head * size + size / 2 + frequency);
      }
      probes.emplace_back(static_cast<int>(frequency), some_rows(rows, turned));
      balance(probes.back().second, 2);
    }
    return probes;
  }

  const Model& model_;
  unsigned threads_;
};

// The neurons with the longest first rows, all of a small layer.
Result<std::vector<std::uint64_t>> chosen_neurons(const Model& model, int layer,
                                                  std::string_view role, std::size_t count) {
  const RowReader reader(model, layer);
  const CanonicalTensor& tensor = *reader.find(role);
  std::vector<std::uint64_t> neurons = every(tensor.rows);
  if (neurons.size() <= whole_below || neurons.size() <= count) return neurons;
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
      size.push_back(product(rows->row(k), rows->row(k)));
    }
  }
  std::ranges::stable_sort(neurons, std::greater{}, [&](std::uint64_t i) { return size[i]; });
  neurons.resize(count);
  std::ranges::sort(neurons);
  return neurons;
}

std::optional<Problem> read_neurons(const Model& model, std::size_t chosen, CoupledNeurons& found) {
  const RowReader reader(model, found.layer);
  const std::uint64_t width = model.architecture.hidden;
  found.gated = reader.find("ffn.gate") != nullptr;
  const std::string_view first = found.gated ? "ffn.gate" : "ffn.up";
  const std::string_view second = found.gated ? "ffn.up" : "ffn.down";
  if (reader.units(first) == 0 || reader.units(first) != reader.units(second)) return std::nullopt;
  if (reader.find(first)->cols != width) return std::nullopt;
  auto neurons = chosen_neurons(model, found.layer, first, chosen);
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

std::vector<double> log_strengths(const Matrix& rows, const Matrix& probe, unsigned threads) {
  const Matrix along = times_transposed(rows, probe, threads);
  const double all = product(probe.values, probe.values);
  std::vector<double> strengths(rows.rows, std::log(weakest));
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const double size = all * product(rows.row(i), rows.row(i));
    if (!(size > 0) || !std::isfinite(size)) continue;
    strengths[i] = std::log(std::max(weakest, product(along.row(i), along.row(i)) / size));
  }
  return strengths;
}

Result<std::vector<CoupledNeurons>> coupled_neurons(const Model& model,
                                                    const CouplingRequest& request) {
  std::vector<CoupledNeurons> layers(request.layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].layer = request.layers[i];
    if (auto problem = read_neurons(model, request.chosen, layers[i])) {
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
