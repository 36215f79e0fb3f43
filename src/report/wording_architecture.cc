#include "report/wording_architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "model/known_configurations.h"
#include "report/numbers.h"
#include "report/wording_tokenizer.h"

namespace pedigree {
namespace {

constexpr std::size_t shown_renames = 8;

// The config's word, where there are no tensors to see it by.
std::string what_it_declares_to_be(const ModelInfo& info) {
  for (const Claim& claim : info.claims) {
    if (claim.key != "model_type") continue;
    return fmt::format("; {} says it is of type {}", claim.file, claim.value);
  }
  return {};
}

std::string resemblance_in_words(const Resemblance& found) {
  const std::vector<std::string>& names = found.known->names;
  std::string text = "the hyper-parameters of " + some_of(names, 2);
  std::vector<std::string> differing;
  differing.reserve(found.differences.size());
  for (const auto& [field, values] : found.differences) {
    differing.push_back(fmt::format("{} {}", field, values));
  }
  if (!differing.empty()) text += fmt::format(", except {}", fmt::join(differing, ", "));
  return text + " (context; many models share them, and it says nothing of weights)";
}

// What a config alone can say.
std::string settings_in_words(const Architecture& built) {
  std::vector<std::string> parts;
  if (const std::uint64_t context = built.context.value_or(0); context > 0) {
    parts.push_back(fmt::format("context {}", context));
  }
  if (built.window > 0) parts.push_back(fmt::format("window {}", built.window));
  if (built.rope_theta) parts.push_back("rope theta " + number_text(*built.rope_theta));
  if (!built.rope_scaling.empty()) parts.push_back("rope scaling " + built.rope_scaling);
  if (built.rotary_share) parts.push_back("rotary share " + number_text(*built.rotary_share));
  if (built.parallel_residual) {
    parts.emplace_back(*built.parallel_residual ? "parallel residual" : "sequential residual");
  }
  if (built.norm_eps) parts.push_back("norm epsilon " + number_text(*built.norm_eps));
  if (built.experts_used > 0) {
    parts.push_back(fmt::format("{} experts for each token", built.experts_used));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// What follows from a difference for weights that would have been taken over.
using Consequence = std::pair<std::string_view, std::string_view>;
constexpr std::array<Consequence, 16> consequences = {{
    {"layers", "one has layers that the other has not; the rest can be shared"},
    {"hidden size", "no matrix has the same shape on both sides"},
    {"heads", "the same values would be read as other heads"},
    {"kv heads", "keys and values have other shapes and cannot be copies as they are"},
    {"head size", "queries, keys and values have other shapes or are read as other heads"},
    {"MLP size", "feed-forward matrices have other shapes and cannot be copies as they are"},
    {"experts", "whole experts are on one side alone"},
    {"experts used", "shapes are unchanged; tokens meet other numbers of experts"},
    {"vocabulary", "embedding and head have other rows; the rest can be shared"},
    {"rope theta", "shapes are unchanged; positions turn at another rate"},
    {"rope scaling", "shapes are unchanged; long contexts are read otherwise"},
    {"rotary share", "shapes are unchanged; other values of each head carry positions"},
    {"parallel residual", "shapes are unchanged; blocks read another input"},
    {"norm epsilon", "shapes are unchanged; results differ in the last digits"},
    {"context", "shapes are unchanged where positions are computed"},
    {"tied embeddings", "one has a head of its own"},
}};

// "opt, xglm (1.00 of the tensors fit); next bert (0.94)"
std::string placement_in_words(const Architecture& built) {
  std::string text = fmt::format("{} ({:.2f} of the tensors fit)",
                                 some_of(built.alike, shown_renames), built.placed);
  if (built.runner_up_placed > 0) {
    text += fmt::format("; next {} ({:.2f})", built.runner_up, built.runner_up_placed);
  }
  return text;
}

// How roles and sizes were found, where not by the tensors' names.
void add_source(std::vector<LabelledLine>& lines, const Architecture& built) {
  if (built.roles_from == "shapes") {
    add_line(lines, "roles", "read from shapes and order, because the names mean nothing");
  } else if (built.roles_from == "index") {
    add_line(
        lines, "source",
        fmt::format("the names in its index, {:.0f} % of which this family has, and the sizes in "
                    "its config; no weights were read",
                    100 * built.explained));
  } else if (built.roles_from == "config") {
    add_line(lines, "source", "its config alone; no weights were read");
  }
}

std::string size_in_words(const Architecture& built) {
  if (built.layers == 0) return {};
  std::string text = fmt::format("{} layers", built.layers);
  if (built.hidden > 0) text += fmt::format(" of width {}", built.hidden);
  if (built.heads > 0) text += fmt::format(", {} heads of {}", built.heads, built.head_dim);
  if (built.kv_heads > 0) text += fmt::format(", {} for keys and values", built.kv_heads);
  if (built.ffn > 0) text += fmt::format(", feed-forward {}", built.ffn);
  if (built.experts > 0) text += fmt::format(", {} experts", built.experts);
  if (built.vocab > 0) text += fmt::format(", {} token rows", built.vocab);
  return text;
}

}  // namespace

std::string what_it_would_be(const ModelInfo& info) {
  const Architecture& built = info.architecture;
  if (built.roles_from != "index" && built.roles_from != "config") {
    return what_it_declares_to_be(info);
  }
  std::string text =
      fmt::format("; by its {} of {} architecture",
                  built.roles_from == "index" ? "index and config" : "config", built.family_title);
  if (built.layers > 0) text += fmt::format(", {} layers", built.layers);
  if (built.hidden > 0) text += fmt::format(" of width {}", built.hidden);
  return text;
}

std::vector<LabelledLine> architecture_lines(const ModelInfo& info) {
  const Architecture& built = info.architecture;
  std::vector<LabelledLine> lines;
  if (built.layers == 0 && info.tensors.empty()) return lines;
  add_line(lines, "family", built.family_title.empty() ? built.family : built.family_title);
  add_line(lines, "structure", built.structure);
  if (!built.alike.empty()) add_line(lines, "built like", placement_in_words(built));
  add_line(lines, "size", size_in_words(built));
  add_line(lines, "settings", settings_in_words(built));
  add_line(lines, "layer", built.layer_template);
  if (info.tokenizer) {
    add_line(lines, "tokenizer", tokenizer_in_words(*info.tokenizer));
    add_line(lines, "chat template", chat_template_in_words(*info.tokenizer));
  }
  add_source(lines, built);
  std::vector<std::string> renames;
  renames.reserve(built.renames.size());
  for (const auto& [ours, theirs] : built.renames) {
    renames.push_back(fmt::format("{} for {}", ours, theirs));
  }
  if (!renames.empty()) add_line(lines, "renames", some_of(renames, shown_renames));
  if (const auto found = resembled_configuration(built)) {
    add_line(lines, "known as", resemblance_in_words(*found));
  }
  return lines;
}

std::string consequence_of(std::string_view field) {
  const auto* at = std::ranges::find(consequences, field, &Consequence::first);
  return at == consequences.end() ? std::string{} : std::string(at->second);
}

std::string consequences_in_words(
    const std::vector<std::pair<std::string, std::string>>& differences) {
  std::vector<std::string> parts;
  for (const auto& [field, values] : differences) {
    if (const std::string what = consequence_of(field); !what.empty()) {
      parts.push_back(fmt::format("{}: {}", field, what));
    }
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace pedigree
