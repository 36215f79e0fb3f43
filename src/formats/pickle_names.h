// The names in a pickle that weights need, and what each stands for here.
//
// A list of what is forbidden always misses one; this is the list of what is
// known, and everything else is foreign.
#pragma once

#include <cstdint>
#include <string_view>

namespace pedigree {

enum class PickleName : std::uint8_t {
  foreign,
  mapping,            // OrderedDict and its kind
  container,          // set, list and other plain built-ins
  tensor,             // torch._utils._rebuild_tensor and _v2
  tensor_v3,          // with a type of its own over an untyped storage
  parameter,          // wraps a tensor
  tensor_of_type,     // a rebuild function and its arguments, for a subclass
  quantized_tensor,   // integers with scale and zero point
  unread_tensor,      // sparse, meta and wrapped tensors: named, not read
  tensor_from_array,  // a numpy array on a device
  storage,            // torch.FloatStorage …: the name says the type
  untyped_storage,    // bytes
  element_type,       // torch.float16 …
  sizes,              // torch.Size
  plain,              // carries no weights: torch.device and its kind
  numpy_reconstruct,  // makes an empty array that BUILD fills
  numpy_array,
  numpy_type,
  encode,        // text whose characters are bytes
  script_class,  // a class of the archive's own code (TorchScript)
  script_list,   // restores a typed list from its only argument
};

PickleName pickle_name(std::string_view module, std::string_view name);

}  // namespace pedigree
