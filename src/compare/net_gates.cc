#include "compare/net_gates.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "compare/net_content.h"
#include "compare/net_kernels.h"
#include "compare/net_tensors.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_values = std::uint64_t{1} << 26U;

constexpr std::uint64_t most_indices = 16;

using Values = std::vector<float>;

// A matrix or vector as one layer of one direction has it.
struct Part {
  std::size_t rows = 0;
  std::size_t cols = 1;
  Values values = {};
  std::uint64_t bag = 0;  // of the values in any order
  bool stacked = false;   // cut out of a tensor of several
};

// New gate g is old gate order[g].
using Order = std::vector<std::size_t>;
const std::array<Order, 3>& orders() {
  static const std::array<Order, 3> all = {
      Order{0, 2, 3, 1},  // i, o, f, c to i, f, c, o
      Order{0, 3, 1, 2},  // and back
      Order{1, 0, 2},     // z, r, h to r, z, h, and back
  };
  return all;
}

// ONNX: [directions, gates · units, inputs], or units for inputs; and the biases of both.
bool is_stacked(const std::vector<std::uint64_t>& shape) {
  return shape.size() == 3 && shape[0] <= 2 && shape[2] > 0 &&
         (shape[1] == 3 * shape[2] || shape[1] == 4 * shape[2]);
}

class Parts {
 public:
  explicit Parts(const Model& model) : model_(model) {
    for (const StoredTensor& tensor : model.tensors) {
      const TensorEntry& entry = tensor.entry;
      if (is_stacked(entry.shape)) gate_rows_.push_back(entry.shape[1]);
      recurrent_ = recurrent_ || may_be_recurrent(entry.name) || is_stacked(entry.shape);
      // Shapes and counters say nothing; packed numbers would.
      if (entry.type->kind != ElementType::Kind::floating) {
        readable_ = readable_ && entry.element_count() <= most_indices;
        continue;
      }
      readable_ = readable_ && entry.type->decode != nullptr;
      values_ += entry.element_count();
    }
  }

  bool recurrent() const { return recurrent_; }
  bool readable() const { return readable_ && values_ <= most_values; }

  std::optional<Problem> read() {
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      const TensorEntry& entry = model_.tensors[i].entry;
      if (entry.type->kind != ElementType::Kind::floating || entry.element_count() == 0) continue;
      auto values = net_values(model_, i);
      if (!values) return std::move(values.error());
      const bool zero = std::ranges::all_of(*values, [](float value) { return value == 0; });
      if (!zero) cut(entry.shape, *std::move(values));
    }
    return std::nullopt;
  }

  std::vector<Part>& parts() { return parts_; }

 private:
  bool is_of_gates(std::uint64_t rows) const {
    return std::ranges::find(gate_rows_, rows) != gate_rows_.end();
  }

  // By direction, and biases of inputs and state apart.
  void cut(const std::vector<std::uint64_t>& shape, Values values) {
    std::size_t pieces = 1;
    std::size_t cols = shape.size() < 2 ? 1 : static_cast<std::size_t>(shape.back());
    if (shape.size() == 3 && shape[0] <= 2 && is_of_gates(shape[1])) {
      pieces = static_cast<std::size_t>(shape[0]);
    } else if (shape.size() == 2 && shape[0] <= 2 && shape[1] % 2 == 0 &&
               is_of_gates(shape[1] / 2)) {
      pieces = 2 * static_cast<std::size_t>(shape[0]);
      cols = 1;
    }
    const std::size_t size = values.size() / pieces;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(piece * size);
      Part part{.rows = size / cols,
                .cols = cols,
                .values = Values(begin, begin + static_cast<std::ptrdiff_t>(size)),
                .stacked = shape.size() == 3 || pieces > 1};
      part.bag = bag_of(part.values);
      parts_.push_back(std::move(part));
    }
  }

  const Model& model_;
  bool recurrent_ = false;
  bool readable_ = true;
  std::uint64_t values_ = 0;
  std::vector<std::uint64_t> gate_rows_ = {};
  std::vector<Part> parts_ = {};
};

Part transposed(const Part& part) {
  Part turned{.rows = part.cols, .cols = part.rows, .values = Values(part.values.size())};
  for (std::size_t i = 0; i < part.rows; ++i) {
    for (std::size_t j = 0; j < part.cols; ++j) {
      turned.values[j * part.rows + i] = part.values[i * part.cols + j];
    }
  }
  return turned;
}

// Is `mine` equal to `theirs` with blocks of rows in this order?
bool equal_in_order(const Part& mine, const Part& theirs, const Order& order) {
  if (mine.rows % order.size() != 0) return false;
  const std::size_t block = mine.values.size() / order.size();
  for (std::size_t gate = 0; gate < order.size(); ++gate) {
    const std::span here(mine.values.data() + gate * block, block);
    const std::span there(theirs.values.data() + order[gate] * block, block);
    if (!std::ranges::equal(here, there)) return false;
  }
  return true;
}

struct Likeness {
  bool turned = false;
  bool reordered = false;
};

std::optional<Likeness> likeness(const Part& mine, const Part& theirs) {
  for (const bool turned : {false, true}) {
    if (turned && (mine.cols == 1 || theirs.cols == 1)) continue;
    const Part other = turned ? transposed(theirs) : theirs;
    if (other.rows != mine.rows || other.cols != mine.cols) continue;
    if (other.values == mine.values) return Likeness{.turned = turned};
    // Gates may lie along either axis, but in both sides' along the same then.
    const Part my_columns = transposed(mine);
    const Part their_columns = transposed(other);
    for (const Order& order : orders()) {
      if (equal_in_order(mine, other, order) || equal_in_order(my_columns, their_columns, order)) {
        return Likeness{.turned = turned, .reordered = true};
      }
    }
  }
  return std::nullopt;
}

// One part of the base for each of the subject's.
class Matcher {
 public:
  explicit Matcher(const std::vector<Part>& theirs) {
    for (const Part& part : theirs) open_.emplace(part.bag, &part);
  }

  std::optional<EqualGates> match(const std::vector<Part>& mine) {
    EqualGates result{.tensors = mine.size()};
    for (const Part& part : mine) {
      const auto like = take(part);
      if (!like) return std::nullopt;
      result.values += part.values.size();
      result.reordered += like->reordered ? 1U : 0U;
    }
    if (turned_) result.transforms.emplace_back("transpose");
    if (stacked_) result.transforms.emplace_back("stack-directions");
    if (result.reordered > 0) result.transforms.emplace_back("gate-order");
    if (!stacked_ && result.reordered == 0) return std::nullopt;
    return result;
  }

 private:
  std::optional<Likeness> take(const Part& part) {
    const auto [begin, end] = open_.equal_range(part.bag);
    for (auto at = begin; at != end; ++at) {
      const auto like = likeness(part, *at->second);
      if (!like) continue;
      turned_ = turned_ || like->turned;
      stacked_ = stacked_ || part.stacked != at->second->stacked;
      open_.erase(at);
      return like;
    }
    return std::nullopt;
  }

  std::multimap<std::uint64_t, const Part*> open_ = {};
  bool turned_ = false;
  bool stacked_ = false;
};

}  // namespace

Result<std::optional<EqualGates>> equal_but_for_gates(const Model& subject, const Model& base) {
  Parts mine(subject);
  Parts theirs(base);
  if (!(mine.recurrent() || theirs.recurrent()) || !mine.readable() || !theirs.readable()) {
    return std::nullopt;
  }
  for (Parts* side : {&mine, &theirs}) {
    if (auto problem = side->read()) return std::unexpected(*std::move(problem));
  }
  if (mine.parts().size() != theirs.parts().size()) return std::nullopt;
  return Matcher(theirs.parts()).match(mine.parts());
}

}  // namespace pedigree
