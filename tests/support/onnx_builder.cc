#include "tests/support/onnx_builder.h"

#include <cstring>
#include <span>

namespace pedigree::made_onnx {

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value > 0x7F; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
  return out + static_cast<char>(value);
}

std::string number(unsigned field, std::uint64_t value) {
  return varint(std::uint64_t{field} << 3U) + varint(value);
}

std::string bytes(unsigned field, std::string_view content) {
  return varint(std::uint64_t{field} << 3U | 2U) + varint(content.size()) + std::string(content);
}

std::string tensor(std::string_view name, const std::vector<std::int64_t>& dims,
                   std::uint64_t data_type, std::string_view values) {
  std::string out;
  for (const std::int64_t size : dims) out += number(1, static_cast<std::uint64_t>(size));
  return out + number(2, data_type) + std::string(values) + bytes(8, name);
}

std::string node(std::string_view op, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, std::string_view name,
                 std::string_view attributes) {
  std::string out;
  for (const std::string& each : inputs) out += bytes(1, each);
  for (const std::string& each : outputs) out += bytes(2, each);
  return out + bytes(3, name) + bytes(4, op) + std::string(attributes);
}

std::string attribute(std::string_view name, std::int64_t value) {
  return bytes(5, bytes(1, name) + number(3, static_cast<std::uint64_t>(value)) + number(20, 2));
}

std::string graph(const Graph& parts) {
  std::string out;
  for (const std::string& each : parts.nodes) out += bytes(1, each);
  out += bytes(2, "main");
  for (const std::string& each : parts.tensors) out += bytes(5, each);
  return out + parts.more;
}

std::string model(const Graph& parts, std::string_view more) {
  return number(1, 8) + bytes(2, "made") + bytes(7, graph(parts)) + bytes(8, number(2, 17)) +
         std::string(more);
}

std::string raw(std::string_view content) { return bytes(9, content); }

std::string raw_floats(const std::vector<float>& values) {
  std::string content(values.size() * sizeof(float), '\0');
  std::memcpy(content.data(), values.data(), content.size());
  return raw(content);
}

std::string external(std::string_view location, std::string_view offset, std::string_view length) {
  std::string out = bytes(13, bytes(1, "location") + bytes(2, location));
  if (!offset.empty()) out += bytes(13, bytes(1, "offset") + bytes(2, offset));
  if (!length.empty()) out += bytes(13, bytes(1, "length") + bytes(2, length));
  return out + number(14, 1);
}

}  // namespace pedigree::made_onnx
