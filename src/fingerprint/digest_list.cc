#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/files.h"
#include "base/text.h"
#include "fingerprint/digests.h"
#include "formats/formats.h"

namespace pedigree {
namespace {

constexpr std::size_t md5_digits = 32;
constexpr std::uint64_t longest_pointer = 1024;

std::optional<std::string> sha256_hex(std::string_view text) {
  const auto value = sha256_from_hex(text);
  if (!value) return std::nullopt;
  return to_hex(*value);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// sha256sum puts a backslash in front of a line whose name has \\, \n or \r in it.
std::string unescaped(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '\\' || i + 1 == name.size()) {
      text += name[i];
      continue;
    }
    ++i;
    const char next = name[i];
    text += next == 'n' ? '\n' : next == 'r' ? '\r' : next;
  }
  return text;
}

std::optional<ExpectedDigest> read_gnu_line(std::string_view line) {
  const bool escaped = line.starts_with('\\');
  if (escaped) line.remove_prefix(1);
  const std::size_t digits = std::min(line.find(' '), line.size());
  if (line.size() < digits + 3) return std::nullopt;
  const char mode = line[digits + 1];
  if (mode != ' ' && mode != '*') return std::nullopt;
  const std::string_view name = line.substr(digits + 2);
  ExpectedDigest expected{.path = escaped ? unescaped(name) : std::string(name)};
  if (digits == md5_digits && line.find_first_not_of("0123456789abcdefABCDEF") == digits) {
    expected.md5 = std::string(line.substr(0, digits));
    std::ranges::transform(expected.md5, expected.md5.begin(), [](char letter) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    });
    return expected;
  }
  const auto hex = sha256_hex(line.substr(0, digits));
  if (!hex) return std::nullopt;
  expected.sha256 = *hex;
  return expected;
}

std::optional<ExpectedDigest> read_bsd_line(std::string_view line) {
  constexpr std::string_view head = "SHA256 (";
  constexpr std::string_view middle = ") = ";
  const bool escaped = line.starts_with('\\');
  if (escaped) line.remove_prefix(1);
  const auto at = line.rfind(middle);
  if (!line.starts_with(head) || at == std::string_view::npos || at < head.size()) {
    return std::nullopt;
  }
  const auto hex = sha256_hex(line.substr(at + middle.size()));
  if (!hex) return std::nullopt;
  const std::string_view name = line.substr(head.size(), at - head.size());
  return ExpectedDigest{.path = escaped ? unescaped(name) : std::string(name), .sha256 = *hex};
}

// Columns of a table with a header line; absent ones are npos.
struct Columns {
  std::size_t file = std::string_view::npos;
  std::size_t oid = std::string_view::npos;
  std::size_t size = std::string_view::npos;

  bool found() const { return file != std::string_view::npos && oid != std::string_view::npos; }
};

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto tab = line.find('\t');
    fields.push_back(trimmed(line.substr(0, tab)));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

Columns columns_of(std::string_view header) {
  const auto fields = fields_of(header);
  const auto place = [&](std::string_view name) {
    const auto found = std::ranges::find(fields, name);
    return found == fields.end() ? std::string_view::npos
                                 : static_cast<std::size_t>(found - fields.begin());
  };
  return {.file = place("file"), .oid = place("lfs_oid"), .size = place("size")};
}

// A row without an object id (a small file outside LFS) expects nothing.
std::optional<ExpectedDigest> read_row(std::string_view line, const Columns& columns,
                                       bool& is_blank) {
  constexpr std::string_view prefix = "sha256:";
  const auto fields = fields_of(line);
  const auto field = [&](std::size_t column) {
    return column < fields.size() ? fields[column] : std::string_view{};
  };
  std::string_view oid = field(columns.oid);
  is_blank = oid.empty() || oid == "-";
  if (oid.starts_with(prefix)) oid.remove_prefix(prefix.size());
  const auto hex = sha256_hex(oid);
  if (!hex || field(columns.file).empty()) return std::nullopt;
  return ExpectedDigest{.path = std::string(field(columns.file)),
                        .sha256 = *hex,
                        .size = whole_number<std::uint64_t>(field(columns.size))};
}

Problem malformed_line(std::string_view name, unsigned line) {
  Problem problem = make_problem("digest-list-malformed", std::string(name),
                                 "this line is neither sha256sum output nor a pointer");
  problem.line = line;
  return problem;
}

// The name a pointer's real file has: the directory's own, or before ".pointer".
std::string path_of_pointer(std::string_view name) {
  constexpr std::string_view suffix = ".pointer";
  if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return std::string(name);
}

std::optional<ExpectedDigest> read_line(std::string_view line, const Columns& columns,
                                        bool& is_blank) {
  if (columns.found()) return read_row(line, columns, is_blank);
  if (auto gnu = read_gnu_line(line)) return gnu;
  return read_bsd_line(line);
}

}  // namespace

Result<std::vector<ExpectedDigest>> read_digest_list(std::string_view text, std::string_view name) {
  if (const auto pointer = read_lfs_pointer(text)) {
    return std::vector<ExpectedDigest>{
        {.path = path_of_pointer(name), .sha256 = pointer->oid, .size = pointer->size}};
  }
  std::vector<ExpectedDigest> list;
  Columns columns;
  bool is_first = true;
  for (unsigned number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty() || line.starts_with('#')) continue;
    if (std::exchange(is_first, false)) {
      columns = columns_of(line);
      if (columns.found()) continue;
    }
    bool is_blank = false;
    auto expected = read_line(line, columns, is_blank);
    if (is_blank) continue;
    if (!expected) return std::unexpected(malformed_line(name, number));
    list.push_back(std::move(*expected));
  }
  if (list.empty()) {
    return std::unexpected(
        make_problem("digest-list-malformed", std::string(name), "the list names no file"));
  }
  return list;
}

Result<std::vector<ExpectedDigest>> read_pointer_directory(const std::string& path) {
  const auto listing = list_directory(path);
  if (!listing) return std::unexpected(listing.error());
  std::vector<ExpectedDigest> list;
  for (const ListedFile& file : listing->files) {
    if (file.size > longest_pointer) continue;
    const auto text = read_small_file(file.real_path, file.path, longest_pointer);
    if (!text) return std::unexpected(text.error());
    const auto pointer = read_lfs_pointer(*text);
    if (!pointer) continue;
    list.push_back(
        {.path = path_of_pointer(file.path), .sha256 = pointer->oid, .size = pointer->size});
  }
  if (list.empty()) {
    return std::unexpected(
        make_problem("digest-list-malformed", path, "the directory holds no git-lfs pointer"));
  }
  return list;
}

Result<std::vector<ExpectedDigest>> read_expected_digests(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return read_pointer_directory(path);
  const std::string name = std::filesystem::path(path).filename().string();
  const auto text = read_small_file(path, path);
  if (!text) return std::unexpected(text.error());
  return read_digest_list(*text, name);
}

}  // namespace pedigree
