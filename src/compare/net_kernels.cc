#include "compare/net_kernels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>

#include "compare/dense.h"
#include "compare/net_tables.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr double table_delta = 1e-4;     // the same table, computed in another precision
constexpr std::size_t most_units = 256;  // of a witness; assignment is cubic in them

bool is_table(const NetPair& pair) {
  return pair.equal || relative_delta(pair) < table_delta || is_computed(pair);
}

}  // namespace

bool are_finite(const NetPair& pair) { return all_finite(pair.mine) && all_finite(pair.theirs); }

std::set<std::uint64_t> vector_sizes(const NetPairs& pairs) {
  std::set<std::uint64_t> sizes;
  for (const NetPair& pair : pairs.pairs) {
    if (pair.shape.size() == 1) sizes.insert(pair.shape.front());
  }
  return sizes;
}

namespace {

// Does the first axis number the outputs? A vector beside the kernel (its bias, or the norm
// behind it) has as many values; where none tells, as PyTorch stores them.
bool outputs_stand_last(const NetPair& pair, const std::set<std::uint64_t>& vectors) {
  return !vectors.contains(pair.shape.front()) && vectors.contains(pair.shape.back());
}

// PyTorch's names; others leave gates apart, and such kernels alone.
std::size_t gates_of(std::string_view name) {
  if (!name.contains("weight_ih")) return 1;
  return name.contains("gru") ? 3 : 4;
}

}  // namespace

bool may_be_recurrent(std::string_view name) {
  return name.contains("weight_hh") || name.contains("recurrent");
}

KernelAxes axes_of(const NetPair& pair, const std::set<std::uint64_t>& vectors) {
  const bool last = outputs_stand_last(pair, vectors);
  return {.outputs_last = last,
          .outputs = last ? pair.shape.back() : pair.shape.front(),
          .inputs = last ? pair.shape[pair.shape.size() - 2] : pair.shape[1]};
}

namespace {

// As many in as out, or the three of a fused attention. And what reads one channel is often
// depthwise, whose channels come in kinds.
bool may_be_one_numbering(const KernelAxes& axes, std::size_t gates) {
  return axes.inputs == 1 || axes.inputs == axes.outputs / gates || axes.outputs == 3 * axes.inputs;
}

bool says_nothing(const NetPair& pair) {
  return !are_finite(pair) || !is_informative(pair) || is_table(pair);
}

// What channels read, of all gates of a unit behind each other.
Matrix channels_of(const std::vector<float>& values, const KernelAxes& axes, std::size_t gates) {
  const std::size_t channels = axes.outputs / gates;
  const std::size_t width = values.size() / axes.outputs;
  const auto places = spread_places(channels, most_units);
  Matrix matrix(places.size(), width * gates);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t col = 0; col < matrix.cols; ++col) {
      const std::size_t output = col / width * channels + places[i];
      const std::size_t at =
          axes.outputs_last ? col % width * axes.outputs + output : output * width + col % width;
      matrix.at(i, col) = static_cast<double>(values[at]);
    }
  }
  return matrix;
}

Kernel kernel_of(const NetPair& pair, const KernelAxes& axes, std::size_t gates) {
  return {.channels = axes.outputs / gates,
          .inputs = axes.inputs,
          .mine = channels_of(pair.mine, axes, gates),
          .theirs = channels_of(pair.theirs, axes, gates)};
}

bool is_dead(const std::vector<double>& row) {
  return std::ranges::adjacent_find(row, std::not_equal_to<>()) == row.end();
}

}  // namespace

double Kernel::cosine() const {
  std::vector<double> cosines;
  cosines.reserve(mine.rows);
  for (std::size_t i = 0; i < mine.rows; ++i) {
    const double size = product(mine.row(i), mine.row(i)) * product(theirs.row(i), theirs.row(i));
    if (size > 0) cosines.push_back(product(mine.row(i), theirs.row(i)) / std::sqrt(size));
  }
  return median(std::move(cosines));
}

std::vector<Kernel> hidden_kernels(const Model& subject, const NetPairs& pairs) {
  const std::set<std::uint64_t> vectors = vector_sizes(pairs);
  std::vector<const NetPair*> matrices;
  std::vector<std::uint64_t> read;  // sizes of input axes
  for (const NetPair& pair : pairs.pairs) {
    if (pair.shape.size() < 2) continue;
    matrices.push_back(&pair);
    read.push_back(axes_of(pair, vectors).inputs);
  }
  if (!matrices.empty()) matrices.pop_back();  // the last layer's outputs mean something
  std::vector<Kernel> kernels;
  for (const NetPair* pair : matrices) {
    const std::string_view name = subject.tensors[pair->subject].entry.name;
    const KernelAxes axes = axes_of(*pair, vectors);
    const std::size_t gates = axes.outputs_last ? 1 : gates_of(name);
    if (axes.outputs % gates != 0 || may_be_recurrent(name)) continue;
    const bool is_read = std::ranges::any_of(
        read, [&](std::uint64_t size) { return size != 0 && size % (axes.outputs / gates) == 0; });
    if (!is_read || may_be_one_numbering(axes, gates) || says_nothing(*pair)) continue;
    kernels.push_back(kernel_of(*pair, axes, gates));
  }
  return kernels;
}

namespace {

using Sizes = std::vector<std::uint64_t>;

bool is_among(const Sizes& sizes, std::uint64_t size) {
  return std::ranges::find(sizes, size) != sizes.end();
}

// Of the groups of so many channels, which may a kernel with so many inputs read? As many; else
// several positions of each.
bool may_read(std::uint64_t inputs, std::uint64_t channels, const Sizes& sizes) {
  if (is_among(sizes, inputs)) return inputs == channels;
  return inputs % channels == 0;
}

std::vector<std::vector<const Kernel*>> in_order(const std::vector<Kernel>& kernels,
                                                 const Sizes& sizes) {
  std::vector<std::vector<const Kernel*>> groups(sizes.size());
  for (const Kernel& kernel : kernels) {
    const auto own = std::ranges::find(sizes, kernel.channels);
    const bool reads_ahead = std::any_of(own, sizes.end(), [&](std::uint64_t channels) {
      return may_read(kernel.inputs, channels, sizes);
    });
    if (!reads_ahead) groups[static_cast<std::size_t>(own - sizes.begin())].push_back(&kernel);
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  return groups;
}

std::size_t kernels_in(const std::vector<std::vector<const Kernel*>>& groups) {
  std::size_t count = 0;
  for (const auto& group : groups) count += group.size();
  return count;
}

}  // namespace

// Of three orders the one that keeps most kernels, chosen by sizes alone.
std::vector<std::vector<const Kernel*>> ordered_groups(const std::vector<Kernel>& kernels) {
  Sizes as_met;
  for (const Kernel& kernel : kernels) {
    if (!is_among(as_met, kernel.channels)) as_met.push_back(kernel.channels);
  }
  Sizes ascending = as_met;
  std::ranges::sort(ascending);
  const Sizes descending(ascending.rbegin(), ascending.rend());
  std::vector<std::vector<const Kernel*>> best;
  for (const Sizes& sizes : {ascending, descending, as_met}) {
    auto groups = in_order(kernels, sizes);
    if (best.empty() || kernels_in(groups) > kernels_in(best)) best = std::move(groups);
  }
  return best;
}

Witness witness_of(const std::vector<const Kernel*>& group) {
  Witness witness;
  // Rows that say nothing, or are another's copy, on either side are no units.
  std::set<std::vector<double>> my_rows;
  std::set<std::vector<double>> their_rows;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < group.front()->mine.rows; ++i) {
    std::vector<double> mine;
    std::vector<double> theirs;
    for (const Kernel* kernel : group) {
      std::ranges::copy(kernel->mine.row(i), std::back_inserter(mine));
      std::ranges::copy(kernel->theirs.row(i), std::back_inserter(theirs));
    }
    if (is_dead(mine) || is_dead(theirs)) continue;
    const bool mine_is_new = my_rows.insert(std::move(mine)).second;
    const bool theirs_is_new = their_rows.insert(std::move(theirs)).second;
    if (mine_is_new && theirs_is_new) rows.push_back(i);
  }
  witness.units = rows.size();
  for (const Kernel* kernel : group) {
    View view{.subject = Matrix(rows.size(), kernel->mine.cols),
              .base = Matrix(rows.size(), kernel->mine.cols)};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::ranges::copy(kernel->mine.row(rows[i]), view.subject.row(i).begin());
      std::ranges::copy(kernel->theirs.row(rows[i]), view.base.row(i).begin());
    }
    witness.views.push_back(std::move(view));
  }
  return witness;
}

std::vector<const NetPair*> frozen_kernels(const NetPairs& pairs) {
  const std::set<std::uint64_t> vectors = vector_sizes(pairs);
  std::vector<const NetPair*> kernels;
  for (const NetPair& pair : pairs.pairs) {
    if (!pair.equal || pair.shape.size() < 2) continue;
    const KernelAxes axes = axes_of(pair, vectors);
    // Banks of filters are laid over one channel.
    if (axes.outputs < fewest_units || axes.inputs == 1) continue;
    if (are_finite(pair) && is_informative(pair) && !is_computed(pair)) kernels.push_back(&pair);
  }
  return kernels;
}

bool is_informative(const NetPair& pair) {
  constexpr std::size_t few = 16;
  std::set<float> distinct;
  for (const float value : pair.mine) {
    if (std::isnan(value)) continue;
    if (distinct.insert(value).second && distinct.size() > few) return true;
  }
  return false;
}

bool is_alike(const NetPair& pair) {
  constexpr std::size_t fewest_values = 256;
  constexpr double most_of_strangers = 0.5;
  if (pair.shape.size() < 2 || pair.mine.size() < fewest_values) return false;
  if (!are_finite(pair) || !is_informative(pair) || is_computed(pair)) return false;
  std::vector<double> mine(pair.mine.begin(), pair.mine.end());
  std::vector<double> theirs(pair.theirs.begin(), pair.theirs.end());
  for (std::vector<double>* values : {&mine, &theirs}) {
    const std::vector<double> ones(values->size(), 1);
    const double mean = product(*values, ones) / static_cast<double>(values->size());
    for (double& value : *values) value -= mean;
  }
  const double size = product(mine, mine) * product(theirs, theirs);
  return size > 0 && product(mine, theirs) > most_of_strangers * std::sqrt(size);
}

double relative_delta(const NetPair& pair) {
  double change = 0;
  double size = 0;
  for (std::size_t i = 0; i < pair.mine.size(); ++i) {
    const double delta = static_cast<double>(pair.mine[i]) - static_cast<double>(pair.theirs[i]);
    change += delta * delta;
    size += static_cast<double>(pair.theirs[i]) * static_cast<double>(pair.theirs[i]);
  }
  return size == 0 ? 0 : std::sqrt(change / size);
}

}  // namespace pedigree
