// The readers' laws over any bytes, for ONNX: typed values, which are arranged, are read too.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/problem.h"
#include "tests/support/weight_laws.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string content(size, '\0');
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(data[i]);
  const std::string law = pedigree::broken_weight_law(content);
  pedigree::check(law.empty(), law);
  return 0;
}
