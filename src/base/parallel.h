// The one place where threads start.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "base/problem.h"
#include "base/progress.h"

namespace pedigree {

// Runs body(0) … body(count-1) on up to `threads` threads (0: one per core).
// Each call writes only to its own slot, so the result does not depend on the
// number of threads. Returns the first problem by index, or `interrupted`.
std::optional<Problem> parallel_for(std::size_t count, unsigned threads, const Progress& progress,
                                    const std::function<std::optional<Problem>(std::size_t)>& body);

}  // namespace pedigree
