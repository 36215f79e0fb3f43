#include "model/gguf_split.h"

#include <fmt/format.h>

#include <set>

#include "model/gguf_header.h"

namespace pedigree {
namespace {

std::optional<std::uint64_t> count_of(std::span<const HeaderField> fields, std::string_view key) {
  const auto* value = header_value<std::int64_t>(fields, key);
  if (value == nullptr || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

}  // namespace

SplitPart split_part(std::span<const HeaderField> fields, std::string_view file,
                     std::uint64_t tensors) {
  return {.file = std::string(file),
          .number = count_of(fields, "split.no"),
          .count = count_of(fields, "split.count"),
          .tensors_in_all = count_of(fields, "split.tensors.count"),
          .tensors = tensors};
}

std::vector<Problem> check_split(std::span<const SplitPart> parts) {
  std::vector<Problem> problems;
  const auto add = [&](const SplitPart& part, std::string message) {
    problems.push_back(make_problem("gguf-split", part.file, std::move(message)));
  };
  std::set<std::uint64_t> numbers;
  std::uint64_t tensors = 0;
  for (const SplitPart& part : parts) {
    tensors += part.tensors;
    if (part.count != parts.front().count) add(part, "it tells another count of parts");
    if (!part.number) continue;
    if (part.count && *part.number >= *part.count) {
      add(part, fmt::format("it is part {} of {}, from 0", *part.number, *part.count));
    }
    if (!numbers.insert(*part.number).second) {
      add(part, fmt::format("another file is part {} as well", *part.number));
    }
  }
  if (parts.empty() || !problems.empty()) return problems;
  const SplitPart& first = parts.front();
  const std::uint64_t count = first.count.value_or(1);
  if (count > 1 && parts.size() != count) {
    add(first, fmt::format("{} of {} parts were read", parts.size(), count));
  } else if (first.tensors_in_all && *first.tensors_in_all != tensors) {
    add(first,
        fmt::format("{} tensors are told of and {} were found", *first.tensors_in_all, tensors));
  }
  return problems;
}

}  // namespace pedigree
