// What each reporter makes of a report with a tree.
#pragma once

#include <string>

#include "report/report.h"

namespace pedigree {

std::string tree_text(const Report& report, const RenderOptions& options);
std::string tree_json(const Report& report, const RenderOptions& options);
std::string tree_markdown(const Report& report);

}  // namespace pedigree
