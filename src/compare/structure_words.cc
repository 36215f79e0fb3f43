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

constexpr std::array<Word, 15> words = {{
    {"decoder", "decoders"},
    {"encoder", "encoders"},
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
  if (name.empty() || name == "unknown") return {};
  const auto* at = std::ranges::find(words, name, &Word::first);
  return std::string(at == words.end() ? name : at->second);
}

}  // namespace

std::string structure_in_words(std::string_view structure) {
  const Structure built = parse_structure(structure);
  if (built.kind.empty()) return std::string(structure);
  std::vector<std::string> parts;
  if (const std::string norm = word_for(built.norm); !norm.empty()) {
    parts.push_back(norm + word_for(built.placement));
  }
  if (built.positions == "none") {
    parts.emplace_back("no position embeddings");
  } else if (auto positions = word_for(built.positions); !positions.empty()) {
    parts.push_back(std::move(positions));
  }
  std::string activation = word_for(built.activation);
  if (!activation.empty() && !activation.ends_with(' ')) activation += ' ';
  parts.push_back(
      fmt::format("{}{}feed-forward blocks", built.gated ? "gated " : "plain ", activation));
  for (const std::string& addition : built.additions) parts.push_back(word_for(addition));
  std::string text = word_for(built.kind) + " with ";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

}  // namespace pedigree
