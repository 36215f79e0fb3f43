// ONNX models put together field by field, able to lie about any of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree::made_onnx {

// Protobuf's wire format.
std::string varint(std::uint64_t value);
std::string number(unsigned field, std::uint64_t value);
std::string bytes(unsigned field, std::string_view content);

// Messages of onnx.proto, without their tags.
std::string tensor(std::string_view name, const std::vector<std::int64_t>& dims,
                   std::uint64_t data_type, std::string_view values);
std::string node(std::string_view op, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, std::string_view name,
                 std::string_view attributes = "");
// One with an integer; its tag is that of an attribute of a node.
std::string attribute(std::string_view name, std::int64_t value);

struct Graph {
  std::vector<std::string> tensors = {};
  std::vector<std::string> nodes = {};
  std::string more = {};
};
std::string graph(const Graph& parts);
std::string model(const Graph& parts, std::string_view more = "");

// raw_data, float_data and int32_data with its tag.
std::string raw(std::string_view content);
std::string raw_floats(const std::vector<float>& values);
std::string external(std::string_view location, std::string_view offset = "",
                     std::string_view length = "");

}  // namespace pedigree::made_onnx
