#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <string>

#include "formats/formats.h"

namespace pedigree {
namespace {

// A file in which every byte follows from its place, and none is kept.
class CountingSource final : public Source {
 public:
  explicit CountingSource(std::uint64_t size) : size_(size) {}
  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }

  static std::byte at(std::uint64_t offset) {
    return static_cast<std::byte>((offset * 2654435761U) >> 13U & 0xFFU);
  }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = at(offset + i);
    return std::nullopt;
  }

 private:
  std::string name_ = "counting";
  std::uint64_t size_;
};

std::vector<std::byte> read(const Source& source, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  REQUIRE_FALSE(source.read_at(offset, bytes).has_value());
  return bytes;
}

// Columns of a matrix of two-byte elements that is stored by rows.
ArrangedTensor turned_matrix(std::uint64_t rows, std::uint64_t columns, std::uint64_t swapped) {
  const std::uint64_t bytes = rows * columns * 2;
  return {.entry = {.name = "t",
                    .type = find_element_type("F16"),
                    .type_name = "F16",
                    .shape = {columns, rows},
                    .extent = {.begin = 0, .end = bytes}},
          .arrangement = {.stored = {.begin = 10, .end = 10 + bytes},
                          .unpacked_bytes = bytes,
                          .element_bytes = 2,
                          .strides = {1, columns},
                          .swapped_bytes = swapped}};
}

std::byte expected_byte(std::uint64_t at, std::uint64_t rows, std::uint64_t columns, bool swapped) {
  const std::uint64_t element = at / 2;
  const std::uint64_t stored = element % rows * columns + element / rows;
  return CountingSource::at(10 + stored * 2 + (swapped ? 1 - at % 2 : at % 2));
}

std::string deflated(const std::string& text) {
  std::string packed(compressBound(text.size()) + 64, '\0');
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace

TEST_CASE("a turned matrix gives the same bytes whether it is gathered whole or not") {
  // 64 bytes, and 40 MB: the large one is fetched element by element.
  for (const std::uint64_t columns : {8U, 5'000'000U}) {
    constexpr std::uint64_t rows = 4;
    for (const bool swapped : {false, true}) {
      std::vector<ArrangedTensor> tensors = {turned_matrix(rows, columns, swapped ? 2 : 0)};
      const CountingSource file(10 + rows * columns * 2);
      const auto source = arranged_source(file, tensors);
      const std::uint64_t size = source->size();
      for (const std::uint64_t offset :
           {std::uint64_t{0}, std::uint64_t{3}, size / 2 + 1, size - 9}) {
        const auto bytes = read(*source, offset, 9);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
          CHECK(bytes[i] == expected_byte(offset + i, rows, columns, swapped));
        }
      }
    }
  }
}

TEST_CASE("big-endian values are turned round, of small and large tensors, from any byte on") {
  for (const std::uint64_t elements : {4U, 9'000'000U}) {
    const std::uint64_t size = elements * 4;
    std::vector<ArrangedTensor> tensors = {{.entry = {.name = "t",
                                                      .type = find_element_type("F32"),
                                                      .type_name = "F32",
                                                      .shape = {elements},
                                                      .extent = {.begin = 0, .end = size}},
                                            .arrangement = {.stored = {.begin = 0, .end = size},
                                                            .unpacked_bytes = size,
                                                            .element_bytes = 4,
                                                            .swapped_bytes = 4}}};
    const CountingSource file(size);
    const auto source = arranged_source(file, tensors);
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{5}, size - 7}) {
      const auto bytes = read(*source, offset, 7);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::uint64_t at = offset + i;
        CHECK(bytes[i] == CountingSource::at(at / 4 * 4 + 3 - at % 4));
      }
    }
  }
}

TEST_CASE("a packed tensor is unpacked from its start again when a read goes back") {
  std::string text(40'000'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i / 1000 % 251);
  const MemorySource file("packed", deflated(text));
  std::vector<ArrangedTensor> tensors = {
      {.entry = {.name = "t",
                 .type = find_element_type("U8"),
                 .type_name = "U8",
                 .shape = {text.size()},
                 .extent = {.begin = 0, .end = text.size()}},
       .arrangement = {.stored = {.begin = 0, .end = file.size()},
                       .deflated = true,
                       .unpacked_bytes = text.size(),
                       .element_bytes = 1}}};
  const auto source = arranged_source(file, tensors);
  for (const std::size_t offset : {30'000'000U, 39'999'990U, 5U, 10U, 20'000'000U}) {
    const auto bytes = read(*source, offset, 10);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      CHECK(bytes[i] == static_cast<std::byte>((offset + i) / 1000 % 251));
    }
  }
}

TEST_CASE("tensors stand one after the other, and a read may cross from one to the next") {
  std::vector<ArrangedTensor> tensors = {turned_matrix(2, 2, 0), turned_matrix(2, 2, 0)};
  const CountingSource file(100);
  const auto source = arranged_source(file, tensors);
  CHECK(source->size() == 16);
  CHECK(tensors[1].entry.extent == Extent{.begin = 8, .end = 16});
  CHECK(source->arranges() == &file);
  const auto bytes = read(*source, 6, 4);
  CHECK(bytes[0] == expected_byte(6, 2, 2, false));
  CHECK(bytes[2] == expected_byte(0, 2, 2, false));
  std::vector<std::byte> beyond(2);
  CHECK(source->read_at(15, beyond).has_value());
}

}  // namespace pedigree
