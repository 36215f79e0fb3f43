#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

std::string_view last_part(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0: the whole
}

// The file a line of a list means: by path, else by name where one file has it,
// else the only file where the line names none.
const FileDigest* file_for(const std::vector<FileDigest>& files, const std::string& path) {
  if (path.empty()) return files.size() == 1 ? &files.front() : nullptr;
  const auto exact = std::ranges::find(files, path, &FileDigest::path);
  if (exact != files.end()) return &*exact;
  const auto has_name = [&](const FileDigest& file) {
    return last_part(file.path) == last_part(path);
  };
  if (std::ranges::count_if(files, has_name) != 1) return nullptr;
  return &*std::ranges::find_if(files, has_name);
}

void add_check(Report& report, const ExpectedDigest& expected, const std::string& source) {
  const FileDigest* file = file_for(report.subject->digests->files, expected.path);
  DigestCheck check{.file = expected.path,
                    .expected = expected.sha256,
                    .actual = file == nullptr ? "" : file->sha256,
                    .source = source,
                    .state = "match"};
  if (file == nullptr) check.state = "missing";
  if (file != nullptr && file->sha256 != expected.sha256) check.state = "mismatch";
  if (check.state != "match") {
    const char* code = file == nullptr ? "digest-file-missing" : "digest-mismatch";
    const std::string message =
        file == nullptr
            ? fmt::format("{} names a file that is not there", source)
            : fmt::format("{} asks for {}, the file has {}", source, expected.sha256, file->sha256);
    const Problem problem = make_problem(code, expected.path, message);
    report.findings.push_back({.rule = problem.code,
                               .level = problem.severity,
                               .message = problem.message,
                               .subject = problem.file,
                               .remedy = problem.remedy});
  }
  report.checks.push_back(std::move(check));
}

// Hub-cache names and the like: digests that came with the model.
void check_what_came_along(Report& report) {
  for (const ModelFile& file : report.subject->info.files) {
    if (!file.expected_sha256 || file.format == "lfs-pointer") continue;
    add_check(report, {.path = file.path, .sha256 = *file.expected_sha256, .size = {}},
              file.expected_from);
  }
}

void check_lists(Report& report, const std::vector<std::string>& lists) {
  for (const std::string& list : lists) {
    const auto expected = read_expected_digests(list);
    if (!expected) {
      fail(report, expected.error());
      continue;
    }
    for (const ExpectedDigest& each : *expected) add_check(report, each, list);
  }
}

}  // namespace

Report digest_model_files(const DigestRequest& request) {
  Report report = new_report("digest");
  report.show_tensors = true;
  const auto opened = open_argument(request.model);
  if (!opened) {
    fail(report, opened.error());
    return report;
  }
  report.subject = subject_of(**opened);
  take_problems(report, **opened);
  if (!(*opened)->model) {
    if (!report.subject->digests) {
      fail(report,
           make_problem("not-a-model", request.model, "the fingerprint was made without digests"));
    }
    return report;
  }
  const auto wants = [&](std::string_view tier) {
    return std::ranges::find(request.tiers, tier) != request.tiers.end();
  };
  DigestOptions options;
  options.h0 = wants("h0") || !request.verify.empty();
  options.h1 = wants("h1");
  options.h2 = wants("h2");
  options.h3 = wants("h3");
  options.threads = request.run.threads;
  options.progress = request.run.progress;
  auto digests = digest_model(*(*opened)->model, options);
  if (!digests) {
    fail(report, std::move(digests.error()));
    return report;
  }
  report.subject->digests = std::move(*digests);
  if (options.h0) check_what_came_along(report);
  check_lists(report, request.verify);
  return report;
}

}  // namespace pedigree
