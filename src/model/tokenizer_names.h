// Names a model gives that are those of a known vocabulary's models, held against the
// vocabulary itself. About tokenizers only: a model may take another's, and none of this
// says whose weights are whose.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/known_vocabularies.h"
#include "model/model.h"

namespace pedigree {

// "Llama-2-13b-chat-hf", "meta-llama/Llama-2-7b-hf" and "tokenizer-llama2" are all "llama2":
// the last part, without the words for size, tuning and container.
std::string plain_model_name(std::string_view name);

// The vocabulary that a model of this name is known to have; null when none is.
const KnownVocabulary* vocabulary_named(std::string_view model);

// tokenizer-name-contradicted, once for each name: the model's own, its tokenizer's
// name_or_path, and declared bases.
std::vector<Problem> tokenizer_name_problems(const ModelInfo& model);

}  // namespace pedigree
