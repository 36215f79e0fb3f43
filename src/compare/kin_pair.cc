#include "compare/kin_pair.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include "compare/kinship.h"
#include "compare/pairing.h"
#include "compare/response_distance.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 7> without_training = {
    "identical",      "quantized",      "pruned",    "depth-upscaled",
    "vocab-extended", "reparametrised", "lora-merge"};

constexpr double most_unexplained = 0.02;  // of a child's values, new to its parent
constexpr double rounding_left = 1e-8;     // squared
constexpr double new_neurons = 0.1;        // at least, where experts were given fresh ones
constexpr double lost_in_means = 0.5;      // of experts, when their means are all that is left

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
  // Experts or none is more than another number of them.
  return count + ((x.experts > 0) != (y.experts > 0) ? 1U : 0U);
}

LayerMap layers_of(const Fingerprint& first, const Fingerprint& second,
                   const Comparison& comparison) {
  if (comparison.layer_map.empty()) return identity_map(first, second);
  LayerMap layers;
  for (const auto& [subject, base] : comparison.layer_map) layers.emplace_back(base, subject);
  return layers;
}

// Blocks of experts as they stand against each other, first to second, by index.
std::vector<FfnMatch> expert_matches(const Comparison& comparison) {
  if (!comparison.experts) return {};
  const auto place = [](int layer, int expert, std::uint64_t experts) {
    return FfnPlace{
        .layer = layer,
        .kind = expert >= 0 || experts > 0 ? FfnPlace::Kind::expert : FfnPlace::Kind::dense,
        .expert = expert};
  };
  std::vector<FfnMatch> matches;
  for (const ExpertLink& link : comparison.experts->map) {
    matches.push_back(
        {.subject = place(link.base_layer, link.base_expert, comparison.experts->base),
         .base = place(link.layer, link.expert, comparison.experts->subject)});
  }
  return matches;
}

// Things done to a copy that each can be told apart from the other order.
bool one_thing_was_done(const Comparison& comparison) {
  constexpr std::array<std::string_view, 5> one_way = {"pruned", "depth-upscaled", "vocab-extended",
                                                       "quantized", "lora-merge"};
  std::vector<std::string_view> done;
  for (const std::string& mechanism : comparison.verdict.mechanisms) {
    if (mechanism == "identical") continue;
    if (std::ranges::find(one_way, mechanism) == one_way.end()) return false;
    done.push_back(mechanism);
  }
  constexpr std::array<std::string_view, 4> more = {"vocabulary-replaced", "neurons-added",
                                                    "expert-average", "noise"};
  if (std::ranges::any_of(comparison.transforms, [&](const std::string& transform) {
        return std::ranges::find(more, transform) != more.end();
      })) {
    return false;
  }
  return done.size() <= 1 || (done.size() == 2 && done[0] == "pruned" && done[1] == "quantized");
}

bool is_named(const Comparison& comparison, std::string_view transform) {
  return std::ranges::find(comparison.transforms, transform) != comparison.transforms.end();
}

// Parts that were set against each other, by role and layer of the subject.
struct DeepSums {
  double distance = 0;
  double changed = 0;
};

DeepSums deep_sums(const Comparison& comparison) {
  std::map<std::pair<std::string, int>, std::vector<const RoleChange*>> parts;
  for (const RoleChange& change : comparison.change) {
    if (change.role.ends_with("norm")) continue;
    parts[{change.role, change.layer}].push_back(&change);
  }
  const bool averaged = is_named(comparison, "expert-average");
  DeepSums sums;
  for (const auto& [place, changes] : parts) {
    if (averaged && ffn_place(place.first, 0, 0)) continue;
    double squares = 0;
    double changed = 0;
    for (const RoleChange* change : changes) {
      squares += change->relative_delta * change->relative_delta;
      changed += change->exact ? 0 : 1;
    }
    sums.distance += squares / static_cast<double>(changes.size());
    sums.changed += changed / static_cast<double>(changes.size());
  }
  if (parts.empty()) return {.distance = KinPair::unmeasured, .changed = 1};
  sums.distance /= static_cast<double>(parts.size());
  sums.changed = sums.changed > 0 ? 1 : 0;  // single rows were not looked at
  return sums;
}

double share_of(std::uint64_t there, std::uint64_t here) {
  return here == 0 ? 0 : std::min(1.0, static_cast<double>(there) / static_cast<double>(here));
}

// Does this change speak of this block of one side?
bool is_change_of(const RoleChange& change, const Block& block, const Comparison& comparison,
                  bool is_subject) {
  const bool ffn = ffn_place(block.role, block.layer, block.expert).has_value();
  const bool role =
      ffn ? ffn_place(change.role, 0, 0) && ffn_part(change.role) == ffn_part(block.role)
          : change.role == block.role;
  if (!role) return false;
  if (block.layer < 0) return change.layer < 0 && change.relative_delta < 0.9;
  if (is_subject) return change.layer == block.layer;
  return std::ranges::any_of(comparison.layer_map, [&](const std::pair<int, int>& layers) {
    return layers.first == change.layer && layers.second == block.layer;
  });
}

// Of the values of `own`, the share in parts that were not set against the other's.
double left_out(const Fingerprint& own, const Fingerprint& other, const Comparison& comparison,
                bool is_subject) {
  double total = 0;
  double known = 0;
  for (const Block& block : own.blocks) {
    const double size = static_cast<double>(block.full_rows) * static_cast<double>(block.full_cols);
    total += size;
    const bool ffn = ffn_place(block.role, block.layer, block.expert).has_value();
    const bool there = std::ranges::any_of(comparison.change, [&](const RoleChange& change) {
      return is_change_of(change, block, comparison, is_subject);
    });
    // Of neurons and experts nothing is said by numbers alone: some were copied often.
    const Block* counterpart = ffn ? nullptr : other.block(block.role, block.layer < 0 ? -1 : 0);
    const double share = counterpart == nullptr
                             ? 1
                             : share_of(counterpart->full_rows, block.full_rows) *
                                   share_of(counterpart->full_cols, block.full_cols);
    if (there) known += size * share;
  }
  return total > 0 ? 1 - known / total : 1;
}

}  // namespace

bool is_copy(const Comparison& comparison) {
  if (comparison.verdict.derived != "yes" || comparison.change.empty()) return false;
  return std::ranges::all_of(comparison.verdict.mechanisms, changes_no_value) ||
         std::ranges::all_of(comparison.change, &RoleChange::exact);
}

LinkDirection copy_direction(const Comparison& comparison) {
  if (!is_copy(comparison) || !one_thing_was_done(comparison)) return LinkDirection::unknown;
  if (comparison.verdict.direction == "base-is-parent") return LinkDirection::first_is_parent;
  if (comparison.verdict.direction == "subject-is-parent") return LinkDirection::second_is_parent;
  return LinkDirection::unknown;
}

LinkDirection parent_of_copy(const Comparison& comparison, const KinPair& pair,
                             const KinModel& first, const KinModel& second) {
  const LinkDirection direction = copy_direction(comparison);
  if (direction == LinkDirection::unknown) return direction;
  const bool forward = direction == LinkDirection::first_is_parent;
  const double fresh = forward ? pair.new_in_second : pair.new_in_first;
  const auto& mechanisms = comparison.verdict.mechanisms;
  const bool extended = std::ranges::find(mechanisms, "vocab-extended") != mechanisms.end();
  if (fresh > most_unexplained && !extended) return LinkDirection::unknown;
  return (forward ? first : second).widened ? LinkDirection::unknown : direction;
}

LinkDirection place_of_copy(const Comparison& comparison, const KinPair& pair,
                            const KinModel& first, const KinModel& second) {
  KinModel narrow_first = first;  // where it was widened from does not change its place
  KinModel narrow_second = second;
  narrow_first.widened = narrow_second.widened = false;
  const LinkDirection known = parent_of_copy(comparison, pair, narrow_first, narrow_second);
  if (known != LinkDirection::unknown || !pair.related) return known;
  const auto by = [](bool forward) {
    return forward ? LinkDirection::first_is_parent : LinkDirection::second_is_parent;
  };
  if (pair.averaged) return by(first.experts() > second.experts());
  const bool extended = pair.copy && one_thing_was_done(comparison) &&
                        comparison.verdict.relation == "vocab-extended" &&
                        comparison.verdict.direction == "undetermined";
  if (!extended || first.vocabulary() == second.vocabulary()) return known;
  return by(first.vocabulary() < second.vocabulary());
}

void take_deep(KinPair& pair, const Fingerprint& first, const Fingerprint& second,
               const Comparison& comparison) {
  const bool known = pair.related && std::max(pair.new_in_first, pair.new_in_second) < 1 &&
                     std::min(pair.new_in_first, pair.new_in_second) <= most_unexplained;
  pair.related = comparison.verdict.derived == "yes";
  const DeepSums sums = deep_sums(comparison);
  pair.averaged = is_named(comparison, "expert-average");
  if (!pair.related) return;
  if (sums.distance >= KinPair::unmeasured) {
    pair.distance = KinPair::unmeasured;  // rotated: samples at one place are not alike
    pair.changed_rows = pair.new_in_first = pair.new_in_second = 1;
    return;
  }
  if (known && !pair.averaged) {  // samples weigh all values, and all pairs alike
    const bool experts = first.architecture.experts > 0 && second.architecture.experts > 0;
    if (experts) pair.distance = std::min(pair.distance, sums.distance);  // not all were sampled
    return;
  }
  pair.distance = sums.distance;
  pair.changed_rows = sums.changed;
  pair.copy = is_copy(comparison) || sums.distance <= rounding_left;
  pair.new_in_first = left_out(first, second, comparison, false);
  pair.new_in_second = left_out(second, first, comparison, true);
  double& of_many = first.architecture.experts > second.architecture.experts ? pair.new_in_first
                                                                             : pair.new_in_second;
  if (is_named(comparison, "neurons-added")) of_many += new_neurons;
  if (pair.averaged) of_many += lost_in_means;
}

KinPair kin_pair(const Fingerprint& first, const Fingerprint& second,
                 const Comparison& comparison) {
  const auto layers = layers_of(first, second, comparison);
  const Kinship kinship = kinship_of(first, second, layers, expert_matches(comparison));
  KinPair pair;
  pair.related = comparison.verdict.derived == "yes";
  pair.same = pair.related && kinship.same && unlikeness(first, second) == 0;
  pair.copy = pair.related && (kinship.unmoved || is_copy(comparison));
  pair.direction = copy_direction(comparison);
  pair.changed_rows = kinship.changed_rows();
  pair.distance = kinship.distance();
  pair.first_is_rounded = kinship.first_is_rounded;
  pair.second_is_rounded = kinship.second_is_rounded;
  pair.new_in_first = kinship.new_in_first;
  pair.new_in_second = kinship.new_in_second;
  if (!kinship.measured()) {
    pair.distance = stored_response_distance(first, second, layers).value_or(pair.distance);
    if (pair.measured()) pair.new_in_first = pair.new_in_second = 0;
  }
  pair.unlike = unlikeness(first, second);
  for (std::size_t i = 0; i < model_parts; ++i) pair.squares[i] = kinship.parts[i].squares;
  pair.compared = kinship.compared;
  pair.equal = kinship.equal;
  return pair;
}

KinModel kin_model(const Fingerprint& sketch) {
  const Architecture& own = sketch.architecture;
  KinModel model{
      .precision = stored_precision(sketch),
      .by_row = sketch.tokens_by_row,
      .widened = is_widened(sketch),
      .shape = {own.layers, own.hidden, own.ffn, own.vocab, own.heads, own.kv_heads, own.experts}};
  model.size = 0;
  for (const Block& block : sketch.blocks) {
    model.size += static_cast<double>(block.full_rows) * static_cast<double>(block.full_cols);
  }
  const Kinship itself = kinship_of(sketch, sketch, identity_map(sketch, sketch));
  for (std::size_t i = 0; i < model_parts; ++i) {
    model.squares[i] = itself.parts[i].first;
    model.rounding[i] = itself.parts[i].first_rounding;
  }
  return model;
}

}  // namespace pedigree
