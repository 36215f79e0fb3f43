#include <algorithm>
#include <string_view>

#include "tasks/component_models.h"
#include "tasks/judge.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

bool meets(const Comparison& comparison, std::string_view wanted) {
  if (wanted == "derived") return comparison.verdict.derived == "yes";
  if (wanted == "independent") return comparison.verdict.derived == "no";
  return comparison.verdict.relation == wanted;
}

void expect(Report& report, const std::string& wanted) {
  if (wanted.empty()) return;
  report.expected = Expectation{
      .wanted = wanted, .met = std::ranges::all_of(report.comparisons, [&](const Comparison& each) {
                          return meets(each, wanted);
                        })};
}

Report compared(const CompareRequest& request, OpenedStore& store) {
  Report report = new_report("compare");
  const auto salt = read_salt(request.salt_file);
  if (!salt) {
    fail(report, salt.error());
    return report;
  }
  if (!request.bases.empty()) {
    store.open_ahead(request.subject, request.bases.front(), request.run.threads);
  }
  const auto subject = store.open(request.subject);
  if (!subject) {
    fail(report, subject.error());
    for (const std::string& base : request.bases) {
      report.comparisons.push_back(
          not_compared(request.subject, base, could_not_open(request.subject, subject.error())));
    }
  } else {
    report.subject = subject_of(**subject);
    take_problems(report, **subject);
    take_contradictions(report, **subject);
    judge_against(
        report, **subject, request.bases, store,
        {.quick = request.quick, .details = request.details, .salt = *salt, .run = request.run});
  }
  expect(report, request.expect);
  return report;
}

// A request of one pair or more, whose arguments may be pipelines of components.
Report compared_by_component(const CompareRequest& request, OpenedStore& store) {
  const auto plan = plan_components(request.subject, request.bases);
  if (!plan) return compared(request, store);
  Report report =
      report_of_components(*plan, new_report("compare"), [&](const ComponentTask& task) {
        CompareRequest one = request;
        one.subject = task.path;
        one.bases = task.bases;
        one.expect.clear();
        return compared(one, store);
      });
  expect(report, request.expect);
  return report;
}

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t tab = std::min(line.find('\t', begin), line.size());
    fields.emplace_back(line.substr(begin, tab - begin));
    begin = tab + 1;
  }
  return fields;
}

Report malformed_pair(std::string_view line, unsigned number) {
  Report report = new_report("compare");
  Problem problem = make_problem("pairs-malformed", {}, "the line names no pair");
  problem.line = number;
  report.comparisons.push_back(not_compared(std::string(line), {}, problem.message));
  fail(report, std::move(problem));
  return report;
}

}  // namespace

Report compare_models(const CompareRequest& request) {
  OpenedStore store;
  return compared_by_component(request, store);
}

void compare_pairs(const PairsRequest& request, const std::function<void(Report)>& sink) {
  OpenedStore store;
  std::string_view rest = request.lines;
  for (unsigned number = 1; !rest.empty() && !request.run.progress.stop(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::vector<std::string> fields = fields_of(line);
    if (fields.size() < 2 || std::ranges::any_of(fields, &std::string::empty)) {
      sink(malformed_pair(line, number));
      continue;
    }
    CompareRequest one;
    one.subject = fields.front();
    one.bases.assign(fields.begin() + 1, fields.end());
    one.quick = request.quick;
    one.details = request.details;
    one.expect = request.expect;
    one.salt_file = request.salt_file;
    one.run = request.run;
    sink(compared_by_component(one, store));
  }
}

}  // namespace pedigree
