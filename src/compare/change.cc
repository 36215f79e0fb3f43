#include "compare/change.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "compare/change_by_width.h"
#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 4> attention_roles = {"attn.q", "attn.k", "attn.v",
                                                             "attn.o"};
constexpr std::array<std::string_view, 4> gain_roles = {"attn.norm", "ffn.norm", "attn.q.norm",
                                                        "attn.k.norm"};

Matrix steps_of(const Block& block, std::span<const std::size_t> rows,
                std::span<const std::size_t> cols) {
  if (block.steps.empty()) return {};
  Matrix steps(rows.size(), cols.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < cols.size(); ++j) {
      steps.at(i, j) = static_cast<double>(block.steps[rows[i] * block.cols.size() + cols[j]]);
    }
  }
  return steps;
}

void add_shared_block(std::vector<Change>& all, const Block* a, const Block* b) {
  if (a == nullptr || b == nullptr) return;
  const auto rows = shared_places(a->rows, b->rows);
  const auto cols = shared_places(a->cols, b->cols);
  if (rows.subject.empty() || cols.subject.empty()) return;
  all.push_back({.role = a->role,
                 .subject_layer = a->layer,
                 .base_layer = b->layer,
                 .expert = a->expert,
                 .base_role = b->role,
                 .base_expert = b->expert,
                 .subject = part_of(*a, rows.subject, cols.subject),
                 .base = part_of(*b, rows.base, cols.base),
                 .subject_steps = steps_of(*a, rows.subject, cols.subject),
                 .base_steps = steps_of(*b, rows.base, cols.base),
                 .subject_type = find_element_type(a->element_type),
                 .base_type = find_element_type(b->element_type)});
}

void add_token_rows(std::vector<Change>& all, const Side& subject, const Side& base,
                    std::string_view role) {
  const Block* a = subject.sketch.block(role, -1);
  const Block* b = base.sketch.block(role, -1);
  if (a == nullptr || b == nullptr) return;
  const SharedPlaces rows = common_token_places(*a, *b, common_tokens(subject.sketch, base.sketch));
  const auto cols = shared_places(a->cols, b->cols);
  if (rows.subject.empty() || cols.subject.empty()) return;
  all.push_back({.role = std::string(role),
                 .subject = part_of(*a, rows.subject, cols.subject),
                 .base = part_of(*b, rows.base, cols.base),
                 .subject_steps = steps_of(*a, rows.subject, cols.subject),
                 .base_steps = steps_of(*b, rows.base, cols.base),
                 .subject_type = find_element_type(a->element_type),
                 .base_type = find_element_type(b->element_type)});
}

void add_gains(std::vector<Change>& all, const Gains* a, const Gains* b) {
  if (a == nullptr || b == nullptr || a->values.size() != b->values.size()) return;
  if (a->channels != b->channels) return;
  Change change{.role = a->role, .subject_layer = a->layer, .base_layer = b->layer};
  change.is_vector = true;
  change.subject = Matrix(1, a->values.size());
  change.base = Matrix(1, b->values.size());
  for (std::size_t i = 0; i < a->values.size(); ++i) {
    change.subject.at(0, i) = static_cast<double>(a->values[i]);
    change.base.at(0, i) = static_cast<double>(b->values[i]);
  }
  change.subject_type = find_element_type(a->element_type);
  change.base_type = find_element_type(b->element_type);
  all.push_back(std::move(change));
}

// Neurons matched by content: both sides are read where their partners lie.
std::optional<Problem> add_matched_neurons(std::vector<Change>& all, const Side& subject,
                                           const Side& base, const FfnMatch& match) {
  const Block* up = find_part(subject.sketch, match.subject, FfnPart::up);
  if (up == nullptr || match.neurons.empty()) return std::nullopt;
  std::vector<NeuronLink> links;
  for (const auto& [mine, theirs] : match.neurons) {
    links.push_back({.subject = match.subject,
                     .base = match.base,
                     .subject_neuron = mine,
                     .base_neuron = theirs});
    if (links.size() == 64) break;
  }
  for (const FfnPart part : {FfnPart::gate, FfnPart::up, FfnPart::down}) {
    const Block* mine = find_part(subject.sketch, match.subject, part);
    const Block* theirs = find_part(base.sketch, match.base, part);
    if (mine == nullptr || theirs == nullptr) continue;
    auto x = linked_rows(*subject.weights, links, true, part, up->cols);
    if (!x) return std::move(x.error());
    auto y = linked_rows(*base.weights, links, false, part, up->cols);
    if (!y) return std::move(y.error());
    if (x->values.empty() || y->values.empty()) continue;
    const bool down = part == FfnPart::down;
    all.push_back({.role = mine->role,
                   .subject_layer = mine->layer,
                   .base_layer = theirs->layer,
                   .expert = mine->expert,
                   .base_role = theirs->role,
                   .base_expert = theirs->expert,
                   .subject = down ? transposed(*x) : std::move(*x),
                   .base = down ? transposed(*y) : std::move(*y),
                   .subject_type = find_element_type(mine->element_type),
                   .base_type = find_element_type(theirs->element_type)});
  }
  return std::nullopt;
}

// A fingerprint keeps a few experts of a layer; another one is read on the sample of
// the block that it stands against.
Result<std::optional<Block>> read_like(const Side& side, const FfnPlace& place, FfnPart part,
                                       const Block& sample) {
  if (side.weights == nullptr) return std::nullopt;
  const CanonicalTensor* tensor = find_part(*side.weights, place, part);
  if (tensor == nullptr || tensor->rows != sample.full_rows || tensor->cols != sample.full_cols) {
    return std::nullopt;
  }
  auto values = read_block(*side.weights, *tensor, sample.rows, sample.cols);
  if (!values) return std::unexpected(std::move(values.error()));
  return Block{.role = tensor->role,
               .layer = tensor->layer,
               .expert = tensor->expert,
               .full_rows = tensor->rows,
               .full_cols = tensor->cols,
               .element_type = std::string(side.weights->type_of(*tensor).id),
               .rows = sample.rows,
               .cols = sample.cols,
               .values = std::move(*values)};
}

std::optional<Problem> add_indexed_ffn(std::vector<Change>& all, const Side& subject,
                                       const Side& base, const FfnMatch& match) {
  for (const FfnPart part : {FfnPart::gate, FfnPart::up, FfnPart::down}) {
    const Block* mine = find_part(subject.sketch, match.subject, part);
    const Block* theirs = find_part(base.sketch, match.base, part);
    if (mine == nullptr) continue;
    if (theirs != nullptr) {
      add_shared_block(all, mine, theirs);
      continue;
    }
    const auto read = read_like(base, match.base, part, *mine);
    if (!read) return read.error();
    const auto& alike = *read;
    if (alike) add_shared_block(all, mine, &*alike);
  }
  return std::nullopt;
}

std::optional<Problem> add_ffn(std::vector<Change>& all, const Side& subject, const Side& base,
                               const FfnMatch& match) {
  if (match.by_index) return add_indexed_ffn(all, subject, base, match);
  if (subject.weights == nullptr || base.weights == nullptr) return std::nullopt;
  return add_matched_neurons(all, subject, base, match);
}

bool all_rounded(const Matrix& fine, const ElementType* type, const Matrix& coarse) {
  if (type == nullptr || type->precision == 0) return false;
  for (std::size_t i = 0; i < fine.values.size(); ++i) {
    const float rounded = rounded_to(*type, static_cast<float>(fine.values[i]));
    if (rounded != static_cast<float>(coarse.values[i])) return false;
  }
  return true;
}

// The down projection of the same block, held against the same one.
Change* down_beside(std::vector<Change>& all, const Change& up, const FfnPlace& place) {
  const auto at = std::ranges::find_if(all, [&](const Change& change) {
    return change.role == role_of(place.kind, FfnPart::down) &&
           change.subject_layer == up.subject_layer && change.expert == up.expert &&
           change.base_expert == up.base_expert;
  });
  return at == all.end() ? nullptr : &*at;
}

double factor_of(std::span<const double> subject, std::span<const double> base) {
  const double across = product(base, subject);
  const double own = product(base, base);
  return own > 0 ? across / own : 1;
}

std::vector<double> column(const Matrix& matrix, std::size_t index) {
  std::vector<double> values(matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) values[i] = matrix.at(i, index);
  return values;
}

using UpDown = std::vector<std::pair<Change*, Change*>>;

UpDown up_down_pairs(std::vector<Change>& all) {
  UpDown pairs;
  for (Change& up : all) {
    const auto place = ffn_place(up.role, up.subject_layer, up.expert);
    if (!place || up.role != role_of(place->kind, FfnPart::up)) continue;
    Change* down = down_beside(all, up, *place);
    if (down != nullptr && down->subject.cols == up.subject.rows) pairs.emplace_back(&up, down);
  }
  return pairs;
}

// Per neuron how far up was scaled, and how far down undoes it; both ≥ 1.
void add_factors(const Change& up, const Change& down, std::vector<double>& sizes,
                 std::vector<double>& undone) {
  for (std::size_t i = 0; i < up.subject.rows; ++i) {
    const double c = std::abs(factor_of(up.subject.row(i), up.base.row(i)));
    const double d = std::abs(factor_of(column(down.subject, i), column(down.base, i)));
    if (c <= 0 || d <= 0) continue;
    sizes.push_back(std::max(c, 1 / c));
    undone.push_back(std::max(c * d, 1 / (c * d)));
  }
}

void divide_by_factors(Change& up, Change& down) {
  for (std::size_t i = 0; i < up.subject.rows; ++i) {
    const double c = factor_of(up.subject.row(i), up.base.row(i));
    const double d = factor_of(column(down.subject, i), column(down.base, i));
    if (c == 0 || d == 0) continue;
    for (double& value : up.subject.row(i)) value /= c;
    for (std::size_t j = 0; j < down.subject.rows; ++j) down.subject.at(j, i) /= d;
  }
  measure(up);
  measure(down);
}

}  // namespace

void measure(Change& change) {
  double squares = 0;
  double size = 0;
  std::set<double> distinct;
  for (std::size_t i = 0; i < change.base.values.size(); ++i) {
    const double delta = change.subject.values[i] - change.base.values[i];
    squares += delta * delta;
    size += change.base.values[i] * change.base.values[i];
    if (distinct.size() <= 16) distinct.insert(change.base.values[i]);
  }
  change.equal = change.subject.values == change.base.values;
  change.relative_delta = size > 0 ? std::sqrt(squares / size) : (squares > 0 ? 1.0 : 0.0);
  change.subject_is_rounded =
      change.equal || all_rounded(change.base, change.subject_type, change.subject);
  change.base_is_rounded =
      change.equal || all_rounded(change.subject, change.base_type, change.base);
  change.informative = distinct.size() > 16;
}

Result<std::vector<Change>> changes(const Side& subject, const Side& base,
                                    const Alignment& alignment) {
  if (alignment.by_width() && subject.weights != nullptr && base.weights != nullptr) {
    auto all = changes_by_width(subject, base, alignment);
    if (all) std::ranges::for_each(*all, measure);
    return all;
  }
  std::vector<Change> all;
  const auto block = [](const Side& side, std::string_view role, int layer) {
    return side.sketch.block(role, layer);
  };
  if (alignment.hidden_by_index) {
    add_token_rows(all, subject, base, "embed.tokens");
    add_token_rows(all, subject, base, "head.out");
    add_gains(all, subject.sketch.gain("head.norm", -1), base.sketch.gain("head.norm", -1));
  }
  for (std::size_t i = 0; i < alignment.layers.size(); ++i) {
    const auto [a, b] = alignment.layers[i];
    if (!alignment.hidden_by_index) continue;
    for (const auto role : attention_roles) {
      add_shared_block(all, block(subject, role, a), block(base, role, b));
    }
    for (const FfnMatch& match : ffn_matches(alignment, i)) {
      if (auto problem = add_ffn(all, subject, base, match)) {
        return std::unexpected(std::move(*problem));
      }
    }
    for (const auto role : gain_roles) {
      add_gains(all, subject.sketch.gain(role, a), base.sketch.gain(role, b));
    }
  }
  std::ranges::for_each(all, measure);
  return all;
}

Rescaling take_out_rescaling(std::vector<Change>& all) {
  std::vector<double> sizes;
  std::vector<double> undone;
  const auto pairs = up_down_pairs(all);
  for (const auto& [up, down] : pairs) add_factors(*up, *down, sizes, undone);
  Rescaling rescaling;
  if (sizes.empty()) return rescaling;
  rescaling.median_factor = median(sizes);
  rescaling.found =
      rescaling.median_factor > 1.1 && median(undone) - 1 < 0.2 * (rescaling.median_factor - 1);
  if (!rescaling.found) return rescaling;
  for (const auto& [up, down] : pairs) divide_by_factors(*up, *down);
  return rescaling;
}

bool any_equal_matrix(const std::vector<Change>& all) {
  return std::ranges::any_of(all, [](const Change& change) {
    return !change.is_vector && change.informative &&
           (change.subject_is_rounded || change.base_is_rounded);
  });
}

double median_relative_delta(const std::vector<Change>& all) {
  std::vector<double> deltas;
  for (const Change& change : all) {
    if (!change.is_vector && change.subject_layer >= 0) deltas.push_back(change.relative_delta);
  }
  return median(std::move(deltas));
}

}  // namespace pedigree
