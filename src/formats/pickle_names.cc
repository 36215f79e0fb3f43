#include "formats/pickle_names.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace pedigree {
namespace {

using enum PickleName;

using Row = std::tuple<std::string_view, std::string_view, PickleName>;  // module, name, meaning

constexpr std::array rows = {
    Row{"collections", "OrderedDict", mapping},
    Row{"builtins", "dict", mapping},
    Row{"__builtin__", "dict", mapping},
    Row{"builtins", "set", container},
    Row{"builtins", "frozenset", container},
    Row{"builtins", "list", container},
    Row{"builtins", "tuple", container},
    Row{"builtins", "bytearray", container},
    Row{"__builtin__", "set", container},
    Row{"__builtin__", "frozenset", container},
    Row{"__builtin__", "list", container},
    Row{"__builtin__", "tuple", container},
    Row{"__builtin__", "bytearray", container},
    Row{"torch._utils", "_rebuild_tensor", tensor},
    Row{"torch._utils", "_rebuild_tensor_v2", tensor},
    Row{"torch._utils", "_rebuild_tensor_v3", tensor_v3},
    Row{"torch._utils", "_rebuild_parameter", parameter},
    Row{"torch._utils", "_rebuild_parameter_with_state", parameter},
    Row{"torch.nn.parameter", "Parameter", parameter},
    Row{"torch.nn.parameter", "Buffer", parameter},
    Row{"torch._tensor", "_rebuild_from_type_v2", tensor_of_type},
    Row{"torch.tensor", "_rebuild_from_type_v2", tensor_of_type},
    Row{"torch._utils", "_rebuild_qtensor", quantized_tensor},
    Row{"torch._utils", "_rebuild_sparse_tensor", unread_tensor},
    Row{"torch._utils", "_rebuild_sparse_csr_tensor", unread_tensor},
    Row{"torch._utils", "_rebuild_nested_tensor", unread_tensor},
    Row{"torch._utils", "_rebuild_meta_tensor_no_storage", unread_tensor},
    Row{"torch._utils", "_rebuild_wrapper_subclass", unread_tensor},
    Row{"torch._utils", "_rebuild_device_tensor_from_numpy", tensor_from_array},
    Row{"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", parameter},
    Row{"torch", "Tensor", plain},
    Row{"torch._tensor", "Tensor", plain},
    Row{"torch", "Size", sizes},
    Row{"torch", "device", plain},
    Row{"torch", "per_tensor_affine", plain},
    Row{"torch", "per_channel_affine", plain},
    Row{"torch", "strided", plain},
    Row{"torch.serialization", "_get_layout", plain},
    Row{"torch.storage", "UntypedStorage", untyped_storage},
    Row{"torch.storage", "_UntypedStorage", untyped_storage},
    Row{"torch", "UntypedStorage", untyped_storage},
    Row{"torch.jit._pickle", "build_intlist", script_list},
    Row{"torch.jit._pickle", "build_tensorlist", script_list},
    Row{"torch.jit._pickle", "build_doublelist", script_list},
    Row{"torch.jit._pickle", "build_boollist", script_list},
    Row{"torch.jit._pickle", "restore_type_tag", script_list},
    Row{"numpy.core.multiarray", "_reconstruct", numpy_reconstruct},
    Row{"numpy._core.multiarray", "_reconstruct", numpy_reconstruct},
    Row{"numpy.core.multiarray", "scalar", plain},
    Row{"numpy._core.multiarray", "scalar", plain},
    Row{"numpy", "ndarray", numpy_array},
    Row{"numpy", "dtype", numpy_type},
    Row{"_codecs", "encode", encode},
};

constexpr std::array<std::string_view, 15> storages = {
    "FloatStorage", "DoubleStorage", "HalfStorage",         "BFloat16Storage",
    "LongStorage",  "IntStorage",    "ShortStorage",        "CharStorage",
    "ByteStorage",  "BoolStorage",   "ComplexFloatStorage", "ComplexDoubleStorage",
    "QInt8Storage", "QUInt8Storage", "QInt32Storage"};

constexpr std::array<std::string_view, 28> types = {"float32",
                                                    "float",
                                                    "float64",
                                                    "double",
                                                    "float16",
                                                    "half",
                                                    "bfloat16",
                                                    "uint8",
                                                    "int8",
                                                    "int16",
                                                    "short",
                                                    "int32",
                                                    "int",
                                                    "int64",
                                                    "long",
                                                    "bool",
                                                    "uint16",
                                                    "uint32",
                                                    "uint64",
                                                    "complex64",
                                                    "complex128",
                                                    "float8_e4m3fn",
                                                    "float8_e5m2",
                                                    "float8_e4m3fnuz",
                                                    "float8_e5m2fnuz",
                                                    "float8_e8m0fnu",
                                                    "float4_e2m1fn_x2",
                                                    "qint8"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

PickleName pickle_name(std::string_view module, std::string_view name) {
  for (const auto& [known_module, known_name, meaning] : rows) {
    if (known_module == module && known_name == name) return meaning;
  }
  const bool storage_module = module == "torch" || module == "torch.storage";
  if (storage_module && holds(storages, name)) return storage;
  if (module == "torch" && holds(types, name)) return element_type;
  if (module == "__torch__" || module.starts_with("__torch__.")) return script_class;
  return foreign;
}

}  // namespace pedigree
