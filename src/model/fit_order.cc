#include "model/fit_order.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "model/families.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_columns = 64;
constexpr double alike = 0.5;        // squared difference over squares: unrelated rows give two
constexpr double much_better = 0.5;  // than the order assumed

std::vector<std::uint64_t> counted(std::uint64_t count) {
  std::vector<std::uint64_t> result(count);
  for (std::uint64_t i = 0; i < count; ++i) result[i] = i;
  return result;
}

// The lowest layer where both have the role in one shape.
std::pair<const CanonicalTensor*, const CanonicalTensor*> counterparts(const Model& model,
                                                                       const Model& reference,
                                                                       std::string_view role) {
  for (const CanonicalTensor& tensor : model.canonical) {
    if (tensor.role != role) continue;
    const CanonicalTensor* other = reference.find(role, tensor.layer);
    if (other != nullptr && other->rows == tensor.rows && other->cols == tensor.cols) {
      return {&tensor, other};
    }
  }
  return {};
}

// Squared difference over the reference's squares; none where it cannot be read.
std::optional<double> misfit(const Model& model, const CanonicalTensor& tensor,
                             std::span<const std::uint64_t> rows, std::span<const float> expected) {
  const auto columns = counted(std::min(tensor.cols, most_columns));
  const auto values = read_block(model, tensor, rows, columns);
  if (!values) return std::nullopt;
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double delta = static_cast<double>((*values)[i]) - static_cast<double>(expected[i]);
    difference += delta * delta;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return size > 0 ? std::optional(difference / size) : std::nullopt;
}

// How many heads' rows are in pairs, where another number than the assumed fits.
std::optional<std::uint64_t> better_order(const Model& model, const CanonicalTensor& tensor,
                                          const Model& reference, const CanonicalTensor& other) {
  const Architecture& built =
      model.architecture.heads != 0 ? model.architecture : reference.architecture;
  if (built.heads == 0 || built.kv_heads == 0) return std::nullopt;
  const std::uint64_t few = std::min(built.heads, built.kv_heads);
  const auto rows = counted(std::min(tensor.rows, 2 * tensor.rows / few));
  const auto columns = counted(std::min(tensor.cols, most_columns));
  const auto expected = read_block(reference, other, rows, columns);
  if (!expected) return std::nullopt;
  const auto assumed = misfit(model, tensor, rows, *expected);
  if (!assumed) return std::nullopt;
  std::optional<std::uint64_t> best;
  double least = std::min(alike, *assumed * much_better);
  for (const std::uint64_t heads : {std::uint64_t{0}, built.heads, built.kv_heads}) {
    if (heads == tensor.paired_heads || (heads > 0 && tensor.rows % (2 * heads) != 0)) continue;
    CanonicalTensor candidate = tensor;
    candidate.paired_heads = heads;
    const auto other_misfit = misfit(model, candidate, rows, *expected);
    if (!other_misfit || !(*other_misfit < least)) continue;
    least = *other_misfit;
    best = heads;
  }
  return best;
}

void set_order(std::uint64_t heads, std::uint64_t own_heads, CanonicalTensor& tensor) {
  tensor.paired_heads = heads;
  std::erase_if(tensor.transforms, [](const std::string& name) {
    return name == "rope-permute" || name == "legacy-permute";
  });
  if (heads == 0) return;
  tensor.transforms.emplace_back(heads == own_heads ? "rope-permute" : "legacy-permute");
}

// GGUF files, and others that are read as paired or would be if the number of heads were known.
bool order_is_in_doubt(const Model& model) {
  if (std::ranges::find(model.formats, std::string_view("gguf")) != model.formats.end()) {
    return true;
  }
  const auto family = std::ranges::find(families(), model.architecture.family, &Family::id);
  return family != families().end() && std::ranges::any_of(family->tensors, &FamilyTensor::paired);
}

}  // namespace

bool fit_row_order(Model& model, const Model& reference) {
  if (!order_is_in_doubt(model)) return false;
  constexpr std::array<std::string_view, 4> roles = {"attn.q", "attn.k", "attn.q.bias",
                                                     "attn.k.bias"};
  bool changed = false;
  for (const std::string_view role : roles) {
    const auto [tensor, other] = counterparts(model, reference, role);
    if (tensor == nullptr) continue;
    const auto heads = better_order(model, *tensor, reference, *other);
    if (!heads) continue;
    const Architecture& built =
        model.architecture.heads != 0 ? model.architecture : reference.architecture;
    const std::uint64_t own = role.starts_with("attn.q") ? built.heads : built.kv_heads;
    for (CanonicalTensor& each : model.canonical) {
      if (each.role == role) set_order(*heads, own, each);
    }
    changed = true;
  }
  return changed;
}

}  // namespace pedigree
