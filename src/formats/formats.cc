#include "formats/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "formats/known_formats.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

// In the order they are tried: magics nobody shares first, then safetensors,
// whose length may begin with the two bytes of the rest.
constexpr std::array table = {
    &gguf_format,       &old_ggml_format,    &torch_zip_format, &npz_format,
    &zip_format,        &hdf5_format,        &npy_format,       &tflite_format,
    &ort_format,        &executorch_format,  &tensorrt_format,  &torch_1_0_format,
    &llamafile_format,  &ocdbt_format,       &openvino_format,  &safetensors_format,
    &onnx_format,       &saved_model_format, &core_ml_format,   &pickle_format,
    &compressed_format, &flax_format};

constexpr std::uint64_t head_bytes = 4096;

bool starts_as_html(std::string_view text) {
  std::string start(text.substr(0, std::min<std::size_t>(text.size(), 16)));
  std::ranges::transform(start, start.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml");
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

// What a file that is no known format looks like, for the person who meant to
// download something else.
std::string described(std::string_view head) {
  if (head.empty()) return "the file is empty";
  std::string_view text = head;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  if (starts_as_html(text)) return "this is a web page, not weights";
  if (head.starts_with("version https://git-lfs.") || head.starts_with("version https://hawser.")) {
    return "this looks like a git-lfs pointer but is not a complete one";
  }
  if (is_printable(head)) {
    const bool json = text.starts_with('{') || text.starts_with('[');
    return fmt::format("this is {} text, beginning with \"{}\"", json ? "JSON" : "plain",
                       shown(percent_escaped(text.substr(0, 60))));
  }
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; })) {
    return "the file begins with zero bytes only, as a download that never finished does";
  }
  return fmt::format("no known format begins with the bytes {}",
                     to_hex(std::as_bytes(std::span(head.substr(0, 8)))));
}

[[noreturn]] void leave_unread(const Format& format) {
  Problem problem = make_problem(
      "format-unsupported", {},
      fmt::format("the content is {}, which is recognised but not read yet", format.title), 0);
  if (!format.remedy.empty()) problem.remedy = format.remedy;
  throw Malformed{std::move(problem)};
}

WeightFile read_known(const Source& source, const Limits& limits) {
  const std::string head =
      read_text(source, {.begin = 0, .end = std::min(source.size(), head_bytes)});
  if (const auto pointer = read_lfs_pointer(head)) {
    malformed("weights-not-downloaded",
              fmt::format("this is a git-lfs pointer to {} of weights (sha256 {})",
                          byte_size(pointer->size), pointer->oid),
              0);
  }
  const Format* format = recognise(std::as_bytes(std::span(head)), source.size());
  if (format == nullptr) malformed("not-a-weight-file", described(head), 0);
  if (format->read == nullptr) leave_unread(*format);
  return format->read(source, limits);
}

}  // namespace

std::span<const Format* const> formats() { return table; }

const Format* recognise(std::span<const std::byte> head, std::uint64_t size) {
  const auto found = std::ranges::find_if(
      table, [&](const Format* format) { return format->recognises(head, size); });
  return found == table.end() ? nullptr : *found;
}

Result<WeightFile> read_weights(const Source& source, const Limits& limits) {
  try {
    WeightFile file = read_known(source, limits);
    if (auto changed = source.still_the_same()) return std::unexpected(std::move(*changed));
    for (Problem& problem : file.problems) problem.file = source.name();
    return file;
  } catch (Malformed& stop) {
    stop.problem.file = source.name();
    return std::unexpected(std::move(stop.problem));
  }
}

}  // namespace pedigree
