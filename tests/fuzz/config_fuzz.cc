// Any text becomes facts and claims or problems; every claim's line lies in the
// text.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "model/adapter.h"
#include "model/config_facts.h"
#include "model/manifest_claims.h"
#include "model/manifest_json.h"
#include "model/metadata_architecture.h"

namespace {

using namespace pedigree;

void hold_claims(const std::vector<Claim>& claims, unsigned lines) {
  for (const Claim& claim : claims) {
    check(claim.line >= 1 && claim.line <= lines, "a line outside the text");
    check(!claim.value.empty() && is_valid_utf8(claim.value), "a value that is nothing");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const unsigned lines = line_of(text, text.size());
  std::vector<Problem> problems;
  const auto root = parse_side_json(text, "config.json", problems);
  check(root.has_value() || !problems.empty(), "refused without a problem");
  for (const Problem& problem : problems) {
    check(find_problem_kind(problem.code) != nullptr, "a code nobody listed");
  }
  if (!root) return 0;
  const ConfigFacts facts = config_facts(*root, "config.json");
  for (const ConfigEntry& entry : facts.entries) {
    check(entry.line >= 1 && entry.line <= lines, "an entry's line outside the text");
  }
  ModelInfo described;
  describe_from_metadata(described, facts, {});
  check(described.canonical.empty() && described.tensors.empty(), "tensors out of a config");
  for (const Problem& problem : described.problems) {
    check(is_valid_utf8(problem.message), "a message that is not UTF-8");
  }
  std::vector<Claim> claims;
  add_config_claims(*root, "config.json", claims);
  add_generation_claims(*root, "config.json", claims);
  add_quantizer_claims(*root, "config.json", claims);
  add_tokenizer_config_claims(*root, "config.json", claims);
  add_adapter_claims(*root, "config.json", claims);
  hold_claims(claims, lines);
  return 0;
}
