// The table of reports. To add one, write report/<id>.cc, which defines one
// Reporter, and name it here.
#include "report/reporters.h"

#include <algorithm>
#include <array>

namespace pedigree {
namespace {

// Named by the contract, so that the answer can be "not yet" and not "unknown".
constexpr Reporter html_reporter{.id = "html", .title = "one self-contained page"};
constexpr Reporter sarif_reporter{.id = "sarif", .title = "SARIF 2.1.0"};
constexpr Reporter junit_reporter{.id = "junit", .title = "JUnit XML"};
constexpr Reporter cyclonedx_reporter{.id = "cyclonedx", .title = "CycloneDX BOM"};
constexpr Reporter spdx_reporter{.id = "spdx", .title = "SPDX 3 BOM"};
constexpr Reporter intoto_reporter{.id = "intoto", .title = "in-toto statement"};

constexpr std::array<const Reporter*, 10> table = {
    &text_reporter,  &json_reporter,      &markdown_reporter, &html_reporter,   &sarif_reporter,
    &junit_reporter, &cyclonedx_reporter, &spdx_reporter,     &intoto_reporter, &dot_reporter};

}  // namespace

std::span<const Reporter* const> reporters() { return table; }

const Reporter* find_reporter(std::string_view id) {
  const auto* const found = std::ranges::find(table, id, &Reporter::id);
  return found == table.end() ? nullptr : *found;
}

}  // namespace pedigree
