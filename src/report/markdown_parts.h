// Text that reads as itself wherever it stands in Markdown.
#pragma once

#include <string>
#include <string_view>

namespace pedigree {

// For any inline position, table cells included: no heading, link, image or HTML
// can come of a name in a file.
std::string md(std::string_view text);

}  // namespace pedigree
