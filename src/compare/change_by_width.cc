#include "compare/change_by_width.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t most_units = 64;

enum class Units : unsigned char { query_rows, value_rows, neurons, tokens };

struct RoleUnits {
  std::string_view role;
  Units units;
  bool dimensions_are_rows;
};
constexpr std::array layer_roles = {
    RoleUnits{.role = "attn.q", .units = Units::query_rows, .dimensions_are_rows = false},
    RoleUnits{.role = "attn.k", .units = Units::value_rows, .dimensions_are_rows = false},
    RoleUnits{.role = "attn.v", .units = Units::value_rows, .dimensions_are_rows = false},
    RoleUnits{.role = "attn.o", .units = Units::query_rows, .dimensions_are_rows = true},
    RoleUnits{.role = "ffn.gate", .units = Units::neurons, .dimensions_are_rows = false},
    RoleUnits{.role = "ffn.up", .units = Units::neurons, .dimensions_are_rows = false},
    RoleUnits{.role = "ffn.down", .units = Units::neurons, .dimensions_are_rows = true}};
constexpr std::array<std::string_view, 2> gain_roles = {"attn.norm", "ffn.norm"};

IndexPairs thinned(const IndexPairs& pairs) {
  IndexPairs some;
  for (const std::size_t place : spread_places(pairs.subject.size(), most_units)) {
    some.subject.push_back(pairs.subject[place]);
    some.base.push_back(pairs.base[place]);
  }
  return some;
}

class Reader {
 public:
  Reader(const Side& subject, const Side& base, const Alignment& alignment)
      : subject_(subject),
        base_(base),
        alignment_(alignment),
        dimensions_(thinned(alignment.dimensions)) {}

  std::optional<Problem> add(const RoleUnits& of, std::pair<int, int> layers,
                             const IndexPairs& units) {
    auto mine = part(*subject_.weights, of, layers.first, units.subject, dimensions_.subject);
    if (!mine) return std::move(mine.error());
    auto theirs = part(*base_.weights, of, layers.second, units.base, dimensions_.base);
    if (!theirs) return std::move(theirs.error());
    if (mine->values.empty() || mine->values.size() != theirs->values.size()) return std::nullopt;
    all_.push_back({.role = std::string(of.role),
                    .subject_layer = layers.first,
                    .base_layer = layers.second,
                    .subject = std::move(*mine),
                    .base = std::move(*theirs),
                    .subject_type = type_of(subject_, of.role, layers.first),
                    .base_type = type_of(base_, of.role, layers.second)});
    return std::nullopt;
  }

  std::optional<Problem> add_layer(std::size_t place) {
    const auto layers = alignment_.layers[place];
    for (const RoleUnits& of : layer_roles) {
      if (auto problem = add(of, layers, units_of(of.units, place))) return problem;
    }
    for (const std::string_view role : gain_roles) add_gains(role, layers);
    return std::nullopt;
  }

  std::optional<Problem> add_tokens() {
    const CommonTokens common = common_tokens(subject_.sketch, base_.sketch);
    const IndexPairs tokens = thinned({.subject = common.subject_rows, .base = common.base_rows});
    for (const std::string_view role : {"embed.tokens", "head.out"}) {
      const RoleUnits of = {.role = role, .units = Units::tokens, .dimensions_are_rows = false};
      if (auto problem = add(of, {-1, -1}, tokens)) return problem;
    }
    add_gains("head.norm", {-1, -1});
    return std::nullopt;
  }

  std::vector<Change> taken() { return std::move(all_); }

 private:
  using Indices = std::vector<std::uint64_t>;

  static const ElementType* type_of(const Side& side, std::string_view role, int layer) {
    const CanonicalTensor* tensor = side.weights->find(role, layer);
    return tensor == nullptr ? nullptr : &side.weights->type_of(*tensor);
  }

  static Result<Matrix> part(const Model& model, const RoleUnits& of, int layer,
                             const Indices& units, const Indices& dimensions) {
    const CanonicalTensor* tensor = model.find(of.role, layer);
    if (tensor == nullptr || units.empty() || dimensions.empty()) return Matrix{};
    const Indices& rows = of.dimensions_are_rows ? dimensions : units;
    const Indices& cols = of.dimensions_are_rows ? units : dimensions;
    if (*std::ranges::max_element(rows) >= tensor->rows ||
        *std::ranges::max_element(cols) >= tensor->cols) {
      return Matrix{};
    }
    const auto values = read_block(model, *tensor, rows, cols);
    if (!values) return std::unexpected(values.error());
    Matrix matrix(rows.size(), cols.size());
    std::ranges::transform(*values, matrix.values.begin(),
                           [](float value) { return static_cast<double>(value); });
    return matrix;
  }

  IndexPairs units_of(Units units, std::size_t place) const {
    switch (units) {
      case Units::query_rows:
        return paired_head_rows(subject_, base_, alignment_.heads[place], false, most_units);
      case Units::value_rows:
        return paired_head_rows(subject_, base_, alignment_.heads[place], true, most_units);
      case Units::neurons:
        return neurons(place);
      case Units::tokens:
        break;
    }
    return {};
  }

  IndexPairs neurons(std::size_t place) const {
    IndexPairs pairs;
    if (alignment_.neurons_by_index) {
      const auto shared = std::min(subject_.sketch.architecture.ffn, base_.sketch.architecture.ffn);
      for (const std::size_t i : spread_places(shared, most_units)) pairs.subject.push_back(i);
      pairs.base = pairs.subject;
      return pairs;
    }
    for (const auto& [mine, theirs] : alignment_.neurons[place]) {
      pairs.subject.push_back(mine);
      pairs.base.push_back(theirs);
    }
    return thinned(pairs);
  }

  void add_gains(std::string_view role, std::pair<int, int> layers) {
    const Gains* a = subject_.sketch.gain(role, layers.first);
    const Gains* b = base_.sketch.gain(role, layers.second);
    if (a == nullptr || b == nullptr || !a->channels.empty() || !b->channels.empty()) return;
    const IndexPairs& pairs = alignment_.dimensions;
    Change change{.role = std::string(role),
                  .subject_layer = layers.first,
                  .base_layer = layers.second,
                  .subject = Matrix(1, pairs.subject.size()),
                  .base = Matrix(1, pairs.subject.size())};
    for (std::size_t i = 0; i < pairs.subject.size(); ++i) {
      if (pairs.subject[i] >= a->values.size() || pairs.base[i] >= b->values.size()) return;
      change.subject.at(0, i) = static_cast<double>(a->values[pairs.subject[i]]);
      change.base.at(0, i) = static_cast<double>(b->values[pairs.base[i]]);
    }
    change.subject_type = find_element_type(a->element_type);
    change.base_type = find_element_type(b->element_type);
    change.is_vector = true;
    all_.push_back(std::move(change));
  }

  const Side& subject_;
  const Side& base_;
  const Alignment& alignment_;
  IndexPairs dimensions_;
  std::vector<Change> all_;
};

}  // namespace

Result<std::vector<Change>> changes_by_width(const Side& subject, const Side& base,
                                             const Alignment& alignment) {
  Reader reader(subject, base, alignment);
  if (auto problem = reader.add_tokens()) return std::unexpected(std::move(*problem));
  for (std::size_t i = 0; i < alignment.layers.size(); ++i) {
    if (auto problem = reader.add_layer(i)) return std::unexpected(std::move(*problem));
  }
  return reader.taken();
}

}  // namespace pedigree
