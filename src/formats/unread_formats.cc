#include <algorithm>
#include <initializer_list>
#include <utility>

#include "formats/known_formats.h"

namespace pedigree {
namespace {

bool holds(std::span<const std::byte> head, std::size_t at, std::string_view text) {
  if (head.size() < at + text.size()) return false;
  const auto expected = std::as_bytes(std::span(text));
  return std::ranges::equal(head.subspan(at, text.size()), expected);
}

bool starts_with(std::span<const std::byte> head, std::string_view magic) {
  return holds(head, 0, magic);
}

unsigned byte_at(std::span<const std::byte> head, std::size_t at) {
  return at < head.size() ? std::to_integer<unsigned>(head[at]) : 0;
}

// Little-endian words spelled "ggml", "ggmf", "ggjt" and "ggla".
bool is_old_ggml(std::span<const std::byte> head, std::uint64_t) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"lmgg", "fmgg", "tjgg", "algg"},
      [&](std::string_view magic) { return starts_with(head, magic); });
}

bool is_hdf5(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "\x89HDF\r\n\x1a\n");
}

bool is_tflite(std::span<const std::byte> head, std::uint64_t) { return holds(head, 4, "TFL3"); }

// Never unpacked: a wrapper under a weight file's name is how scanners are
// evaded. gzip and bzip2 have short magics, so more of their header is asked.
bool is_compressed(std::span<const std::byte> head, std::uint64_t) {
  using namespace std::string_view_literals;
  const unsigned speed = byte_at(head, 8);
  const bool gzip = starts_with(head, "\x1f\x8b\x08") && (speed == 0 || speed == 2 || speed == 4);
  const bool bzip2 = starts_with(head, "BZh") && holds(head, 4, "1AY&SY");
  return gzip || bzip2 || starts_with(head, "7z\xBC\xAF\x27\x1C") ||
         starts_with(head, "\xFD\x37zXZ\0"sv) || starts_with(head, "\x28\xB5\x2F\xFD");
}

// Flatbuffers have their name behind the place of their root.
bool is_executorch(std::span<const std::byte> head, std::uint64_t) {
  return holds(head, 4, "ET12");
}
bool is_ort(std::span<const std::byte> head, std::uint64_t) { return holds(head, 4, "ORTM"); }

bool is_tensorrt(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "ptrt") || starts_with(head, "ftrt");
}

bool is_torch_1_0(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "PYTORCH1");
}

// An executable of every system at once, with a zip behind it.
bool is_llamafile(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "MZqFpD='");
}

bool is_ocdbt(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "\x0c\xdb\x3a\x2a");
}

bool is_openvino(std::span<const std::byte> head, std::uint64_t) {
  constexpr std::string_view mark = "<net ";
  if (!starts_with(head, "<?xml") && !starts_with(head, mark)) return false;
  for (std::size_t at = 0; at + mark.size() <= head.size(); ++at) {
    if (holds(head, at, mark)) return true;
  }
  return false;
}

// The length of the base-128 number at `at` and its value; 0 bytes when it does not end.
std::pair<std::size_t, std::uint64_t> varint_at(std::span<const std::byte> head, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t size = 0; size < 9 && at + size < head.size(); ++size) {
    value |= std::uint64_t{byte_at(head, at + size) & 0x7FU} << (7 * size);
    if (byte_at(head, at + size) < 0x80) return {size + 1, value};
  }
  return {0, 0};
}

// Protobuf: a version in field 1, and a message in field 2 that fits; what begins there.
struct VersionedMessage {
  std::size_t begin = 0;  // 0: it is none
  std::uint64_t end = 0;
};

VersionedMessage versioned_message(std::span<const std::byte> head, std::uint64_t size) {
  if (byte_at(head, 0) != 0x08 || byte_at(head, 1) == 0 || byte_at(head, 1) > 0x7F) return {};
  if (byte_at(head, 2) != 0x12) return {};
  const auto [bytes, length] = varint_at(head, 3);
  if (bytes == 0 || length > size - 3 - bytes) return {};
  return {.begin = 3 + bytes, .end = 3 + bytes + length};
}

// The meta graphs fill the file, and each begins with what it says of itself.
bool is_saved_model(std::span<const std::byte> head, std::uint64_t size) {
  const VersionedMessage graph = versioned_message(head, size);
  if (graph.begin == 0 || byte_at(head, 1) != 1 || byte_at(head, graph.begin) != 0x0A) return false;
  return graph.end == size || (graph.end < head.size() && byte_at(head, graph.end) == 0x12);
}

// A description, and then one of the kinds of model, which have numbers from 200 on.
bool is_core_ml(std::span<const std::byte> head, std::uint64_t size) {
  const VersionedMessage description = versioned_message(head, size);
  if (description.begin == 0 || description.end + 2 > head.size()) return false;
  const auto [bytes, tag] = varint_at(head, static_cast<std::size_t>(description.end));
  constexpr std::uint64_t first_kind = 200;
  return bytes != 0 && (tag & 7U) == 2 && tag >> 3U >= first_kind && tag >> 3U < 4000;
}

// Where the text of a msgpack map's key ends, when a short one stands at `at`; else 0.
std::size_t end_of_key(std::span<const std::byte> head, std::size_t at) {
  const unsigned first = byte_at(head, at);
  const bool is_short = first > 0xA0 && first < 0xC0;
  const std::size_t size = is_short ? first - 0xA0 : first == 0xD9 ? byte_at(head, at + 1) : 0;
  const std::size_t begin = at + (is_short ? 1 : 2);
  if (size == 0 || begin + size > head.size()) return 0;
  const auto key = head.subspan(begin, size);
  const bool printable = std::ranges::all_of(key, [](std::byte byte) {
    return std::to_integer<unsigned>(byte) >= 0x20 && std::to_integer<unsigned>(byte) < 0x7F;
  });
  return printable ? begin + size : 0;
}

// Maps within maps down to an array: an extension of type 1 with three items in it.
bool is_flax(std::span<const std::byte> head, std::uint64_t) {
  constexpr int deepest = 32;
  std::size_t at = 0;
  for (int depth = 0; depth < deepest; ++depth) {
    const unsigned first = byte_at(head, at);
    if (first > 0x80 && first < 0x90) {
      at += 1;
    } else if (first == 0xDE) {
      at += 3;
    } else {
      break;
    }
    at = end_of_key(head, at);
    if (at == 0) return false;
  }
  const unsigned kind = byte_at(head, at);  // ext 8, 16, 32
  if (at == 0 || kind < 0xC7 || kind > 0xC9) return false;
  const std::size_t type_at = at + 1 + (std::size_t{1} << (kind - 0xC7));
  return byte_at(head, type_at) == 1 && byte_at(head, type_at + 1) == 0x93;
}

}  // namespace

constinit const Format old_ggml_format = {
    .id = "ggml",
    .title = "GGML (before GGUF)",
    .recognises = is_old_ggml,
    .remedy = "Convert it to GGUF with llama.cpp, or get the original weights."};
constinit const Format hdf5_format = {
    .id = "hdf5",
    .title = "HDF5 (Keras, TensorFlow)",
    .recognises = is_hdf5,
    .remedy = "Load the weights in Keras and save them as .npz or safetensors."};
constinit const Format tflite_format = {
    .id = "tflite",
    .title = "TensorFlow Lite",
    .recognises = is_tflite,
    .remedy = "Get the model it was converted from, or convert it to ONNX with tf2onnx."};
constinit const Format saved_model_format = {
    .id = "saved-model",
    .title = "TensorFlow SavedModel",
    .recognises = is_saved_model,
    .remedy = "Load it in TensorFlow and save its variables as .npz or safetensors."};
constinit const Format core_ml_format = {.id = "core-ml",
                                         .title = "Core ML",
                                         .recognises = is_core_ml,
                                         .remedy = "Get the model it was converted from."};
constinit const Format flax_format = {
    .id = "flax-msgpack",
    .title = "Flax (msgpack)",
    .recognises = is_flax,
    .remedy = "Save the parameters with safetensors.flax to have them compared."};
constinit const Format ocdbt_format = {
    .id = "orbax",
    .title = "Orbax checkpoint (OCDBT)",
    .recognises = is_ocdbt,
    .remedy = "Restore it with Orbax and save the parameters as safetensors."};
constinit const Format executorch_format = {.id = "executorch",
                                            .title = "ExecuTorch",
                                            .recognises = is_executorch,
                                            .remedy = "Get the checkpoint it was exported from."};
constinit const Format ort_format = {.id = "ort",
                                     .title = "ONNX Runtime's own format",
                                     .recognises = is_ort,
                                     .remedy = "Get the .onnx file it was converted from."};
constinit const Format tensorrt_format = {
    .id = "tensorrt",
    .title = "TensorRT engine",
    .recognises = is_tensorrt,
    .remedy = "Get the model the engine was built from: weights in it are fused and rearranged."};
constinit const Format openvino_format = {
    .id = "openvino",
    .title = "OpenVINO IR",
    .recognises = is_openvino,
    .remedy = "Get the model it was converted from; weights lie in the .bin file beside it."};
constinit const Format torch_1_0_format = {
    .id = "torch-1.0-rc",
    .title = "PyTorch 1.0 release candidate",
    .recognises = is_torch_1_0,
    .remedy = "Load it in the PyTorch that wrote it and save it again."};
constinit const Format llamafile_format = {
    .id = "llamafile",
    .title = "llamafile",
    .recognises = is_llamafile,
    .remedy = "Take the .gguf out of it with `unzip`, which it is an archive for."};
constinit const Format compressed_format = {
    .id = "compressed",
    .title = "compressed archive",
    .recognises = is_compressed,
    .remedy = "Unpack it and look at what is inside; loaders of weights do not take such files."};

}  // namespace pedigree
