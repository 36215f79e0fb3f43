#include "base/parallel.h"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

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
    tbb::task_arena arena(threads == 0 ? tbb::info::default_concurrency()
                                       : static_cast<int>(threads));
    arena.execute(
        [&] { tbb::parallel_for(std::size_t{0}, count, one, tbb::simple_partitioner()); });
  }
  for (auto& problem : problems) {
    if (problem) return std::move(problem);
  }
  return std::nullopt;
}

}  // namespace pedigree
