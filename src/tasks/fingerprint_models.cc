#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/files.h"
#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

// A model's name as one file name: no folders, nothing hidden, no control bytes.
std::string file_name_for(std::string_view model) {
  std::string name;
  for (const char c : model) {
    const bool odd = static_cast<unsigned char>(c) < 0x20 || c == '/' || c == '\\' || c == 0x7f;
    name += odd ? '-' : c;
  }
  while (name.starts_with('.')) name.erase(0, 1);
  return name.empty() ? "model" : name;
}

// Where each fingerprint goes; two models of one name get two files.
class Targets {
 public:
  Targets(const std::string& to, std::size_t models) : to_(to) {
    std::error_code error;
    is_folder_ = to.empty() || to.ends_with('/') || models > 1 || fs::is_directory(to, error);
  }

  Result<std::string> path_for(const std::string& model) {
    if (!is_folder_) return to_.string();
    std::error_code error;
    if (!to_.empty()) fs::create_directories(to_, error);
    if (error) return std::unexpected(make_problem("output-error", to_.string(), error.message()));
    const std::string stem = file_name_for(model);
    std::string name = stem;
    for (unsigned n = 2; !taken_.insert(name).second; ++n) name = fmt::format("{}-{}", stem, n);
    return (to_ / (name + ".pedigree")).string();
  }

 private:
  fs::path to_;
  bool is_folder_ = false;
  std::set<std::string> taken_;
};

std::optional<Problem> write_fingerprint(Report& report, const Opened& opened, Targets& targets,
                                         const FingerprintOptions& options) {
  const auto made = make_fingerprint(*opened.model, options);
  if (!made) return made.error();
  const auto path = targets.path_for(opened.name());
  if (!path) return path.error();
  const std::string bytes = to_bytes(*made);
  if (auto problem = not_finite(*made, opened.name())) report.problems.push_back(*problem);
  if (auto problem = write_atomically(*path, bytes)) return problem;
  report.scheme = made->scheme;
  report.written.push_back({.model = opened.name(),
                            .path = *path,
                            .scheme = made->scheme,
                            .size = bytes.size(),
                            .bytes_read = made->bytes_read,
                            .weight_bytes = made->weight_bytes});
  return std::nullopt;
}

void fingerprint_one(Report& report, const std::string& path, Targets& targets,
                     const FingerprintOptions& options, bool several) {
  const auto opened = open_argument(path);
  if (!opened) return fail(report, opened.error());
  if (!(*opened)->model) {
    return fail(report, make_problem("not-a-model", path, "it is a fingerprint already"));
  }
  const Model& model = *(*opened)->model;
  const std::size_t before = report.problems.size();
  take_problems(report, **opened);
  take_contradictions(report, **opened);
  for (std::size_t i = before; several && i < report.problems.size(); ++i) {
    report.problems[i].file = (*opened)->name() + "/" + report.problems[i].file;
  }
  if (model.only_pointers || model.tensors.empty()) return;
  if (auto problem = write_fingerprint(report, **opened, targets, options)) {
    fail(report, std::move(*problem));
  }
}

}  // namespace

Report fingerprint_models(const FingerprintRequest& request) {
  Report report = new_report("fingerprint");
  FingerprintOptions options;
  options.digests = request.digests;
  options.deep = request.deep;
  options.threads = request.run.threads;
  options.progress = request.run.progress;
  auto salt = read_salt(request.salt_file);
  if (!salt) {
    fail(report, std::move(salt.error()));
    return report;
  }
  options.salt = std::move(*salt);
  Targets targets(request.to, request.models.size());
  for (const std::string& path : request.models) {
    if (request.run.progress.stop()) {
      fail(report, make_problem("interrupted", {}, "stopped"));
      break;
    }
    fingerprint_one(report, path, targets, options, request.models.size() > 1);
  }
  return report;
}

}  // namespace pedigree
