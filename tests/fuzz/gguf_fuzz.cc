// The GGUF reader's laws over any bytes behind its magic, and those of the values in
// its blocks: nothing escapes but a value, extents lie in the file and do not overlap,
// sizes agree with shapes, and every block of bytes decodes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/problem.h"
#include "base/text.h"
#include "formats/formats.h"

namespace {

using namespace pedigree;

void hold_problem(const Problem& problem, std::size_t size) {
  check(find_problem_kind(problem.code) != nullptr, "unknown code");
  check(!problem.message.empty() && is_valid_utf8(problem.message), "message");
  check(problem.file == "fuzzed", "file");
  check(!problem.offset || *problem.offset <= size, "offset outside the file");
}

void decode(const TensorEntry& tensor, std::span<const std::byte> file) {
  if (tensor.type->decode == nullptr) return;
  std::vector<float> values(static_cast<std::size_t>(tensor.element_count()));
  tensor.type->decode(file.subspan(tensor.extent.begin, tensor.extent.size()), values);
}

void hold_file(const WeightFile& file, std::span<const std::byte> bytes) {
  std::uint64_t end = 0;
  for (const TensorEntry& tensor : file.tensors) {
    check(tensor.type != nullptr && is_valid_utf8(tensor.name), "type or name");
    check(end <= tensor.extent.begin && tensor.extent.begin <= tensor.extent.end, "overlap");
    check(tensor.extent.end <= bytes.size(), "extent outside the file");
    check(tensor.type == &opaque_type() ||
              tensor.type->bytes_of(tensor.element_count()) == tensor.extent.size(),
          "size and shape disagree");
    end = tensor.extent.end;
    decode(tensor, bytes);
  }
  for (const HeaderField& field : file.fields) {
    check(is_valid_utf8(field.key) && field.offset < bytes.size(), "key");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const MemorySource source("fuzzed", std::vector<std::byte>(bytes.begin(), bytes.end()));
  const auto file = read_weights(source);
  if (file) {
    hold_file(*file, bytes);
    for (const Problem& problem : file->problems) hold_problem(problem, size);
  } else {
    hold_problem(file.error(), size);
  }
  return 0;
}
