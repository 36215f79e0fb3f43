// Writes GGUF files for tests, honest by default and able to lie.
//
//   GgufBuilder().text("general.architecture", "llama").tensor("a", 0, {2}, bytes).build();
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

class GgufBuilder {
 public:
  explicit GgufBuilder(std::uint32_t version = 3, bool big_endian = false)
      : version_(version), big_(big_endian) {}

  // Metadata, in order.
  GgufBuilder& text(std::string_view key, std::string_view value);
  GgufBuilder& u32(std::string_view key, std::uint32_t value);
  GgufBuilder& f32(std::string_view key, float value);
  GgufBuilder& flag(std::string_view key, std::uint8_t value);
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values);
  GgufBuilder& i32s(std::string_view key, const std::vector<std::int32_t>& values);
  GgufBuilder& raw(std::string_view key, std::uint32_t type, std::string_view bytes);

  // A tensor whose data follow those of the one before; `shape` is row-major, the
  // numbers of `data` are in the file's order.
  GgufBuilder& tensor(std::string_view name, std::uint32_t type,
                      const std::vector<std::uint64_t>& shape, std::string_view data);
  GgufBuilder& with_offset(std::uint64_t offset);  // a lie about the tensor just added

  GgufBuilder& counts(std::uint64_t tensors, std::uint64_t entries);  // lies
  GgufBuilder& alignment(std::uint32_t bytes);  // of data; says so in the metadata
  GgufBuilder& trailing(std::string_view bytes);

  std::string build() const;

  // In the file's byte order and width.
  std::string number(std::uint64_t value, unsigned bytes) const;
  std::string count(std::uint64_t value) const { return number(value, version_ == 1 ? 4 : 8); }
  std::string string(std::string_view value) const;

 private:
  struct Tensor {
    std::string name = {};
    std::uint32_t type = 0;
    std::vector<std::uint64_t> shape = {};
    std::uint64_t offset = 0;
  };
  void pad(std::string& bytes) const;

  std::uint32_t version_;
  bool big_;
  std::uint32_t alignment_ = 32;
  std::vector<std::string> entries_;
  std::vector<Tensor> tensors_;
  std::string data_;
  std::string trailing_;
  std::optional<std::uint64_t> tensor_count_;
  std::optional<std::uint64_t> entry_count_;
};

}  // namespace pedigree
