#include "model/booleans.h"

#include <fmt/format.h>

#include <cstddef>
#include <span>

#include "base/text.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;

struct StrayByte {
  std::uint64_t place = 0;  // in the tensor
  unsigned value = 0;
};

std::optional<StrayByte> first_stray(const Model& model, const StoredTensor& tensor) {
  std::optional<StrayByte> found;
  std::uint64_t place = 0;
  // A read that fails is told by whoever needs the tensor.
  static_cast<void>(stream_bytes(model, tensor, chunk_bytes,
                                 [&](std::span<const std::byte> bytes) -> std::optional<Problem> {
                                   for (std::size_t i = 0; i < bytes.size() && !found; ++i) {
                                     const auto value = std::to_integer<unsigned>(bytes[i]);
                                     if (value > 1)
                                       found = StrayByte{.place = place + i, .value = value};
                                   }
                                   place += bytes.size();
                                   return std::nullopt;
                                 }));
  return found;
}

}  // namespace

std::optional<Problem> boolean_problem(const Model& model) {
  std::optional<Problem> problem;
  std::size_t more = 0;
  for (const StoredTensor& tensor : model.tensors) {
    if (tensor.entry.type->kind != ElementType::Kind::boolean) continue;
    const auto stray = first_stray(model, tensor);
    if (!stray) continue;
    if (problem) {
      ++more;
      continue;
    }
    problem = make_problem("boolean-value", model.shards[tensor.shard]->name(),
                           fmt::format("value {} of \"{}\" is the byte {}", stray->place,
                                       shown(tensor.entry.name.substr(0, 200)), stray->value));
    problem->offset = tensor.entry.extent.begin + stray->place;
  }
  if (problem && more > 0) problem->message += fmt::format(", and {} more tensors hold such", more);
  return problem;
}

}  // namespace pedigree
