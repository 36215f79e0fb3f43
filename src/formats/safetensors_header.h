// The JSON of a safetensors header, event by event, into tensor entries.
//
// Memory is linear in the header: events never become a tree, and duplicate
// names are found by sorting positions, not by a hash an attacker can aim at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/formats.h"

namespace pedigree {

class SafetensorsHeader {
 public:
  // `data` is where tensors may lie in the file. Neither argument is owned.
  SafetensorsHeader(Extent data, const Limits& limits, WeightFile& file)
      : data_(data), limits_(limits), file_(file) {}

  // Takes the next event; throws Malformed with an offset within the header.
  void operator()(const JsonEvent& event);

  // After the last event: refuses names that stand twice.
  void check_names() const;

 private:
  enum class Field { none, dtype, shape, data_offsets };

  void take_root(const JsonEvent& event) const;
  void take_member(const JsonEvent& event);
  void take_member_key(const JsonEvent& event);
  void take_metadata(const JsonEvent& event);
  void take_field(const JsonEvent& event);
  void take_field_key(const JsonEvent& event);
  void take_item(const JsonEvent& event);
  void finish_entry(const JsonEvent& event);
  [[noreturn]] void refuse_value(const JsonEvent& event) const;

  Extent data_;
  const Limits& limits_;
  WeightFile& file_;
  std::vector<std::uint64_t> tensor_places_;  // where each name ends in the header
  std::vector<std::uint64_t> metadata_places_;

  bool in_metadata_ = false;
  bool seen_metadata_ = false;
  TensorEntry entry_;
  Field field_ = Field::none;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  std::size_t offset_count_ = 0;
};

}  // namespace pedigree
