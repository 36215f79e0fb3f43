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
  std::string layer_template;  // "4 × {attn.norm 96 · attn.q 96×96 · …}"

  // Tensor names that differ from the structure's reference family, as
  // (this model's, the reference's): ("ln1", "input_layernorm").
  std::vector<std::pair<std::string, std::string>> renames;

  // How roles were found: "names", or "shapes" where names meant nothing.
  std::string roles_from = "names";
};

}  // namespace pedigree
