#include "compare/kin_pair.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 7> without_training = {
    "identical",      "quantized",      "pruned",    "depth-upscaled",
    "vocab-extended", "reparametrised", "lora-merge"};

bool changes_no_value(std::string_view mechanism) {
  return std::ranges::find(without_training, mechanism) != without_training.end();
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

KinPair kin_pair(std::size_t first, std::size_t second, const Comparison& comparison,
                 const Kinship& kinship) {
  KinPair pair{.first = first, .second = second};
  pair.related = comparison.verdict.derived == "yes";
  pair.same = pair.related && kinship.same;
  pair.copy = pair.related && (kinship.unmoved || is_copy(comparison));
  pair.direction = copy_direction(comparison);
  pair.changed_rows = kinship.changed_rows();
  pair.distance = kinship.distance();
  for (std::size_t i = 0; i < model_parts; ++i) pair.squares[i] = kinship.parts[i].squares;
  pair.compared = kinship.compared;
  pair.kept = kinship.kept;
  return pair;
}

}  // namespace pedigree
