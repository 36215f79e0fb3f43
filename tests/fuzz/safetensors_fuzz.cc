// The reader's laws over any bytes: nothing escapes read_weights but a value,
// problems have a known code and a place within the file, extents lie inside
// the file, those of safetensors do not overlap, and sizes agree with shapes.
#include <cstddef>
#include <cstdint>
#include <string>

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

void hold_tensors(const WeightFile& file, std::size_t size) {
  std::uint64_t end = 0;
  for (const TensorEntry& tensor : file.tensors) {
    check(tensor.type != nullptr && is_valid_utf8(tensor.name), "type or name");
    check(tensor.extent.begin <= tensor.extent.end, "extent");
    check(end <= tensor.extent.begin || file.format != "safetensors", "overlap");
    check(tensor.extent.end <= size, "extent outside the file");
    check(tensor.type == &opaque_type() ||
              tensor.type->bytes_of(tensor.element_count()) == tensor.extent.size(),
          "size and shape disagree");
    end = tensor.extent.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const MemorySource source("fuzzed", std::vector<std::byte>(bytes.begin(), bytes.end()));
  const auto file = read_weights(source);
  if (file) {
    hold_tensors(*file, size);
    for (const Problem& problem : file->problems) hold_problem(problem, size);
  } else {
    hold_problem(file.error(), size);
  }
  return 0;
}
