// git-lfs pointers: text under 1024 bytes, "key value" lines, version first.
#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "formats/formats.h"

namespace pedigree {
namespace {

constexpr std::string_view versions[] = {"https://git-lfs.github.com/spec/v1",
                                         "https://hawser.github.com/spec/v1"};
constexpr std::size_t size_limit = 1024;

struct Line {
  std::string_view key = {};
  std::string_view value = {};
};

std::optional<Line> next_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);  // a checkout on Windows
  const std::size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size()) return std::nullopt;
  return Line{.key = line.substr(0, space), .value = line.substr(space + 1)};
}

std::optional<std::string> object_id(std::string_view value) {
  constexpr std::string_view prefix = "sha256:";
  if (!value.starts_with(prefix)) return std::nullopt;
  const auto digest = sha256_from_hex(value.substr(prefix.size()));
  if (!digest) return std::nullopt;
  return to_hex(*digest);
}

// Takes one of the two lines that matter into `into`; false when it stands
// twice or cannot be read.
template <class T>
bool take(std::optional<T>& into, std::optional<T> value) {
  if (into || !value) return false;
  into = std::move(value);
  return true;
}

}  // namespace

std::optional<LfsPointer> read_lfs_pointer(std::string_view text) {
  if (text.size() >= size_limit) return std::nullopt;
  const auto first = next_line(text);
  if (!first || first->key != "version") return std::nullopt;
  if (std::ranges::find(versions, first->value) == std::ranges::end(versions)) return std::nullopt;
  std::optional<std::string> oid;
  std::optional<std::uint64_t> size;
  while (!text.empty()) {
    const auto line = next_line(text);
    if (!line) return std::nullopt;
    if (line->key == "oid" && !take(oid, object_id(line->value))) return std::nullopt;
    if (line->key == "size" && !take(size, whole_number<std::uint64_t>(line->value)))
      return std::nullopt;
  }
  if (!oid || !size) return std::nullopt;
  return LfsPointer{.oid = std::move(*oid), .size = *size};
}

}  // namespace pedigree
