// What a model is built like, read from tensor names and shapes first and from
// config.json second.
//
// The fingerprint of an architecture is structural: blocks, shapes, norms,
// heads, activation, position scheme. Two models whose tensors carry other
// names but have the same structure are one architecture (Yi and LLaMA are).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pedigree {

struct Architecture {
  std::string family;        // "llama", from the family file; "unknown" when none fits
  std::string family_title;  // "LLaMA"
  std::string structure;     // equal for families that differ only in names:
                             // "decoder/rmsnorm-pre/rope/gated-silu"
  double explained = 0;      // share of the tensors the family's names explain
  std::string runner_up;     // next best family, "" when none
  // Where names mean nothing: the families whose structure the shapes fit best and equally
  // well, how well (1: every tensor), and how well the runner-up's does.
  std::vector<std::string> alike;
  double placed = 0;
  double runner_up_placed = 0;

  std::string norm;        // "rmsnorm", "layernorm"
  std::string activation;  // "silu", "gelu", …
  std::string positions;   // "rope", "learned", "none"
  bool gated_mlp = false;
  bool norm_plus_one = false;  // gains are stored minus one (Gemma)
  bool tied_embeddings = false;
  bool attention_bias = false;

  std::uint64_t layers = 0;
  std::uint64_t hidden = 0;
  std::uint64_t heads = 0;  // 0: not known
  std::uint64_t kv_heads = 0;
  std::uint64_t head_dim = 0;
  std::uint64_t ffn = 0;
  std::uint64_t vocab = 0;  // rows of the token embedding
  std::uint64_t experts = 0;
  std::optional<double> rope_theta;
  std::optional<double> norm_eps;
  std::optional<std::uint64_t> context;
  std::uint64_t experts_used = 0;         // for each token; 0: not known
  std::uint64_t window = 0;               // tokens that attention looks back; 0: not said
  std::optional<double> rotary_share;     // of a head's values that positions turn
  std::optional<bool> parallel_residual;  // attention and MLP read the same stream
  std::string rope_scaling;               // "llama3 ×8", "none"; "" when not known
  std::string layer_template;             // "4 × {attn.norm 96 · attn.q 96×96 · …}"

  // Tensor names that differ from the structure's reference family, as
  // (this model's, the reference's): ("ln1", "input_layernorm").
  std::vector<std::pair<std::string, std::string>> renames;

  // How roles were found: "names", or "shapes" where names meant nothing. Without weights:
  // "index", whose names and config.json's sizes they are, or "config" alone.
  std::string roles_from = "names";

  // Roles told apart by their order alone, because their shapes are equal:
  // "attn.k|attn.v". Empty where names told them apart.
  std::vector<std::string> ambiguous;

  // What tensor names carried in front of or inside the family's own: "module.".
  std::vector<std::string> wrappers;
};

// The parts of Architecture::structure, "decoder/rmsnorm-pre/rope/gated-silu"
// and what is added behind: "qkv-bias", "qk-norm", "experts" …
struct Structure {
  std::string kind = {};       // "decoder"
  std::string norm = {};       // "rmsnorm"
  std::string placement = {};  // "pre", "sandwich"
  std::string positions = {};  // "rope", "learned", "unknown"
  bool gated = false;
  std::string activation = {};  // "silu", "gelu", "unknown"
  std::vector<std::string> additions = {};
};

Structure parse_structure(std::string_view text);
std::string structure_text(const Structure& structure);

// Are both built from the same blocks? Sizes and other hyper-parameters may
// differ; what one side does not know is not held against it, but a side
// without any structure is never the same.
bool same_architecture(const Architecture& a, const Architecture& b);

// What differs, as ("kv heads", "4 against 32"): `a` first. What either side
// does not know is left out.
std::vector<std::pair<std::string, std::string>> architecture_differences(const Architecture& a,
                                                                          const Architecture& b);

}  // namespace pedigree
