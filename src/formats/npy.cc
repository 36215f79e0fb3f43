#include "formats/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "formats/known_formats.h"
#include "formats/pickled_tensors.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "npy-header";

std::uint64_t element_count(const std::vector<std::uint64_t>& shape) {
  if (std::ranges::find(shape, std::uint64_t{0}) != shape.end()) return 0;
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) count = checked_multiply(count, size, code);
  return count;
}

std::vector<std::uint64_t> column_major(const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> strides;
  std::uint64_t stride = 1;
  for (const std::uint64_t size : shape) {
    strides.push_back(stride);
    stride = checked_multiply(stride, size, code);
  }
  return strides;
}

void leave(WeightFile& file, const std::string& name, std::string_view why, std::uint64_t offset) {
  file.problems.push_back(
      make_problem("tensor-unread", {},
                   fmt::format("the array {} was left out: {}", quoted(name), why), offset));
}

void add_objects(const Source& source, const std::string& name, Extent extent, const Limits& limits,
                 WeightFile& file) {
  const PickleReading pickle = read_pickle(source, extent, limits);
  for (Problem& problem : pickle_problems(pickle)) file.problems.push_back(std::move(problem));
  if (pickle.broken) return;
  if (pickle.end < extent.end) {
    file.problems.push_back(make_problem(
        "pickle-trailing-bytes", {},
        fmt::format("{} bytes follow the end of the pickle", extent.end - pickle.end), pickle.end));
  }
  StateDict dict = find_state_dict(pickle.tree, pickle.root, limits);
  for (Problem& problem : dict.problems) file.problems.push_back(std::move(problem));
  for (NamedNode& node : dict.tensors) {
    if (!name.empty()) node.name.insert(0, name + ".");
  }
  add_pickled_tensors(pickle, dict.tensors, {}, source, file);
}

}  // namespace

void add_npy(const Source& source, const std::string& name, const NpyPlace& place,
             const Limits& limits, WeightFile& file) {
  const NpyHeader header = read_npy_header(source, place, limits);
  const std::uint64_t at = place.stored.begin;
  const std::string shown_name = name.empty() ? "array" : name;
  if (header.descr.ends_with('O')) {
    if (place.deflated) return leave(file, shown_name, "it is a packed array of objects", at);
    return add_objects(source, name, {.begin = at + header.bytes, .end = place.stored.end}, limits,
                       file);
  }
  const auto type = numpy_type(header.descr);
  if (!type) {
    return leave(file, shown_name,
                 header.descr.empty() ? "it is an array of records"
                                      : fmt::format("its element type {} is not read",
                                                    quoted(percent_escaped(header.descr))),
                 at);
  }
  const std::uint64_t elements = element_count(header.shape);
  const std::uint64_t bytes = checked_multiply(elements, type->bytes, code);
  if (bytes != place.bytes - header.bytes) {
    malformed(code,
              fmt::format("the shape of {} asks for {} bytes and {} follow the header",
                          quoted(shown_name), bytes, place.bytes - header.bytes),
              at);
  }
  TensorEntry entry = {
      .name = shown_name, .type = type->type, .type_name = type_name(*type), .shape = header.shape};
  const bool turned = header.column_major && header.shape.size() > 1 && elements > 0;
  const std::uint64_t swapped = bytes_to_swap(*type);
  if (!place.deflated && !turned && swapped == 0) {
    entry.extent = {.begin = at + header.bytes, .end = at + header.bytes + bytes};
    file.tensors.push_back(std::move(entry));
    return;
  }
  if (place.deflated && turned && bytes > largest_packed_view) {
    return leave(file, shown_name, "it is large, packed and column-major", at);
  }
  entry.extent = {.begin = 0, .end = bytes};
  file.arranged.push_back({.entry = std::move(entry),
                           .arrangement = {.stored = place.stored,
                                           .deflated = place.deflated,
                                           .unpacked_bytes = place.bytes,
                                           .first_byte = header.bytes,
                                           .element_bytes = type->bytes,
                                           .strides = turned ? column_major(header.shape)
                                                             : std::vector<std::uint64_t>(),
                                           .swapped_bytes = swapped}});
}

namespace {

bool recognises(std::span<const std::byte> head, std::uint64_t) {
  constexpr std::string_view magic = "\x93NUMPY";
  return head.size() >= magic.size() &&
         std::ranges::equal(head.first(magic.size()), std::as_bytes(std::span(magic)));
}

WeightFile read(const Source& source, const Limits& limits) {
  WeightFile file = {.format = npy_format.id};
  add_npy(source, "", {.stored = {.begin = 0, .end = source.size()}, .bytes = source.size()},
          limits, file);
  finish_tensors(file);
  return file;
}

}  // namespace

constinit const Format npy_format = {.id = "npy",
                                     .title = "NumPy array",
                                     .recognises = recognises,
                                     .read = read,
                                     .general = true,
                                     .checked = "files of NumPy 1.24"};

}  // namespace pedigree
