// What a GGUF header says beside its tensors: facts for the architecture, claims,
// and the vocabulary. All of it is the publisher's word, as in files of their own.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "formats/formats.h"
#include "model/claims.h"
#include "model/config_facts.h"
#include "model/tokenizer.h"

namespace pedigree {

// The facts under "<general.architecture>.": a list that gives one value a layer counts
// where all are equal.
ConfigFacts header_facts(std::span<const HeaderField> fields, std::string_view file);

// general.*, quantize.* and tokenizer names as claims with their offsets. Parts of a split
// repeat theirs: what is among `claims` already is not added again.
void add_header_claims(std::span<const HeaderField> fields, std::string_view file,
                       std::vector<Claim>& claims);

// tokenizer.ggml.*, spelled as tokenizer.json spells the same vocabulary. None without
// tokens; the problem tokenizer-malformed where they cannot be a vocabulary.
Result<std::optional<Tokenizer>> read_header_tokenizer(std::span<const HeaderField> fields,
                                                       std::string_view file);

// The value under `key`; null when there is none or it is of another kind.
template <class Value>
const Value* header_value(std::span<const HeaderField> fields, std::string_view key) {
  for (const HeaderField& field : fields) {
    if (field.key == key) return std::get_if<Value>(&field.value);
  }
  return nullptr;
}

}  // namespace pedigree
