#include <algorithm>
#include <iterator>
#include <utility>

#include "tasks/component_models.h"
#include "tasks/declared.h"
#include "tasks/declared_merge.h"
#include "tasks/declared_relation.h"
#include "tasks/digest_checks.h"
#include "tasks/findings.h"
#include "tasks/judge.h"
#include "tasks/opened.h"
#include "tasks/rival_weights.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

void add_digests(Report& report, Subject& subject, const Opened& opened, const RunOptions& run) {
  if (!opened.model) return;
  DigestOptions options;
  options.h2 = true;
  options.threads = run.threads;
  options.progress = run.progress;
  auto digests = digest_model(*opened.model, options);
  if (!digests) return fail(report, std::move(digests.error()));
  for (Problem& problem : digests->problems) fail(report, std::move(problem));
  subject.digests = std::move(*digests);
  check_what_came_along(report, subject.info, *subject.digests);
}

Report audit_one(const AuditRequest& request) {
  Report report = new_report("audit");
  const auto salt = read_salt(request.salt_file);
  if (!salt) {
    fail(report, salt.error());
    return report;
  }
  OpenedStore store;
  const auto opened = store.open(request.model);
  if (!opened) {
    fail(report, opened.error());
    return report;
  }
  Subject& subject = report.subject.emplace(subject_of(**opened));
  take_problems(report, **opened);
  take_contradictions(report, **opened);
  if (request.digests) add_digests(report, subject, **opened, request.run);
  judge_against(
      report, **opened, request.against, store,
      {.quick = request.quick, .details = request.details, .salt = *salt, .run = request.run});
  compare_rival(report, **opened, {.salt = *salt, .run = request.run});
  std::vector<Candidate> candidates;
  candidates.reserve(report.comparisons.size());
  for (std::size_t i = 0; i < report.comparisons.size(); ++i) {
    candidates.push_back({.name = report.comparisons[i].base, .path = request.against[i]});
  }
  const ModelInfo& info = subject.info;
  report.declared = hold_claims(info, candidates, report.comparisons);
  hold_relations(info, candidates, report.comparisons, report.declared);
  hold_recipe(info, candidates, report.joint, report.declared);
  std::ranges::move(findings_of(info, report.declared, report.problems, report.comparisons.size()),
                    std::back_inserter(report.findings));
  return report;
}

}  // namespace

Report audit_model(const AuditRequest& request) {
  const auto plan = plan_components(request.model, request.against);
  if (!plan) return audit_one(request);
  return report_of_components(*plan, new_report("audit"), [&](const ComponentTask& task) {
    AuditRequest one = request;
    one.model = task.path;
    one.against = task.bases;
    return audit_one(one);
  });
}

}  // namespace pedigree
