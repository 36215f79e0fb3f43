#include "base/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace pedigree {
namespace {

std::string reason(int code) { return std::generic_category().message(code); }

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

class FileSource final : public Source {
 public:
  FileSource(int descriptor, const struct stat& status, std::string name)
      : descriptor_(descriptor), status_(status), name_(std::move(name)) {}
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override { ::close(descriptor_); }

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return static_cast<std::uint64_t>(status_.st_size); }

  std::optional<Problem> still_the_same() const override {
    struct stat now = {};
    if (::fstat(descriptor_, &now) == 0 && now.st_size == status_.st_size &&
        same_time(now.st_mtim, status_.st_mtim)) {
      return std::nullopt;
    }
    return make_problem("file-changed-while-reading", name_, "the file changed during the run");
  }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(descriptor_, out.data() + done,
                                  std::min<std::size_t>(out.size() - done, 1U << 30),
                                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return make_problem("io-error", name_, reason(errno), offset + done);
      if (got == 0) {
        return make_problem("io-short-read", name_,
                            fmt::format("the file ends {} bytes early", out.size() - done),
                            offset + done);
      }
      done += static_cast<std::size_t>(got);
    }
    return std::nullopt;
  }

 private:
  int descriptor_;
  struct stat status_;
  std::string name_;
};

}  // namespace

std::optional<Problem> Source::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size() || out.size() > size() - offset) {
    return make_problem(
        "io-short-read", name(),
        fmt::format("{} bytes were asked for at {} of a file of {}", out.size(), offset, size()),
        offset);
  }
  bytes_read_.fetch_add(out.size(), std::memory_order_relaxed);
  return do_read(offset, out);
}

Result<std::unique_ptr<Source>> open_file(const std::string& path, std::string name) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return std::unexpected(make_problem("io-error", std::move(name), reason(errno)));
  }
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return std::unexpected(
        make_problem("not-a-regular-file", std::move(name), "this is not a regular file"));
  }
  return std::make_unique<FileSource>(descriptor, status, std::move(name));
}

MemorySource::MemorySource(std::string name, std::string_view text) : name_(std::move(name)) {
  const auto bytes = std::as_bytes(std::span(text));
  bytes_.assign(bytes.begin(), bytes.end());
}

std::optional<Problem> MemorySource::do_read(std::uint64_t offset, std::span<std::byte> out) const {
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return std::nullopt;
}

}  // namespace pedigree
