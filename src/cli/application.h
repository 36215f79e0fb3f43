// argv in, exit status out.
#pragma once

#include <string>
#include <vector>

#include "cli/settings.h"

namespace pedigree {

// `words` is the command line without the program's name.
int run_application(const std::vector<std::string>& words, const Environment& environment);

}  // namespace pedigree
