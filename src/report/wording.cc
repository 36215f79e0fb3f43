#include "report/wording.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/text.h"
#include "report/numbers.h"
#include "report/wording_architecture.h"
#include "report/wording_components.h"
#include "report/wording_tokenizer.h"

namespace pedigree {
namespace {

constexpr std::size_t shown_claims = 4;
constexpr std::size_t shown_tensors = 8;

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

bool is_about_origin(const Claim& claim) {
  switch (claim.kind) {
    case Claim::Kind::base_model:
    case Claim::Kind::base_model_relation:
    case Claim::Kind::merge_recipe:
      return true;
    case Claim::Kind::license:
    case Claim::Kind::name:
    case Claim::Kind::quantization:
    case Claim::Kind::architecture:
    case Claim::Kind::tag:
    case Claim::Kind::other:
      return false;
  }
  return false;
}

std::string what_it_declares(const ModelInfo& info) {
  std::vector<std::string> origin;
  std::vector<std::string> licence;
  for (const Claim& claim : info.claims) {
    const std::string text = fmt::format("{} {} ({})", claim.key, claim.value, claim_place(claim));
    if (is_about_origin(claim)) origin.push_back(text);
    if (claim.kind == Claim::Kind::license) licence.push_back(text);
  }
  std::string text = origin.empty() ? "nothing about its origin" : some_of(origin, shown_claims);
  if (!licence.empty()) text += "; " + some_of(licence, 1);
  return text;
}

std::string what_its_weights_show(const Report& report, const Subject& subject) {
  if (report.comparisons.empty()) {
    if (subject.digests && !subject.digests->named.empty()) {
      return "compared with nothing; their digest is " + subject.digests->named;
    }
    return "compared with nothing; `pedigree audit MODEL --against BASE` tests descent";
  }
  if (report.comparisons.size() == 1 && !report.comparisons.front().verdict.summary.empty()) {
    return report.comparisons.front().verdict.summary;
  }
  std::vector<std::string> phrases;
  if (report.joint && report.joint->relation != "inconclusive") {
    std::string_view summary = report.joint->summary;
    if (summary.ends_with('.')) summary.remove_suffix(1);
    phrases.emplace_back(summary);
  }
  for (const std::string_view derived : {"yes", "inconclusive", "no"}) {
    for (const Comparison& each : report.comparisons) {
      if (each.verdict.derived == derived)
        phrases.push_back(component_prefix(report, each) + verdict_phrase(each.verdict, each.base));
    }
  }
  return fmt::format("{}", fmt::join(phrases, "; "));
}

std::string what_was_found(const Report& report) {
  std::vector<std::string> parts;
  for (const Declared& each : report.declared) {
    if (each.verdict == "contradicted")
      parts.push_back("contradicts " + each.source + " " + each.value);
    if (each.verdict == "undeclared") parts.push_back("undeclared parent " + each.value);
  }
  std::size_t counts[3] = {0, 0, 0};
  for (const Finding& each : report.findings) ++counts[static_cast<std::size_t>(each.level)];
  for (const Problem& each : problems_beside(report))
    ++counts[static_cast<std::size_t>(each.severity)];
  if (counts[2] > 0) parts.push_back(counted(counts[2], "error", "errors"));
  if (counts[1] > 0) parts.push_back(counted(counts[1], "warning", "warnings"));
  if (counts[0] > 0) parts.push_back(counted(counts[0], "note", "notes"));
  return parts.empty() ? "nothing to report" : some_of(parts, 6);
}

std::vector<std::string> what_was_not_tested(const Comparison& comparison) {
  std::vector<std::string> missing;
  for (const Evidence& each : comparison.evidence) {
    if (each.outcome == Evidence::Outcome::insufficient) missing.push_back(each.statistic);
  }
  return missing;
}

std::string how_sure_one(const Comparison& comparison) {
  const Verdict& verdict = comparison.verdict;
  std::vector<std::string> parts;
  if (verdict.derived == "no") {
    parts.emplace_back("every stage that applies was run and found nothing beyond chance");
  } else if (verdict.log10_p) {
    parts.push_back(fmt::format("unrelated models come out this alike with log10 p {}",
                                log10_text(*verdict.log10_p)));
  }
  if (!verdict.stage.empty() && verdict.derived == "yes") {
    parts.push_back(fmt::format("decided by the {} stage", verdict.stage));
  }
  if (verdict.coverage > 0) {
    parts.push_back(fmt::format("{} of the parameters comparable", percent_text(verdict.coverage)));
  }
  const auto missing = what_was_not_tested(comparison);
  if (!missing.empty()) parts.push_back("not tested: " + some_of(missing, 4));
  if (parts.empty()) parts.emplace_back("nothing could be measured");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string how_sure(const Report& report, const Subject& subject) {
  if (report.comparisons.empty()) {
    return subject.digests ? "every byte named below was read"
                           : "from metadata alone; no weights were read";
  }
  if (report.comparisons.size() == 1) return how_sure_one(report.comparisons.front());
  std::vector<std::string> parts;
  parts.reserve(report.comparisons.size());
  for (const Comparison& each : report.comparisons) {
    parts.push_back(
        fmt::format("{}{}: {}", component_prefix(report, each), each.base, how_sure_one(each)));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string with_reason(const std::string& answer, const std::string& because) {
  return because.empty() ? answer : answer + ": " + because;
}

std::string low_rank_in_words(const Lora& lora) {
  const auto differs = [&](const RoleRank& each) {
    return each.rank != lora.rank || each.at_least;
  };
  if (std::ranges::none_of(lora.ranks, differs)) {
    return fmt::format("rank {}{} in {}", lora.rank, lora.at_least ? " or more" : "",
                       fmt::join(lora.roles, ", "));
  }
  std::string words;
  for (const RoleRank& each : lora.ranks) {
    words += fmt::format("{}rank {}{} in {}", words.empty() ? "" : ", ", each.rank,
                         each.at_least ? " or more" : "", each.role);
  }
  return words;
}

std::string kept_in_words(const Kept& kept) {
  std::string text =
      fmt::format("{} of the feed-forward neurons, {} of the heads, {} of the width",
                  percent_text(kept.ffn), percent_text(kept.heads), percent_text(kept.hidden));
  if (kept.experts) text += fmt::format(", {} of the experts", percent_text(*kept.experts));
  return text;
}

std::string experts_in_words(const Experts& experts) {
  double least = 1;
  double most = 0;
  bool same_numbers = true;
  for (const ExpertLink& link : experts.map) {
    least = std::min(least, link.share);
    most = std::max(most, link.share);
    same_numbers = same_numbers && link.expert == link.base_expert;
  }
  const std::string shares =
      percent_text(least) + (most > least ? " to " + percent_text(most) : std::string());
  std::string text;
  if (experts.subject == 0 || experts.base == 0) {
    text = fmt::format("{} a layer in the {}; {} stand against feed-forward blocks of the {}",
                       std::max(experts.subject, experts.base),
                       experts.subject > 0 ? "subject" : "base", experts.map.size(),
                       experts.subject > 0 ? "base" : "subject");
  } else {
    text = fmt::format("{} a layer against {}; {} pairs{}", experts.subject, experts.base,
                       experts.map.size(), same_numbers ? ", each of one number" : "");
  }
  text += fmt::format("; {} of the neurons looked at are found there", shares);
  if (experts.covered) {
    text += fmt::format("; together they hold {} of those blocks", percent_text(*experts.covered));
  }
  return text;
}

std::string relation_in_words(const Verdict& verdict) {
  std::vector<std::string> others;
  std::ranges::copy_if(verdict.mechanisms, std::back_inserter(others),
                       [&](const std::string& each) { return each != verdict.relation; });
  if (others.empty()) return verdict.relation;
  return fmt::format("{}; also {}", verdict.relation, fmt::join(others, ", "));
}

std::string differences_in_words(const Comparison& comparison) {
  std::vector<std::string> parts;
  parts.reserve(comparison.config_differences.size());
  for (const auto& [field, values] : comparison.config_differences) {
    parts.push_back(fmt::format("{} {}", field, values));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::string some_of(const std::vector<std::string>& parts, std::size_t limit) {
  const std::size_t count = std::min(parts.size(), limit);
  std::string text = fmt::format(
      "{}", fmt::join(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count), ", "));
  if (parts.size() > limit) text += fmt::format(" and {} more", parts.size() - limit);
  return text;
}

void add_line(std::vector<LabelledLine>& lines, std::string label, std::string text) {
  if (!text.empty()) lines.push_back({.label = std::move(label), .text = std::move(text)});
}

std::string headline(const Report& report) {
  std::string text = "pedigree " + report.command;
  if (report.subject) text += " · " + report.subject->info.name;
  return text;
}

std::string what_it_is(const Subject& subject) {
  const ModelInfo& info = subject.info;
  const Architecture& built = info.architecture;
  std::string text = info.name;
  if (!subject.fingerprint_scheme.empty()) text += ", a fingerprint";
  if (info.only_pointers) {
    return text + fmt::format(": git-lfs pointers in place of {} of weights",
                              byte_size(info.missing_bytes));
  }
  if (info.tensors.empty() && subject.fingerprint_scheme.empty() && !info.is_adapter) {
    return text + ": no readable weights" + what_it_would_be(info);
  }
  text += info.is_adapter ? ": an adapter without its base model" : ": ";
  text += adapter_in_words(info);
  if (!info.is_adapter) {
    text += built.family.empty() || built.family == "unknown"
                ? "a model of unknown architecture"
                : built.family_title + " architecture";
  }
  if (built.layers > 0) text += fmt::format(", {} layers", built.layers);
  if (built.hidden > 0) text += fmt::format(" of width {}", built.hidden);
  if (info.parameters > 0) text += fmt::format(", {} parameters", count_text(info.parameters));
  if (info.weight_bytes > 0) {
    text += fmt::format(
        ", {} of {}", byte_size(info.weight_bytes),
        info.formats.empty() ? "weights" : fmt::format("{}", fmt::join(info.formats, " and ")));
  }
  return text;
}

std::vector<LabelledLine> five_lines(const Report& report) {
  std::vector<LabelledLine> lines;
  if (!report.subject) return lines;
  lines.push_back(
      {.label = "Model",
       .text = report.components.empty() ? what_it_is(*report.subject) : what_they_are(report)});
  lines.push_back({.label = "Declares", .text = what_it_declares(report.subject->info)});
  lines.push_back({.label = "Weights", .text = what_its_weights_show(report, *report.subject)});
  lines.push_back({.label = "Findings", .text = what_was_found(report)});
  lines.push_back({.label = "Certainty", .text = how_sure(report, *report.subject)});
  return lines;
}

std::string statistic_in_words(const Evidence& evidence, const std::vector<Evidence>& all) {
  const bool alone = std::ranges::count(all, evidence.statistic, &Evidence::statistic) < 2;
  if (alone || evidence.stage.empty()) return evidence.statistic;
  return fmt::format("{} ({})", evidence.statistic, evidence.stage);
}

std::string verdict_phrase(const Verdict& verdict, std::string_view base) {
  if (verdict.relation == "identical") return fmt::format("has the same weights as {}", base);
  if (verdict.derived == "yes") {
    if (verdict.direction == "base-is-parent") {
      return fmt::format("derives from {} ({})", base, verdict.relation);
    }
    if (verdict.direction == "subject-is-parent") {
      return fmt::format("is what {} derives from ({})", base, verdict.relation);
    }
    if (verdict.direction == "siblings")
      return fmt::format("shares a trained ancestor with {}", base);
    return fmt::format("shares weights with {} ({})", base, verdict.relation);
  }
  if (verdict.derived == "no") {
    std::string text = fmt::format("no evidence of shared weights with {}", base);
    if (verdict.power_cosine) {
      text += fmt::format("; a mean cosine of {} or more would have been seen",
                          number_text(*verdict.power_cosine));
    }
    return text;
  }
  if (verdict.relation == "common-origin") {
    return fmt::format("may share initial weights with {}; descent is not decided", base);
  }
  return fmt::format("not decided against {}", base);
}

std::vector<LabelledLine> verdict_lines(const Comparison& comparison, bool with_summary) {
  const Verdict& verdict = comparison.verdict;
  std::vector<LabelledLine> lines;
  if (with_summary) {
    add_line(lines, "verdict",
             verdict.summary.empty() ? verdict_phrase(verdict, comparison.base) : verdict.summary);
  }
  add_line(lines, "relation", relation_in_words(verdict));
  add_line(lines, "derived", verdict.derived);
  if (verdict.derived == "yes") {
    add_line(lines, "direction", with_reason(verdict.direction, verdict.direction_because));
  }
  add_line(lines, "architecture", with_reason(verdict.architecture, verdict.architecture_because));
  const std::string differences = differences_in_words(comparison);
  if (!verdict.architecture_because.contains(differences)) {
    add_line(lines, "differs in", differences);
  }
  add_line(lines, "which means", consequences_in_words(comparison.config_differences));
  add_line(lines, "tokenizer", with_reason(verdict.tokenizer, verdict.tokenizer_because));
  add_line(lines, "transforms", fmt::format("{}", fmt::join(comparison.transforms, ", ")));
  add_line(lines, "layers", layer_map_in_words(comparison.layer_map));
  if (comparison.lora) {
    add_line(lines, "low rank", low_rank_in_words(*comparison.lora));
  }
  if (comparison.kept) add_line(lines, "kept", kept_in_words(*comparison.kept));
  if (comparison.experts) add_line(lines, "experts", experts_in_words(*comparison.experts));
  if (!comparison.changed_tensors.empty()) {
    add_line(lines, "changed", some_of(comparison.changed_tensors, shown_tensors));
  }
  return lines;
}

std::string null_in_words(Evidence::Null null) {
  switch (null) {
    case Evidence::Null::none:
      return "";
    case Evidence::Null::digest:
      return "equal bits";
    case Evidence::Null::exact:
      return "exact";
    case Evidence::Null::bound:
      return "upper bound";
    case Evidence::Null::asymptotic:
      return "large-sample";
    case Evidence::Null::assumed:
      return "assumed";
  }
  return "";
}

std::string layer_map_in_words(const std::vector<std::pair<int, int>>& map) {
  if (map.empty()) return {};
  std::vector<std::string> runs;
  bool one_to_one = true;
  for (std::size_t begin = 0; begin < map.size();) {
    std::size_t end = begin + 1;
    while (end < map.size() && map[end].first == map[end - 1].first + 1 &&
           map[end].second == map[end - 1].second + 1) {
      ++end;
    }
    const auto span_text = [](int first, int last) {
      return first == last ? fmt::format("{}", first) : fmt::format("{}–{}", first, last);
    };
    one_to_one = one_to_one && map[begin].first == map[begin].second;
    runs.push_back(fmt::format("{} ← {}", span_text(map[begin].first, map[end - 1].first),
                               span_text(map[begin].second, map[end - 1].second)));
    begin = end;
  }
  if (runs.size() == 1 && one_to_one) {
    return fmt::format("{}, one to one", counted(map.size(), "layer", "layers"));
  }
  return fmt::format("{} (subject ← base)", fmt::join(runs, ", "));
}

std::string place_in_words(const Problem& problem) {
  std::string text = problem.file;
  const std::string_view comma = text.empty() ? "" : ", ";
  if (problem.line) {
    text += fmt::format("{}line {}", comma, *problem.line);
  } else if (problem.offset) {
    text += fmt::format("{}byte {}", comma, *problem.offset);
  }
  return text;
}

std::string claim_place(const Claim& claim) {
  return claim.line > 0 ? fmt::format("{}:{}", claim.file, claim.line) : claim.file;
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, " × "));
}

std::string assumption() {
  return "At least one of the two models was initialised and trained in a way that does not depend "
         "on the index of a unit; random initialisation with SGD, Adam or Lion is such a way.";
}

std::string legend() {
  return "log10 p: how often unrelated models come out at least this alike, as a power of ten. "
         "null: equal bits = identity of content; exact = counted, given the assumption; upper "
         "bound = at most this; large-sample = approximate and never decides; assumed = context "
         "only.";
}

std::vector<RoleSummary> change_by_role(const std::vector<RoleChange>& change) {
  std::map<std::string, RoleSummary> roles;
  for (const RoleChange& each : change) {
    auto [at, is_new] = roles.try_emplace(each.role);
    RoleSummary& summary = at->second;
    summary.role = each.role;
    ++summary.layers;
    summary.exact += each.exact ? 1 : 0;
    summary.smallest =
        is_new ? each.relative_delta : std::min(summary.smallest, each.relative_delta);
    summary.largest = std::max(summary.largest, each.relative_delta);
  }
  std::vector<RoleSummary> list;
  std::ranges::transform(roles, std::back_inserter(list), [](auto& entry) { return entry.second; });
  return list;
}

std::vector<Problem> problems_beside(const Report& report) {
  std::vector<Problem> rest;
  std::ranges::copy_if(report.problems, std::back_inserter(rest), [&](const Problem& problem) {
    return std::ranges::none_of(report.findings, [&](const Finding& finding) {
      return finding.rule == problem.code && finding.message == problem.message;
    });
  });
  return rest;
}

}  // namespace pedigree
