#include "formats/formats.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

using namespace std::string_literals;

std::string recognised(const std::string& content) {
  const auto bytes = std::as_bytes(std::span(content));
  const Format* format =
      recognise(bytes.first(std::min<std::size_t>(bytes.size(), 4096)), content.size());
  return format == nullptr ? "" : std::string(format->id);
}

Problem problem_of(const std::string& content) {
  const auto file = read_weights(MemorySource("model.safetensors", content));
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().file == "model.safetensors");
  return file.error();
}

// The start of a zip whose first member has this name.
std::string zip(const std::string& member) {
  return "PK\x03\x04\0\0\x08\x08\0\0"s + std::string(16, '\0') + static_cast<char>(member.size()) +
         "\0\0\0"s + member + "data";
}

// A safetensors file whose header has exactly `length` bytes.
std::string safetensors_of(std::size_t length) {
  return SafetensorsBuilder().header_json("{}" + std::string(length - 2, ' ')).build();
}

}  // namespace

TEST_CASE("every format has a unique id, a title and a recogniser") {
  std::set<std::string_view> ids;
  for (const Format* format : formats()) {
    CHECK(ids.insert(format->id).second);
    CHECK_FALSE(format->title.empty());
    CHECK(static_cast<bool>(format->recognises));
  }
  CHECK(ids.contains("safetensors"));
}

TEST_CASE("content decides which format a file is") {
  CHECK(recognised(SafetensorsBuilder().build()) == "safetensors");
  CHECK(recognised("GGUF\x03\0\0\0"s) == "gguf");
  CHECK(recognised("GGUF\x03\0\0\0{\"\0\0\0\0\0\0"s) == "gguf");
  CHECK(recognised("lmgg\1\0\0\0"s) == "ggml");
  CHECK(recognised("tjgg\3\0\0\0"s) == "ggml");
  CHECK(recognised(zip("archive/data.pkl")) == "torch-zip");
  CHECK(recognised(zip("readme.txt")) == "zip");
  CHECK(recognised(zip("arr_0.npy")) == "npz");
  CHECK(recognised("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."s) == "pickle");
  CHECK(recognised("\x80\x04\x95\x10\0\0\0\0\0\0\0}"s) == "pickle");
  CHECK(recognised("\x89HDF\r\n\x1a\n more") == "hdf5");
  CHECK(recognised("\x93NUMPY\x01\0v\0{"s) == "npy");
  CHECK(recognised("\x18\0\0\0TFL3 more"s) == "tflite");
  for (const std::string& magic : {"7z\xBC\xAF'\x1C"s, "\x1f\x8b\x08\0\0\0\0\0\2\3"s, "BZh91AY&SY"s,
                                   "\xFD\x37zXZ\0"s, "\x28\xB5\x2F\xFD"s}) {
    CHECK(recognised(magic) == "compressed");
  }
  CHECK(recognised("").empty());
  CHECK(recognised("\0\0\0\0\0\0\0\0\0\0"s).empty());
}

TEST_CASE("header lengths that begin with another format's magic stay safetensors") {
  CHECK(recognised(safetensors_of(0x0280)) == "safetensors");   // pickle, protocol 2
  CHECK(recognised(safetensors_of(0x0580)) == "safetensors");   // pickle, protocol 5
  CHECK(recognised(safetensors_of(0x8B1F)) == "safetensors");   // gzip's two bytes
  CHECK(recognised(safetensors_of(0x88B1F)) == "safetensors");  // and its method
  CHECK(read_weights(MemorySource("a", safetensors_of(0x0280))).has_value());
}

TEST_CASE("containers of other frameworks are recognised by what they begin with") {
  CHECK(recognised("\x1c\0\0\0ORTM more"s) == "ort");
  CHECK(recognised("\x1c\0\0\0ET12 more"s) == "executorch");
  CHECK(recognised("ptrt\1\0\0\0") == "tensorrt");
  CHECK(recognised("PYTORCH1 and so on") == "torch-1.0-rc");
  CHECK(recognised("MZqFpD='\n\0"s) == "llamafile");
  CHECK(recognised("\x0c\xdb\x3a\x2a\0\0"s) == "orbax");
  CHECK(recognised("<?xml version=\"1.0\"?>\n<net name=\"m\" version=\"11\">") == "openvino");
  // A map to a map to an array: extension type 1 of 32 bytes, with shape, type and values.
  CHECK(recognised("\x81\xa6params\x81\xa6kernel\xc7\x20\x01\x93\x92\x02\x02"s) == "flax-msgpack");
  CHECK(recognised("\x81\xa6params\x81\xa6kernel\xc7\x20\x02\x93\x92\x02\x02"s).empty());
  CHECK(recognised("\x81\xa6params\x01"s).empty());
}

TEST_CASE("every format that is not read says what a person can do") {
  for (const Format* format : formats()) {
    CHECK_MESSAGE((format->read == nullptr) == !format->remedy.empty(), format->id);
  }
}

TEST_CASE("formats that are named but not read are told as such") {
  const Problem problem = problem_of("\x89HDF\r\n\x1a\n and so on");
  CHECK(problem.code == "format-unsupported");
  CHECK(problem.message ==
        "the content is HDF5 (Keras, TensorFlow), which is recognised but not read yet");
  CHECK(problem.remedy == "Load the weights in Keras and save them as .npz or safetensors.");
}

TEST_CASE("error text under a weight file's name is no weight file, and is described") {
  const auto told = [](const std::string& content) {
    const Problem problem = problem_of(content);
    CHECK(problem.code == "not-a-weight-file");
    return problem.message;
  };
  CHECK(told("") == "the file is empty");
  CHECK(told("\n<!DOCTYPE html><html>Access denied</html>") == "this is a web page, not weights");
  CHECK(told("<HTML>") == "this is a web page, not weights");
  CHECK(told(R"({"error":"Access to this model is restricted"})") ==
        R"(this is JSON text, beginning with "{"error":"Access to this model is restricted"}")");
  CHECK(told(R"({"erro":{"a":1}})").starts_with("this is JSON text"));
  CHECK(told(R"([      {"a":1}])").starts_with("this is JSON text"));
  CHECK(told("Entry not found") == R"(this is plain text, beginning with "Entry not found")");
  CHECK(told(std::string(5000, '\0')).starts_with("the file begins with zero bytes only"));
  CHECK(told("\x01\x02\xFF") == "no known format begins with the bytes 0102ff");
  CHECK(told("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n") ==
        "this looks like a git-lfs pointer but is not a complete one");
}

TEST_CASE("a pointer in place of weights says how much is missing and which object") {
  const std::string oid(64, 'a');
  const Problem problem = problem_of(
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + oid + "\nsize 13476839424\n");
  CHECK(problem.code == "weights-not-downloaded");
  CHECK(problem.message == "this is a git-lfs pointer to 13.5 GB of weights (sha256 " + oid + ")");
}

}  // namespace pedigree
