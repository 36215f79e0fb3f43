// safetensors: a u64 header length, that many bytes of JSON, then the data.
//
// The header maps names to {dtype, shape, data_offsets}; data must fill the
// rest of the file without holes or overlap, so that no byte can hide. The
// reference reader keeps the last of two equal keys, accepts whitespace before
// the '{' and knows fewer types; where we differ we are stricter, except that
// whitespace and unknown types are warnings.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "formats/formats.h"
#include "formats/known_formats.h"
#include "formats/safetensors_header.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr std::string_view json_spaces = " \t\n\r";

bool begins_as_text(std::span<const std::byte> bytes) {
  return bytes.front() < std::byte{0x7F} && std::ranges::none_of(
                                                bytes,
                                                [](std::byte byte) {
                                                  const char c = static_cast<char>(byte);
                                                  return byte < std::byte{0x20} &&
                                                         json_spaces.find(c) == json_spaces.npos;
                                                });
}

bool recognises(std::span<const std::byte> head, std::uint64_t size) {
  if (head.size() <= length_bytes) return false;
  const std::uint64_t length = ByteReader(head, "safetensors-header-length").u64();
  const bool fits = length <= Limits{}.header_bytes && length <= size - length_bytes;
  std::string text;
  for (const std::byte byte : head.subspan(length_bytes)) text += static_cast<char>(byte);
  const std::size_t first = text.find_first_not_of(json_spaces);
  if (first == text.npos) return fits && length > 0;
  if (fits && std::string_view("{[\"\xEF").find(text[first]) != std::string_view::npos) return true;
  if (text[first] != '{') return false;
  // A length that cannot be is an attack or a truncated file, unless it is text.
  const std::size_t second = text.find_first_not_of(json_spaces, first + 1);
  const bool object = second != text.npos && (text[second] == '"' || text[second] == '}');
  return object && !begins_as_text(head.first(length_bytes));
}

std::uint64_t header_length(const Source& source, const Limits& limits) {
  if (source.size() < length_bytes) {
    malformed("safetensors-header-length",
              fmt::format("the file has {} bytes and no room for a length", source.size()), 0);
  }
  const std::string text = read_text(source, {.begin = 0, .end = length_bytes});
  const std::uint64_t length =
      ByteReader(std::as_bytes(std::span(text)), "safetensors-header-length").u64();
  if (length > limits.header_bytes) {
    malformed(
        "safetensors-header-length",
        fmt::format("the header claims {} bytes, over the cap of {}", length, limits.header_bytes),
        0);
  }
  if (length > source.size() - length_bytes) {
    malformed("safetensors-header-length",
              fmt::format("the header claims {} bytes and {} follow", length,
                          source.size() - length_bytes),
              0);
  }
  return length;
}

void check_first_byte(std::string_view header, WeightFile& file) {
  const std::size_t first = header.find_first_not_of(json_spaces);
  if (first == header.npos || header[first] != '{') {
    malformed("safetensors-header-json", "the header does not begin with '{'",
              length_bytes + (first == header.npos ? 0 : first));
  }
  if (first == 0) return;
  file.problems.push_back(make_problem(
      "safetensors-header-whitespace", {},
      fmt::format("{} bytes of white space stand before the header's '{{'", first), length_bytes));
}

// Events' problems, told in the file's own offsets and the format's own codes.
Problem in_file(Problem problem) {
  if (problem.code.starts_with("json-")) {
    problem =
        make_problem("safetensors-header-json", {}, std::move(problem.message), problem.offset);
  }
  problem.line = std::nullopt;
  if (problem.offset) *problem.offset += length_bytes;
  return problem;
}

void read_header(std::string_view header, Extent data, const Limits& limits, WeightFile& file) {
  SafetensorsHeader sink(data, limits, file);
  const JsonLimits json_limits = {
      .bytes = static_cast<std::size_t>(limits.header_bytes), .depth = 3, .values = 0};
  if (auto problem = read_json_events(header, {}, json_limits, std::ref(sink))) {
    throw Malformed{in_file(std::move(*problem))};
  }
  try {
    sink.check_names();
  } catch (Malformed& duplicate) {
    throw Malformed{in_file(std::move(duplicate.problem))};
  }
}

// By begin, then end, so that an empty tensor stands before the one that begins
// at the same byte; then by position in the header.
void sort_by_offset(std::vector<TensorEntry>& tensors) {
  const auto place = [](const TensorEntry& entry) {
    return std::pair(entry.extent.begin, entry.extent.end);
  };
  if (std::ranges::is_sorted(tensors, {}, place)) return;
  std::vector<std::size_t> order(tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(place(tensors[i]), i); });
  std::vector<TensorEntry> sorted;
  sorted.reserve(tensors.size());
  for (const std::size_t i : order) sorted.push_back(std::move(tensors[i]));
  tensors = std::move(sorted);
}

void check_layout(Extent data, const std::vector<TensorEntry>& tensors) {
  std::uint64_t expected = data.begin;
  const TensorEntry* previous = nullptr;
  for (const TensorEntry& tensor : tensors) {
    const Extent extent = tensor.extent;
    if (extent.begin < expected) {
      malformed("safetensors-offsets",
                fmt::format("{} begins inside the data of {}", quoted(tensor.name),
                            quoted(previous->name)),
                extent.begin);
    }
    if (extent.begin > expected) {
      malformed("safetensors-offsets",
                fmt::format("{} bytes before {} belong to no tensor", extent.begin - expected,
                            quoted(tensor.name)),
                expected);
    }
    expected = extent.end;
    previous = &tensor;
  }
  if (expected != data.end) {
    malformed("safetensors-offsets",
              fmt::format("{} bytes behind the last tensor belong to none", data.end - expected),
              expected);
  }
}

// One warning a type, however many tensors have it.
void report_unknown_types(WeightFile& file) {
  constexpr std::size_t most = 20;
  struct Users {
    const TensorEntry* first = nullptr;
    std::uint64_t count = 0;
  };
  std::map<std::string_view, Users> unknown;
  for (const TensorEntry& tensor : file.tensors) {
    if (tensor.type != &opaque_type()) continue;
    Users& users = unknown[tensor.type_name];
    if (users.count++ == 0) users.first = &tensor;
  }
  std::size_t told = 0;
  for (const auto& [name, users] : unknown) {
    if (told++ == most) {
      file.problems.push_back(
          make_problem("unsupported-encoding", {},
                       fmt::format("{} more element types are unknown", unknown.size() - most)));
      return;
    }
    file.problems.push_back(
        make_problem("unsupported-encoding", {},
                     fmt::format("the element type {} of {} is unknown ({} tensors have it)",
                                 quoted(name), quoted(users.first->name), users.count),
                     users.first->extent.begin));
  }
}

WeightFile read(const Source& source, const Limits& limits) {
  const std::uint64_t length = header_length(source, limits);
  const Extent data = {.begin = length_bytes + length, .end = source.size()};
  WeightFile file = {.format = safetensors_format.id};
  {
    const std::string header = read_text(source, {.begin = length_bytes, .end = data.begin});
    check_first_byte(header, file);
    read_header(header, data, limits, file);
  }
  sort_by_offset(file.tensors);
  check_layout(data, file.tensors);
  report_unknown_types(file);
  return file;
}

}  // namespace

constinit const Format safetensors_format = {.id = "safetensors",
                                             .title = "safetensors",
                                             .recognises = recognises,
                                             .read = read,
                                             .checked = "files of the safetensors package 0.8"};

}  // namespace pedigree
