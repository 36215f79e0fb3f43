// Files by name: a table of what the tools of this trade leave beside weights.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "base/text.h"
#include "model/layout.h"

namespace pedigree {
namespace {

using NamedKind = std::pair<std::string_view, std::string_view>;  // name, kind

constexpr std::array<NamedKind, 43> whole_names = {{
    {"config.json", "config"},
    {"params.json", "config"},
    {"generation_config.json", "generation-config"},
    {"quantize_config.json", "quantization-config"},
    {"quant_config.json", "quantization-config"},
    {"hf_quant_config.json", "quantization-config"},
    {"adapter_config.json", "adapter-config"},
    {"mergekit_config.yml", "merge-recipe"},
    {"mergekit_config.yaml", "merge-recipe"},
    {"mergekit_moe_config.yml", "merge-recipe"},
    {"mergekit_moe_config.yaml", "merge-recipe"},
    {"axolotl_config.yml", "training-config"},
    {"axolotl_config.yaml", "training-config"},
    {"training_config.yaml", "training-config"},
    {"training_args.yaml", "training-config"},
    {"llamaboard_config.yaml", "training-config"},
    {"config.yaml", "training-config"},
    {"readme.md", "card"},
    {"tokenizer.json", "tokenizer"},
    {"tokenizer.model", "tokenizer"},
    {"tokenizer_config.json", "tokenizer"},
    {"special_tokens_map.json", "tokenizer"},
    {"added_tokens.json", "tokenizer"},
    {"vocab.json", "tokenizer"},
    {"vocab.txt", "tokenizer"},
    {"merges.txt", "tokenizer"},
    {"tekken.json", "tokenizer"},
    {"chat_template.jinja", "tokenizer"},
    {"chat_template.json", "tokenizer"},
    {"sha256sums", "checksums"},
    {"sha256sums.txt", "checksums"},
    {"checksums.txt", "checksums"},
    {"checklist.chk", "checksums"},
    {"optimizer.pt", "training-state"},
    {"optimizer.bin", "training-state"},
    {"optimizer.safetensors", "training-state"},
    {"scheduler.pt", "training-state"},
    {"scheduler.bin", "training-state"},
    {"scaler.pt", "training-state"},
    {"training_args.bin", "training-state"},
    {"trainer_state.json", "training-state"},
    {"training_state.pt", "training-state"},
    {"training_state.bin", "training-state"},
}};

constexpr std::array<NamedKind, 11> beginnings = {{
    {"rng_state", "training-state"},
    {"random_states_", "training-state"},
    {"events.out.tfevents.", "training-state"},
    {"zero_pp_rank_", "training-state"},
    {"bf16_zero_pp_rank_", "training-state"},
    {"fp16_zero_pp_rank_", "training-state"},
    {"license", "license"},
    {"notice", "license"},
    {"use_policy", "license"},
    {"copying", "license"},
    {"model_license", "license"},
}};

constexpr std::array<NamedKind, 12> endings = {{
    {".pedigree", "fingerprint"},
    {".incomplete", "incomplete"},
    {".part", "incomplete"},
    {".crdownload", "incomplete"},
    {".aria2", "incomplete"},
    {".tiktoken", "tokenizer"},
    {".sha256", "checksums"},
    {".py", "code"},
    {".distcp", "training-state"},
    {"_optim_states.pt", "training-state"},
    {".sig", "signature"},
    {".sigstore.json", "signature"},
}};

constexpr std::array<std::string_view, 22> weight_endings = {
    ".safetensors", ".gguf", ".ggml",    ".bin",  ".pt",    ".pth",      ".ckpt",    ".h5",
    ".hdf5",        ".npz",  ".npy",     ".onnx", ".keras", ".tflite",   ".msgpack", ".pdparams",
    ".jit",         ".pb",   ".mlmodel", ".pte",  ".ort",   ".llamafile"};

bool ends_as_weights(std::string_view leaf) {
  return std::ranges::any_of(weight_endings,
                             [&](std::string_view ending) { return leaf.ends_with(ending); });
}

// "model.safetensors.index.json", "model.safetensors.index.fp16.json"
bool is_index_name(std::string_view leaf) {
  if (!leaf.ends_with(".json")) return false;
  leaf.remove_suffix(5);
  const std::size_t at = leaf.rfind(".index");
  if (at == leaf.npos || at == 0) return false;
  const std::string_view variant = leaf.substr(at + 6);
  return variant.empty() || (variant.front() == '.' && variant.find('.', 1) == variant.npos);
}

}  // namespace

std::string_view side_file_kind(std::string_view path) {
  const std::string leaf = ascii_lowered(leaf_of(path));
  if (path.starts_with(".cache/huggingface/") && leaf.ends_with(".metadata")) return "hub-metadata";
  if (is_index_name(leaf)) return "index";
  const auto* whole = std::ranges::find(whole_names, std::string_view(leaf), &NamedKind::first);
  if (whole != whole_names.end()) return whole->second;
  for (const auto& [ending, kind] : endings) {
    if (leaf.ends_with(ending)) return kind;
  }
  for (const auto& [beginning, kind] : beginnings) {
    // "license.safetensors" is a weight file whatever its name begins with.
    const bool weights = kind == "license" && ends_as_weights(leaf);
    if (leaf.starts_with(beginning) && !weights) return kind;
  }
  return "other";
}

bool has_weight_name(std::string_view path) {
  return side_file_kind(path) == "other" && ends_as_weights(ascii_lowered(leaf_of(path)));
}

}  // namespace pedigree
