// The reporters this version can write, one per file.
#pragma once

#include "report/report.h"

namespace pedigree {

extern const Reporter dot_reporter;
extern const Reporter text_reporter;
extern const Reporter json_reporter;
extern const Reporter markdown_reporter;

}  // namespace pedigree
