// Stored bytes decoded a second, by one core, of every element type: each benchmark is
// named as reports spell the type. scripts/bench reads the counter.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/element_types.h"

namespace {

using namespace pedigree;

// What a full pass decodes at a time, about; it stays in the caches.
constexpr std::size_t stored_bytes = std::size_t{1} << 16U;

std::vector<std::byte> made_bytes(std::size_t count) {
  std::uint64_t state = 1;
  std::vector<std::byte> bytes(count);
  for (auto& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(state >> 56U);
  }
  return bytes;
}

void decode(benchmark::State& state, const ElementType& type) {
  const std::size_t runs = stored_bytes / type.run_bytes();
  const auto bytes = made_bytes(runs * type.run_bytes());
  std::vector<float> values(runs * type.run());
  for ([[maybe_unused]] auto unused : state) {
    type.decode(bytes, values);
    benchmark::DoNotOptimize(values.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

}  // namespace

int main(int count, char** arguments) {
  for (const ElementType* type : element_types()) {
    if (type->decode == nullptr || type->run() == 0) continue;
    benchmark::RegisterBenchmark(std::string(type->id).c_str(),
                                 [type](benchmark::State& state) { decode(state, *type); });
  }
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
