#include "base/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pedigree {
namespace {

namespace fs = std::filesystem;

// A directory of its own, removed with all it holds.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "pedigree-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  fs::path operator/(std::string_view name) const { return root_ / name; }
  std::string at(std::string_view name) const { return (root_ / name).string(); }

  void write(std::string_view name, std::string_view text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

 private:
  fs::path root_;
};

std::string names(const Listing& listing) {
  std::string all;
  for (const ListedFile& file : listing.files) all += file.path + " ";
  return all;
}

std::string codes(const Listing& listing) {
  std::string all;
  for (const Problem& problem : listing.problems) all += problem.code + ":" + problem.file + " ";
  return all;
}

Listing listed(const std::string& root, const std::string& confinement = {}, unsigned depth = 3) {
  auto listing = list_directory(root, confinement, depth);
  REQUIRE(listing.has_value());
  return std::move(*listing);
}

}  // namespace

TEST_CASE("a listing is sorted, recursive to its depth and leaves caches out") {
  const Scratch scratch;
  for (const char* name :
       {"m/b", "m/a", "m/sub/c", "m/.git/config", "m/.locks/x", "m/1/2/3/in", "m/1/2/3/4/out"}) {
    scratch.write(name, "12345");
  }
  const Listing listing = listed(scratch.at("m"));
  CHECK(names(listing) == "1/2/3/in a b sub/c ");
  CHECK(listing.files[0].size == 5);
  CHECK_FALSE(listing.files[0].is_link);
  CHECK(listing.problems.empty());
  CHECK(names(listed(scratch.at("m"), {}, 0)) == "a b ");
}

TEST_CASE("links are followed inside the confinement and told when they lead outside") {
  const Scratch scratch;
  scratch.write("repo/blobs/abc", "weights");
  scratch.write("secret", "key");
  fs::create_directories(scratch / "repo/snapshots/rev");
  fs::create_symlink("../../blobs/abc", scratch / "repo/snapshots/rev/model.safetensors");
  fs::create_symlink("../../../secret", scratch / "repo/snapshots/rev/escape");
  fs::create_symlink("nowhere", scratch / "repo/snapshots/rev/dangling");
  fs::create_symlink("loop", scratch / "repo/snapshots/rev/loop");

  const Listing inside = listed(scratch.at("repo/snapshots/rev"), scratch.at("repo"));
  CHECK(names(inside) == "model.safetensors ");
  CHECK(inside.files[0].is_link);
  CHECK(inside.files[0].real_path.ends_with("blobs/abc"));
  CHECK(inside.files[0].size == 7);
  CHECK(codes(inside) == "io-error:dangling symlink-escape:escape io-error:loop ");

  const Listing narrow = listed(scratch.at("repo/snapshots/rev"));
  CHECK(narrow.files.empty());
  CHECK(codes(narrow).find("symlink-escape:model.safetensors") != std::string::npos);
}

TEST_CASE("a sibling whose name begins like the confinement is outside of it") {
  const Scratch scratch;
  scratch.write("model-secret/x", "1");
  fs::create_directories(scratch / "model");
  fs::create_symlink("../model-secret/x", scratch / "model/x");
  CHECK(codes(listed(scratch.at("model"))) == "symlink-escape:x ");
}

TEST_CASE("pipes are left out and told, and names that are no UTF-8 are escaped") {
  const Scratch scratch;
  scratch.write("m/bad\xFFname", "1");
  REQUIRE(::mkfifo(scratch.at("m/pipe").c_str(), 0600) == 0);
  const Listing listing = listed(scratch.at("m"));
  CHECK(names(listing) == "bad%FFname ");
  CHECK(codes(listing) == "name-not-utf8:bad%FFname not-a-regular-file:pipe ");
}

TEST_CASE("a directory that is not there is a problem") {
  const auto listing = list_directory("no/such/directory");
  REQUIRE_FALSE(listing.has_value());
  CHECK(listing.error().code == "io-error");
}

TEST_CASE("only relative names that stay below their root are confined") {
  for (const char* good : {"a", "a/b.safetensors", "..a", "a..b", "...", "a b", "重"}) {
    CHECK_MESSAGE(is_confined_name(good), std::string(good));
  }
  for (const char* bad : {"", "/", "/etc/passwd", "..", "../a", "a/../b", "a/..", ".", "./a",
                          "a//b", "a/", "a\\b", "C:\\x", "c:x"}) {
    CHECK_MESSAGE(!is_confined_name(bad), std::string(bad));
  }
  CHECK_FALSE(is_confined_name(std::string_view("a\0b", 3)));
  CHECK(is_confined_name(std::string(4096, 'a')));
  CHECK_FALSE(is_confined_name(std::string(4097, 'a')));
}

TEST_CASE("a small file is read whole and a large one refused unread") {
  const Scratch scratch;
  scratch.write("f", "content");
  CHECK(read_small_file(scratch.at("f"), "f") == Result<std::string>("content"));
  const auto large = read_small_file(scratch.at("f"), "shown/f", 6);
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().code == "auxiliary-file-unreadable");
  CHECK(large.error().file == "shown/f");
  CHECK(read_small_file(scratch.at("none"), "none").error().code == "io-error");
}

TEST_CASE("writing replaces the target whole and leaves nothing beside it") {
  const Scratch scratch;
  scratch.write("out", "old and longer");
  CHECK_FALSE(write_atomically(scratch.at("out"), "new").has_value());
  CHECK(*read_small_file(scratch.at("out"), "out") == "new");
  CHECK(names(listed(scratch.at("."))) == "out ");
}

TEST_CASE("writing over a link changes what it leads to, and a file keeps its permissions") {
  const Scratch scratch;
  scratch.write("real", "old");
  REQUIRE(::chmod(scratch.at("real").c_str(), 0640) == 0);
  fs::create_symlink("real", scratch.at("link"));
  CHECK_FALSE(write_atomically(scratch.at("link"), "new").has_value());
  CHECK(fs::is_symlink(scratch.at("link")));
  CHECK(*read_small_file(scratch.at("real"), "real") == "new");
  CHECK((fs::status(scratch.at("real")).permissions() & fs::perms::mask) == fs::perms(0640));
}

TEST_CASE("a pipe or device is written to and stays what it is") {
  const Scratch scratch;
  const std::string pipe = scratch.at("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto unread = write_atomically(pipe, "x");  // must not wait for a reader
  REQUIRE(unread.has_value());
  CHECK(unread->code == "output-error");
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  CHECK_FALSE(write_atomically(pipe, "text").has_value());
  std::array<char, 8> got = {};
  CHECK(::read(reader, got.data(), got.size()) == 4);
  CHECK(std::string_view(got.data(), 4) == "text");
  ::close(reader);
  CHECK(fs::is_fifo(pipe));
  CHECK_FALSE(write_atomically("/dev/null", "x").has_value());
  CHECK(fs::is_character_file("/dev/null"));
  const auto full = write_atomically("/dev/full", "x");
  REQUIRE(full.has_value());
  CHECK(full->message == "No space left on device");
}

TEST_CASE("a write that cannot be is a problem and touches nothing") {
  const Scratch scratch;
  const auto missing = write_atomically(scratch.at("no/such/out"), "x");
  REQUIRE(missing.has_value());
  CHECK(missing->code == "output-error");
  fs::create_directories(scratch / "taken/full");
  CHECK(write_atomically(scratch.at("taken"), "x")->code == "output-error");
  CHECK(listed(scratch.at(".")).files.empty());
}

TEST_CASE("opening refuses what is not a regular file without blocking") {
  const Scratch scratch;
  REQUIRE(::mkfifo(scratch.at("pipe").c_str(), 0600) == 0);
  CHECK(open_file(scratch.at("pipe"), "pipe").error().code == "not-a-regular-file");
  CHECK(open_file(scratch.at("."), "dir").error().code == "not-a-regular-file");
  CHECK(open_file("/dev/null", "null").error().code == "not-a-regular-file");
  CHECK(open_file(scratch.at("none"), "none").error().code == "io-error");
}

TEST_CASE("a source reads within its bounds, counts, and notices a changed file") {
  const Scratch scratch;
  scratch.write("f", "0123456789");
  const auto source = open_file(scratch.at("f"), "f");
  REQUIRE(source.has_value());
  std::vector<std::byte> out(4);
  CHECK_FALSE((*source)->read_at(6, out).has_value());
  CHECK(out[0] == std::byte{'6'});
  CHECK((*source)->read_at(7, out)->code == "io-short-read");
  CHECK((*source)->read_at(~std::uint64_t{0}, out)->code == "io-short-read");
  CHECK((*source)->bytes_read() == 4);
  CHECK_FALSE((*source)->still_the_same().has_value());
  fs::resize_file(scratch / "f", 5);
  CHECK((*source)->read_at(6, out)->code == "io-short-read");
  CHECK((*source)->still_the_same()->code == "file-changed-while-reading");
}

TEST_CASE("a directory of more files than any model has is refused") {
  const Scratch scratch;
  // Names for the same few files: links are cheap, and any file system allows 30,000 of one.
  std::string source;
  for (int i = 0; i <= 100'000; ++i) {
    const std::string name = std::to_string(i);
    if (i % 30'000 == 0) {
      scratch.write(name, "");
      source = scratch.at(name);
    } else {
      REQUIRE(::link(source.c_str(), scratch.at(name).c_str()) == 0);
    }
  }
  const auto listing = list_directory(scratch.at(""), {}, 3);
  REQUIRE_FALSE(listing.has_value());
  CHECK(listing.error().code == "too-many-files");
  CHECK(listing.error().message == "over 100000 directory entries");
}

}  // namespace pedigree
