#include "compare/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace pedigree {
namespace {

bool named_among(std::string_view transform, const std::vector<std::string>& transforms) {
  return std::ranges::find(transforms, transform) != transforms.end();
}

std::string what_was_left_out(const std::vector<std::string>& transforms) {
  const auto has = [&](std::string_view transform) { return named_among(transform, transforms); };
  if (has("expert-average")) return "experts were averaged into fewer";
  if (has("expert-drop")) return "experts were left out";
  return "layers, units, tokens or tensors were left out";
}

std::string what_was_shared(const std::vector<Evidence>& evidence) {
  const bool not_looked_up = std::ranges::any_of(evidence, [](const Evidence& each) {
    return each.statistic == "expert-lookup/1" && each.outcome == Evidence::Outcome::insufficient;
  });
  return not_looked_up ? "a part of the weights is shared; whether the experts are needs weights"
                       : "a part of the weights is shared and the rest is not";
}

bool of_nets(const Comparison& comparison) {
  return std::ranges::any_of(comparison.evidence, [](const Evidence& each) {
    return each.statistic == "channel-agreement/1";
  });
}

std::string what_was_moved(const std::vector<std::string>& transforms) {
  return named_among("layers-reordered", transforms)
             ? "the layers stand in another order, which changes what the model computes"
             : "units or coordinates were re-dealt without changing what the model computes";
}

// Relations that are one sentence whatever else was found.
std::string_view plain_words(std::string_view relation) {
  struct Words {
    std::string_view relation;
    std::string_view text;
  };
  static constexpr std::array words = {
      Words{.relation = "identical", .text = "the weights are the same"},
      Words{.relation = "finetune",
            .text = "one was fine-tuned from the other, or both from one ancestor"},
      Words{.relation = "partial-finetune",
            .text = "some tensors are untouched and others were changed"},
      Words{.relation = "continued-pretraining", .text = "the weights were trained on at length"},
      Words{.relation = "moe-upcycled", .text = "feed-forward blocks became experts"},
      Words{.relation = "depth-upscaled", .text = "layers were repeated"}};
  const auto at = std::ranges::find(words, relation, &Words::relation);
  return at == words.end() ? relation : at->text;
}

// The child is named where the direction is known.
std::string how_quantised(const Comparison& comparison) {
  const Verdict& verdict = comparison.verdict;
  std::string child;
  if (verdict.direction == "base-is-parent") child = comparison.subject;
  if (verdict.direction == "subject-is-parent") child = comparison.base;
  if (verdict.mechanisms.size() != 1) {
    return fmt::format("{} was quantised, and there are other changes beside that",
                       child.empty() ? "one" : child);
  }
  if (child.empty()) return "one is a quantised copy of the other";
  return fmt::format("{} is a quantised copy of {}", child,
                     child == comparison.subject ? comparison.base : comparison.subject);
}

std::string how(const Comparison& comparison) {
  const std::string& relation = comparison.verdict.relation;
  if (relation == "quantized") return how_quantised(comparison);
  if (relation == "lora-merge") {
    return fmt::format("a low-rank update of rank {} was merged in",
                       comparison.lora ? comparison.lora->rank : 0);
  }
  if (relation == "vocab-extended") {
    return comparison.verdict.direction == "undetermined"
               ? "the vocabulary of one is the beginning of the other's"
               : "the vocabulary was extended";
  }
  if (relation == "pruned") return what_was_left_out(comparison.transforms);
  if (relation == "reparametrised") return what_was_moved(comparison.transforms);
  if (relation == "partial-reuse") return what_was_shared(comparison.evidence);
  return std::string(plain_words(relation));
}

}  // namespace

std::string summary_of(const Comparison& comparison, bool equal_on_sample_only,
                       const std::string& why_not) {
  const Verdict& verdict = comparison.verdict;
  const std::string& subject = comparison.subject;
  const std::string& base = comparison.base;
  if (verdict.derived == "no") {
    std::string text =
        fmt::format("No evidence of shared weights between {} and {}", subject, base);
    if (verdict.power_cosine) {
      text += fmt::format(
          "; a mean cosine of {:.2f} or more between corresponding {}{} would "
          "have been seen with probability 0.999",
          *verdict.power_cosine, of_nets(comparison) ? "channels" : "neurons",
          verdict.power_in_place ? ", layer by layer," : "");
    }
    if (verdict.architecture == "yes") {
      text += ". They share an architecture, which is no evidence of descent";
    }
    return text + ".";
  }
  if (verdict.relation == "common-origin") {
    return fmt::format(
        "{} and {} go back to the same initial weights; whether one also inherited "
        "the other's training cannot be told: {}.",
        subject, base, why_not);
  }
  if (verdict.derived == "inconclusive") {
    return fmt::format("Whether {} shares weights with {} could not be decided: {}.", subject, base,
                       why_not);
  }
  if (equal_on_sample_only) {
    return fmt::format(
        "{} shares weights with {}: every sampled value is equal; only digests or "
        "the weights themselves could say identical.",
        subject, base);
  }
  std::string text;
  if (verdict.direction == "base-is-parent") {
    text = fmt::format("{} descends from {}: {}", subject, base, how(comparison));
  } else if (verdict.direction == "subject-is-parent") {
    text = fmt::format("{} descends from {}: {}", base, subject, how(comparison));
  } else if (verdict.direction == "siblings") {
    text = fmt::format("{} and {} come from one parent, and neither from the other", subject, base);
  } else {
    text = fmt::format("{} shares weights with {}: {}", subject, base, how(comparison));
  }
  return text + ".";
}

}  // namespace pedigree
