// A TensorProto: what it says of itself, and where its values lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/wire.h"
#include "formats/formats.h"

namespace pedigree {

// The fields as stored; nothing in them is believed yet.
struct OnnxTensor {
  std::string name = {};  // bytes as stored
  std::uint64_t at = 0;   // of the message in the file
  std::vector<std::int64_t> dims = {};
  std::uint64_t data_type = 0;
  std::vector<Extent> raw = {};     // raw_data; at most one is right
  std::vector<Extent> values = {};  // of one field of typed values, packed
  std::uint64_t values_field = 0;   // which; 0: none
  bool scattered = false;           // typed values lie in several fields or one by one
  bool external = false;            // data_location
  std::string location = {};        // external_data
  std::string offset = {};          // decimal, "" where it is not said
  std::string length = {};

  std::uint64_t value_bytes() const;
};

// Throws Malformed (onnx-malformed, limit-exceeded) for what is no TensorProto.
OnnxTensor read_onnx_tensor(WireReader in, std::uint64_t at, const Limits& limits);

// Adds the tensor under `name` to `file`, or says why it was left out: tensor-malformed,
// tensor-unread, unsupported-encoding. Typed values are counted, which reads them.
// False where it was left out.
bool add_onnx_tensor(const OnnxTensor& tensor, const std::string& name, WireFile& wire,
                     WeightFile& file);

struct OnnxSparseTensor {
  OnnxTensor values = {};   // the name is theirs
  OnnxTensor indices = {};  // either is empty where it is not there
  std::uint64_t at = 0;
};

// Throws Malformed as above, and where one part stands twice.
OnnxSparseTensor read_onnx_sparse_tensor(WireReader in, std::uint64_t at, const Limits& limits);

// The parts as two tensors, "NAME.values" and "NAME.indices", that are not decoded.
void add_onnx_sparse_tensor(const OnnxSparseTensor& sparse, const std::string& name,
                            WeightFile& file);

}  // namespace pedigree
