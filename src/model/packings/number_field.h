// A table of numbers inside one stored tensor, in any of the orders in which
// quantisers lay small integers into words.
//
// A new order is an enumerator here, its size in bytes_needed and its decoder in
// number_field.cc. Everything else about a packing is said in its own file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/problem.h"
#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

struct Model;

struct NumberField {
  enum class Order {
    elements,       // one number an element, row-major
    along_row,      // bits of a row behind each other, the first number lowest
    along_column,   // the same down a column of 32-bit words
    shuffled_row,   // eight nibbles a word: columns 0 2 4 6 1 3 5 7 from the lowest (AWQ)
    high_first,     // nibbles of all rows behind each other, the first number highest
    high_row_first  // rows split into as many runs as an element holds, the first run highest
  };

  std::size_t tensor = 0;  // index into Model::tensors
  Order order = Order::elements;
  unsigned bits = 0;  // of a number; of no account for `elements`
  std::uint64_t rows = 0;
  std::uint64_t cols = 1;
  // How `elements` are read where it is not as the tensor says: scales of powers of two
  // are often stored as U8. Null: as the tensor says.
  const ElementType* type = nullptr;

  std::uint64_t count() const { return rows * cols; }
};

// Throws Malformed (packed-tensor) unless the tensor's bytes hold all the numbers.
void check_field(const Model& model, const NumberField& field);

// Reads numbers of one field. Keeps two windows of the file, of a megabyte at most
// unless a single read is larger; not for use by two threads at once.
class FieldReader {
 public:
  FieldReader(const Model& model, const NumberField& field);

  // Reads ahead for so many numbers behind the ones asked for.
  void expect(std::uint64_t numbers);

  // Numbers [first, first + out.size()) of a row.
  std::optional<Problem> read(std::uint64_t row, std::uint64_t first, std::span<float> out);

  const std::string& file() const { return source_.name(); }

 private:
  struct Window {
    std::uint64_t begin = 0;
    std::vector<std::byte> bytes = {};
  };

  std::optional<Problem> fetch(std::uint64_t offset, std::uint64_t size,
                               std::span<const std::byte>& out);
  std::optional<Problem> read_elements(std::uint64_t at, std::span<float> out);
  std::optional<Problem> read_along_row(std::uint64_t row, std::uint64_t first,
                                        std::span<float> out);
  std::optional<Problem> read_along_column(std::uint64_t row, std::uint64_t first,
                                           std::span<float> out);
  std::optional<Problem> read_shuffled(std::uint64_t row, std::uint64_t first,
                                       std::span<float> out);
  std::optional<Problem> read_high_first(std::uint64_t at, std::span<float> out);
  std::optional<Problem> read_high_row(std::uint64_t row, std::uint64_t first,
                                       std::span<float> out);

  const Source& source_;
  const TensorEntry& entry_;
  const ElementType& type_;
  NumberField field_;
  std::uint64_t row_bytes_ = 0;
  std::uint64_t ahead_ = 0;  // bytes
  std::array<Window, 2> windows_ = {};
  std::size_t oldest_ = 0;
};

}  // namespace pedigree
