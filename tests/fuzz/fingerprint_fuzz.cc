// The reader's laws over any bytes: nothing escapes read_fingerprint but a
// value, a problem has our code and the file's name, and what was read can be
// written and read once more with the same bytes from then on.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/problem.h"
#include "base/text.h"
#include "fingerprint/fingerprint.h"

namespace {

using namespace pedigree;

void hold_problem(const Problem& problem) {
  check(problem.code == "fingerprint-malformed", "another code");
  check(problem.file == "fuzzed", "file");
  check(!problem.message.empty() && is_valid_utf8(problem.message), "message");
}

void hold_sizes(const Fingerprint& fingerprint) {
  for (const Block& block : fingerprint.blocks) {
    check(block.values.size() == block.rows.size() * block.cols.size(), "values of a block");
    check(block.steps.empty() || block.steps.size() == block.values.size(), "steps of a block");
    check(block.rows.empty() || block.rows.back() < block.full_rows, "row beyond the axis");
  }
  for (const Responses& item : fingerprint.responses) {
    check(item.values.size() == item.units.size() * fingerprint.tokens.size(), "responses");
  }
  for (const NeuronAnswers& item : fingerprint.answers) {
    const std::size_t values = item.neurons.size() * fingerprint.tokens.size();
    check(item.first.size() == values && item.second.size() == values, "answers");
    if (item.place.kind != FfnPlace::Kind::expert) continue;
    check(item.place.expert >= 0, "an expert without a number");
    check(static_cast<std::uint64_t>(item.place.expert) < item.experts, "an expert too many");
    check(item.neurons.empty() || item.neurons.back() < item.full_neurons, "a neuron too many");
  }
  if (!fingerprint.couplings) return;
  for (const CoupledLayer& item : fingerprint.couplings->layers) {
    const std::size_t values = item.neurons.size() * item.probes.size();
    check(item.first_strengths.size() == values, "first strengths");
    check(item.second_strengths.size() == values, "second strengths");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const MemorySource source("fuzzed", std::vector<std::byte>(bytes.begin(), bytes.end()));
  looks_like_fingerprint(source);
  const auto first = read_fingerprint(source);
  if (!first) {
    hold_problem(first.error());
    return 0;
  }
  hold_sizes(*first);
  const auto second = read_fingerprint(MemorySource("again", to_bytes(*first)));
  check(second.has_value(), "what was written cannot be read");
  check(second->blocks.size() == first->blocks.size(), "blocks were lost");
  check(second->answers.size() == first->answers.size(), "answers were lost");
  check(second->couplings.has_value() == first->couplings.has_value(), "couplings were lost");
  return 0;
}
