#include <utility>

#include "tasks/declared.h"
#include "tasks/declared_merge.h"
#include "tasks/judge.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

void add_digests(Report& report, const Opened& opened, const RunOptions& run) {
  if (!opened.model) return;
  DigestOptions options;
  options.h2 = true;
  options.threads = run.threads;
  options.progress = run.progress;
  auto digests = digest_model(*opened.model, options);
  if (digests) {
    report.subject->digests = std::move(*digests);
  } else {
    fail(report, std::move(digests.error()));
  }
}

}  // namespace

Report audit_model(const AuditRequest& request) {
  Report report = new_report("audit");
  OpenedStore store;
  const auto opened = store.open(request.model);
  if (!opened) {
    fail(report, opened.error());
    return report;
  }
  const auto keep = *opened;
  report.subject = subject_of(*keep);
  take_problems(report, *keep);
  if (request.digests) add_digests(report, *keep, request.run);
  judge_against(report, *keep, request.against, store,
                {.quick = request.quick, .details = request.details, .run = request.run});
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < report.comparisons.size(); ++i) {
    candidates.push_back({.name = report.comparisons[i].base, .path = request.against[i]});
  }
  const ModelInfo& info = report.subject->info;
  report.declared = hold_claims(info, candidates, report.comparisons);
  hold_recipe(info, candidates, report.joint, report.declared);
  report.findings = findings_of(info, report.declared, report.problems);
  return report;
}

}  // namespace pedigree
