// Does a JSON text satisfy one of our schemas? "" when it does, else why not.
#pragma once

#include <string>
#include <string_view>

namespace pedigree::test {

std::string schema_complaints(std::string_view schema_name, std::string_view json);

}  // namespace pedigree::test
