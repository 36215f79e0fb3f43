#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "formats/formats.h"
#include "tests/support/torch_builder.h"
#include "tests/support/weight_laws.h"

namespace pedigree {
namespace {

using namespace std::string_literals;

const std::vector<float> six = {0, 1, 2, 3, 4, 5};

std::string npy(std::string header, const std::string& data, char version = 1) {
  header += "\n";
  const std::size_t size = header.size();
  std::string length = {static_cast<char>(size & 0xFFU), static_cast<char>(size >> 8U)};
  if (version > 1) length += "\0\0"s;
  return "\x93NUMPY"s + version + "\0"s + length + header + data;
}

std::string header_of(const std::string& descr, const std::string& order = "False",
                      const std::string& shape = "(2, 3)") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

std::string reversed_words(std::string data) {
  for (std::size_t at = 0; at < data.size(); at += 4) {
    std::reverse(data.begin() + static_cast<std::ptrdiff_t>(at),
                 data.begin() + static_cast<std::ptrdiff_t>(at + 4));
  }
  return data;
}

std::vector<float> values_of(const Source& source, const TensorEntry& entry) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(entry.extent.size()));
  REQUIRE_FALSE(source.read_at(entry.extent.begin, bytes).has_value());
  std::vector<float> values(static_cast<std::size_t>(entry.element_count()));
  entry.type->decode(bytes, values);
  return values;
}

std::vector<float> only_values(const std::string& content) {
  const MemorySource source("any", content);
  auto file = read_weights(source);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  if (!file->tensors.empty()) return values_of(source, file->tensors[0]);
  REQUIRE(file->arranged.size() == 1);
  const auto arranged = arranged_source(source, file->arranged);
  return values_of(*arranged, file->arranged[0].entry);
}

}  // namespace

TEST_CASE("arrays of every version, order and byte order give the same values") {
  const std::string data = made_floats(six);
  for (const char version : {'\1', '\2', '\3'}) {
    CHECK(only_values(npy(header_of("<f4"), data, version)) == six);
  }
  CHECK(only_values(npy(header_of(">f4"), reversed_words(data))) == six);
  const std::vector<float> turned = {0, 2, 4, 1, 3, 5};
  CHECK(only_values(npy(header_of("<f4", "True"), data)) == turned);
  CHECK(only_values(npy(header_of(">f4", "True"), reversed_words(data))) == turned);
  CHECK(only_values(npy(header_of("<f4", "True", "(6,)"), data)) == six);
  CHECK(only_values(npy(header_of("<f4", "False", "()"), data.substr(4, 4))) ==
        std::vector<float>{1});
  CHECK(only_values(npy(header_of("|u1", "False", "(3,)"), "\1\2\3")) ==
        std::vector<float>{1, 2, 3});
}

TEST_CASE("the header may be written as NumPy writes it, and in no other way") {
  const auto code = [](const std::string& header) {
    const auto file = read_weights(MemorySource("any", npy(header, made_floats(six))));
    return file ? "read" : file.error().code;
  };
  CHECK(code(header_of("<f4")) == "read");
  CHECK(code("{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}") == "read");
  CHECK(code("{\"descr\": \"<f4\", 'fortran_order': False, 'shape': (2L, 3L), }    ") == "read");
  for (const char* shape : {"(2, 3", "(2 3)", "[2, 3]", "(2, -3)", "(2, 3.0)", "(2, 3)+()", "6",
                            "(18446744073709551616,)"}) {
    CHECK_MESSAGE(code(header_of("<f4", "False", shape)) == "npy-header", shape);
  }
  CHECK(code(header_of("<f4", "0")) == "npy-header");
  CHECK(code(header_of("<f4") + ";") == "npy-header");
  CHECK(code("{'descr': '<f4', 'shape': (2, 3)}") == "npy-header");
}

TEST_CASE("an archive of arrays names them by its members") {
  const MemorySource source("any",
                            made_zip({{"a.weight.npy", npy(header_of("<f4"), made_floats(six))},
                                      {"sub/b.npy", npy(header_of("<f4"), made_floats(six))},
                                      {"notes.txt", "text"}}));
  const auto file = read_weights(source);
  REQUIRE(file.has_value());
  CHECK(file->format == "npz");
  REQUIRE(file->tensors.size() == 2);
  CHECK(file->tensors[0].name == "a.weight");
  CHECK(file->tensors[1].name == "sub/b");
  CHECK(values_of(source, file->tensors[1]) == six);
  REQUIRE(file->problems.size() == 1);
  CHECK(file->problems[0].code == "archive-unread-member");
}

TEST_CASE("any bytes of an array file end in a value") {
  for (const std::string& whole :
       {npy(header_of(">f4", "True"), made_floats(six)),
        made_zip({{"a.npy", npy(header_of("<f4"), made_floats(six))}})}) {
    REQUIRE(broken_weight_law(whole).empty());
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const std::string law =
          broken_weight_law(flipped) + broken_weight_law(whole.substr(0, bit / 8));
      if (!law.empty()) FAIL(law << " at bit " << bit);
    }
  }
}

}  // namespace pedigree
