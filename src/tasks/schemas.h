// The files of schemas/, which travel in the binary.
#pragma once

#include <span>

#include "base/embedded.h"

namespace pedigree {

std::span<const EmbeddedFile> embedded_tasks();  // written by scripts/embed.cmake

}  // namespace pedigree
