#include "tasks/opened.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/parallel.h"
#include "fingerprint/sampling.h"
#include "model/contradictions.h"
#include "model/towers.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

constexpr std::size_t most_models = 48;
constexpr std::size_t most_open_files = 512;

// Problems after which the file's content is not known. The others describe a
// file that was read.
constexpr std::array<std::string_view, 15> hiding = {"io-error",
                                                     "io-short-read",
                                                     "file-changed-while-reading",
                                                     "not-a-model",
                                                     "too-many-files",
                                                     "not-a-weight-file",
                                                     "duplicate-key",
                                                     "limit-exceeded",
                                                     "index-malformed",
                                                     "index-missing-shard",
                                                     "index-missing-tensor",
                                                     "manifest-malformed",
                                                     "image-blob-missing",
                                                     "fingerprint-malformed",
                                                     "fingerprint-scheme"};

// Where nothing else was there to read, what was left out may have been the weights.
constexpr std::array<std::string_view, 3> left_out = {"format-unsupported", "not-a-regular-file",
                                                      "symlink-escape"};

Result<std::shared_ptr<Opened>> open_fingerprint(const std::string& path, const Source& source) {
  auto fingerprint = read_fingerprint(source);
  if (!fingerprint) return std::unexpected(std::move(fingerprint.error()));
  auto opened = std::make_shared<Opened>();
  opened->path = path;
  opened->stored = std::make_unique<const Fingerprint>(std::move(*fingerprint));
  return opened;
}

// "path::vision_tower" is a part of the model at `path`, unless a file has that very name.
Result<std::unique_ptr<Model>> open_part(const std::string& path) {
  std::error_code error;
  auto [whole, part] = split_part(path);
  if (part.empty() || std::filesystem::exists(path, error)) return open_model(path);
  return open_model(whole, {.part = part});
}

}  // namespace

Result<std::shared_ptr<Opened>> open_argument(const std::string& path) {
  if (path.starts_with("catalog:")) {
    return std::unexpected(
        make_problem("not-available-yet", path, "catalogues are not available in this version"));
  }
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    const auto source = open_file(path, std::filesystem::path(path).filename().string());
    if (!source) return std::unexpected(source.error());
    if (looks_like_fingerprint(**source)) return open_fingerprint(path, **source);
  }
  auto model = open_part(path);
  if (!model) return std::unexpected(std::move(model.error()));
  auto opened = std::make_shared<Opened>();
  opened->path = path;
  opened->model = std::move(*model);
  return opened;
}

std::shared_ptr<Opened> OpenedStore::kept(const std::string& path) {
  const auto at = std::ranges::find(recent_, path, [](const auto& each) { return each->path; });
  if (at == recent_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, at);
  return recent_.front();
}

Result<std::shared_ptr<Opened>> OpenedStore::open(const std::string& path) {
  if (auto opened = kept(path)) return opened;
  auto opened = open_argument(path);
  if (!opened) return opened;
  recent_.push_front(*opened);
  make_room();
  return opened;
}

void OpenedStore::open_ahead(const std::string& first, const std::string& second,
                             unsigned threads) {
  if (first == second || kept(first) || kept(second)) return;
  const std::array<const std::string*, 2> paths = {&first, &second};
  std::array<std::shared_ptr<Opened>, 2> opened;
  const auto failed =
      parallel_for(paths.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        if (auto one = open_argument(*paths[i])) opened[i] = std::move(*one);
        return std::nullopt;
      });
  check(!failed, "opening ahead leaves its problems to open()");
  for (auto& each : opened) {
    if (each) recent_.push_front(std::move(each));
  }
  make_room();
}

void OpenedStore::make_room() {
  const auto open_files = [&] {
    return std::accumulate(recent_.begin(), recent_.end(), std::size_t{0},
                           [](std::size_t sum, const auto& each) {
                             return sum + (each->model ? each->model->shards.size() : 0);
                           });
  };
  // The two used last stay: they may be a pair at work.
  while (recent_.size() > 2 && (recent_.size() > most_models || open_files() > most_open_files)) {
    recent_.pop_back();
  }
}

Subject subject_of(const Opened& opened) {
  Subject subject;
  if (opened.model) {
    subject.info = *opened.model;  // the values, without the open files
    return subject;
  }
  const Fingerprint& stored = *opened.stored;
  subject.fingerprint_scheme = stored.scheme;
  subject.info.name = stored.name;
  subject.info.root = opened.path;
  subject.info.formats = stored.formats;
  subject.info.architecture = stored.architecture;
  subject.info.claims = stored.claims;
  subject.info.parameters = stored.parameters;
  subject.info.weight_bytes = stored.weight_bytes;
  subject.digests = stored.digests;
  return subject;
}

bool hides_the_answer(const Problem& problem) {
  if (problem.severity != Severity::error) return false;
  return problem.code.starts_with("safetensors-") || problem.code.starts_with("gguf-") ||
         std::ranges::find(hiding, problem.code) != hiding.end();
}

Standing standing_of(const Model& model) {
  if (model.only_pointers) return Standing::nothing;
  // Where all shards are missing there is nothing, and not a part that cannot be read.
  const bool no_weights =
      model.tensors.empty() &&
      std::ranges::find(model.problems, "no-weights", &Problem::code) != model.problems.end();
  const bool hidden = std::ranges::any_of(model.problems, [&](const Problem& problem) {
    return hides_the_answer(problem) && !(no_weights && problem.code == "index-missing-shard");
  });
  const bool out_of_reach = std::ranges::any_of(model.problems, [](const Problem& problem) {
    return std::ranges::find(left_out, problem.code) != left_out.end();
  });
  if (hidden || (model.tensors.empty() && out_of_reach)) return Standing::unreadable;
  return model.tensors.empty() ? Standing::nothing : Standing::readable;
}

std::optional<Problem> not_finite(const Fingerprint& fingerprint, const std::string& name) {
  const auto is_bad = [](const Moments& moments) { return !moments.finite; };
  const auto first = std::ranges::find_if(fingerprint.moments, is_bad);
  if (first == fingerprint.moments.end()) return std::nullopt;
  const auto count = std::ranges::count_if(fingerprint.moments, is_bad);
  std::string message = first->role;
  if (first->layer >= 0) message += fmt::format(" of layer {}", first->layer);
  if (first->expert >= 0) message += fmt::format(", expert {},", first->expert);
  message += count == 1 ? " holds NaN or infinity"
                        : fmt::format(" and {} more hold NaN or infinity", count - 1);
  return make_problem("tensor-not-finite", name, std::move(message));
}

void fail(Report& report, Problem problem) {
  const bool nothing = problem.code == "no-weights" || problem.code == "weights-not-downloaded" ||
                       problem.code == "weights-elsewhere";
  report.nothing_to_do = report.nothing_to_do || nothing;
  report.unreadable = report.unreadable || (!nothing && problem.code != "interrupted");
  if (std::ranges::find(report.problems, problem) != report.problems.end()) return;
  report.problems.push_back(std::move(problem));
}

void take_problems(Report& report, const Opened& opened) {
  if (!opened.model) return;
  const Model& model = *opened.model;
  report.problems.insert(report.problems.end(), model.problems.begin(), model.problems.end());
  const Standing standing = standing_of(model);
  report.unreadable = report.unreadable || standing == Standing::unreadable;
  report.nothing_to_do = report.nothing_to_do || standing == Standing::nothing;
}

void take_contradictions(Report& report, const Opened& opened) {
  if (!opened.model) return;
  std::ranges::move(stored_contradictions(*opened.model), std::back_inserter(report.problems));
}

Result<std::string> read_salt(const std::string& path) {
  if (path.empty()) return std::string{};
  auto salt = read_small_file(path, path, 4096);
  if (salt && salt->empty()) {
    return std::unexpected(make_problem("io-short-read", path, "the salt is empty"));
  }
  return salt;
}

Report new_report(std::string command) {
  Report report;
  report.command = std::move(command);
  report.tool_version = PEDIGREE_VERSION;
  report.scheme = SamplingScheme{}.id();
  return report;
}

Report failed_report(std::string command, Problem problem) {
  Report report = new_report(std::move(command));
  fail(report, std::move(problem));
  return report;
}

}  // namespace pedigree
