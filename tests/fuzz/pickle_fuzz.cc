// The laws of the pickle decoder over any bytes: it ends, within its limits, with a
// tree that can be walked or with the reason why not.
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/pickle.h"
#include "formats/state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pedigree;
  const auto bytes = std::as_bytes(std::span(data, size));
  const MemorySource source("fuzzed", std::vector<std::byte>(bytes.begin(), bytes.end()));
  Limits limits;
  limits.pickle_nodes = 100'000;
  limits.pickle_operations = 300'000;
  const PickleReading reading = read_pickle(source, {.begin = 0, .end = size}, limits);
  check(reading.end <= size, "the end lies behind the bytes");
  check(reading.tree.node_count() <= limits.pickle_nodes, "more nodes than allowed");
  for (const PickleGlobal& global : reading.foreign) check(global.offset < size, "an offset");
  for (const Problem& problem : pickle_problems(reading)) {
    check(find_problem_kind(problem.code) != nullptr && !problem.message.empty(), "a problem");
  }
  if (reading.broken) return 0;
  check(reading.root < reading.tree.node_count(), "the root is no node");
  try {
    find_state_dict(reading.tree, reading.root, limits);
  } catch (const Malformed& stop) {
    check(stop.problem.code == "limit-exceeded", "another reason to stop walking");
  }
  return 0;
}
