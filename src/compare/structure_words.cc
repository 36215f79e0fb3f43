#include "compare/structure_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "model/architecture.h"

namespace pedigree {
namespace {

using Word = std::pair<std::string_view, std::string_view>;

constexpr std::array<Word, 30> words = {{
    {"unknown", "models"},
    {"decoder", "decoders"},
    {"encoder", "encoders"},
    {"encoder-decoder", "encoder-decoders"},
    {"two-towers", "pairs of towers"},
    {"denoiser", "denoisers"},
    {"post", " behind each block"},
    {"parallel", " in front of parallel blocks"},
    {"adaptive", " that the input steers"},
    {"state-space", "state-space mixers"},
    {"state-space-duality", "state-space mixers of one decay a head"},
    {"linear-attention", "linear attention"},
    {"linear-recurrence", "linear recurrences"},
    {"short-convolution", "short convolutions"},
    {"compressed-keys", "compressed keys and values"},
    {"shared-experts", "experts for every token"},
    {"expert-attention", "experts in attention"},
    {"rmsnorm", "RMSNorm"},
    {"layernorm", "LayerNorm"},
    {"pre", " in front of each block"},
    {"sandwich", " in front of and behind each block"},
    {"rope", "rotary positions"},
    {"learned", "learned positions"},
    {"silu", "SiLU "},
    {"gelu", "GELU "},
    {"qkv-bias", "biases on queries, keys and values"},
    {"attention-bias", "biases in attention"},
    {"mlp-bias", "biases in feed-forward blocks"},
    {"qk-norm", "norms on queries and keys"},
    {"norm-plus-one", "gains stored less one"},
}};

std::string word_for(std::string_view name) {
  if (name.empty()) return {};
  const auto* at = std::ranges::find(words, name, &Word::first);
  return std::string(at == words.end() ? name : at->second);
}

bool is_known(std::string_view name) { return !name.empty() && name != "unknown"; }

std::string feed_forward_in_words(const Structure& built) {
  if (built.activation == "none") return "no feed-forward blocks";
  std::string activation = is_known(built.activation) ? word_for(built.activation) : "";
  if (!activation.empty() && !activation.ends_with(' ')) activation += ' ';
  return fmt::format("{}{}feed-forward blocks", built.gated ? "gated " : "plain ", activation);
}

}  // namespace

std::string structure_in_words(std::string_view structure) {
  const Structure built = parse_structure(structure);
  if (built.kind.empty()) return std::string(structure);
  std::vector<std::string> parts;
  if (is_known(built.norm)) {
    parts.push_back(word_for(built.norm) +
                    (is_known(built.placement) ? word_for(built.placement) : ""));
  }
  if (built.positions == "none") {
    parts.emplace_back("no position embeddings");
  } else if (is_known(built.positions)) {
    parts.push_back(word_for(built.positions));
  }
  parts.push_back(feed_forward_in_words(built));
  for (const std::string& addition : built.additions) parts.push_back(word_for(addition));
  std::string text = word_for(built.kind) + " with ";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

}  // namespace pedigree
