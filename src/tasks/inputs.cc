#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "tasks/tasks.h"

namespace pedigree {
namespace {

constexpr std::size_t limit = std::size_t{64} << 20U;

Problem failed(const std::string& name) {
  // Signals end the wait for a pipe's other end; they are there to stop the run.
  if (errno == EINTR) return make_problem("interrupted", name, "interrupted while reading");
  return make_problem("io-error", name, std::generic_category().message(errno));
}

Result<std::string> read_descriptor(int descriptor, const std::string& name) {
  std::string text;
  std::array<char, 65536> part = {};
  for (;;) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got < 0) return std::unexpected(failed(name));
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) {
      return std::unexpected(make_problem("limit-exceeded", name, "over 64 MB of text"));
    }
  }
}

}  // namespace

// These lists come from whoever runs the tool, so pipes (`<(…)`) are welcome,
// unlike inside a model.
Result<std::string> read_text_input(const std::string& path) {
  if (path == "-") return read_descriptor(STDIN_FILENO, "standard input");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return std::unexpected(failed(path));
  auto text = read_descriptor(descriptor, path);
  ::close(descriptor);
  return text;
}

}  // namespace pedigree
