#include "model/weights.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <numeric>

#include "tests/support/fault_source.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using Floats = std::vector<float>;
using Indices = std::vector<std::uint64_t>;

// A model of one stored tensor that begins `pad` bytes into its file.
Model one_tensor(std::string_view type, std::vector<std::uint64_t> shape,
                 std::vector<std::byte> bytes, std::size_t pad = 3) {
  Model model;
  StoredTensor stored;
  stored.entry.name = "w";
  stored.entry.type = type == "?" ? &opaque_type() : find_element_type(type);
  stored.entry.type_name = type;
  stored.entry.shape = std::move(shape);
  stored.entry.extent = {.begin = pad, .end = pad + bytes.size()};
  model.tensors.push_back(std::move(stored));
  bytes.insert(bytes.begin(), pad, std::byte{0xEE});
  model.shards.push_back(std::make_unique<MemorySource>("w.safetensors", std::move(bytes)));
  return model;
}

// F32 values 0, 1, 2 … in row-major order.
Model counting(std::vector<std::uint64_t> shape) {
  Floats values(std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies{}));
  std::iota(values.begin(), values.end(), 0.0F);
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return one_tensor("F32", std::move(shape), std::move(bytes));
}

CanonicalTensor as_stored(std::uint64_t rows, std::uint64_t cols) {
  return {.role = "ffn.up", .layer = 0, .rows = rows, .cols = cols, .tensor = 0};
}

CanonicalTensor transposed(std::uint64_t rows, std::uint64_t cols, std::uint64_t first_row = 0) {
  CanonicalTensor tensor = as_stored(rows, cols);
  tensor.transposed = true;
  tensor.first_row = first_row;
  return tensor;
}

TEST_CASE("rows come in the order asked for, twice if asked twice") {
  const Model model = counting({4, 3});
  const auto values = read_rows(model, as_stored(4, 3), Indices{2, 0, 0, 3});
  REQUIRE(values.has_value());
  CHECK(*values == Floats{6, 7, 8, 0, 1, 2, 0, 1, 2, 9, 10, 11});
}

TEST_CASE("only the rows asked for are read") {
  const Model model = counting({1000, 64});
  REQUIRE(read_rows(model, as_stored(1000, 64), Indices{5, 6, 7, 900}).has_value());
  CHECK(model.shards[0]->bytes_read() == 4 * 64 * sizeof(float));
}

TEST_CASE("rows that follow one another are one read") {
  const Model stored = counting({100, 4});
  Model model;
  model.tensors = stored.tensors;
  model.shards.push_back(std::make_unique<FaultSource>(*stored.shards[0], FaultSource::never));
  REQUIRE(read_all(model, as_stored(100, 4)).has_value());
  CHECK(static_cast<const FaultSource&>(*model.shards[0]).reads() == 1);
}

TEST_CASE("a transposed tensor gives rows of the logical matrix") {
  const Model model = counting({2, 3});  // stored [in, out]
  const CanonicalTensor tensor = transposed(3, 2);
  CHECK(*read_all(model, tensor) == Floats{0, 3, 1, 4, 2, 5});
  CHECK(*read_rows(model, tensor, Indices{2, 0}) == Floats{2, 5, 0, 3});
}

TEST_CASE("a part of a fused tensor begins at its first row") {
  const Model rows = counting({6, 2});
  CanonicalTensor part = as_stored(2, 2);
  part.first_row = 4;
  CHECK(*read_all(rows, part) == Floats{8, 9, 10, 11});
  const Model columns = counting({2, 6});  // c_attn: [in, 3 × out]
  CHECK(*read_all(columns, transposed(2, 2, 2)) == Floats{2, 8, 3, 9});
  CHECK(*read_all(columns, transposed(2, 2, 4)) == Floats{4, 10, 5, 11});
}

TEST_CASE("an expert stacked as [in, out] begins at its first column") {
  // Two experts of [in 2, out 3]: 0..5 and 6..11.
  const Model model = counting({2, 2, 3});
  CanonicalTensor second = transposed(3, 2);
  second.first_col = 2;
  const auto values = read_all(model, second);
  REQUIRE(values.has_value());
  CHECK(*values == Floats{6, 9, 7, 10, 8, 11});
  const auto block = read_block(model, second, Indices{2, 0}, Indices{1});
  REQUIRE(block.has_value());
  CHECK(*block == Floats{11, 9});
}

TEST_CASE("a vector of each expert is one row of their stack") {
  const Model model = counting({3, 4});
  CanonicalTensor second = transposed(4, 1);
  second.first_col = 1;
  const auto values = read_all(model, second);
  REQUIRE(values.has_value());
  CHECK(*values == Floats{4, 5, 6, 7});
}

TEST_CASE("axes of one around a vector do not make it a matrix") {
  const Model model = counting({1, 1, 4});
  const auto values = read_rows(model, as_stored(4, 1), Indices{3, 1});
  REQUIRE(values.has_value());
  CHECK(*values == Floats{3, 1});
}

TEST_CASE("of a kernel each output channel is a row, all its taps behind each other") {
  const Model model = counting({3, 2, 2, 1});
  const auto rows = read_rows(model, as_stored(3, 4), Indices{2, 0});
  REQUIRE(rows.has_value());
  CHECK(*rows == Floats{8, 9, 10, 11, 0, 1, 2, 3});
}

TEST_CASE("parts that take turns are gathered from their runs") {
  // Two heads of two rows each: q q k k v v, q q k k v v.
  const Model model = counting({12, 1});
  CanonicalTensor keys = as_stored(4, 1);
  keys.first_row = 2;
  keys.run = 2;
  keys.period = 6;
  CHECK_FALSE(keys.is_plain());
  CHECK(*read_all(model, keys) == Floats{2, 3, 8, 9});
  CHECK(*read_rows(model, keys, Indices{3, 0}) == Floats{9, 2});
  CHECK(*read_block(model, keys, Indices{2, 1}, Indices{0}) == Floats{8, 3});
  // Their rows in rotary pairs as well: of each head's two, none moves.
  keys.paired_heads = 1;  // one head of four rows: 0 2 1 3
  CHECK(*read_all(model, keys) == Floats{2, 8, 3, 9});
  // Gate and up row by row.
  CanonicalTensor up = as_stored(6, 1);
  up.first_row = 1;
  up.run = 1;
  up.period = 2;
  CHECK(*read_all(model, up) == Floats{1, 3, 5, 7, 9, 11});
}

TEST_CASE("a block is rows by columns in the orders asked for") {
  const Model model = counting({3, 4});
  CHECK(*read_block(model, as_stored(3, 4), Indices{2, 0}, Indices{3, 1}) == Floats{11, 9, 3, 1});
  CHECK(*read_block(model, transposed(4, 3), Indices{3, 1}, Indices{2, 0}) == Floats{11, 3, 9, 1});
  CHECK(read_block(model, as_stored(3, 4), Indices{}, Indices{1})->empty());
}

TEST_CASE("far columns of a block are read apart, near ones together") {
  const Model model = counting({2, 100'000});
  REQUIRE(read_block(model, as_stored(2, 100'000), Indices{0, 1}, Indices{0, 10, 90'000}));
  CHECK(model.shards[0]->bytes_read() == 2 * (11 + 1) * sizeof(float));
}

TEST_CASE("a vector is read in runs, a bias of a fused tensor from its part") {
  const Model model = counting({9});
  CHECK(*read_all(model, as_stored(9, 1)) == Floats{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CanonicalTensor part = as_stored(3, 1);
  part.first_row = 6;
  CHECK(*read_rows(model, part, Indices{2, 0}) == Floats{8, 6});
}

// Four-bit codes 0 … 15 0 … 15: E2M1 values by code, low nibble first.
constexpr float e2m1[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};

TEST_CASE("rows of four-bit elements may begin inside a byte") {
  std::vector<std::byte> bytes;
  for (unsigned code = 0; code < 30; code += 2) {
    bytes.push_back(static_cast<std::byte>((code % 16) | ((code + 1) % 16) << 4U));
  }
  const Model model = one_tensor("F4", {6, 5}, bytes);
  const auto all = read_all(model, as_stored(6, 5));
  REQUIRE(all.has_value());
  for (std::size_t i = 0; i < 30; ++i) CHECK((*all)[i] == e2m1[i % 16]);
  const auto rows = read_rows(model, as_stored(6, 5), Indices{1, 4});
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK((*rows)[i] == e2m1[5 + i]);
    CHECK((*rows)[5 + i] == e2m1[(20 + i) % 16]);
  }
}

TEST_CASE("rows of six-bit elements may begin at any of four places") {
  // Element i has code i mod 32 in E2M3, whose values are code / 8 below 8 and
  // (8 + code mod 8) / 8 × 2^(code / 8 − 1) from there on.
  const auto value = [](std::uint64_t i) {
    const auto code = static_cast<unsigned>(i % 32);
    if (code < 8) return static_cast<float>(code) / 8;
    return static_cast<float>(8 + code % 8) / 8 * static_cast<float>(1U << (code / 8 - 1));
  };
  std::vector<std::byte> bytes(12 * 7 * 6 / 8);
  for (std::uint64_t i = 0; i < 84; ++i) {
    for (unsigned bit = 0; bit < 6; ++bit) {
      const std::uint64_t at = i * 6 + bit;
      bytes[at / 8] |= static_cast<std::byte>((i % 32 >> bit & 1U) << at % 8);
    }
  }
  const Model model = one_tensor("F6_E2M3", {12, 7}, bytes);
  for (std::uint64_t row = 0; row < 12; ++row) {
    const auto values = read_rows(model, as_stored(12, 7), Indices{row});
    REQUIRE(values.has_value());
    for (std::uint64_t i = 0; i < 7; ++i) CHECK((*values)[i] == value(row * 7 + i));
  }
}

TEST_CASE("every decodable type gives the same values by row and as a whole") {
  for (const ElementType* type : element_types()) {
    if (type->decode == nullptr) continue;
    CAPTURE(std::string(type->id));
    constexpr std::uint64_t rows = 512;  // whole blocks of every type together
    std::vector<std::byte> bytes(type->bytes_of(rows * 5).value());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = type->id == "BOOL" ? std::byte{1} : static_cast<std::byte>(i * 37 % 97);
    }
    Floats expected(rows * 5);
    type->decode(bytes, expected);
    const Model model = one_tensor(type->id, {rows, 5}, bytes);
    Floats values;
    for (std::uint64_t row = 0; row < rows; ++row) {
      const auto one = read_rows(model, as_stored(rows, 5), Indices{row});
      REQUIRE(one.has_value());
      values.insert(values.end(), one->begin(), one->end());
    }
    CHECK(std::memcmp(values.data(), expected.data(), expected.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("values of unknown and complex types are a problem, not numbers") {
  for (const std::string_view type : {"?", "C64"}) {
    const Model model = one_tensor(type, {2}, std::vector<std::byte>(16));
    const auto values = read_all(model, as_stored(2, 1));
    REQUIRE_FALSE(values.has_value());
    CHECK(values.error().code == "unsupported-encoding");
    CHECK(values.error().file == "w.safetensors");
    CHECK(model.shards[0]->bytes_read() == 0);
  }
}

TEST_CASE("more than a window of values is read in pieces and joined exactly") {
  constexpr std::uint64_t rows = 700;
  constexpr std::uint64_t cols = 601;
  const Model model = counting({rows, cols});  // 1.7 MB
  const auto values = read_all(model, as_stored(rows, cols));
  REQUIRE(values.has_value());
  for (std::size_t i = 0; i < values->size(); ++i) {
    if ((*values)[i] != static_cast<float>(i)) FAIL("wrong value at " << i);
  }
}

TEST_CASE("rows stream in order, in chunks of whole rows") {
  const Model model = counting({7, 4});
  Floats joined;
  std::vector<std::uint64_t> starts;
  const auto problem = stream_rows(model, as_stored(7, 4), 2 * 4 * sizeof(float),
                                   [&](std::uint64_t first, std::span<const float> values) {
                                     starts.push_back(first);
                                     joined.insert(joined.end(), values.begin(), values.end());
                                     return std::optional<Problem>();
                                   });
  CHECK_FALSE(problem.has_value());
  CHECK(starts == Indices{0, 2, 4, 6});
  CHECK(joined == *read_all(model, as_stored(7, 4)));
}

TEST_CASE("bytes stream in multiples of 64 but for the last chunk") {
  const Model model = counting({50});  // 200 bytes
  std::vector<std::size_t> sizes;
  std::vector<std::byte> joined;
  const auto problem = stream_bytes(model, model.tensors[0], 100, [&](auto bytes) {
    sizes.push_back(bytes.size());
    joined.insert(joined.end(), bytes.begin(), bytes.end());
    return std::optional<Problem>();
  });
  CHECK_FALSE(problem.has_value());
  CHECK(sizes == std::vector<std::size_t>{64, 64, 64, 8});
  CHECK(joined.size() == 200);
  CHECK(std::bit_cast<float>(
            std::array<std::byte, 4>{joined[196], joined[197], joined[198], joined[199]}) == 49.0F);
}

TEST_CASE("a sink can stop a stream with a problem of its own") {
  const Model model = counting({50});
  int calls = 0;
  const auto problem = stream_bytes(model, model.tensors[0], 64, [&](auto) {
    ++calls;
    return std::optional(make_problem("interrupted", "", "stopped"));
  });
  REQUIRE(problem.has_value());
  CHECK(problem->code == "interrupted");
  CHECK(calls == 1);
}

TEST_CASE("a failing read is the result of whatever was reading") {
  const Model stored = counting({8, 4});
  for (const bool transposed_too : {false, true}) {
    Model model;
    model.tensors = stored.tensors;
    model.shards.push_back(std::make_unique<FaultSource>(*stored.shards[0], 1));
    const CanonicalTensor tensor = transposed_too ? transposed(4, 8) : as_stored(8, 4);
    const Indices rows = {0, 2};
    const auto values = read_rows(model, tensor, rows);
    REQUIRE_FALSE(values.has_value());
    CHECK(values.error().code == "io-error");
  }
}

TEST_CASE("an empty tensor gives no values and no problem") {
  const Model model = one_tensor("F32", {0, 5}, {});
  CHECK(read_all(model, as_stored(0, 5))->empty());
  CHECK_FALSE(stream_rows(model, as_stored(0, 5), 64, [](auto, auto) {
                return std::optional(make_problem("interrupted", "", "called"));
              }).has_value());
}

// Head 0 is stored as [0 1; 2 3; 4 5], head 1 as [6 7; 8 9; 10 11]: inputs × outputs.
TEST_CASE("matrices of heads that are turned round read as the matrix they make together") {
  const Model model = counting({6, 2});
  CanonicalTensor tensor = as_stored(4, 3);
  tensor.transposed = true;
  tensor.run = 2;
  CHECK(read_all(model, tensor).value() == Floats{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11});
  const Indices rows = {3, 0, 1};
  const Indices cols = {2, 0};
  CHECK(read_block(model, tensor, rows, cols).value() == Floats{11, 7, 4, 0, 5, 1});
  CHECK(read_rows(model, tensor, rows).value() == Floats{7, 9, 11, 0, 2, 4, 1, 3, 5});
  CHECK_FALSE(tensor.is_plain());
}

}  // namespace
}  // namespace pedigree
