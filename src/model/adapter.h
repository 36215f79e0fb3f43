// Adapters: what their files say, and which low-rank updates they hold.
//
// An adapter holds no base weights. It says how matrices of a base are to be changed:
// W + scale·B·A with A [rank, in] and B [out, rank]. PEFT, diffusers, kohya's and A1111's
// trainers and llama.cpp spell that differently; here each update is one AdapterUpdate.
// Source: PEFT's saved layout, kohya-ss/sd-scripts, convert_lora_to_gguf.py of llama.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "formats/formats.h"
#include "model/claims.h"

namespace pedigree {

struct ModelInfo;
struct Model;
struct StoredTensor;

// Is this the name of an adapter's own matrix (LoRA and relatives), whichever
// trainer wrote it? Copies of base modules inside an adapter are not.
bool is_adapter_tensor(std::string_view name);

// Claims of a parsed adapter_config.json.
void add_adapter_claims(const JsonValue& config, std::string_view file, std::vector<Claim>& claims);

// What adapter_config.json or a GGUF header says.
struct AdapterDeclaration {
  std::string type = {};  // "LORA", "IA3", … as spelled there
  std::string base = {};  // a name, a path, or ""
  std::optional<std::uint64_t> rank = {};
  std::optional<double> alpha = {};
  bool rank_stabilised = false;  // scaled by alpha/√rank
  bool decomposed = false;       // DoRA: rows are scaled to learned lengths afterwards
  std::vector<std::string> target_modules = {};
  std::vector<std::string> modules_to_save = {};
  std::vector<std::pair<std::string, double>> alphas = {};  // alpha_pattern, in file order
};
AdapterDeclaration adapter_declaration(const JsonValue& config);
AdapterDeclaration adapter_declaration(std::span<const HeaderField> header);

// One low-rank update.
struct AdapterUpdate {
  std::string module = {};  // "model.layers.0.self_attn.q_proj"; with flat names "…0_self_attn_q…"
  std::size_t down = 0;     // A and B: indices into ModelInfo::tensors
  std::size_t up = 0;
  std::uint64_t rank = 0;
  std::uint64_t rows = 0;            // out
  std::uint64_t cols = 0;            // in, all of a convolution's
  std::optional<double> scale = {};  // of B·A; none where nothing says
  bool embedding = false;            // B·A is the transpose of what is added
  bool scaled_rows = false;          // DoRA, by a vector beside it
  std::string role = {};             // of the matrix it updates; "" where no family has such names
  int layer = -1;
};

struct Adapter {
  AdapterDeclaration declared = {};
  std::string layout = {};                  // "peft", "diffusers", "kohya", "gguf"; "" for others
  std::vector<AdapterUpdate> updates = {};  // by module
  std::vector<std::size_t> copies = {};     // tensors that are whole modules of the base, retrained
  std::size_t others = 0;                   // tensors of the adapter that are in no update
  std::vector<std::string> roles = {};      // that it updates, sorted; empty where unknown
  std::uint64_t least_rank = 0;             // of all updates
  std::uint64_t largest_rank = 0;
};

// From the tensors of an adapter; reads the scalars some trainers store scales in.
Adapter read_adapter(const Model& model, AdapterDeclaration declared);

}  // namespace pedigree
