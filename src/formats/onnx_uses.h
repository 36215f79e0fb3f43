// What an operator that reads a weight says of it: of which module it is, and whether a
// matrix lies as [out, in] or as [in, out].
//
// Exporters fold the transposition of a linear layer into its weight and call the result
// "onnx::MatMul_1234"; the operator that reads it still stands under the module's name.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "formats/formats.h"
#include "formats/onnx_node.h"

namespace pedigree {

// What `node` makes of its input number `input`, when that is a weight of so many
// dimensions; none where the operator tells nothing.
std::optional<TensorUse> use_of(const OnnxNode& node, std::size_t input, std::size_t rank);

// Does the operator hand its first input on with the same values? Then whether it swaps
// the two axes of a matrix; none for all others.
std::optional<bool> hands_on(const OnnxNode& node);

// Is this a parameter's own name, and not one a program made up? "model.norm.weight", not
// "onnx::MatMul_1234", "/model/norm/Constant_output_0" or "val_12".
bool names_parameter(std::string_view stored);

// The parameter as the model's own code calls it, where an exporter changed the name:
// "model.layers.0.attn.q_proj.MatMul.weight"; "" where it did not.
std::string original_parameter(std::string_view stored);

}  // namespace pedigree
