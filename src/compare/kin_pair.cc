#include "compare/kin_pair.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "compare/kinship.h"
#include "compare/pairing.h"
#include "compare/response_distance.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 7> without_training = {
    "identical",      "quantized",      "pruned",    "depth-upscaled",
    "vocab-extended", "reparametrised", "lora-merge"};

bool changes_no_value(std::string_view mechanism) {
  return std::ranges::find(without_training, mechanism) != without_training.end();
}

// Rows of q or k, as far as they are known: how they split into heads is the config's word.
std::uint64_t head_rows(const Architecture& it, std::uint64_t Architecture::* heads) {
  return it.*heads * it.head_dim;
}

bool are_unlike_heads(const Architecture& a, const Architecture& b,
                      std::uint64_t Architecture::* heads) {
  const std::uint64_t mine = head_rows(a, heads);
  const std::uint64_t theirs = head_rows(b, heads);
  return mine != 0 && theirs != 0 && mine != theirs;
}

// Dimensions of structure in which they differ.
std::size_t unlikeness(const Fingerprint& a, const Fingerprint& b) {
  const Architecture& x = a.architecture;
  const Architecture& y = b.architecture;
  std::size_t count = x.layers > y.layers ? x.layers - y.layers : y.layers - x.layers;
  for (const auto field :
       {&Architecture::hidden, &Architecture::ffn, &Architecture::vocab, &Architecture::experts}) {
    count += x.*field != y.*field ? 1U : 0U;
  }
  for (const auto field : {&Architecture::heads, &Architecture::kv_heads}) {
    count += are_unlike_heads(x, y, field) ? 1U : 0U;
  }
  return count;
}

LayerMap layers_of(const Fingerprint& first, const Fingerprint& second,
                   const Comparison& comparison) {
  if (comparison.layer_map.empty()) return identity_map(first, second);
  LayerMap layers;
  for (const auto& [subject, base] : comparison.layer_map) layers.emplace_back(base, subject);
  return layers;
}

}  // namespace

bool is_copy(const Comparison& comparison) {
  if (comparison.verdict.derived != "yes" || comparison.change.empty()) return false;
  return std::ranges::all_of(comparison.verdict.mechanisms, changes_no_value) ||
         std::ranges::all_of(comparison.change, &RoleChange::exact);
}

LinkDirection copy_direction(const Comparison& comparison) {
  if (!is_copy(comparison)) return LinkDirection::unknown;
  if (comparison.verdict.direction == "base-is-parent") return LinkDirection::first_is_parent;
  if (comparison.verdict.direction == "subject-is-parent") return LinkDirection::second_is_parent;
  return LinkDirection::unknown;
}

KinPair kin_pair(const Fingerprint& first, const Fingerprint& second,
                 const Comparison& comparison) {
  const auto layers = layers_of(first, second, comparison);
  const Kinship kinship = kinship_of(first, second, layers);
  KinPair pair;
  pair.related = comparison.verdict.derived == "yes";
  pair.same = pair.related && kinship.same && unlikeness(first, second) == 0;
  pair.copy = pair.related && (kinship.unmoved || is_copy(comparison));
  pair.direction = copy_direction(comparison);
  pair.changed_rows = kinship.changed_rows();
  pair.distance = kinship.distance();
  if (!kinship.measured()) {
    pair.distance = stored_response_distance(first, second, layers).value_or(pair.distance);
  }
  pair.unlike = unlikeness(first, second);
  for (std::size_t i = 0; i < model_parts; ++i) pair.squares[i] = kinship.parts[i].squares;
  pair.compared = kinship.compared;
  pair.equal = kinship.equal;
  return pair;
}

KinModel kin_model(const Fingerprint& sketch) {
  KinModel model{.precision = stored_precision(sketch)};
  const Kinship itself = kinship_of(sketch, sketch, identity_map(sketch, sketch));
  for (std::size_t i = 0; i < model_parts; ++i) {
    model.squares[i] = itself.parts[i].first;
    model.rounding[i] = itself.parts[i].first_rounding;
  }
  return model;
}

}  // namespace pedigree
