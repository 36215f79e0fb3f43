// Two sets of weights in one directory: which of them a loader takes is its own choice,
// so the one that was not read is compared with the one that was.
#pragma once

#include "tasks/judge.h"

namespace pedigree {

// Adds to the problem that names the second set what the weights of both say of each
// other; nothing where that set cannot be opened as one file.
void compare_rival(Report& report, Opened& subject, const JudgeOptions& judge);

}  // namespace pedigree
