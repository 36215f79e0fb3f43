// What a token stands for, as bytes, whatever alphabet its tokenizer spells it in.
#pragma once

#include <string>
#include <string_view>

namespace pedigree {

// `spelling` is Tokenizer::spelling. "byte-level": each character is a byte in
// GPT-2's printable remap. "metaspace": U+2581 is a space, and a token "<0xNN>"
// is one byte. A character outside the alphabet, as in "<|endoftext|>", stays.
std::string token_bytes(std::string_view token, std::string_view spelling);

}  // namespace pedigree
