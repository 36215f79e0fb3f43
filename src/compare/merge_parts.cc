#include "compare/merge_parts.h"

#include <algorithm>
#include <set>

#include "compare/rounding.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_values = 256;
constexpr std::size_t fewest_distinct = 16;  // more than this, or a part says nothing

bool is_informative(const Block& block) {
  std::set<float> distinct;
  for (const float value : block.values) {
    distinct.insert(value);
    if (distinct.size() > fewest_distinct) return true;
  }
  return false;
}

// Where each entry of the subject's block stands in the candidate's, for the
// rows and columns all of them sampled.
struct Places {
  std::vector<std::size_t> rows = {};
  std::vector<std::size_t> cols = {};
};

std::vector<std::size_t> places_in(const std::vector<std::uint64_t>& all,
                                   const std::vector<std::uint64_t>& wanted) {
  std::vector<std::size_t> places;
  for (const std::uint64_t value : wanted) {
    const auto at = std::ranges::lower_bound(all, value);
    places.push_back(static_cast<std::size_t>(at - all.begin()));
  }
  return places;
}

void keep_common(std::vector<std::uint64_t>& values, const std::vector<std::uint64_t>& other) {
  std::erase_if(values,
                [&](std::uint64_t value) { return !std::ranges::binary_search(other, value); });
}

std::vector<double> values_at(const Block& block, const std::vector<float>& values,
                              const Places& places) {
  std::vector<double> out;
  out.reserve(places.rows.size() * places.cols.size());
  for (const std::size_t row : places.rows) {
    for (const std::size_t col : places.cols) {
      out.push_back(static_cast<double>(values[row * block.cols.size() + col]));
    }
  }
  return out;
}

std::vector<double> units_of(const MergePart& part, const Block& block, const Places& places,
                             const FloatGrid& grid) {
  if (part.lattice) return values_at(block, block.steps, places);
  std::vector<double> units;
  units.reserve(part.subject.size());
  for (const double value : part.subject) {
    units.push_back(unit_in_last_place(value, grid.precision, grid.smallest_exponent));
  }
  return units;
}

}  // namespace

FloatGrid grid_of(const Block& block, bool stored) {
  constexpr int wide = 24;
  constexpr int wide_in_files = 21;  // two halves, and a bit of margin
  const ElementType* type = find_element_type(block.element_type);
  if (type == nullptr || type->precision == 0) return {};
  return {.precision = std::min(type->precision, stored ? wide_in_files : wide),
          .smallest_exponent = type->smallest_exponent};
}

double MergePart::candidate_unit(std::size_t candidate, std::size_t entry) const {
  return unit_in_last_place(candidates[candidate][entry], grids[candidate].precision,
                            grids[candidate].smallest_exponent);
}

double MergeParts::part_size(std::size_t index) const {
  return static_cast<double>(parts_[index]->full_rows) *
         static_cast<double>(parts_[index]->full_cols);
}

MergeParts::MergeParts(const Fingerprint& subject, std::span<const JointCandidate> candidates,
                       bool stored_subject)
    : subject_(subject), stored_subject_(stored_subject) {
  for (const JointCandidate& candidate : candidates) {
    if (has_same_shape(*candidate.sketch)) candidates_.push_back(&candidate);
  }
  for (const Block& block : subject_.blocks) {
    if (block.layer < 0) continue;
    const bool everywhere = std::ranges::all_of(candidates_, [&](const JointCandidate* each) {
      const Block* other = each->sketch->block(block.role, block.layer, block.expert);
      return other != nullptr && other->full_rows == block.full_rows &&
             other->full_cols == block.full_cols;
    });
    if (everywhere && is_informative(block)) parts_.push_back(&block);
  }
  std::erase_if(parts_, [this](const Block* block) {
    std::vector<std::uint64_t> rows = block->rows;
    std::vector<std::uint64_t> cols = block->cols;
    for (const JointCandidate* each : candidates_) {
      const Block* other = each->sketch->block(block->role, block->layer, block->expert);
      keep_common(rows, other->rows);
      keep_common(cols, other->cols);
    }
    return rows.size() * cols.size() < fewest_values;
  });
}

bool MergeParts::has_same_shape(const Fingerprint& other) const {
  if (other.scheme != subject_.scheme || other.blocks.empty()) return false;
  if (other.architecture.layers != subject_.architecture.layers) return false;
  return std::ranges::all_of(subject_.blocks, [&](const Block& block) {
    if (block.layer < 0) return true;
    const Block* same = other.block(block.role, block.layer, block.expert);
    return same != nullptr && same->full_rows == block.full_rows &&
           same->full_cols == block.full_cols;
  });
}

MergePart MergeParts::at(std::size_t index) const {
  const Block& block = *parts_[index];
  MergePart part{.role = block.role, .layer = block.layer};
  std::vector<std::uint64_t> rows = block.rows;
  std::vector<std::uint64_t> cols = block.cols;
  std::vector<const Block*> others;
  for (const JointCandidate* each : candidates_) {
    others.push_back(each->sketch->block(block.role, block.layer, block.expert));
    keep_common(rows, others.back()->rows);
    keep_common(cols, others.back()->cols);
  }
  const Places mine{.rows = places_in(block.rows, rows), .cols = places_in(block.cols, cols)};
  part.subject = values_at(block, block.values, mine);
  for (std::size_t j = 0; j < others.size(); ++j) {
    const Block& other = *others[j];
    part.candidates.push_back(
        values_at(other, other.values,
                  {.rows = places_in(other.rows, rows), .cols = places_in(other.cols, cols)}));
    part.grids.push_back(grid_of(other, candidates_[j]->stored));
  }
  part.lattice = !block.steps.empty();
  part.unit = units_of(part, block, mine, grid_of(block, stored_subject_));
  return part;
}

bool hold_the_same(const MergeParts& parts, std::size_t a, std::size_t b) {
  constexpr double rounded_apart = 2;  // of squares: once on either side
  constexpr double plainly_apart = 100;
  double apart = 0;
  double rounding = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const MergePart part = parts.at(p);
    for (std::size_t i = 0; i < part.subject.size(); ++i) {
      const double between = part.candidates[a][i] - part.candidates[b][i];
      const double unit = std::max(part.candidate_unit(a, i), part.candidate_unit(b, i));
      apart += between * between;
      rounding += unit * unit / 12;
    }
    if (apart > plainly_apart * rounding) return false;
  }
  return apart <= rounded_apart * rounding;
}

}  // namespace pedigree
