// Weight normalisation: directions and lengths in place of a parameter, by torch's hook of old
// ("weight_v" beside "weight_g", torch/nn/utils/weight_norm.py) and by its parametrisation
// ("parametrizations.weight.original1" beside "original0", torch/nn/utils/parametrizations.py).
// Lengths have the shape of the directions with every axis but one reduced to 1.
#include <algorithm>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

// Along an inner axis no line can be told before all are read.
constexpr std::uint64_t most_across = std::uint64_t{1} << 24U;

bool is_read(const TensorEntry& entry) {
  return entry.type->kind == ElementType::Kind::floating && entry.type->decode != nullptr &&
         entry.type->block == 0;
}

// Of how many codes behind each other a length is; none where `lengths` are not those of an
// axis, nor one for all.
std::optional<std::uint64_t> run_of(const TensorEntry& codes, const TensorEntry& lengths) {
  const std::uint64_t count = lengths.element_count();
  if (count == 1) return codes.element_count();
  if (lengths.shape.size() != codes.shape.size()) return std::nullopt;
  std::uint64_t run = 1;
  bool found = false;
  for (std::size_t axis = codes.shape.size(); axis-- > 0;) {
    if (lengths.shape[axis] == 1) {
      if (!found) run *= codes.shape[axis];
      continue;
    }
    if (found || lengths.shape[axis] != codes.shape[axis]) return std::nullopt;
    found = true;
  }
  return run;
}

std::optional<PackedMatrix> normalised(PackedParts& parts, std::string_view beside,
                                       std::string name) {
  const TensorEntry& codes = parts.entry();
  if (!parts.has(beside) || codes.shape.size() < 2 || codes.element_count() == 0) {
    return std::nullopt;
  }
  const std::size_t lengths = parts.require(beside);
  const TensorEntry& other = parts.entry(lengths);
  if (!is_read(codes) || !is_read(other)) return std::nullopt;
  const auto run = run_of(codes, other);
  if (!run) return std::nullopt;
  const std::uint64_t places = other.element_count();
  if (*run * places != codes.element_count() && codes.element_count() > most_across) {
    return std::nullopt;
  }
  // Lines of codes are all there is before one place of the axis comes round again.
  const std::uint64_t line = *run * places;
  PackedMatrix matrix = {.name = std::move(name), .shape = codes.shape};
  matrix.codes = {.tensor = parts.codes(), .rows = codes.element_count() / line, .cols = line};
  const NumberField numbers = {.tensor = lengths, .rows = 1, .cols = places};
  matrix.scale = {.numbers = numbers, .row_group = matrix.codes.rows, .col_group = *run};
  return matrix;
}

std::string_view last_word(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::optional<PackedMatrix> recognise_hook(PackedParts& parts, const QuantizerFacts& /*declared*/) {
  if (!last_word(parts.prefix()).starts_with("weight")) return std::nullopt;
  return normalised(parts, "_g", parts.prefix());
}

std::optional<PackedMatrix> recognise_parametrisation(PackedParts& parts,
                                                      const QuantizerFacts& /*declared*/) {
  constexpr std::string_view marker = "parametrizations.";
  const std::string_view prefix = parts.prefix();
  const std::string_view parameter = last_word(prefix);
  const std::string_view before = prefix.substr(0, prefix.size() - parameter.size());
  if (!before.ends_with(marker) || parameter.empty()) return std::nullopt;
  std::string name(before.substr(0, before.size() - marker.size()));
  name += parameter;
  return normalised(parts, ".original0", std::move(name));
}

}  // namespace

const Packing weight_norm = {.id = "weight-norm",
                             .title = "Weight normalisation",
                             .suffix = "_v",
                             .type = "F32",
                             .checked = "torch 1.13",
                             .recognise = recognise_hook,
                             .normalises = true};

const Packing weight_norm_parametrised = {.id = "weight-norm-parametrised",
                                          .title = "Weight normalisation as a parametrisation",
                                          .suffix = ".original1",
                                          .type = "F32",
                                          .checked = "torch 1.13",
                                          .recognise = recognise_parametrisation,
                                          .normalises = true};

}  // namespace pedigree::packings
