#include "tests/support/safetensors_builder.h"

#include <cstring>

namespace pedigree {
namespace {

std::string number_list(std::span<const std::uint64_t> numbers) {
  std::string json = "[";
  for (const std::uint64_t number : numbers) {
    if (json.size() > 1) json += ',';
    json += std::to_string(number);
  }
  return json + "]";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) {
    if (!all.empty()) all += ',';
    all += part;
  }
  return "{" + all + "}";
}

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i, value >>= 8U) bytes += static_cast<char>(value & 0xFFU);
  return bytes;
}

}  // namespace

std::string json_quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20) {
      json += "\\u00";
      json += digits[code >> 4U];
      json += digits[code & 15U];
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + "\"";
}

SafetensorsBuilder& SafetensorsBuilder::tensor(std::string_view name, std::string_view dtype,
                                               std::vector<std::uint64_t> shape,
                                               std::string_view data) {
  entries_.push_back({.name_json = json_quoted(name),
                      .dtype_json = json_quoted(dtype),
                      .shape_json = number_list(shape)});
  const std::uint64_t begin = data_.size();
  data_ += data;
  return with_offsets(begin, data_.size());
}

SafetensorsBuilder& SafetensorsBuilder::f32(std::string_view name, std::vector<std::uint64_t> shape,
                                            std::span<const float> values) {
  std::string bytes(values.size_bytes(), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return tensor(name, "F32", std::move(shape), bytes);
}

SafetensorsBuilder& SafetensorsBuilder::with_offsets(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t offsets[] = {begin, end};
  entries_.back().offsets_json = number_list(offsets);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::with_shape(std::span<const std::uint64_t> shape) {
  return with_shape_json(number_list(shape));
}

SafetensorsBuilder& SafetensorsBuilder::with_dtype_json(std::string json) {
  entries_.back().dtype_json = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::with_shape_json(std::string json) {
  entries_.back().shape_json = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::with_offsets_json(std::string json) {
  entries_.back().offsets_json = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::with_extra_field(std::string_view key,
                                                         std::string_view json) {
  entries_.back().extra += "," + json_quoted(key) + ":" + std::string(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::with_name_json(std::string json) {
  entries_.back().name_json = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::metadata(std::string_view key, std::string_view value) {
  metadata_.emplace_back(key, value);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::metadata_json(std::string json) {
  metadata_json_ = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::member_json(std::string_view raw) {
  raw_members_.emplace_back(raw);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::header_json(std::string json) {
  header_json_ = std::move(json);
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::before_header(std::string_view spaces) {
  before_ = spaces;
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::after_header(std::string_view padding) {
  after_ = padding;
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::header_length(std::uint64_t length) {
  header_length_ = length;
  return *this;
}

SafetensorsBuilder& SafetensorsBuilder::trailing(std::string_view bytes) {
  trailing_ = bytes;
  return *this;
}

std::vector<std::string> SafetensorsBuilder::members() const {
  std::vector<std::string> all;
  if (metadata_json_) {
    all.push_back("\"__metadata__\":" + *metadata_json_);
  } else if (!metadata_.empty()) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : metadata_) {
      pairs.push_back(json_quoted(key) + ":" + json_quoted(value));
    }
    all.push_back("\"__metadata__\":" + joined(pairs));
  }
  for (const Entry& entry : entries_) {
    std::vector<std::string> fields;
    if (!entry.dtype_json.empty()) fields.push_back("\"dtype\":" + entry.dtype_json);
    if (!entry.shape_json.empty()) fields.push_back("\"shape\":" + entry.shape_json);
    if (!entry.offsets_json.empty()) fields.push_back("\"data_offsets\":" + entry.offsets_json);
    std::string object = joined(fields);
    object.insert(object.size() - 1, entry.extra);
    all.push_back(entry.name_json + ":" + object);
  }
  all.insert(all.end(), raw_members_.begin(), raw_members_.end());
  return all;
}

std::string SafetensorsBuilder::header() const {
  return before_ + (header_json_ ? *header_json_ : joined(members())) + after_;
}

std::string SafetensorsBuilder::build() const {
  const std::string json = header();
  return little_endian(header_length_.value_or(json.size())) + json + data_ + trailing_;
}

}  // namespace pedigree
