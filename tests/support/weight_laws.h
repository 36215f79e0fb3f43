// What holds for any bytes given to read_weights().
#pragma once

#include <string>

namespace pedigree {

// "" when the laws hold for this content: a value comes back; its problems have
// known codes, messages in UTF-8 and places within the file; extents lie inside
// and have the size that shape and type give; arranged tensors can be read.
std::string broken_weight_law(const std::string& content);

}  // namespace pedigree
