#include "compare/expert_alignment.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "compare/expert_groups.h"
#include "compare/expert_lookup.h"
#include "compare/expert_matches.h"
#include "compare/kept_experts.h"

namespace pedigree {
namespace {

using Blocks = std::unique_ptr<const FfnPairs>;

void sort_matches(std::vector<FfnMatch>& matches) {
  std::ranges::sort(matches, {},
                    [](const FfnMatch& match) { return std::pair(match.subject, match.base); });
}

class Aligner {
 public:
  Aligner(const Side& subject, const Side& base, Alignment& alignment,
          const CompareOptions& options)
      : subject_(subject), base_(base), alignment_(alignment), options_(options) {}

  Result<ExpertAlignment> align() {
    auto sampled = sampled_blocks();
    if (!sampled) return std::unexpected(std::move(sampled.error()));
    Blocks answered;
    if (alignment_.tokens_correspond && go_by_kept_answers(subject_, base_)) {
      auto kept = kept_blocks();
      if (!kept) return std::unexpected(std::move(kept.error()));
      answered = std::move(*kept);
    }
    if (!alignment_.hidden_by_index) return findings(answered ? *answered : **sampled);
    by_samples_ = indexed_matches(**sampled, alignment_.layers, Seen::weights, options_.threads);
    if (answered && !are_told_by_samples(**sampled)) {
      if (auto problem = match_answers(*answered)) return std::unexpected(std::move(*problem));
      // Replaced embeddings leave answers that say nothing.
      if (!alignment_.experts.empty()) return findings(*answered, unanswered(*answered));
    }
    alignment_.experts = std::move(by_samples_);
    if (auto problem = look_up()) return std::unexpected(std::move(*problem));
    return findings(**sampled);
  }

 private:
  Result<Blocks> sampled_blocks() const {
    auto mine = ffn_sketch(subject_, base_.sketch);
    auto theirs = ffn_sketch(base_, subject_.sketch);
    if (mine && theirs) {
      mine = with_all_experts(std::move(*mine), subject_, *theirs);
      if (mine) theirs = with_all_experts(std::move(*theirs), base_, *mine);
    }
    if (!mine) return std::unexpected(std::move(mine.error()));
    if (!theirs) return std::unexpected(std::move(theirs.error()));
    return std::make_unique<const FfnPairs>(std::move(*mine), std::move(*theirs));
  }

  Result<Blocks> kept_blocks() const {
    auto mine = answered_blocks(subject_, base_, options_);
    if (!mine) return std::unexpected(std::move(mine.error()));
    auto theirs = answered_blocks(base_, subject_, options_);
    if (!theirs) return std::unexpected(std::move(theirs.error()));
    return std::make_unique<const FfnPairs>(std::move(*mine), std::move(*theirs));
  }

  // By index, and where neurons were re-dealt by two views of them.
  std::optional<Problem> match_answers(const FfnPairs& answered) {
    auto matches = indexed_matches(answered, alignment_.layers, Seen::answers, options_.threads);
    auto redealt = redealt_matches(subject_, base_, alignment_, matches, options_);
    if (!redealt) return std::move(redealt.error());
    std::ranges::move(*redealt, std::back_inserter(matches));
    sort_matches(matches);
    alignment_.experts = std::move(matches);
    return std::nullopt;
  }

  // Sub-blocks keep all experts of few, or weights give them, and their neurons kept their numbers.
  bool are_told_by_samples(const FfnPairs& sampled) const {
    return !by_samples_.empty() && holds_all_experts(sampled.subject()) &&
           holds_all_experts(sampled.base());
  }

  std::optional<Problem> look_up() {
    auto found =
        look_up_experts(subject_, base_, alignment_.layers, alignment_.experts, options_.threads);
    if (!found) return std::move(found.error());
    auto evidence = lookup_evidence(*found, 0);
    const bool all_known = found->needs_weights && !alignment_.experts.empty();
    if (evidence && !all_known) lookups_.push_back(std::move(*evidence));
    std::ranges::move(found->matches, std::back_inserter(alignment_.experts));
    return std::nullopt;
  }

  // Matches by samples in layers that answers say nothing of.
  std::vector<FfnMatch> unanswered(const FfnPairs& answered) {
    std::erase_if(by_samples_, [&](const FfnMatch& match) {
      return holds_blocks(answered.subject(), match.subject.layer) &&
             holds_blocks(answered.base(), match.base.layer);
    });
    return std::move(by_samples_);
  }

  static bool holds_blocks(const FfnSketch& blocks, int layer) {
    const auto [first, last] = blocks.blocks_of(layer);
    return first < last;
  }

  // Said of the layers that were looked at; `others` are added afterwards.
  Result<ExpertAlignment> findings(const FfnPairs& pairs, std::vector<FfnMatch> others = {}) {
    auto found = expert_findings(subject_, base_, alignment_, pairs);
    if (!found) return std::unexpected(std::move(found.error()));
    if (!others.empty()) {
      std::ranges::move(others, std::back_inserter(alignment_.experts));
      sort_matches(alignment_.experts);
    }
    return ExpertAlignment{.findings = std::move(*found), .lookups = std::move(lookups_)};
  }

  const Side& subject_;
  const Side& base_;
  Alignment& alignment_;
  const CompareOptions& options_;
  std::vector<FfnMatch> by_samples_ = {};
  std::vector<Evidence> lookups_ = {};
};

}  // namespace

Result<ExpertAlignment> align_experts(const Side& subject, const Side& base, Alignment& alignment,
                                      const CompareOptions& options) {
  return Aligner(subject, base, alignment, options).align();
}

}  // namespace pedigree
