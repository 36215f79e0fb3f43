#include "tasks/transform_words.h"

#include <array>
#include <string>
#include <string_view>

namespace pedigree {
namespace {

struct Transform {
  std::string_view name = {};
  std::string_view meaning = {};
};

constexpr std::array transforms = {
    Transform{.name = "rename",
              .meaning = "Tensors carry other names than in the base, or none that are known; "
                         "their values are what was compared."},
    Transform{.name = "cast",
              .meaning = "Numbers are stored in another type than in the base, as in "
                         "cast:F32->BF16; the base's type stands first."},
    Transform{.name = "transpose",
              .meaning = "One side stores matrices as [in, out], the other as [out, in]."},
    Transform{
        .name = "split-concat",
        .meaning = "One side stores queries, keys and values, or gate and up, in one tensor."},
    Transform{.name = "split-head-interleave",
              .meaning = "One side stores the queries, keys and values of each head behind each "
                         "other, in one tensor."},
    Transform{.name = "split-group-interleave",
              .meaning = "One side stores the queries that share a key, that key and its value "
                         "behind each other, in one tensor."},
    Transform{.name = "split-gate-up-interleave",
              .meaning = "One side stores rows of gate and up in turn, in one tensor."},
    Transform{.name = "split-mla-kv",
              .meaning = "What makes keys of compressed ones is a matrix of each head on one side, "
                         "turned round and apart from what makes values, as in GGUF files."},
    Transform{.name = "stack-experts",
              .meaning = "One side stores the matrices of all experts in one tensor."},
    Transform{.name = "swap-up-down",
              .meaning = "One side has the experts' up and down matrices under each other's names, "
                         "as one converter of Mixtral models writes them; their shapes tell."},
    Transform{.name = "rope-permute",
              .meaning =
                  "The rows of queries and keys stand in rotary pairs on one side, as in GGUF "
                  "files, and by halves of heads on the other."},
    Transform{.name = "legacy-permute",
              .meaning = "The same with a wrong number of heads, as converters of 2023 did to keys "
                         "that several queries share."},
    Transform{.name = "norm-plus-one",
              .meaning = "Norm gains are stored plus one on one side and as learnt on the other."},
    Transform{.name = "drop-duplicate",
              .meaning = "One side stores the output head although it repeats the token embedding; "
                         "the other leaves it out."},
    Transform{.name = "weight-norm",
              .meaning = "One side stores matrices as directions and lengths (weight "
                         "normalisation), the other as they are."},
    Transform{.name = "bn-fold",
              .meaning = "One side has batch norms behind its convolutions; on the other they were "
                         "multiplied into the kernels, as exporters do."},
    Transform{.name = "neuron-permute",
              .meaning = "Feed-forward neurons stand in another order. Each takes its inputs and "
                         "outputs along, so the model computes what it computed."},
    Transform{.name = "channel-permute",
              .meaning = "Channels of a net stand in another order, and what reads them with them, "
                         "so the net computes what it computed."},
    Transform{.name = "channel-scale",
              .meaning =
                  "Channels of a net were multiplied by factors, and what reads them divided "
                  "by the same."},
    Transform{.name = "channel-sign",
              .meaning = "The signs of some channels were turned round, and of what reads them as "
                         "well."},
    Transform{.name = "gate-order",
              .meaning = "The gates of a recurrent layer stand in another order, as frameworks "
                         "have it: i, f, g, o against i, o, f, c, or r, z, n against z, r, h."},
    Transform{.name = "stack-directions",
              .meaning = "One side stores both directions of a recurrent layer, or both of its "
                         "biases, in one tensor."},
    Transform{.name = "head-permute",
              .meaning = "Attention heads stand in another order, in all matrices alike."},
    Transform{.name = "rotate",
              .meaning = "The residual stream is written in other, rotated coordinates, and every "
                         "matrix that reads or writes it along with it."},
    Transform{.name = "embeddings-replaced",
              .meaning = "The token embeddings have nothing to do with the base's; the body was "
                         "recognised without them."},
    Transform{.name = "residual-sign",
              .meaning = "Some residual dimensions have their sign turned in every matrix."},
    Transform{.name = "up-down-scale",
              .meaning = "Neurons were scaled up in one matrix and down in the next by the same "
                         "factor, which cancels."},
    Transform{.name = "gain-fold",
              .meaning = "Factors were moved between a norm's gains and the matrices behind it, "
                         "where they cancel."},
    Transform{.name = "value-mix",
              .meaning = "The value channels of each head were mixed, and the output matrix mixes "
                         "them back."},
    Transform{.name = "query-key-scale",
              .meaning = "Queries were scaled up and keys down by the same factors."},
    Transform{.name = "layers-reordered",
              .meaning = "Layers of the base stand in another order. Unlike most transforms, this "
                         "changes what the model computes."},
    Transform{.name = "noise",
              .meaning = "The change of the matrices looks like nothing but added noise: no "
                         "direction stands out as training leaves it."},
    Transform{.name = "vocabulary-replaced",
              .meaning = "Token rows were made anew for another vocabulary."},
    Transform{.name = "vocabulary-trimmed",
              .meaning = "Token rows were left out; those that stayed are the base's."},
    Transform{.name = "neurons-added",
              .meaning = "Blocks made from the base's neurons hold others besides."},
    Transform{
        .name = "expert-copy",
        .meaning = "A feed-forward block was copied into experts, or an expert into a block."},
    Transform{.name = "expert-split",
              .meaning = "The neurons of a dense block were divided among experts."},
    Transform{.name = "expert-average",
              .meaning = "Experts were averaged into fewer, or into one dense block."},
    Transform{.name = "expert-drop", .meaning = "Experts of the base were left out."},
    Transform{.name = "expert-repeat", .meaning = "Experts of the base stand more than once."},
    Transform{.name = "expert-permute",
              .meaning = "Experts stand under other numbers than in the base."},
};

}  // namespace

std::vector<Explanation> transform_explanations() {
  std::vector<Explanation> list;
  list.reserve(std::size(transforms));
  for (const Transform& each : transforms) {
    list.push_back({.code = std::string(each.name),
                    .kind = "transform",
                    .level = {},
                    .meaning = std::string(each.meaning),
                    .remedy = {}});
  }
  return list;
}

}  // namespace pedigree
