#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/files.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

// The hub keeps larger files in LFS, which names them by SHA-256.
constexpr std::uint64_t largest_in_git = std::uint64_t{64} << 20U;

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

// `check` holds what was expected and what is there, "" where nothing is.
void add_check(Report& report, DigestCheck check) {
  const bool missing = check.actual.empty();
  check.state = missing ? "missing" : check.actual == check.expected ? "match" : "mismatch";
  if (check.state != "match") {
    const Problem problem =
        make_problem(missing ? "digest-file-missing" : "digest-mismatch", check.file,
                     missing ? fmt::format("{} names a file that is not there", check.source)
                             : fmt::format("{} asks for {}, the file has {}", check.source,
                                           check.expected, check.actual));
    report.findings.push_back({.rule = problem.code,
                               .level = problem.severity,
                               .message = problem.message,
                               .subject = problem.file,
                               .remedy = problem.remedy});
  }
  report.checks.push_back(std::move(check));
}

// Hub-cache names and the like: digests that came with the model.
void check_what_came_along(Report& report, const ModelInfo& info, const ModelDigests& digests) {
  for (const ModelFile& file : info.files) {
    if (file.format == "lfs-pointer") continue;
    DigestCheck check{.file = file.path, .source = file.expected_from};
    if (file.expected_sha256) {
      const auto digest = std::ranges::find(digests.files, file.path, &FileDigest::path);
      // One that could not be read has its problem already.
      if (digest == digests.files.end()) continue;
      check.expected = *file.expected_sha256;
      check.actual = digest->sha256;
    } else if (file.expected_git_sha1) {
      const auto text = read_small_file(file.real_path, file.path, largest_in_git);
      if (!text) continue;
      check.expected = *file.expected_git_sha1;
      check.actual = git_blob_sha1(std::as_bytes(std::span(*text)));
    } else {
      continue;
    }
    add_check(report, std::move(check));
  }
}

void check_lists(Report& report, const ModelDigests& digests,
                 const std::vector<std::string>& lists) {
  for (const std::string& list : lists) {
    const auto expected = read_expected_digests(list);
    if (!expected) {
      fail(report, expected.error());
      continue;
    }
    for (const ExpectedDigest& each : *expected) {
      const FileDigest* file = file_for(digests.files, each.path);
      add_check(report, {.file = each.path,
                         .expected = each.sha256,
                         .actual = file == nullptr ? "" : file->sha256,
                         .source = list});
    }
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
  Subject& subject = report.subject.emplace(subject_of(**opened));
  take_problems(report, **opened);
  take_contradictions(report, **opened);
  if (!(*opened)->model) {
    if (!subject.digests) {
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
  for (Problem& problem : digests->problems) fail(report, std::move(problem));
  if (digests->tensors.empty()) {  // a digest of nothing would be everybody's
    digests->named.clear();
    digests->bag.clear();
  }
  const ModelDigests& made = subject.digests.emplace(std::move(*digests));
  if (options.h0) check_what_came_along(report, subject.info, made);
  check_lists(report, made, request.verify);
  return report;
}

}  // namespace pedigree
