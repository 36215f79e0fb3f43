#include <doctest/doctest.h>

#include <string>

#include "formats/formats.h"

namespace pedigree {
namespace {

// The example of the git-lfs specification.
constexpr std::string_view specification =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n";

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(specification);
  text.replace(text.find(from), from.size(), to);
  return text;
}

}  // namespace

TEST_CASE("the pointer of the specification gives its object and size") {
  const auto pointer = read_lfs_pointer(specification);
  REQUIRE(pointer.has_value());
  CHECK(pointer->oid == "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393");
  CHECK(pointer->size == 12345);
}

TEST_CASE("the older address, extensions, Windows line ends and a lost last newline pass") {
  CHECK(read_lfs_pointer(
            replaced("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"))
            .has_value());
  CHECK(read_lfs_pointer(replaced("oid ", "ext-0-foo sha256:" + std::string(64, '0') + "\noid "))
            .has_value());
  CHECK(read_lfs_pointer(replaced("12345\n", "12345")).has_value());
  CHECK(read_lfs_pointer("version https://git-lfs.github.com/spec/v1\r\noid sha256:" +
                         std::string(64, 'f') + "\r\nsize 0\r\n")
            .has_value());
}

TEST_CASE("anything that is not quite a pointer is none") {
  for (const auto& [from, to] :
       {std::pair<std::string_view, std::string_view>{"spec/v1", "spec/v9"},
        {"version", "Version"},
        {"4d7a", "4d7"},
        {"4d7a", "4d7z"},
        {"sha256", "sha512"},
        {"12345", "-1"},
        {"12345", "12 345"},
        {"12345", "99999999999999999999"},
        {"size 12345\n", ""},
        {"size 12345\n", "size 1\nsize 2\n"},
        {"size 12345\n", "size 1\n\n"},
        {"oid ", "old "}}) {
    CHECK_MESSAGE(!read_lfs_pointer(replaced(from, to)).has_value(), std::string(to));
  }
  CHECK_FALSE(read_lfs_pointer("").has_value());
}

TEST_CASE("a file of 1024 bytes or more is no pointer") {
  std::string text(specification);
  text += "note ";
  text.resize(1023, 'x');
  CHECK(read_lfs_pointer(text).has_value());
  CHECK_FALSE(read_lfs_pointer(text + "x").has_value());
}

}  // namespace pedigree
