#include <iostream>
#include <iterator>
#include <string>

#include "base/files.h"
#include "tasks/tasks.h"

namespace pedigree {

Result<std::string> read_text_input(const std::string& path) {
  constexpr std::uint64_t limit = std::uint64_t{64} << 20U;
  if (path != "-") return read_small_file(path, path, limit);
  std::string text;
  for (std::istreambuf_iterator<char> at(std::cin), end; at != end; ++at) {
    if (text.size() == limit) {
      return std::unexpected(
          make_problem("limit-exceeded", "standard input", "over 64 MB of text"));
    }
    text += *at;
  }
  return text;
}

}  // namespace pedigree
