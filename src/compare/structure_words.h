// An architecture's structure in words, for those who do not build such models.
#pragma once

#include <string>
#include <string_view>

namespace pedigree {

// "decoder/rmsnorm-pre/rope/gated-silu" as "decoders with RMSNorm in front of each block,
// rotary positions and gated SiLU feed-forward blocks". What is not known is left out, a
// word that is not known stays as it is.
std::string structure_in_words(std::string_view structure);

}  // namespace pedigree
