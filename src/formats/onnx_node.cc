// NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 9 metadata_props.
// AttributeProto: 1 name, 3 i, 5 t, 6 g, 8 ints, 10 tensors, 11 graphs, 22 sparse_tensor,
// 23 sparse_tensors.
#include "formats/onnx_node.h"

#include <algorithm>
#include <utility>

#include "base/problem.h"

namespace pedigree {
namespace {

using Kind = WireField::Kind;

constexpr std::size_t most_names = 64;  // no weight of any operator comes later
constexpr std::size_t most_numbers = 64;
constexpr std::size_t most_attributes = 4096;
constexpr std::size_t most_parts = 65'536;  // tensors and graphs of one attribute

void keep(std::vector<WireField>& parts, const WireField& field) {
  if (parts.size() >= most_parts) {
    malformed("limit-exceeded", "an attribute holds too many tensors or graphs", field.at);
  }
  parts.push_back(field);
}

void keep_number(OnnxAttribute& attribute, std::uint64_t value) {
  if (attribute.numbers.size() >= most_numbers) return;
  attribute.numbers.push_back(static_cast<std::int64_t>(value));
}

void take_bytes(const WireReader& in, const WireField& field, const Limits& limits,
                OnnxAttribute& attribute) {
  switch (field.number) {
    case 1:
      attribute.name = in.text(field, limits.name_bytes, "an attribute's name");
      return;
    case 5:
    case 10:
      return keep(attribute.tensors, field);
    case 6:
    case 11:
      return keep(attribute.graphs, field);
    case 8: {
      WireReader list = in.inside(field);
      while (!list.at_end() && attribute.numbers.size() < most_numbers) {
        keep_number(attribute, list.varint());
      }
      return;
    }
    case 22:
    case 23:
      return keep(attribute.sparse, field);
    default:
      return;
  }
}

OnnxAttribute read_attribute(WireReader in, const Limits& limits) {
  OnnxAttribute attribute;
  while (const auto field = in.next()) {
    if (field->kind == Kind::bytes) {
      take_bytes(in, *field, limits, attribute);
    } else if (field->number == 3) {
      attribute.number = static_cast<std::int64_t>(field->value);
    } else if (field->number == 8) {
      keep_number(attribute, field->value);
    }
  }
  return attribute;
}

// One of many exporters' notes on a node; only torch's are of use.
std::string read_scopes(WireReader in, const Limits& limits) {
  std::string key;
  std::string value;
  while (const auto field = in.next()) {
    if (field->is(1, Kind::bytes)) key = in.text(*field, limits.name_bytes, "a key");
    if (field->is(2, Kind::bytes) && field->size() <= limits.name_bytes) {
      value = in.text(*field, limits.name_bytes, "a value");
    }
  }
  return key == "pkg.torch.onnx.name_scopes" ? value : std::string();
}

void take_name(const WireReader& in, const WireField& field, const Limits& limits,
               std::vector<std::string>& names) {
  if (names.size() < most_names) names.push_back(in.text(field, limits.name_bytes, "a name"));
}

void take_part(const WireReader& in, const WireField& field, const Limits& limits, OnnxNode& node) {
  switch (field.number) {
    case 1:
      return take_name(in, field, limits, node.inputs);
    case 2:
      return take_name(in, field, limits, node.outputs);
    case 3:
      node.name = in.text(field, limits.name_bytes, "an operator's name");
      return;
    case 4:
      node.op = in.text(field, limits.name_bytes, "an operator's type");
      return;
    case 5:
      if (node.attributes.size() >= most_attributes) {
        malformed("limit-exceeded", "an operator has too many attributes", field.at);
      }
      node.attributes.push_back(read_attribute(in.inside(field), limits));
      return;
    case 9:
      if (std::string scopes = read_scopes(in.inside(field), limits); !scopes.empty()) {
        node.scopes = std::move(scopes);
      }
      return;
    default:
      return;
  }
}

}  // namespace

std::int64_t OnnxNode::number(std::string_view attribute, std::int64_t otherwise) const {
  const auto found = std::ranges::find(attributes, attribute, &OnnxAttribute::name);
  return found == attributes.end() ? otherwise : found->number.value_or(otherwise);
}

OnnxNode read_onnx_node(WireReader in, std::uint64_t at, const Limits& limits) {
  OnnxNode node = {.at = at};
  while (const auto field = in.next()) {
    if (field->kind == Kind::bytes) take_part(in, *field, limits, node);
  }
  return node;
}

}  // namespace pedigree
