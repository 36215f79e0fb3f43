// A tokenizer in words: whose it is, its kind and size, and its chat template.
#pragma once

#include <string>

#include "model/model.h"

namespace pedigree {

// "LLaMA's (32000 tokens), with 11 tokens added; BPE, 32011 tokens, 0 merges".
std::string tokenizer_in_words(const Tokenizer& tokenizer);

// "sha256 0123456789abcdef…, 812 bytes, never run"; "" without one.
std::string chat_template_in_words(const Tokenizer& tokenizer);

}  // namespace pedigree
