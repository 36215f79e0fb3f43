// Does a tensor carry information? Masks, constants and tables computed by a
// formula are equal between strangers and must not count as evidence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace pedigree {

// Sees a tensor's stored bytes in order. Stops looking once there are more than
// sixteen distinct values, which in a weight matrix is at once.
class InformationProbe {
 public:
  explicit InformationProbe(const TensorEntry& entry);

  void feed(std::span<const std::byte> stored);

  // After the last byte: more than sixteen distinct values and no known table.
  bool informative() const;

 private:
  bool starts_as_rotation_table() const;
  void count(std::span<const std::byte> stored);

  const TensorEntry* entry_;
  std::size_t width_;  // bytes compared at a time
  std::vector<std::byte> head_;
  std::vector<std::byte> carry_;
  std::vector<std::uint64_t> distinct_;
};

}  // namespace pedigree
