// One set of weights, several models: a vision tower, a projector and a language model under
// prefixes of one checkpoint, or a denoiser with its encoders in one file (decision 21).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/model.h"

namespace pedigree {

// What a checkpoint's part is called here, whatever its prefix: "vision_tower",
// "language_model", "projector", "audio_tower", "unet", "vae", "text_encoder".
// Empty where the weights are one model; CLIP's two towers are one.
std::vector<std::string> towers_of(std::span<const StoredTensor> tensors);

// The same of any model, CLIP's towers among them: what keep_tower knows a prefix of.
std::vector<std::string> parts_of(std::span<const StoredTensor> tensors);

// A MODEL argument that means a part: "path::vision_tower" into its two. The second is ""
// where there is none.
std::pair<std::string, std::string> split_part(const std::string& path);

// Leaves only the tensors of one tower, without what their names carried in front, and the
// sizes that go with them. A Problem where there is no such tower.
std::optional<Problem> keep_tower(Model& model, std::string_view tower);

// Is the checkpoint's tokenizer this tower's, and does its card speak of this one?
bool has_tokens(std::string_view tower);
bool speaks_for_the_whole(std::string_view tower);

// The object of a config that describes a tower: "vision_config"; "" for the whole, and none
// where no config speaks of it.
std::optional<std::string_view> tower_config(std::string_view tower);

}  // namespace pedigree
