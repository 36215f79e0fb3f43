#include "tests/support/gguf_builder.h"

#include <algorithm>
#include <bit>

namespace pedigree {

std::string GgufBuilder::number(std::uint64_t value, unsigned bytes) const {
  std::string text;
  for (unsigned i = 0; i < bytes; ++i, value >>= 8U) text += static_cast<char>(value & 0xFFU);
  if (big_) std::ranges::reverse(text);
  return text;
}

std::string GgufBuilder::string(std::string_view value) const {
  return count(value.size()) + std::string(value);
}

GgufBuilder& GgufBuilder::raw(std::string_view key, std::uint32_t type, std::string_view bytes) {
  entries_.push_back(string(key) + number(type, 4) + std::string(bytes));
  return *this;
}

GgufBuilder& GgufBuilder::text(std::string_view key, std::string_view value) {
  return raw(key, 8, string(value));
}
GgufBuilder& GgufBuilder::u32(std::string_view key, std::uint32_t value) {
  return raw(key, 4, number(value, 4));
}
GgufBuilder& GgufBuilder::f32(std::string_view key, float value) {
  return raw(key, 6, number(std::bit_cast<std::uint32_t>(value), 4));
}
GgufBuilder& GgufBuilder::flag(std::string_view key, std::uint8_t value) {
  return raw(key, 7, number(value, 1));
}

GgufBuilder& GgufBuilder::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = number(8, 4) + count(values.size());
  for (const std::string& value : values) bytes += string(value);
  return raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::i32s(std::string_view key, const std::vector<std::int32_t>& values) {
  std::string bytes = number(5, 4) + count(values.size());
  for (const std::int32_t value : values) bytes += number(static_cast<std::uint32_t>(value), 4);
  return raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::tensor(std::string_view name, std::uint32_t type,
                                 const std::vector<std::uint64_t>& shape, std::string_view data) {
  pad(data_);
  tensors_.push_back(
      {.name = std::string(name), .type = type, .shape = shape, .offset = data_.size()});
  data_ += data;
  return *this;
}

GgufBuilder& GgufBuilder::with_offset(std::uint64_t offset) {
  tensors_.back().offset = offset;
  return *this;
}

GgufBuilder& GgufBuilder::counts(std::uint64_t tensors, std::uint64_t entries) {
  tensor_count_ = tensors;
  entry_count_ = entries;
  return *this;
}

GgufBuilder& GgufBuilder::alignment(std::uint32_t bytes) {
  alignment_ = bytes;
  return u32("general.alignment", bytes);
}

GgufBuilder& GgufBuilder::trailing(std::string_view bytes) {
  trailing_ = bytes;
  return *this;
}

void GgufBuilder::pad(std::string& bytes) const {
  bytes.resize((bytes.size() + alignment_ - 1) / alignment_ * alignment_, '\0');
}

std::string GgufBuilder::build() const {
  std::string file = "GGUF" + number(version_, 4);
  file += count(tensor_count_.value_or(tensors_.size()));
  file += count(entry_count_.value_or(entries_.size()));
  for (const std::string& entry : entries_) file += entry;
  for (const Tensor& tensor : tensors_) {
    file += string(tensor.name) + number(tensor.shape.size(), 4);
    for (std::size_t i = tensor.shape.size(); i-- > 0;) file += count(tensor.shape[i]);
    file += number(tensor.type, 4) + number(tensor.offset, 8);
  }
  if (!tensors_.empty()) pad(file);
  return file + data_ + trailing_;
}

}  // namespace pedigree
