#include "base/parallel.h"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <vector>

namespace pedigree {

std::optional<Problem> parallel_for(
    std::size_t count, unsigned threads, const Progress& progress,
    const std::function<std::optional<Problem>(std::size_t)>& body) {
  std::vector<std::optional<Problem>> problems(count);
  const auto one = [&](std::size_t index) {
    if (progress.stop()) {
      problems[index] = make_problem("interrupted", {}, "interrupted");
    } else {
      problems[index] = body(index);
    }
  };
  if (threads == 1 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) one(i);
  } else {
    const int cores = tbb::info::default_concurrency();
    const int wanted = threads == 0 ? cores : static_cast<int>(std::min(threads, 1024U));
    // More threads than cores must be allowed first, or TBB warns on stderr.
    const tbb::global_control allowed(tbb::global_control::max_allowed_parallelism,
                                      static_cast<std::size_t>(std::max(wanted, cores)));
    tbb::task_arena arena(wanted);
    arena.execute(
        [&] { tbb::parallel_for(std::size_t{0}, count, one, tbb::simple_partitioner()); });
  }
  for (auto& problem : problems) {
    if (problem) return std::move(problem);
  }
  return std::nullopt;
}

}  // namespace pedigree
