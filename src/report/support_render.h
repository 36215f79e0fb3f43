// The reporters' answers to `inspect --formats`.
#pragma once

#include <span>
#include <string>

#include "report/report.h"

namespace pedigree {

std::string support_text(std::span<const Supported> rows, const RenderOptions& options);
std::string support_json(std::span<const Supported> rows, const RenderOptions& options);
std::string support_markdown(std::span<const Supported> rows, const RenderOptions& options);

}  // namespace pedigree
