#include "tasks/rival_weights.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "tasks/judge.h"

namespace pedigree {
namespace {

// Beyond, only the sampled tests are run: the question is not what the user asked.
constexpr std::uint64_t most_bytes = std::uint64_t{4} << 30U;

std::string said_of(const Comparison& comparison) {
  const Verdict& verdict = comparison.verdict;
  if (verdict.relation == "identical") return "both hold the same weights";
  if (verdict.derived == "yes") return "they share weights (" + verdict.relation + ")";
  if (verdict.derived == "no" || verdict.relation == "independent") {
    return "they share no weights that could be seen: these are two models";
  }
  return "whether they share weights was not decided";
}

}  // namespace

void compare_rival(Report& report, Opened& subject, const JudgeOptions& judge) {
  if (!subject.model || standing_of(*subject.model) != Standing::readable) return;
  const auto named = std::ranges::find(report.problems, "index-stale-family", &Problem::code);
  if (named == report.problems.end()) return;
  const auto& files = subject.model->files;
  const auto file = std::ranges::find(files, named->file, &ModelFile::path);
  if (file == files.end()) return;
  const auto rival = open_argument(file->real_path);
  if (!rival || !(*rival)->model || standing_of(*(*rival)->model) != Standing::readable) return;
  CompareOptions options;
  options.threads = judge.run.threads;
  options.progress = judge.run.progress;
  options.quick = subject.model->weight_bytes > most_bytes;
  const Comparison comparison = compare_opened(subject, **rival, options, judge);
  named->message += "; " + said_of(comparison);
}

}  // namespace pedigree
