#include "compare/signed_layers.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/parallel.h"
#include "compare/dense.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

struct DimensionView {
  std::string_view role;
  bool dimensions_are_columns;
};
constexpr std::array dimension_views = {
    DimensionView{.role = "attn.q", .dimensions_are_columns = true},
    DimensionView{.role = "attn.k", .dimensions_are_columns = true},
    DimensionView{.role = "attn.v", .dimensions_are_columns = true},
    DimensionView{.role = "attn.o", .dimensions_are_columns = false},
    DimensionView{.role = "ffn.gate", .dimensions_are_columns = true},
    DimensionView{.role = "ffn.up", .dimensions_are_columns = true},
    DimensionView{.role = "ffn.down", .dimensions_are_columns = false}};

bool is_ambiguous(const Architecture& architecture, std::string_view part) {
  return std::ranges::any_of(architecture.ambiguous, [part](const std::string& roles) {
    return roles.find(part) != std::string::npos;
  });
}

// Likeness of unit i to unit i of parts that are ready, added to `likeness`.
void add_products(const PreparedRows& a, const PreparedRows& b, std::vector<double>& likeness) {
  if (a.rows != b.rows || a.cols != b.cols || a.rows == 0) return;
  if (likeness.empty()) likeness.resize(a.rows);
  if (likeness.size() != a.rows) return;
  for (std::size_t i = 0; i < a.rows; ++i) likeness[i] += dot(a.row(i), b.row(i));
}

SignSum summed(const std::vector<double>& likeness, std::size_t views) {
  SignSum sum;
  for (const double value : likeness) sum.add(value, views);
  return sum;
}

// A matrix of each side, and the places of what its residual dimensions are seen through.
struct DimensionPair {
  const Block* subject = nullptr;
  const Block* base = nullptr;
  SharedPlaces others = {};
  bool are_columns = false;  // the dimensions
};

std::vector<DimensionPair> dimension_pairs(const Fingerprint& subject, const Fingerprint& base,
                                           const LayerMap& map) {
  std::vector<DimensionPair> pairs;
  const CommonTokens tokens = common_tokens(subject, base);
  for (const std::string_view role : {"embed.tokens", "head.out"}) {
    const Block* a = subject.block(role, -1);
    const Block* b = base.block(role, -1);
    if (a == nullptr || b == nullptr) continue;
    pairs.push_back({.subject = a,
                     .base = b,
                     .others = common_token_places(*a, *b, tokens),
                     .are_columns = true});
  }
  for (const auto& [mine, theirs] : map) {
    for (const auto& [role, are_columns] : dimension_views) {
      const Block* a = subject.block(role, mine);
      const Block* b = base.block(role, theirs);
      if (a == nullptr || b == nullptr) continue;
      pairs.push_back({.subject = a,
                       .base = b,
                       .others = are_columns ? shared_places(a->rows, b->rows)
                                             : shared_places(a->cols, b->cols),
                       .are_columns = are_columns});
    }
  }
  return pairs;
}

// What one pair of matrices says about some residual dimensions.
struct Seen {
  std::vector<std::uint64_t> dimensions = {};  // their numbers
  std::vector<double> likeness = {};
};

std::optional<Seen> seen_dimensions(const DimensionPair& pair) {
  const Block& a = *pair.subject;
  const Block& b = *pair.base;
  const SharedPlaces& others = pair.others;
  const auto shared =
      pair.are_columns ? shared_places(a.cols, b.cols) : shared_places(a.rows, b.rows);
  if (shared.subject.size() < fewest_units || others.subject.size() < fewest_units) {
    return std::nullopt;
  }
  Seen seen;
  const auto& numbers = pair.are_columns ? a.cols : a.rows;
  for (const std::size_t place : shared.subject) seen.dimensions.push_back(numbers[place]);
  const auto part = [&](const Block& block, const std::vector<std::size_t>& other,
                        const std::vector<std::size_t>& own) {
    return signed_rows(pair.are_columns ? part_of(block, other, own, true)
                                        : part_of(block, own, other));
  };
  add_products(part(a, others.subject, shared.subject), part(b, others.base, shared.base),
               seen.likeness);
  return seen;
}

// The likeness of each residual dimension, by its number.
class Dimensions {
 public:
  void add(const Seen& seen) {
    ++views_;
    for (std::size_t i = 0; i < seen.likeness.size(); ++i) {
      const auto at = std::ranges::lower_bound(numbers_, seen.dimensions[i]);
      const auto place = at - numbers_.begin();
      if (at == numbers_.end() || *at != seen.dimensions[i]) {
        numbers_.insert(at, seen.dimensions[i]);
        totals_.insert(totals_.begin() + place, 0.0);
      }
      totals_[static_cast<std::size_t>(place)] += seen.likeness[i];
    }
  }
  const std::vector<double>& totals() const { return totals_; }
  std::size_t views() const { return views_; }

 private:
  std::vector<std::uint64_t> numbers_;
  std::vector<double> totals_;
  std::size_t views_ = 0;
};

}  // namespace

FreeSigns free_signs(const Architecture& subject, const Architecture& base) {
  FreeSigns free{.neurons = true, .channels = true, .dimensions = true};
  for (const Architecture* side : {&subject, &base}) {
    free.neurons = free.neurons && side->gated_mlp && !is_ambiguous(*side, "ffn.");
    free.channels = free.channels && !is_ambiguous(*side, "attn.v");
    free.dimensions = free.dimensions && side->norm == "rmsnorm";
  }
  return free;
}

SignedLayers::SignedLayers(const Fingerprint& subject, const Fingerprint& base, unsigned threads)
    : subject_(subject), base_(base), free_(free_signs(subject.architecture, base.architecture)) {
  for (const bool of_subject : {true, false}) {
    const auto depth = (of_subject ? subject_ : base_).architecture.layers;
    std::vector<bool>& alike_layers = of_subject ? subject_alike_ : base_alike_;
    for (std::size_t i = 0; i < depth; ++i) {
      alike_layers.push_back(alike(of_subject, static_cast<int>(i)));
    }
  }
  subject_layers_ = side(true, threads);
  base_layers_ = side(false, threads);
}

bool SignedLayers::alike(bool of_subject, int layer) const {
  const Fingerprint& mine = of_subject ? subject_ : base_;
  return sampled_alike(Look::up, mine, layer, 0) && sampled_alike(Look::down, mine, layer, 0) &&
         sampled_alike(Look::value_heads, mine, layer, 0);
}

SignedLayers::Ready SignedLayers::made(bool of_subject, int layer, int other_layer) const {
  const Fingerprint& mine = of_subject ? subject_ : base_;
  const Fingerprint& other = of_subject ? base_ : subject_;
  const auto all = [&](Look look) {
    std::vector<PreparedRows> parts;
    for (Matrix& part : looked_at(look, mine, layer, other, other_layer)) {
      parts.push_back(signed_rows(std::move(part)));
    }
    return parts;
  };
  Ready ready;
  if (free_.neurons) {
    if (auto up = all(Look::up); !up.empty()) ready.up = std::move(up.front());
    if (auto down = all(Look::down); !down.empty()) ready.down = std::move(down.front());
  }
  if (free_.channels) ready.values = all(Look::value_heads);
  return ready;
}

SignedLayers::Side SignedLayers::side(bool of_subject, unsigned threads) const {
  Side layers((of_subject ? subject_ : base_).architecture.layers);
  const auto failed =
      parallel_for(layers.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        layers[i] = made(of_subject, static_cast<int>(i), 0);
        return std::nullopt;
      });
  check(!failed, "signs of layers cannot fail");
  return layers;
}

SignSum SignedLayers::units(int a, int b) const {
  const auto i = static_cast<std::size_t>(a);
  const auto j = static_cast<std::size_t>(b);
  if (i >= subject_layers_.size() || j >= base_layers_.size()) return {};
  const bool stored = subject_alike_[i] && base_alike_[j];
  const Ready mine_here = stored ? Ready{} : made(true, a, b);
  const Ready theirs_here = stored ? Ready{} : made(false, b, a);
  const Ready& mine = stored ? subject_layers_[i] : mine_here;
  const Ready& theirs = stored ? base_layers_[j] : theirs_here;
  std::vector<double> neurons;
  add_products(mine.up, theirs.up, neurons);
  add_products(mine.down, theirs.down, neurons);
  const std::size_t views = (mine.up.rows > 0 ? 1U : 0U) + (mine.down.rows > 0 ? 1U : 0U);
  SignSum sum = summed(neurons, views);
  for (std::size_t head = 0; head < std::min(mine.values.size(), theirs.values.size()); ++head) {
    std::vector<double> channels;
    add_products(mine.values[head], theirs.values[head], channels);
    sum.add(summed(channels, 1));
  }
  return sum;
}

std::vector<double> SignedLayers::dimension_totals(const LayerMap& map, unsigned threads,
                                                   std::size_t& views) const {
  if (!free_.dimensions) return {};
  const std::vector<DimensionPair> pairs = dimension_pairs(subject_, base_, map);
  std::vector<std::optional<Seen>> seen(pairs.size());
  const auto failed =
      parallel_for(pairs.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        seen[i] = seen_dimensions(pairs[i]);
        return std::nullopt;
      });
  check(!failed, "signs of dimensions cannot fail");
  Dimensions dimensions;
  for (const auto& each : seen) {
    if (each) dimensions.add(*each);
  }
  views = dimensions.views();
  return dimensions.totals();
}

SignSum SignedLayers::dimensions(const LayerMap& map, unsigned threads) const {
  std::size_t views = 0;
  const auto totals = dimension_totals(map, threads, views);
  return summed(totals, views);
}

std::vector<double> SignedLayers::dimension_likeness(const LayerMap& map, unsigned threads) const {
  std::size_t views = 0;
  auto likeness = dimension_totals(map, threads, views);
  for (double& value : likeness) value /= static_cast<double>(views);
  return likeness;
}

LayerMap SignedLayers::best_map(unsigned threads) const {
  const std::size_t mine = subject_layers_.size();
  const std::size_t theirs = base_layers_.size();
  std::vector<double> deviations(mine * theirs);
  const auto failed = parallel_for(mine, threads, {}, [&](std::size_t a) -> std::optional<Problem> {
    for (std::size_t b = 0; b < theirs; ++b) {
      deviations[a * theirs + b] = units(static_cast<int>(a), static_cast<int>(b)).deviations();
    }
    return std::nullopt;
  });
  check(!failed, "signs of layers cannot fail");
  auto order = first_indices(deviations.size());
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(-deviations[i], i); });
  std::vector<bool> mine_used(mine);
  std::vector<bool> theirs_used(theirs);
  LayerMap map;
  for (const std::size_t place : order) {
    const std::size_t a = place / theirs;
    const std::size_t b = place % theirs;
    if (deviations[place] <= 0 || mine_used[a] || theirs_used[b]) continue;
    mine_used[a] = theirs_used[b] = true;
    map.emplace_back(static_cast<int>(a), static_cast<int>(b));
  }
  std::ranges::sort(map);
  return map;
}

}  // namespace pedigree
