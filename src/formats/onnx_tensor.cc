// TensorProto: 1 dims, 2 data_type, 3 segment, 4 float_data, 5 int32_data, 6 string_data,
// 7 int64_data, 8 name, 9 raw_data, 10 double_data, 11 uint64_data, 13 external_data,
// 14 data_location. A field that may stand once and stands twice is refused: readers differ
// on which of the two counts.
#include "formats/onnx_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "formats/onnx_types.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = WireField::Kind;

// Typed values are turned into bytes as a whole when they are read.
constexpr std::uint64_t largest_typed = std::uint64_t{256} << 20U;
constexpr std::size_t most_told = 20;  // problems of one kind

void tell(std::string_view code, std::uint64_t at, std::string message, WeightFile& file) {
  const auto told = std::ranges::count(file.problems, code, &Problem::code);
  if (static_cast<std::size_t>(told) >= most_told) return;
  file.problems.push_back(make_problem(code, {}, std::move(message), at));
}

class TensorReader {
 public:
  TensorReader(WireReader in, std::uint64_t at, const Limits& limits) : in_(in), limits_(limits) {
    tensor_.at = at;
  }

  OnnxTensor read() {
    while (const auto field = in_.next()) take(*field);
    return std::move(tensor_);
  }

 private:
  void once(bool& seen, const WireField& field, std::string_view what) const {
    if (std::exchange(seen, true)) {
      malformed("onnx-malformed", fmt::format("a tensor says its {} twice", what), field.at);
    }
  }

  void take(const WireField& field) {
    switch (field.number) {
      case 1:
        return take_dims(field);
      case 2:
        once(has_type_, field, "data type");
        tensor_.data_type = field.kind == Kind::number ? field.value : 0;
        return;
      case 4:
      case 5:
      case 6:
      case 7:
      case 10:
      case 11:
        return take_values(field);
      case 8:
        once(has_name_, field, "name");
        tensor_.name = text(field, "a tensor's name");
        return;
      case 9:
        if (field.kind == Kind::bytes) {
          tensor_.raw.push_back({.begin = field.begin, .end = field.end});
          if (tensor_.raw.size() > 1) once(has_raw_, field, "raw data");
          has_raw_ = true;
        }
        return;
      case 13:
        return take_external(field);
      case 14:
        once(has_location_, field, "data location");
        tensor_.external = field.kind == Kind::number && field.value == 1;
        return;
      default:
        return;
    }
  }

  std::string text(const WireField& field, std::string_view what) const {
    if (field.kind != Kind::bytes) {
      malformed("onnx-malformed", fmt::format("{} is a number", what), field.at);
    }
    return in_.text(field, limits_.name_bytes, what);
  }

  void add_dim(std::uint64_t value, std::uint64_t at) {
    if (tensor_.dims.size() >= limits_.rank) {
      malformed("limit-exceeded", fmt::format("a tensor has over {} dimensions", limits_.rank), at);
    }
    tensor_.dims.push_back(static_cast<std::int64_t>(value));
  }

  void take_dims(const WireField& field) {
    if (field.kind == Kind::number) return add_dim(field.value, field.at);
    WireReader list = in_.inside(field);
    while (!list.at_end()) add_dim(list.varint(), field.at);
  }

  void take_values(const WireField& field) {
    const bool first = tensor_.values_field == 0;
    tensor_.scattered = tensor_.scattered || !first || field.kind == Kind::number;
    tensor_.values_field = field.number;
    if (first && field.kind == Kind::bytes) {
      tensor_.values.push_back({.begin = field.begin, .end = field.end});
    }
  }

  // StringStringEntryProto: 1 key, 2 value.
  void take_external(const WireField& field) {
    if (field.kind != Kind::bytes) return;
    WireReader entry = in_.inside(field);
    std::string key;
    std::string value;
    while (const auto part = entry.next()) {
      if (part->is(1, Kind::bytes)) key = entry.text(*part, limits_.name_bytes, "a key");
      if (part->is(2, Kind::bytes)) value = entry.text(*part, limits_.name_bytes, "a value");
    }
    std::string* const known = key == "location" ? &tensor_.location
                               : key == "offset" ? &tensor_.offset
                               : key == "length" ? &tensor_.length
                                                 : nullptr;
    if (known == nullptr) return;
    if (!known->empty() && *known != value) {
      malformed("onnx-malformed", fmt::format("a tensor says its {} twice", key), field.at);
    }
    *known = std::move(value);
  }

  WireReader in_;
  const Limits& limits_;
  OnnxTensor tensor_;
  bool has_type_ = false;
  bool has_name_ = false;
  bool has_raw_ = false;
  bool has_location_ = false;
};

// From a stored tensor to an entry of the file, or to a problem.
class Placer {
 public:
  Placer(const OnnxTensor& tensor, const std::string& name, WireFile& wire, WeightFile& file)
      : tensor_(tensor), wire_(wire), file_(file), type_(onnx_type(tensor.data_type)) {
    entry_.name = name;
    entry_.type = type_.type;
    entry_.type_name = type_.name;
  }

  bool place() {
    if (tensor_.data_type == 0) return leave("tensor-malformed", "it has no data type");
    if (tensor_.values_field == 6 || type_.name == "STRING") {
      return leave("tensor-unread", "it holds texts");
    }
    if (!take_shape()) return false;
    return tensor_.external ? place_external() : place_here();
  }

 private:
  bool leave(std::string_view code, std::string_view why) {
    tell(code, tensor_.at, fmt::format("the tensor {} was left out: {}", quoted(entry_.name), why),
         file_);
    return false;
  }

  // What is not decoded stays among the tensors, to be hashed.
  void tell_opaque() {
    if (entry_.type != &opaque_type()) return;
    tell("unsupported-encoding", tensor_.at,
         fmt::format("the tensor {} is stored as {}, which is not decoded", quoted(entry_.name),
                     type_.name),
         file_);
  }

  bool take_shape() {
    std::uint64_t elements = 1;
    bool empty = false;
    for (const std::int64_t size : tensor_.dims) {
      if (size < 0) return leave("tensor-malformed", fmt::format("a dimension is {}", size));
      entry_.shape.push_back(static_cast<std::uint64_t>(size));
      empty = empty || size == 0;
    }
    for (const std::uint64_t size : entry_.shape) {
      if (!empty && __builtin_mul_overflow(elements, size, &elements)) {
        return leave("tensor-malformed", "its dimensions multiply beyond 64 bits");
      }
    }
    elements_ = empty ? 0 : elements;
    if (entry_.type->run() == 0) return true;  // the bytes tell
    if (elements_ % entry_.type->run() != 0) {
      return leave("tensor-unread", fmt::format("{} values of {} bits fill no whole bytes",
                                                elements_, entry_.type->bits));
    }
    bytes_ = entry_.type->bytes_of(elements_);
    return bytes_ || leave("tensor-malformed", "its dimensions multiply beyond 64 bits");
  }

  bool place_here() {
    if (!tensor_.raw.empty() && tensor_.values_field != 0) {
      return leave("tensor-malformed",
                   "it has raw and typed values, and readers differ on which "
                   "count");
    }
    if (!tensor_.raw.empty()) return add_plain(tensor_.raw.front());
    if (tensor_.values_field == 0) {
      if (elements_ > 0) return leave("tensor-malformed", "it has no values");
      return add_plain({.begin = tensor_.at, .end = tensor_.at});
    }
    return place_typed();
  }

  bool add_plain(Extent extent) {
    if (bytes_ && extent.size() != *bytes_) {
      return leave("tensor-malformed", fmt::format("its shape asks for {} bytes and {} are stored",
                                                   *bytes_, extent.size()));
    }
    entry_.extent = extent;
    tell_opaque();
    file_.tensors.push_back(std::move(entry_));
    return true;
  }

  bool place_typed() {
    if (!bytes_) return leave("tensor-unread", fmt::format("{} is not decoded", type_.name));
    const std::uint64_t bytes = *bytes_;
    if (tensor_.values_field != type_.field) {
      return leave("tensor-malformed",
                   fmt::format("{} does not stand in field {}", type_.name, tensor_.values_field));
    }
    if (tensor_.scattered || tensor_.values.empty()) {
      return leave("tensor-unread", "its values stand one by one or in several lists");
    }
    const Extent stored = tensor_.values.front();
    if (type_.field == 4 || type_.field == 10) return add_plain(stored);
    return add_varints(stored, bytes);
  }

  bool add_varints(Extent stored, std::uint64_t bytes) {
    if (bytes > largest_typed || stored.size() > 10 * largest_typed) {
      return leave("tensor-unread", fmt::format("its values are single numbers and over {}",
                                                byte_size(largest_typed)));
    }
    std::uint64_t count = 0;
    WireReader numbers(wire_, stored.begin, stored.end);
    for (; !numbers.at_end(); ++count) numbers.varint();
    if (count * type_.packed_bytes != bytes) {
      return leave("tensor-malformed",
                   fmt::format("its shape asks for {} numbers and {} are stored",
                               bytes / type_.packed_bytes, count));
    }
    entry_.extent = {.begin = 0, .end = bytes};
    file_.arranged.push_back({.entry = std::move(entry_),
                              .arrangement = {.stored = stored,
                                              .unpacked_bytes = bytes,
                                              .element_bytes = type_.packed_bytes,
                                              .varints = true}});
    return true;
  }

  bool place_external() {
    if (!tensor_.raw.empty() || tensor_.values_field != 0) {
      return leave("tensor-malformed", "it has values here and in another file");
    }
    if (tensor_.location.empty()) {
      return leave("tensor-malformed", "no location says in which file its values lie");
    }
    const auto begin =
        tensor_.offset.empty() ? std::uint64_t{0} : whole_number<std::uint64_t>(tensor_.offset);
    const auto length =
        tensor_.length.empty() ? bytes_ : whole_number<std::uint64_t>(tensor_.length);
    if (!begin || !length) return leave("tensor-malformed", "its offset or length is no number");
    if (bytes_ && *length != *bytes_) {
      return leave("tensor-malformed",
                   fmt::format("its shape asks for {} bytes and {} are named", *bytes_, *length));
    }
    std::uint64_t end = 0;
    if (__builtin_add_overflow(*begin, *length, &end)) {
      return leave("tensor-malformed", "its place is beyond 64 bits");
    }
    entry_.extent = {.begin = *begin, .end = end};
    tell_opaque();
    file_.external.push_back(
        {.entry = std::move(entry_), .location = tensor_.location, .named_at = tensor_.at});
    return true;
  }

  const OnnxTensor& tensor_;
  WireFile& wire_;
  WeightFile& file_;
  OnnxType type_;
  TensorEntry entry_;
  std::uint64_t elements_ = 0;
  std::optional<std::uint64_t> bytes_;  // none for types of unknown size
};

}  // namespace

std::uint64_t OnnxTensor::value_bytes() const {
  std::uint64_t bytes = 0;
  for (const Extent& extent : raw) bytes += extent.size();
  for (const Extent& extent : values) bytes += extent.size();
  return bytes;
}

OnnxTensor read_onnx_tensor(WireReader in, std::uint64_t at, const Limits& limits) {
  return TensorReader(in, at, limits).read();
}

bool add_onnx_tensor(const OnnxTensor& tensor, const std::string& name, WireFile& wire,
                     WeightFile& file) {
  return Placer(tensor, name, wire, file).place();
}

// SparseTensorProto: 1 values, 2 indices, 3 dims.
OnnxSparseTensor read_onnx_sparse_tensor(WireReader in, std::uint64_t at, const Limits& limits) {
  OnnxSparseTensor sparse = {.at = at};
  bool has_values = false;
  bool has_indices = false;
  while (const auto field = in.next()) {
    if (field->kind != Kind::bytes || field->number > 2) continue;
    const bool is_values = field->number == 1;
    if (std::exchange(is_values ? has_values : has_indices, true)) {
      malformed("onnx-malformed",
                fmt::format("a sparse tensor says its {} twice", is_values ? "values" : "indices"),
                field->at);
    }
    (is_values ? sparse.values : sparse.indices) =
        read_onnx_tensor(in.inside(*field), field->at, limits);
  }
  return sparse;
}

void add_onnx_sparse_tensor(const OnnxSparseTensor& sparse, const std::string& name,
                            WeightFile& file) {
  for (const auto& [part, leaf] :
       {std::pair(&sparse.values, ".values"), std::pair(&sparse.indices, ".indices")}) {
    for (const Extent& extent : part->raw.empty() ? part->values : part->raw) {
      file.tensors.push_back({.name = name + leaf,
                              .type = &opaque_type(),
                              .type_name = "sparse " + onnx_type(part->data_type).name,
                              .shape = {extent.size()},
                              .extent = extent});
    }
  }
  tell("unsupported-encoding", sparse.at,
       fmt::format("the sparse tensor {} of {} bytes is not decoded", quoted(name),
                   sparse.values.value_bytes() + sparse.indices.value_bytes()),
       file);
}

}  // namespace pedigree
