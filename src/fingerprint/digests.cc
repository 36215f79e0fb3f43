// One pass: a worker takes a file, reads it in order, and hands every chunk to
// the file's own hash and to the tensors that lie in it. Only parts that are not
// contiguous in the file (transposed, interleaved) are read a second time.
#include "fingerprint/digests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "base/parallel.h"
#include "fingerprint/digest_pass.h"
#include "fingerprint/value_hash.h"

namespace pedigree {
namespace {

// How many files must be large for one worker a file to keep all cores busy.
constexpr std::uint64_t large_file = std::uint64_t{64} << 20U;

struct FileTask {
  const Source* source = nullptr;
  std::unique_ptr<Source> opened;  // when the model does not hold it open
  std::string path;
};

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  return fmt::format("{}", fmt::join(shape, "x"));
}

std::string key_of(const TensorDigest& tensor) {
  if (tensor.role.empty()) return tensor.name;
  if (tensor.expert >= 0) {
    return fmt::format("{}:{}:{}", tensor.layer, tensor.expert, tensor.role);
  }
  return fmt::format("{}:{}", tensor.layer, tensor.role);
}

// Lines carry their length, so that no name can imitate two.
std::string digest_of_lines(std::string_view scheme, std::vector<std::string> lines) {
  std::ranges::sort(lines);
  Sha256 hash;
  for (const std::string& line : lines) {
    std::array<std::byte, 8> length = {};
    for (std::size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<std::byte>(std::uint64_t{line.size()} >> (8 * i) & 0xFFU);
    }
    hash.update(length);
    hash.update(line);
  }
  return digest_string(scheme, hash.finish());
}

void add_model_digests(const DigestOptions& options, ModelDigests& digests) {
  if (!options.h1 && !options.h2) return;
  std::vector<std::string> named;
  std::vector<std::string> bag;
  for (const TensorDigest& tensor : digests.tensors) {
    const std::string& digest = tensor.h2.empty() ? tensor.h1 : tensor.h2;
    if (digest.empty() || (tensor.fused && options.h2)) continue;
    named.push_back(key_of(tensor) + '\t' + shape_text(tensor.shape) + '\t' + digest);
    bag.push_back(digest);
  }
  const std::string_view tier = options.h2 ? "h2" : "h1";
  digests.named = digest_of_lines(fmt::format("named-{}/1", tier), std::move(named));
  digests.bag = digest_of_lines(fmt::format("bag-{}/1", tier), std::move(bag));
}

// Every file of the model, the weights through the sources it holds open.
std::vector<FileTask> file_tasks(const Model& model, const DigestOptions& options,
                                 std::vector<Problem>& problems) {
  std::vector<FileTask> tasks;
  std::map<std::string_view, std::size_t> held;
  for (const auto& shard : model.shards) {
    held.emplace(shard->name(), tasks.size());  // one that arranges another has its name
    tasks.push_back({.source = shard.get(), .opened = {}, .path = shard->name()});
  }
  if (!options.h0) return tasks;
  for (const ModelFile& file : model.files) {
    if (held.contains(file.path) || file.format == "lfs-pointer") continue;
    auto source = open_file(file.real_path, file.path);
    if (!source) {
      problems.push_back(std::move(source.error()));
      continue;
    }
    const Source* const opened = source->get();
    tasks.push_back({.source = opened, .opened = std::move(*source), .path = file.path});
  }
  return tasks;
}

bool files_outnumber_threads(const std::vector<FileTask>& tasks, const DigestOptions& options) {
  const unsigned threads =
      options.threads == 0 ? std::thread::hardware_concurrency() : options.threads;
  const auto large = std::ranges::count_if(
      tasks, [](const FileTask& task) { return task.source->size() >= large_file; });
  return static_cast<unsigned>(large) >= threads;
}

}  // namespace

Result<ModelDigests> digest_model(const Model& model, const DigestOptions& options) {
  ModelDigests digests;
  const std::vector<FileTask> tasks = file_tasks(model, options, digests.problems);
  const DigestPlan plan = plan_digests(model, options, digests.tensors);
  const ShardPlan no_tensors;
  const FilePass pass(model, options, digests.tensors,
                      options.threads != 1 && !files_outnumber_threads(tasks, options));
  std::uint64_t total = 0;
  for (const FileTask& task : tasks) total += task.source->size();
  std::atomic<std::uint64_t> done = 0;
  const auto tell = [&](std::uint64_t bytes) {
    const std::uint64_t so_far = done.fetch_add(bytes) + bytes;
    if (options.progress.report) options.progress.report("hashing", so_far, total);
  };
  std::vector<FileDigest> files(tasks.size());
  auto problem =
      parallel_for(tasks.size(), options.threads, options.progress, [&](std::size_t index) {
        const FileTask& task = tasks[index];
        files[index] = {.path = task.path, .size = task.source->size()};
        return pass.run(*task.source, index < plan.shards.size() ? plan.shards[index] : no_tensors,
                        files[index], tell);
      });
  if (!problem) {
    problem = parallel_for(plan.rest.size(), options.threads, options.progress,
                           [&](std::size_t index) { return pass.run_rows(plan.rest[index]); });
  }
  if (problem) return std::unexpected(std::move(*problem));
  for (std::size_t i = 0; i < plan.parents.size(); ++i) {
    digests.tensors[model.tensors.size() + i].informative =
        digests.tensors[plan.parents[i]].informative;
  }
  if (options.h0) {
    // Sources that arrange the bytes of a file are no files.
    std::erase_if(files, [](const FileDigest& file) { return file.sha256.empty(); });
    digests.files = std::move(files);
  }
  std::ranges::sort(digests.files, {}, &FileDigest::path);
  std::ranges::sort(digests.tensors, {}, &TensorDigest::name);
  add_model_digests(options, digests);
  return digests;
}

}  // namespace pedigree
