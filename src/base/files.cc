#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/confinement.h"
#include "base/text.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_files = 100'000;

bool is_skipped_folder(const std::string& name) {
  return name == ".git" || name == ".locks" || name == ".no_exist" || name == "__pycache__";
}

class Lister {
 public:
  Lister(fs::path root, fs::path confinement, unsigned depth)
      : root_(std::move(root)), confinement_(std::move(confinement)), depth_(depth) {}

  std::optional<Problem> walk(const fs::path& folder, const std::string& prefix, unsigned level) {
    std::error_code error;
    fs::directory_iterator at(folder, error);
    if (error) {
      if (prefix.empty()) return make_problem("io-error", folder.filename(), error.message());
      listing.problems.push_back(make_problem("io-error", prefix, error.message()));
      return std::nullopt;
    }
    for (const fs::directory_iterator end; at != end; at.increment(error)) {
      if (error) return make_problem("io-error", prefix, error.message());
      if (++seen_ > max_files) {
        return make_problem("too-many-files", prefix,
                            fmt::format("over {} directory entries", max_files));
      }
      visit(*at, prefix, level);
    }
    return std::nullopt;
  }

  Listing listing;

 private:
  void visit(const fs::directory_entry& entry, const std::string& prefix, unsigned level) {
    const std::string raw = entry.path().filename().string();
    const std::string name = prefix + percent_escaped(raw);
    if (!is_valid_utf8(raw)) {
      listing.problems.push_back(
          make_problem("name-not-utf8", name, "the file's name holds bytes that are no UTF-8"));
    }
    std::error_code error;
    const bool link = entry.is_symlink(error);
    const fs::path real = link ? fs::canonical(entry.path(), error) : entry.path();
    if (link && error) {
      listing.problems.push_back(
          make_problem("io-error", name, "the symbolic link leads nowhere: " + error.message()));
      return;
    }
    if (link && !lies_within(real, confinement_)) {
      listing.problems.push_back(
          make_problem("symlink-escape", name, "the symbolic link leads outside the model"));
      return;
    }
    const fs::file_status status = fs::status(real, error);
    if (fs::is_directory(status)) {
      if (!link && level < depth_ && !is_skipped_folder(raw)) {
        if (auto problem = walk(real, name + "/", level + 1)) {
          listing.problems.push_back(std::move(*problem));
        }
      }
    } else if (fs::is_regular_file(status)) {
      const auto size = fs::file_size(real, error);
      listing.files.push_back({name, real.string(), error ? 0 : size, link});
    } else {
      listing.problems.push_back(
          make_problem("not-a-regular-file", name, "a device, socket or pipe was left out"));
    }
  }

  fs::path root_;
  fs::path confinement_;
  unsigned depth_;
  std::size_t seen_ = 0;
};

Problem output_problem(const std::string& path) {
  return make_problem("output-error", path, std::generic_category().message(errno));
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// A pipe that nobody reads is refused and not waited for.
std::optional<Problem> write_into(const std::string& path, std::string_view bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return output_problem(path);
  std::optional<Problem> problem;
  if (::fcntl(descriptor, F_SETFL, 0) != 0 || !write_all(descriptor, bytes)) {
    problem = output_problem(path);
  }
  ::close(descriptor);
  return problem;
}

}  // namespace

Result<Listing> list_directory(const std::string& root, const std::string& confinement,
                               unsigned depth) {
  std::error_code error;
  const fs::path real_root = fs::canonical(root, error);
  if (error) return std::unexpected(make_problem("io-error", root, error.message()));
  const fs::path real_confinement =
      confinement.empty() ? real_root : fs::canonical(confinement, error);
  if (error) return std::unexpected(make_problem("io-error", confinement, error.message()));
  Lister lister(real_root, real_confinement, depth);
  if (auto problem = lister.walk(real_root, {}, 0)) return std::unexpected(std::move(*problem));
  std::ranges::sort(lister.listing.files, {}, &ListedFile::path);
  std::ranges::sort(lister.listing.problems, {}, &Problem::file);
  return std::move(lister.listing);
}

bool is_confined_name(std::string_view name) {
  if (name.empty() || name.size() > 4096) return false;
  if (name.front() == '/' || name.back() == '/') return false;
  if (name.find('\\') != name.npos || name.find('\0') != name.npos) return false;
  if (name.size() > 1 && name[1] == ':' &&
      std::isalpha(static_cast<unsigned char>(name.front())) != 0) {
    return false;
  }
  while (!name.empty()) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    name.remove_prefix(std::min(slash + 1, name.size()));
  }
  return true;
}

Result<std::string> read_small_file(const std::string& path, std::string name,
                                    std::uint64_t limit) {
  auto source = open_file(path, std::move(name));
  if (!source) return std::unexpected(std::move(source.error()));
  const std::uint64_t size = (*source)->size();
  if (size > limit) {
    return std::unexpected(
        make_problem("auxiliary-file-unreadable", (*source)->name(),
                     fmt::format("the file has {}, more than the {} that are read", byte_size(size),
                                 byte_size(limit))));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  if (auto problem = (*source)->read_at(0, std::as_writable_bytes(std::span(text)))) {
    return std::unexpected(std::move(*problem));
  }
  return text;
}

std::optional<Problem> write_atomically(const std::string& path, std::string_view bytes) {
  struct stat there = {};
  const bool exists = ::stat(path.c_str(), &there) == 0;
  if (exists && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode)) return write_into(path, bytes);
  std::error_code error;
  const std::string target = exists ? fs::canonical(path, error).string() : path;
  if (error) return make_problem("output-error", path, error.message());
  std::string temporary = target + ".XXXXXX";
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0) return output_problem(path);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const mode_t mode = exists ? there.st_mode & 0777U : 0666U & ~mask;
  const bool written =
      write_all(descriptor, bytes) && ::fchmod(descriptor, mode) == 0 && ::fsync(descriptor) == 0;
  std::optional<Problem> problem;
  if (!written) problem = output_problem(path);
  ::close(descriptor);
  if (!problem && ::rename(temporary.c_str(), target.c_str()) != 0) problem = output_problem(path);
  if (problem) ::unlink(temporary.c_str());
  return problem;
}

}  // namespace pedigree
