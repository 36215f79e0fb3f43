#include "compare/structure_words.h"

#include <doctest/doctest.h>

namespace pedigree {

TEST_CASE("a structure is told in words, and what is not known is left out") {
  CHECK(structure_in_words("decoder/rmsnorm-pre/rope/gated-silu") ==
        "decoders with RMSNorm in front of each block, rotary positions and gated SiLU "
        "feed-forward blocks");
  CHECK(structure_in_words("decoder/layernorm-pre/learned/plain-gelu/attention-bias/mlp-bias") ==
        "decoders with LayerNorm in front of each block, learned positions, plain GELU "
        "feed-forward blocks, biases in attention and biases in feed-forward blocks");
  CHECK(structure_in_words("decoder/rmsnorm-unknown/unknown/gated-unknown") ==
        "decoders with RMSNorm and gated feed-forward blocks");
  CHECK(structure_in_words("decoder/rmsnorm-sandwich/none/gated-mish/experts") ==
        "decoders with RMSNorm in front of and behind each block, no position embeddings, gated "
        "mish feed-forward blocks and experts");
  CHECK(structure_in_words("unknown") == "unknown");
}

}  // namespace pedigree
