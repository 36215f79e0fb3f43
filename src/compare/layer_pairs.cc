#include "compare/layer_pairs.h"

#include <algorithm>

#include "base/parallel.h"
#include "compare/assignment.h"
#include "compare/dense.h"

namespace pedigree {
namespace {

// Of two parts of one view: units that are not empty on both sides, for all views.
template <class Pairs>
std::size_t informative_units(const Pairs& pairs) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < pairs.front().first->has_length.size(); ++i) {
    count += std::ranges::all_of(pairs,
                                 [i](const auto& pair) {
                                   return pair.first->has_length[i] && pair.second->has_length[i];
                                 })
                 ? 1U
                 : 0U;
  }
  return count;
}

}  // namespace

LayerPairs::LayerPairs(const Fingerprint& subject, const Fingerprint& base)
    : subject_(subject), base_(base) {
  for (std::size_t i = 0; i < look_count; ++i) {
    subject_looks_[i] = side_of(static_cast<Look>(i), subject);
    base_looks_[i] = side_of(static_cast<Look>(i), base);
  }
}

LayerPairs::SideOfLook LayerPairs::side_of(Look look, const Fingerprint& sketch) const {
  SideOfLook side{.reference = first_layer_with(look, sketch)};
  const auto depth = static_cast<std::size_t>(sketch.architecture.layers);
  side.as_reference.resize(depth);
  side.layers.resize(depth);
  for (std::size_t layer = 0; layer < depth; ++layer) {
    side.as_reference[layer] = sampled_alike(look, sketch, static_cast<int>(layer), side.reference);
    side.layers[layer] = std::make_unique<Lazy>();
  }
  return side;
}

LayerPairs::Part LayerPairs::part_made(Matrix raw) {
  Part part;
  part.has_length.reserve(raw.rows);
  for (std::size_t i = 0; i < raw.rows; ++i) {
    part.has_length.push_back(
        std::ranges::any_of(raw.row(i), [](double value) { return value != 0; }));
  }
  part.rows = prepared(std::move(raw));
  return part;
}

std::vector<LayerPairs::Part> LayerPairs::made(Look look, bool of_subject, int layer,
                                               int other_layer) const {
  const Fingerprint& mine = of_subject ? subject_ : base_;
  const Fingerprint& other = of_subject ? base_ : subject_;
  std::vector<Part> parts;
  for (Matrix& raw : looked_at(look, mine, layer, other, other_layer)) {
    parts.push_back(part_made(std::move(raw)));
  }
  return parts;
}

std::pair<LayerPairs::Parts, LayerPairs::Parts> LayerPairs::by_tokens(
    std::string_view role, const CommonTokens& tokens) const {
  auto view = token_view(subject_, base_, role, tokens);
  if (!view) return {};
  const auto one = [](Matrix& raw) {
    auto parts = std::make_shared<std::vector<Part>>();
    parts->push_back(part_made(std::move(raw)));
    return parts;
  };
  return {one(view->subject), one(view->base)};
}

LayerPairs::Parts LayerPairs::parts(Look look, bool of_subject, int layer, int other_layer) const {
  const auto index = static_cast<std::size_t>(look);
  const SideOfLook& mine = of_subject ? subject_looks_[index] : base_looks_[index];
  const SideOfLook& other = of_subject ? base_looks_[index] : subject_looks_[index];
  const auto at = static_cast<std::size_t>(layer);
  const auto there = static_cast<std::size_t>(other_layer);
  if (at >= mine.layers.size() || there >= other.layers.size()) {
    return std::make_shared<const std::vector<Part>>();
  }
  if (!other.as_reference[there]) {
    return std::make_shared<const std::vector<Part>>(made(look, of_subject, layer, other_layer));
  }
  Lazy& lazy = *mine.layers[at];
  std::call_once(lazy.made, [&] { lazy.parts = made(look, of_subject, layer, other.reference); });
  return {std::shared_ptr<void>(), &lazy.parts};  // owned by this object
}

Cell LayerPairs::cell(std::span<const LookOf> looks, int a, int b, bool screened) const {
  std::vector<std::pair<Parts, Parts>> seen;
  std::vector<bool> up_to_sign;
  for (const LookOf& look : looks) {
    auto mine = parts(look.look, true, a, b);
    auto theirs = parts(look.look, false, b, a);
    if (mine->empty() || mine->size() != theirs->size()) continue;
    if (!seen.empty() && seen.front().first->front().rows.rows != mine->front().rows.rows) {
      continue;
    }
    seen.emplace_back(std::move(mine), std::move(theirs));
    up_to_sign.push_back(look.up_to_sign);
  }
  Cell total;
  for (std::size_t part = 0; !seen.empty() && part < seen.front().first->size(); ++part) {
    std::vector<std::pair<const Part*, const Part*>> pairs;
    std::vector<PreparedView> views;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      pairs.emplace_back(&(*seen[i].first)[part], &(*seen[i].second)[part]);
      views.push_back({.subject = &pairs.back().first->rows,
                       .base = &pairs.back().second->rows,
                       .up_to_sign = up_to_sign[i]});
    }
    const std::size_t units = informative_units(pairs);
    if (units >= fewest_units) total.add(cell_of(views, units, screened));
  }
  return total;
}

Cell LayerPairs::neurons(int a, int b, bool screened) const {
  return cell(neuron_looks(), a, b, screened);
}

Cell LayerPairs::values(int a, int b, bool screened) const {
  return cell(value_looks(), a, b, screened);
}

Cell LayerPairs::attention(int a, int b, bool screened) const {
  return cell(attention_looks(), a, b, screened);
}

// Views are gathered layer by layer, so that they are added in one order.
Cell LayerPairs::hidden(const LayerMap& layers, unsigned threads) const {
  // Sixteen layers say as much about one permutation as eighty.
  const auto places = spread_places(layers.size(), 16);
  const auto looks = attention_looks();
  std::vector<std::pair<Parts, Parts>> seen(2 + places.size() * looks.size());
  const CommonTokens tokens = common_tokens(subject_, base_);
  const auto failed =
      parallel_for(seen.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        if (i < 2) {
          seen[i] = by_tokens(i == 0 ? "embed.tokens" : "head.out", tokens);
          return std::nullopt;
        }
        const auto [a, b] = layers[places[(i - 2) / looks.size()]];
        const Look look = looks[(i - 2) % looks.size()].look;
        seen[i] = {parts(look, true, a, b), parts(look, false, b, a)};
        return std::nullopt;
      });
  check(!failed, "looking at a layer cannot fail");
  std::vector<std::pair<const Part*, const Part*>> pairs;
  std::vector<PreparedView> views;
  for (const auto& [mine, theirs] : seen) {
    if (!mine || !theirs || mine->empty() || theirs->empty()) continue;
    const std::pair pair(&mine->front(), &theirs->front());
    if (!pairs.empty() && pairs.front().first->rows.rows != pair.first->rows.rows) continue;
    pairs.push_back(pair);
    views.push_back({.subject = &pair.first->rows, .base = &pair.second->rows});
  }
  if (views.empty()) return {};
  const std::size_t units = informative_units(pairs);
  if (units < fewest_units) return {};
  return cell_of(views, units, false, threads);
}

Cell LayerPairs::responses(int a, int b, bool screened) const {
  return cell(response_looks(), a, b, screened);
}

}  // namespace pedigree
