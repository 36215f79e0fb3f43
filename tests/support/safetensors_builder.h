// Writes safetensors files for tests, honest by default and able to lie about
// any field.
//
//   SafetensorsBuilder()
//       .tensor("a", "F32", {2}, bytes)
//       .with_offsets(0, 4)      // a lie about the tensor just added
//       .build();
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pedigree {

// `text` as a JSON string, quotes included.
std::string json_quoted(std::string_view text);

class SafetensorsBuilder {
 public:
  // Adds a tensor whose data follow those of the one before.
  SafetensorsBuilder& tensor(std::string_view name, std::string_view dtype,
                             std::vector<std::uint64_t> shape, std::string_view data);
  SafetensorsBuilder& f32(std::string_view name, std::vector<std::uint64_t> shape,
                          std::span<const float> values);

  // Lies about the tensor just added. The _json forms take raw JSON text, so
  // that a field can be of any kind; an empty text leaves the field out.
  SafetensorsBuilder& with_offsets(std::uint64_t begin, std::uint64_t end);
  SafetensorsBuilder& with_shape(std::span<const std::uint64_t> shape);
  SafetensorsBuilder& with_dtype_json(std::string json);
  SafetensorsBuilder& with_shape_json(std::string json);
  SafetensorsBuilder& with_offsets_json(std::string json);
  SafetensorsBuilder& with_extra_field(std::string_view key, std::string_view json);
  SafetensorsBuilder& with_name_json(std::string json);  // instead of the quoted name

  SafetensorsBuilder& metadata(std::string_view key, std::string_view value);
  SafetensorsBuilder& metadata_json(std::string json);         // instead of the pairs
  SafetensorsBuilder& member_json(std::string_view raw);       // any member of the header
  SafetensorsBuilder& header_json(std::string json);           // instead of all members
  SafetensorsBuilder& before_header(std::string_view spaces);  // within the header's length
  SafetensorsBuilder& after_header(std::string_view padding);  // within the header's length
  SafetensorsBuilder& header_length(std::uint64_t length);     // a lie about the first u64
  SafetensorsBuilder& trailing(std::string_view bytes);        // behind all data

  std::string header() const;  // the JSON text with its padding
  std::string build() const;

 private:
  struct Entry {
    std::string name_json = {};
    std::string dtype_json = {};
    std::string shape_json = {};
    std::string offsets_json = {};
    std::string extra = {};
  };

  std::vector<std::string> members() const;

  std::vector<Entry> entries_;
  std::string data_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::optional<std::string> metadata_json_;
  std::vector<std::string> raw_members_;
  std::optional<std::string> header_json_;
  std::string before_;
  std::string after_;
  std::optional<std::uint64_t> header_length_;
  std::string trailing_;
};

}  // namespace pedigree
