// Reports made by hand: one that says everything, with hostile names, and
// smaller ones. No test here computes a number.
#pragma once

#include "report/report.h"

namespace pedigree::test {

// Holds a newline, ESC, a bidirectional override, HTML, a pipe and backticks.
inline const std::string hostile =
    "bad\n\x1b[31m\u202E<script>alert(1)</script>|`x`[a](http://e.x)";

Report full_report();     // audit against two bases, everything filled
Report inspect_report();  // no comparison
Report independent_report();
Report tree_report();  // everything a tree can hold, under hostile names

}  // namespace pedigree::test
