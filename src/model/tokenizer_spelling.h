// Tokens that a file keeps as base64 of their bytes (tiktoken, tekken).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pedigree {

// The token in GPT-2's byte alphabet, in which it meets the same vocabulary's
// tokenizer.json. Throws Malformed with tokenizer-malformed and `offset` where
// `base64` is none.
std::string spelled_token(std::string_view base64, std::uint64_t offset);

}  // namespace pedigree
