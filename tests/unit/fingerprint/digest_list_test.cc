#include <doctest/doctest.h>

#include <algorithm>

#include "base/files.h"
#include "fingerprint/digests.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

const std::string one(64, '1');
const std::string two(64, '2');

std::vector<ExpectedDigest> list_of(std::string_view text, std::string_view name = "SHA256SUMS") {
  auto list = read_digest_list(text, name);
  REQUIRE(list.has_value());
  return std::move(*list);
}

std::string pointer(const std::string& oid, std::string_view size) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + oid + "\nsize " +
         std::string(size) + "\n";
}

}  // namespace

TEST_CASE("sha256sum lists are read in text and binary mode") {
  const auto list = list_of(one + "  a b.bin\n" + two + " *sub/c.bin\r\n");
  REQUIRE(list.size() == 2);
  CHECK(list[0] == ExpectedDigest{.path = "a b.bin", .sha256 = one});
  CHECK(list[1] == ExpectedDigest{.path = "sub/c.bin", .sha256 = two});
}

TEST_CASE("names that sha256sum escaped are given back as they are") {
  // coreutils: a leading backslash says that \n, \r and \\ in the name are escapes.
  const auto list = list_of("\\" + one + "  new\\nline\\\\x\n" + two + "  plain\\nname\n");
  CHECK(list[0].path == "new\nline\\x");
  CHECK(list[1].path == "plain\\nname");
}

TEST_CASE("the BSD form, upper-case digits, comments and blank lines are read") {
  const std::string upper(64, 'A');
  const auto list = list_of("# comment\n\nSHA256 (a (1).bin) = " + upper + "\n");
  REQUIRE(list.size() == 1);
  CHECK(list[0].path == "a (1).bin");
  CHECK(list[0].sha256 == std::string(64, 'a'));
}

TEST_CASE("a git-lfs pointer is a list of one, named after its file") {
  const auto list = list_of(pointer(one, "123"), "model.safetensors");
  REQUIRE(list.size() == 1);
  CHECK(list[0] == ExpectedDigest{.path = "model.safetensors", .sha256 = one, .size = 123});
}

TEST_CASE("a table of object ids is read by its column names") {
  const auto list =
      list_of("model\tfile\tlfs_oid\tsize\nm\ta.bin\tsha256:" + one + "\t5\nm\tconfig.json\t\t2\n");
  REQUIRE(list.size() == 1);
  CHECK(list[0] == ExpectedDigest{.path = "a.bin", .sha256 = one, .size = 5});
}

TEST_CASE("md5sum's lines are read, as Meta's checklist.chk has them") {
  const auto list = read_digest_list(
      "0EE4D2C7A1B0F3E5D6C7B8A9F0E1D2C3  consolidated.00.pth\n"
      "d41d8cd98f00b204e9800998ecf8427e *params.json\n",
      "checklist.chk");
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 2);
  CHECK((*list)[0].md5 == "0ee4d2c7a1b0f3e5d6c7b8a9f0e1d2c3");
  CHECK((*list)[0].sha256.empty());
  CHECK((*list)[1].path == "params.json");
}

TEST_CASE("a line that is none of these is named") {
  for (const std::string& bad : {std::string("hello"), one.substr(1) + "  a", one + " a",
                                 one + "  ", std::string("SHA256 (a")}) {
    const auto list = read_digest_list(two + "  ok\n" + bad + "\n", "sums");
    CAPTURE(bad);
    REQUIRE_FALSE(list.has_value());
    CHECK(list.error().code == "digest-list-malformed");
    CHECK(list.error().line == 2);
    CHECK(list.error().file == "sums");
  }
  CHECK_FALSE(read_digest_list("", "sums").has_value());
  CHECK_FALSE(read_digest_list("# only a comment\n", "sums").has_value());
}

TEST_CASE("a directory of pointers is a list") {
  ModelDirectory model;
  model.pointer("a.safetensors", '7', 99).write("README.md", "words");
  const auto list = read_expected_digests(model.path());
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 1);
  CHECK(list->at(0) ==
        ExpectedDigest{.path = "a.safetensors", .sha256 = std::string(64, '7'), .size = 99});
  model.write("sums.txt", one + "  x\n");
  const auto file = read_expected_digests(model.path("sums.txt"));
  REQUIRE(file.has_value());
  CHECK(file->at(0).path == "x");
  const ModelDirectory empty;
  CHECK_FALSE(read_expected_digests(empty.path()).has_value());
  CHECK_FALSE(read_expected_digests(model.path("absent")).has_value());
}

TEST_CASE("published lists are read: llama.cpp's sums and a table of LFS ids") {
  const std::string folder = PEDIGREE_SHARED "/real/digests/";
  const auto sums = read_small_file(folder + "llama1_SHA256SUMS_llama.cpp.txt", "sums");
  const auto oids = read_small_file(folder + "lfs_oids.tsv", "oids");
  if (!sums || !oids) {
    MESSAGE("SKIPPED: the shared folder of published digests is not here");
    return;
  }
  const auto list = list_of(*sums);
  const auto first =
      std::ranges::find(list, "models/7B/consolidated.00.pth", &ExpectedDigest::path);
  REQUIRE(first != list.end());
  CHECK(first->sha256 == "700df0d3013b703a806d2ae7f1bfb8e59814e3d06ae78be0c66368a50059f33d");
  const auto table = list_of(*oids);
  REQUIRE_FALSE(table.empty());
  CHECK(table[0].path == "pytorch_model-00001-of-00007.bin");
  CHECK(table[0].size == 2105620739);
}

}  // namespace pedigree
