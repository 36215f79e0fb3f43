// A NodeProto: an operator of a graph, as far as it says something of weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.h"
#include "formats/limits.h"

namespace pedigree {

struct OnnxAttribute {
  std::string name = {};
  std::optional<std::int64_t> number = {};
  std::vector<std::int64_t> numbers = {};  // the first few
  std::vector<WireField> tensors = {};
  std::vector<WireField> sparse = {};
  std::vector<WireField> graphs = {};
};

struct OnnxNode {
  std::uint64_t at = 0;
  std::string name = {};
  std::string op = {};
  std::vector<std::string> inputs = {};   // the first few
  std::vector<std::string> outputs = {};  // the first few
  std::vector<OnnxAttribute> attributes = {};
  std::string scopes = {};  // of torch.onnx: the modules around it, as a list in Python's spelling

  std::int64_t number(std::string_view attribute, std::int64_t otherwise) const;
};

// Throws Malformed (onnx-malformed, limit-exceeded). Places in the node's attributes are
// messages of `in`.
OnnxNode read_onnx_node(WireReader in, std::uint64_t at, const Limits& limits);

}  // namespace pedigree
