// Expected digests held against the files they name, as checks and findings of a report.
#pragma once

#include <optional>
#include <string>

#include "report/report.h"

namespace pedigree {

// MD5 is asked for rarely: the file is read once more for it. None where it cannot be.
std::optional<std::string> md5_of(const std::string& real_path, const std::string& name);

// `check` holds what was expected and what is there, "" where nothing is.
void add_check(Report& report, DigestCheck check);

// Hub-cache names, checklists and the like: digests that came with the model. `digests`
// hold those of its files.
void check_what_came_along(Report& report, const ModelInfo& info, const ModelDigests& digests);

}  // namespace pedigree
