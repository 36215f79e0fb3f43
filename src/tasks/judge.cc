#include "tasks/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "compare/context.h"
#include "fingerprint/fingerprint.h"
#include "fingerprint/sampling.h"
#include "model/fit_order.h"
#include "tasks/judge_adapter.h"
#include "tasks/judge_joint.h"
#include "tasks/pointers.h"

namespace pedigree {
namespace {

// How both sides are sampled: by token string where both can, by row number
// where one has no readable tokenizer, and at a fingerprint's own rows where
// that is all there is to go by.
struct SamplePlan {
  bool by_row = false;
  const std::vector<SampledToken>* rows = nullptr;  // of the other side's fingerprint
};

bool names_its_tokens(const Opened& side) {
  return side.model ? side.model->tokenizer.has_value() : !side.stored->tokens_by_row;
}

SamplePlan plan_for(const Opened& side, const Opened& other) {
  if (names_its_tokens(side) && names_its_tokens(other)) return {};
  if (!other.model && names_its_tokens(other))
    return {.by_row = true, .rows = &other.stored->tokens};
  return {.by_row = true, .rows = nullptr};
}

}  // namespace

Result<Sketch> sketch_of(Opened& side, const Opened& other, const JudgeOptions& judge) {
  if (!side.model) return Sketch{.kept = side.stored.get()};
  const SamplePlan plan = plan_for(side, other);
  FingerprintOptions options;
  options.threads = judge.run.threads;
  options.progress = judge.run.progress;
  options.salt = judge.salt;
  options.tokens_by_row = plan.by_row;
  if (plan.rows != nullptr) {
    options.tokens = *plan.rows;
    auto made = make_fingerprint(*side.model, options);
    if (!made) return std::unexpected(std::move(made.error()));
    return Sketch{.kept = nullptr, .own = std::move(*made)};
  }
  auto& slot = plan.by_row ? side.by_row : side.by_token;
  if (slot) return Sketch{.kept = &*slot};
  auto made = make_fingerprint(*side.model, options);
  if (!made) return std::unexpected(std::move(made.error()));
  return Sketch{.kept = &slot.emplace(std::move(*made))};
}

std::string why_not(const Opened& side) {
  if (!side.model) return {};
  if (side.model->only_pointers) {
    return fmt::format("{} holds git-lfs pointers in place of its weights", side.name());
  }
  if (side.model->is_adapter) {
    return fmt::format(
        "{} is an adapter without its base model; there are no whole weights to "
        "compare",
        side.name());
  }
  if (side.model->tensors.empty()) return fmt::format("{} has no readable weights", side.name());
  return {};
}

namespace {

std::string_view drawn_from(std::string_view scheme) {
  return scheme.substr(scheme.rfind(':') + 1);
}

// Two sides sampled by different secrets share no indices; "" when they can be set
// against each other.
std::string why_other_sample(const Opened& subject, const Opened& base, const std::string& salt) {
  const auto scheme_of = [&](const Opened& side) {
    return side.stored ? side.stored->scheme : SamplingScheme{.salt = salt}.id();
  };
  const std::string one = scheme_of(subject);
  const std::string two = scheme_of(base);
  const std::string_view first = drawn_from(one);
  const std::string_view second = drawn_from(two);
  if (first == second) return {};
  const bool both_stored = subject.stored && base.stored;
  const Opened& stored = base.stored ? base : subject;
  const std::string_view drawn = base.stored ? second : first;
  if (both_stored) {
    return fmt::format("the fingerprints were drawn from different salts ({} and {})", first,
                       second);
  }
  if (salt.empty()) {
    return fmt::format(
        "the fingerprint {} was drawn from the salt with digest {}; give that salt with --salt",
        stored.name(), drawn);
  }
  const std::string mine(drawn_from(SamplingScheme{.salt = salt}.id()));
  if (drawn == "public") {
    return fmt::format(
        "the fingerprint {} holds the public sample; leave --salt out, or make it again with this "
        "salt",
        stored.name());
  }
  return fmt::format(
      "the fingerprint {} was drawn from the salt with digest {}, and --salt gives the one with "
      "digest {}",
      stored.name(), drawn, mine);
}

// A model without whole weights: what its files beside them say can be held against the
// other's all the same.
Comparison compared_by_metadata(Opened& subject, Opened& base, std::string why,
                                const JudgeOptions& judge) {
  const std::string named = named_by_pointers(subject, base, judge.run.progress);
  if (!named.empty()) why += "; " + named;
  Comparison comparison = not_compared(subject.name(), base.name(), std::move(why));
  if (auto problem = why_other_sample(subject, base, judge.salt); !problem.empty()) {
    return comparison;
  }
  const auto first = sketch_of(subject, base, judge);
  const auto second = sketch_of(base, subject, judge);
  if (first && second) {
    answer_context({.sketch = first->value(), .weights = subject.model.get()},
                   {.sketch = second->value(), .weights = base.model.get()}, comparison);
  }
  return comparison;
}

// Samples taken under another row order are none of the model.
void fit_to(Opened& side, const Opened& other) {
  if (!side.model || !other.model || !fit_row_order(*side.model, *other.model)) return;
  side.by_token.reset();
  side.by_row.reset();
}

}  // namespace

Comparison compare_opened(Opened& subject, Opened& base, const CompareOptions& options,
                          const JudgeOptions& judge) {
  if (auto answer = adapter_answer(subject, base)) return *std::move(answer);
  for (const Opened* side : {&subject, &base}) {
    if (auto why = why_not(*side); !why.empty()) {
      return compared_by_metadata(subject, base, std::move(why), judge);
    }
  }
  if (auto why = why_other_sample(subject, base, judge.salt); !why.empty()) {
    Comparison failed = not_compared(subject.name(), base.name(), why);
    failed.problems.push_back(make_problem("fingerprint-scheme", {}, std::move(why)));
    return failed;
  }
  fit_to(subject, base);
  fit_to(base, subject);
  const auto first = sketch_of(subject, base, judge);
  const auto second = sketch_of(base, subject, judge);
  if (!first || !second) {
    const Problem& problem = first ? second.error() : first.error();
    Comparison failed = not_compared(subject.name(), base.name(), problem.message);
    failed.problems.push_back(problem);
    return failed;
  }
  Comparison comparison =
      compare({.sketch = first->value(), .weights = subject.model.get()},
              {.sketch = second->value(), .weights = base.model.get()}, options);
  comparison.subject = subject.name();
  comparison.base = base.name();
  for (TensorRow& row : comparison.rows) {
    if (row.relative_delta && !std::isfinite(*row.relative_delta)) row.relative_delta.reset();
  }
  if (auto problem = not_finite(first->value(), subject.name())) {
    comparison.problems.push_back(std::move(*problem));
  }
  if (auto problem = not_finite(second->value(), base.name())) {
    comparison.problems.push_back(std::move(*problem));
  }
  return comparison;
}

namespace {

// The base's own errors, and what its config says against its tensors, belong to the
// comparison, under the base's name.
void add_base_problems(Comparison& comparison, const Opened& base) {
  if (!base.model) return;
  for (Problem problem : base.model->problems) {
    if (problem.severity != Severity::error && problem.code != "config-weights-mismatch") continue;
    problem.file = base.name() + (problem.file.empty() ? "" : "/") + problem.file;
    comparison.problems.push_back(std::move(problem));
  }
}

bool is_one_place(const std::string& one, const std::string& other) {
  std::error_code error;
  return std::filesystem::equivalent(one, other, error) && !error;
}

void note_outcome(Report& report, const Comparison& comparison, const Opened& base) {
  const auto interrupted = std::ranges::find(comparison.problems, "interrupted", &Problem::code);
  if (interrupted != comparison.problems.end()) report.problems.push_back(*interrupted);
  const Standing standing = base.model ? standing_of(*base.model) : Standing::readable;
  report.nothing_to_do = report.nothing_to_do || standing == Standing::nothing;
  // Where there are no weights at all, shards that are missing hide nothing more.
  const bool hidden = standing == Standing::unreadable ||
                      (standing == Standing::readable &&
                       std::ranges::any_of(comparison.problems, hides_the_answer));
  report.unreadable = report.unreadable || hidden;
}

// Two bases of one name are told apart by their paths.
void tell_apart(std::vector<Comparison>& comparisons, const std::vector<std::string>& bases) {
  std::vector<std::string> names(comparisons.size());
  std::ranges::transform(comparisons, names.begin(), &Comparison::base);
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    if (std::ranges::count(names, names[i]) > 1) comparisons[i].base = bases[i];
  }
}

}  // namespace

Comparison not_compared(std::string subject, std::string base, std::string why) {
  Comparison comparison;
  comparison.subject = std::move(subject);
  comparison.base = std::move(base);
  comparison.verdict.summary = "not decided: " + std::move(why);
  return comparison;
}

std::string could_not_open(const std::string& path, const Problem& problem) {
  return fmt::format("{} could not be read ({})", path, problem.message);
}

void judge_against(Report& report, Opened& subject, const std::vector<std::string>& bases,
                   OpenedStore& store, const JudgeOptions& options) {
  CompareOptions compare_options;
  compare_options.quick = options.quick;
  compare_options.details = options.details;
  compare_options.threads = options.run.threads;
  compare_options.alternatives = bases.size();
  compare_options.progress = options.run.progress;
  std::vector<std::shared_ptr<Opened>> opened;  // kept for what they explain together
  for (const std::string& path : bases) {
    if (options.run.progress.stop())
      return fail(report, make_problem("interrupted", {}, "stopped"));
    const auto base = store.open(path);
    if (!base) {
      report.comparisons.push_back(
          not_compared(subject.name(), path, could_not_open(path, base.error())));
      fail(report, base.error());
      opened.push_back(nullptr);
      continue;
    }
    Comparison comparison = compare_opened(subject, **base, compare_options, options);
    if (is_one_place(subject.path, path)) {
      comparison.verdict.summary += " Both arguments lead to the same place.";
    }
    add_base_problems(comparison, **base);
    note_outcome(report, comparison, **base);
    report.comparisons.push_back(std::move(comparison));
    opened.push_back(bases.size() > 1 ? *base : nullptr);
  }
  tell_siblings_among(
      report.comparisons, subject,
      {.bases = bases, .store = store, .options = compare_options, .judge = options});
  tell_apart(report.comparisons, bases);
  report.joint = joint_answer(subject, opened, report.comparisons);
  if (auto merged = merged_adapters(subject, opened, report.comparisons)) {
    if (!report.joint || merged->relation == "lora-merge") report.joint = std::move(merged);
  }
}

}  // namespace pedigree
