#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/digest_checks.h"
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

// The digest of the kind that was expected; "" where the file is not there.
std::string actual_for(const ExpectedDigest& expected, const FileDigest* file,
                       const ModelInfo& info) {
  if (file == nullptr) return {};
  if (expected.md5.empty()) return file->sha256;
  const auto model_file = std::ranges::find(info.files, file->path, &ModelFile::path);
  if (model_file == info.files.end()) return {};
  return md5_of(model_file->real_path, model_file->path).value_or("");
}

void check_lists(Report& report, const ModelInfo& info, const ModelDigests& digests,
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
                         .expected = each.md5.empty() ? each.sha256 : each.md5,
                         .actual = actual_for(each, file, info),
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
  check_lists(report, subject.info, made, request.verify);
  return report;
}

}  // namespace pedigree
