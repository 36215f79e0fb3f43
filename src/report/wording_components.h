// What a report says of arguments that are several models, and of adapters.
#pragma once

#include <string>
#include <vector>

#include "report/wording.h"

namespace pedigree {

// "pipe: 3 models, text_encoder, unet and vae, 1.2 G parameters"
std::string what_they_are(const Report& report);

// One line a component: its name, and what it is.
std::vector<LabelledLine> component_lines(const Report& report);

// "unet: " where several components are compared, and so have to be told apart; else "".
std::string component_prefix(const Report& report, const Comparison& comparison);

// ", of type LORA, rank 8, alpha 16, for attn.q, attn.v (24 updates)"; "" where nothing is known.
std::string adapter_in_words(const ModelInfo& info);

}  // namespace pedigree
