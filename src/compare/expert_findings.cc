#include "compare/expert_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "compare/expert_cover.h"
#include "compare/expert_groups.h"
#include "compare/expert_matches.h"
#include "compare/expert_rays.h"

namespace pedigree {
namespace {

double on_report_grid(double share) { return std::round(share * 1e4) / 1e4; }

std::uint64_t experts_of(const Side& side) {
  if (!has_experts(side.sketch)) return 0;
  return std::max<std::uint64_t>(1, side.sketch.architecture.experts);
}

struct RaysOfGroups {
  std::size_t groups = 0;
  std::size_t around = 0;
  std::size_t combined = 0;
  std::vector<double> cosines = {};
  std::vector<double> residues = {};

  void add(const Rays& rays) {
    if (rays.blocks == 0) return;
    using Shape = Rays::Shape;
    ++groups;
    around += rays.shape == Shape::around || rays.shape == Shape::copies ? 1U : 0U;
    combined += rays.shape == Shape::combined ? 1U : 0U;
    cosines.push_back(std::abs(rays.cosine));
    residues.push_back(rays.residue);
  }
  bool are_around() const { return 2 * around >= groups && combined == 0; }
  bool are_combined() const { return 2 * combined >= groups && around == 0; }
};

class Finder {
 public:
  Finder(const Side& subject, const Side& base, Alignment& alignment, const FfnPairs& pairs)
      : subject_(subject), base_(base), alignment_(alignment), pairs_(pairs) {}

  Result<ExpertFindings> find() {
    layers_ = grouped_experts(alignment_.layers, pairs_, alignment_.experts);
    const auto carried = std::ranges::count_if(
        layers_, [](const LayerGroups& layer) { return !layer.groups.empty(); });
    if (carried == 0) return std::move(findings_);
    findings_.carried = 2 * static_cast<std::size_t>(carried) >= layers_.size();
    many_is_subject_ = layers_.front().subject_is_many;
    report();
    note_map();
    complete_ = std::ranges::all_of(layers_, &LayerGroups::complete);
    // Rotated coordinates cannot be subtracted; and some of many experts around their mean
    // lie like copies of it.
    if (alignment_.hidden_by_index && complete_) {
      if (auto problem = find_origin()) return std::unexpected(std::move(*problem));
    }
    if (std::ranges::all_of(layers_, &LayerGroups::few_is_dense)) {
      find_upcycling();
    } else {
      find_expert_changes();
    }
    return std::move(findings_);
  }

 private:
  std::string_view many_name() const { return many_is_subject_ ? "subject" : "base"; }
  std::string_view few_name() const { return many_is_subject_ ? "base" : "subject"; }

  void report() {
    Experts report{.subject = experts_of(subject_), .base = experts_of(base_)};
    for (const FfnMatch& match : alignment_.experts) {
      report.map.push_back({.layer = match.subject.layer,
                            .expert = match.subject.expert,
                            .base_layer = match.base.layer,
                            .base_expert = match.base.expert,
                            .share = on_report_grid(share_of(match))});
    }
    findings_.report = std::move(report);
  }

  void note_map() {
    std::size_t blocks = 0;
    std::size_t by_index = 0;
    double least = 1;
    double most = 0;
    for (const LayerGroups& layer : layers_) blocks += layer.many;
    for (const FfnMatch& match : alignment_.experts) {
      by_index += match.by_index ? 1U : 0U;
      least = std::min(least, share_of(match));
      most = std::max(most, share_of(match));
    }
    findings_.evidence.push_back(
        {.statistic = "expert-map/1",
         .outcome = Evidence::Outcome::measured,
         .value = static_cast<double>(alignment_.experts.size()),
         .samples = blocks,
         .stage = alignment_.hidden_by_index ? "aligned" : "responses",
         .because = fmt::format(
             "{} of {} feed-forward blocks in {} layers stand against one of the other side, {} "
             "of them with their neurons under the same numbers; {} of the neurons looked at have "
             "their partner there.",
             alignment_.experts.size(), blocks, layers_.size(), by_index,
             least == most ? fmt::format("{:.0f} %", 100 * most)
                           : fmt::format("{:.0f} to {:.0f} %", 100 * least, 100 * most))});
  }

  // Who was first, where every block of one side has several of the other around it.
  std::optional<Problem> find_origin() {
    RaysOfGroups seen;
    for (const LayerGroups& layer : layers_) {
      if (layer.many <= layer.few || !layer.each_has_several()) continue;
      for (const auto& [few, matches] : layer.groups) {
        const auto rays = rays_around(subject_, base_, pairs_, matches, layer.subject_is_many);
        if (!rays) return rays.error();
        seen.add(*rays);
      }
    }
    if (seen.groups == 0) return std::nullopt;
    note_rays(seen.groups, median(seen.cosines), median(seen.residues));
    if (seen.are_around()) {
      repeated_ = true;
      findings_.sign = DirectionSign{
          .base_is_parent = many_is_subject_,
          .because = fmt::format("the {} holds several copies of each feed-forward block that the "
                                 "{} has once, changed independently of each other",
                                 many_name(), few_name())};
    } else if (seen.are_combined()) {
      combined_ = true;
      findings_.sign = DirectionSign{
          .base_is_parent = !many_is_subject_,
          .because = fmt::format("the feed-forward blocks of the {} are means of the {}'s experts",
                                 few_name(), many_name())};
    }
    return std::nullopt;
  }

  void note_rays(std::size_t groups, double cosine, double residue) {
    findings_.evidence.push_back(
        {.statistic = "expert-rays/1",
         .outcome = Evidence::Outcome::measured,
         .value = on_report_grid(cosine),
         .samples = groups,
         .stage = "aligned",
         .because = fmt::format(
             "What separates the blocks of a layer from the one they all resemble has cosines up "
             "to {:.2f} in size: about 0 when they are copies of it, 0.5 and more when it is one "
             "of them. Their best mean leaves {:.2f} of what it leaves of unrelated ones: 0 when "
             "it was made from them.",
             cosine, residue)});
  }

  void find_upcycling() {
    const Cover cover = cover_of(layers_, pairs_);
    if (findings_.report && !cover.in_part) findings_.report->covered = cover.covered;
    if (combined_) {
      findings_.mechanisms = {"pruned"};
      findings_.transforms = {"expert-average"};
      if (!many_is_subject_) keep_experts(1);
      return;
    }
    findings_.mechanisms = {"moe-upcycled"};
    name_upcycling(cover);
    if (many_is_subject_ && !cover.in_part) findings_.kept_ffn = cover.covered;
    if (!cover.is_incomplete()) return;
    findings_.mechanisms.emplace_back("pruned");
    findings_.sign =
        DirectionSign{.base_is_parent = many_is_subject_,
                      .because = fmt::format("the experts of the {} lack neurons that the {} has",
                                             many_name(), few_name())};
  }

  void name_upcycling(const Cover& cover) {
    if (cover.found == 0) {
      findings_.transforms.emplace_back("expert-copy");
      return;
    }
    findings_.transforms.emplace_back(cover.is_division() ? "expert-split" : "expert-copy");
    if (!cover.is_division()) findings_.transforms.emplace_back("neuron-permute");
    if (!alignment_.hidden_by_index || cover.in_part) return;
    if (cover.some_are_new()) findings_.transforms.emplace_back("neurons-added");
    findings_.evidence.push_back({.statistic = "expert-cover/1",
                                  .outcome = Evidence::Outcome::measured,
                                  .value = cover.covered,
                                  .samples = cover.looked_up,
                                  .stage = "aligned",
                                  .because = cover_in_words(cover)});
  }

  void keep_experts(std::size_t count) {
    findings_.kept_experts =
        on_report_grid(static_cast<double>(count) / static_cast<double>(layers_.front().many));
  }

  void find_expert_changes() {
    const bool as_many = std::ranges::all_of(
        layers_, [](const LayerGroups& layer) { return layer.many == layer.few; });
    if (!as_many && find_division()) return;
    const auto matched = static_cast<std::ptrdiff_t>(alignment_.experts.size());
    const auto redealt = std::ranges::count(alignment_.experts, false, &FfnMatch::by_index);
    if (2 * redealt > matched) {
      findings_.transforms.emplace_back("neuron-permute");
      findings_.reparametrised = true;
    }
    // The counterpart of an expert may be one of those that could not be looked at.
    if (!complete_) return;
    if (!as_many) {
      find_fewer_experts();
      return;
    }
    const auto renumbered = std::ranges::count_if(alignment_.experts, [](const FfnMatch& match) {
      return match.subject.expert != match.base.expert;
    });
    if (2 * renumbered > matched) {
      findings_.transforms.emplace_back("expert-permute");
      findings_.reparametrised = true;
    }
  }

  // Experts divided into smaller ones.
  bool find_division() {
    const Cover cover = cover_of(layers_, pairs_);
    const auto several = std::ranges::count_if(layers_, &LayerGroups::each_has_several);
    if (cover.found == 0 || !cover.is_division() ||
        2 * static_cast<std::size_t>(several) < layers_.size()) {
      return false;
    }
    findings_.mechanisms = {"moe-upcycled"};
    name_upcycling(cover);
    return true;
  }

  // Only where every block of the smaller side has its counterpart are the others left
  // out; two models made apart from one dense block resemble each other as well.
  void find_fewer_experts() {
    if (repeated_) {
      findings_.mechanisms = {"moe-upcycled"};
      findings_.transforms.emplace_back("expert-repeat");
      return;
    }
    const auto one_to_one = std::ranges::count_if(layers_, &LayerGroups::each_has_one);
    const bool left_out = 10 * static_cast<std::size_t>(one_to_one) >= 9 * layers_.size();
    if (!combined_ && !left_out) return;
    findings_.mechanisms = {"pruned"};
    findings_.transforms.emplace_back(combined_ ? "expert-average" : "expert-drop");
    if (!many_is_subject_) keep_experts(layers_.front().few);
    if (combined_) return;
    findings_.sign = DirectionSign{
        .base_is_parent = !many_is_subject_,
        .because = fmt::format("the {} lacks experts that the {} has", few_name(), many_name())};
  }

  const Side& subject_;
  const Side& base_;
  Alignment& alignment_;
  const FfnPairs& pairs_;
  std::vector<LayerGroups> layers_;
  ExpertFindings findings_;
  bool many_is_subject_ = true;
  bool repeated_ = false;
  bool combined_ = false;
  bool complete_ = true;  // of all layers all blocks could be looked at
};

}  // namespace

Result<ExpertFindings> expert_findings(const Side& subject, const Side& base, Alignment& alignment,
                                       const FfnPairs& pairs) {
  return Finder(subject, base, alignment, pairs).find();
}

}  // namespace pedigree
