#include "compare/coverage.h"

#include <algorithm>
#include <cmath>

#include "fingerprint/ffn_place.h"

namespace pedigree {
namespace {

// Parameters that a block stands for: experts that are not kept are like those that are.
double represented(const Fingerprint& sketch, const Block& block) {
  const double size = static_cast<double>(block.full_rows) * static_cast<double>(block.full_cols);
  if (block.expert < 0) return size;
  const auto kept = std::ranges::count_if(sketch.blocks, [&](const Block& each) {
    return each.role == block.role && each.layer == block.layer;
  });
  return size * std::max(1.0, static_cast<double>(sketch.architecture.experts) /
                                  static_cast<double>(kept));
}

// What a block is compared with: of feed-forward blocks any of the layer, since each is
// held against every other.
const Block* counterpart(const Block& block, const Fingerprint& base, int base_layer) {
  const Block* same = base.block(block.role, base_layer, block.expert);
  const auto place = ffn_place(block.role, block.layer, block.expert);
  if (same != nullptr || !place) return same;
  const auto at = std::ranges::find_if(base.blocks, [&](const Block& each) {
    const auto other = ffn_place(each.role, each.layer, each.expert);
    return other && each.layer == base_layer &&
           each.role.ends_with(block.role.substr(block.role.rfind('.')));
  });
  return at == base.blocks.end() ? nullptr : &*at;
}

}  // namespace

double coverage_of(const Fingerprint& subject, const Fingerprint& base, const LayerMap& layers) {
  double total = 0;
  double covered = 0;
  for (const Block& block : subject.blocks) {
    const double size = represented(subject, block);
    total += size;
    int base_layer = -1;
    if (block.layer >= 0) {
      const auto at = std::ranges::find(layers, block.layer, &std::pair<int, int>::first);
      if (at == layers.end()) continue;
      base_layer = at->second;
    }
    const Block* other = counterpart(block, base, base_layer);
    if (other == nullptr || other->full_cols == 0) continue;
    const double share =
        std::min(1.0,
                 static_cast<double>(other->full_rows) / static_cast<double>(block.full_rows)) *
        std::min(1.0, static_cast<double>(other->full_cols) / static_cast<double>(block.full_cols));
    covered += size * share;
  }
  return total > 0 ? std::round(covered / total * 1e4) / 1e4 : 0;
}

}  // namespace pedigree
