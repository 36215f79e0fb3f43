#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>

#include "tasks/tasks.h"

namespace pedigree {
namespace {

constexpr std::size_t limit = std::size_t{64} << 20U;

Result<std::string> read_stream(std::istream& in, const std::string& name) {
  std::string text;
  for (std::istreambuf_iterator<char> at(in), end; at != end; ++at) {
    if (text.size() == limit) {
      return std::unexpected(make_problem("limit-exceeded", name, "over 64 MB of text"));
    }
    text += *at;
  }
  return text;
}

}  // namespace

// These lists come from whoever runs the tool, so pipes (`<(…)`) are welcome,
// unlike inside a model.
Result<std::string> read_text_input(const std::string& path) {
  if (path == "-") return read_stream(std::cin, "standard input");
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return std::unexpected(make_problem("io-error", path, std::generic_category().message(errno)));
  }
  return read_stream(file, path);
}

}  // namespace pedigree
