// Families of models that share tensor names: one JSON file each in
// architectures/, embedded at build time.
//
// To add a family, write its file; nothing else changes. The files are our own
// data: a mistake in one stops the program at first use, and the unit tests
// hold each to schemas/architecture-1.schema.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/embedded.h"
#include "base/problem.h"

namespace pedigree {

// The sizes that shapes are written in; `one` is a literal one. Some have one value in
// a model, the others one in each layer (pruned models vary them).
enum class Symbol {
  one,
  hidden,
  other_hidden,  // of the second of two towers
  embed,         // of token embeddings, where they are narrower
  projection,    // of two towers onto one space
  vocab,
  head_rows,
  positions,
  other_positions,  // of the second input: frames, patches
  types,            // of tokens
  buckets,          // of relative positions
  head_dim,
  heads,
  kv_heads,
  q,
  kv,
  values,      // into attn.o, where heads of values have a size of their own
  plain_keys,  // the share of keys that is made from the compressed ones
  q_rank,      // of compressed queries
  kv_rank,     // of compressed keys and values
  kv_in,       // kv_rank and the keys that all heads share
  head_keys,   // of plain_keys, a head's
  head_ranks,  // kv_rank, once for each head
  ffn,
  experts,
  shared_ffn,  // of the expert for every token
  inner,       // of a state-space or linear-attention mixer, or of a recurrent one
  state,       // of each inner channel
  dt_rank,     // of compressed time steps
  channels,    // through the mixer's convolution
  keys,        // of linear attention
  ssm_heads,   // of the mixer
  mix_rank,    // of what mixes a token with the one before it
  decay_rank,  // of what makes decays, rates, gates and values depend on the token
  rate_rank,
  gate_rank,
  value_rank,
  kernel,  // taps of a convolution along the sequence
  inputs,  // channels of an image or a spectrogram
  patch,   // side of an image's patches
};

std::optional<Symbol> find_symbol(std::string_view name);
bool varies_by_layer(Symbol symbol);

struct SizeTerm {
  std::uint64_t coefficient = 1;
  Symbol symbol = Symbol::hidden;

  bool operator==(const SizeTerm&) const = default;
};

// "3hidden", "q+2kv": a sum of multiples of symbols.
using SizeFormula = std::vector<SizeTerm>;

// An axis that is there in name only: of [1, 1, hidden] the first two.
bool is_one(const SizeFormula& size);

// One role inside a fused tensor: the next `rows` of its out axis.
struct FamilyPart {
  std::string role = {};
  SizeFormula rows = {};
};

// In how many runs the parts of a fused tensor take turns along its out axis.
enum class Turns { none, heads, kv_heads, rows };

struct FamilyTensor {
  std::string name = {};                // whole, with {L} and {E} for layer and expert
  std::string role = {};                // "" when fused
  std::vector<FamilyPart> parts = {};   // of a fused tensor, in stored order
  std::vector<SizeFormula> shape = {};  // as stored
  Turns turns = Turns::none;            // of parts
  bool transpose = false;               // stored as [in, out]
  bool optional = false;                // a model without it is still of this family
  bool in_layer = false;
  bool per_expert = false;
  bool stacked = false;  // [experts, out, in]: `shape` has three sizes
  bool flat = false;     // stacked, and the first two axes are stored as one
  bool paired = false;   // rows of heads in pairs (CanonicalTensor::paired_heads)
  bool by_head = false;  // its out axis may be stored as two: [heads, out of a head, in]
  // Each head's matrix is stored as [in, out]; `shape` has all heads' inputs first.
  bool turned_heads = false;
  float added = 0;  // CanonicalTensor::added
  int stack = 0;    // of layers: an encoder's, the decoder's behind it
};

struct Family {
  std::string id = {};
  std::string title = {};
  std::string structure = {};  // "decoder/rmsnorm-pre/rope/gated-silu"
  bool reference = false;      // whose names renames are told against, within a structure
  bool tied = false;           // what a config that does not say means
  bool norm_plus_one = false;
  std::optional<double> rope_theta = {};  // what a config that does not say means
  std::vector<std::string> model_types = {};
  // Of several families with one model type: what the config of this one says.
  std::vector<std::pair<std::string, std::string>> when = {};
  // How its config gives a size where the usual keys do not (config_sizes.h), tried in order.
  std::vector<std::pair<Symbol, std::string>> config_sizes = {};
  std::vector<std::string> gguf_architectures = {};  // general.architecture; none: no such files
  bool gguf_pairs_heads = false;              // converters write the rows of q and k in pairs
  std::vector<std::string> gguf_splits = {};  // fused roles ("attn.q+attn.k") stored apart there
  // Where converters give a role another name than for most families; "": not written.
  std::vector<std::pair<std::string, std::string>> gguf_names = {};
  std::string layer_path = {};              // "model.layers.{L}.", of the first stack
  std::vector<FamilyTensor> tensors = {};   // in state-dict order: before, layer, after
  std::vector<std::string> ignorable = {};  // buffers without information, whole names

  const FamilyTensor* find_role(std::string_view role) const;
};

// Strict: an unknown key, a missing one or one of the wrong kind is a problem.
Result<Family> parse_family(std::string_view text, std::string_view file);

// The files as embedded, defined by scripts/embed.cmake.
std::span<const EmbeddedFile> embedded_model();

// All embedded families, by id.
std::span<const Family> families();

// A family as GGUF files spell it, for each of families() in their order: other names,
// matrices as [out, in], experts stacked. Without tensors where gguf_architectures is empty.
std::span<const Family> gguf_families();

// A family as a graph of operators shows it, for each of families(): every matrix lies as
// [out, in], whatever the family's own files do.
std::span<const Family> graph_families();

// The reference family of a structure; null when none is marked.
const Family* reference_family(std::string_view structure);

}  // namespace pedigree
