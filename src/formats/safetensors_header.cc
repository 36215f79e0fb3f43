#include "formats/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = JsonEvent::Kind;

std::optional<std::uint64_t> product(std::span<const std::uint64_t> shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) {
    if (__builtin_mul_overflow(count, dimension, &count)) return std::nullopt;
  }
  return count;
}

// Throws when two of `names` are equal; `place_of` tells where each one stands.
template <class Named, class NameOf>
void check_unique(const std::vector<Named>& named, const std::vector<std::uint64_t>& places,
                  std::string_view what, NameOf name_of) {
  std::vector<std::size_t> order(named.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const auto& left = name_of(named[a]);
    const auto& right = name_of(named[b]);
    return left == right ? a < b : left < right;
  });
  const auto twin = std::ranges::adjacent_find(
      order, [&](std::size_t a, std::size_t b) { return name_of(named[a]) == name_of(named[b]); });
  if (twin == order.end()) return;
  const std::size_t second = *std::next(twin);
  malformed("duplicate-key",
            fmt::format("the {} {} stands twice", what, quoted(name_of(named[second]))),
            places[second]);
}

// The size rule: the shape's elements fill the extent exactly.
void check_size(const TensorEntry& entry, std::uint64_t place) {
  const auto elements = product(entry.shape);
  std::uint64_t bits = 0;
  if (!elements || __builtin_mul_overflow(*elements, std::uint64_t{entry.type->bits}, &bits)) {
    malformed("safetensors-shape",
              fmt::format("the shape of {} multiplies beyond 64 bits", quoted(entry.name)), place);
  }
  if (bits % 8 != 0) {
    malformed("safetensors-shape",
              fmt::format("{} elements of {} in {} do not fill whole bytes", *elements,
                          entry.type->id, quoted(entry.name)),
              place);
  }
  if (bits / 8 != entry.extent.size()) {
    malformed("safetensors-shape",
              fmt::format("the shape of {} asks for {} bytes and its offsets give {}",
                          quoted(entry.name), bits / 8, entry.extent.size()),
              place);
  }
}

}  // namespace

void SafetensorsHeader::operator()(const JsonEvent& event) {
  switch (event.depth) {
    case 0:
      return take_root(event);
    case 1:
      return take_member(event);
    case 2:
      return in_metadata_ ? take_metadata(event) : take_field(event);
    default:
      return take_item(event);
  }
}

void SafetensorsHeader::check_names() const {
  check_unique(file_.tensors, tensor_places_, "tensor name",
               [](const TensorEntry& entry) -> const std::string& { return entry.name; });
  check_unique(file_.metadata, metadata_places_, "metadata key",
               [](const auto& member) -> const std::string& { return member.first; });
}

void SafetensorsHeader::take_root(const JsonEvent& event) const {
  if (event.kind == Kind::begin_object || event.kind == Kind::end_object) return;
  malformed("safetensors-header-json", "the header is not a JSON object", event.offset);
}

void SafetensorsHeader::take_member(const JsonEvent& event) {
  if (event.kind == Kind::key) return take_member_key(event);
  if (event.kind == Kind::begin_object) return;
  if (event.kind == Kind::end_object) {
    if (!in_metadata_) finish_entry(event);
    return;
  }
  if (in_metadata_) {
    malformed("safetensors-metadata", "__metadata__ is not a JSON object", event.offset);
  }
  malformed("safetensors-entry",
            fmt::format("the entry of {} is not a JSON object", quoted(entry_.name)), event.offset);
}

void SafetensorsHeader::take_member_key(const JsonEvent& event) {
  in_metadata_ = event.text == "__metadata__";
  if (in_metadata_) {
    if (std::exchange(seen_metadata_, true)) {
      malformed("duplicate-key", "__metadata__ stands twice", event.offset);
    }
    return;
  }
  if (event.text.size() > limits_.name_bytes) {
    malformed("limit-exceeded",
              fmt::format("a tensor name has {} bytes, over the limit of {}", event.text.size(),
                          limits_.name_bytes),
              event.offset);
  }
  if (file_.tensors.size() >= limits_.tensors) {
    malformed("limit-exceeded", fmt::format("there are over {} tensors", limits_.tensors),
              event.offset);
  }
  entry_ = {};
  entry_.name = std::string(event.text);
  field_ = Field::none;
  has_dtype_ = has_shape_ = has_offsets_ = false;
  offset_count_ = 0;
  tensor_places_.push_back(event.offset);
}

void SafetensorsHeader::take_metadata(const JsonEvent& event) {
  if (event.kind == Kind::key) {
    file_.metadata.emplace_back(std::string(event.text), std::string());
    metadata_places_.push_back(event.offset);
    return;
  }
  const std::string& key = file_.metadata.back().first;
  if (event.kind != Kind::string) {
    malformed("safetensors-metadata",
              fmt::format("the value of {} in __metadata__ is not a string", quoted(key)),
              event.offset);
  }
  file_.metadata.back().second = std::string(event.text);
}

void SafetensorsHeader::take_field(const JsonEvent& event) {
  if (event.kind == Kind::key) return take_field_key(event);
  const bool array = field_ == Field::shape || field_ == Field::data_offsets;
  if (array && event.kind == Kind::begin_array) return;
  if (array && event.kind == Kind::end_array) {
    if (field_ == Field::data_offsets && offset_count_ != 2) refuse_value(event);
    return;
  }
  if (field_ != Field::dtype || event.kind != Kind::string) refuse_value(event);
  entry_.type_name = std::string(event.text);
  const ElementType* type = find_element_type(event.text);
  // Blocks are of GGUF, integers of four bits of ONNX.
  const bool foreign = type == nullptr || type->block != 0 ||
                       (type->kind == ElementType::Kind::integer && type->bits < 8);
  entry_.type = foreign ? &opaque_type() : type;
}

void SafetensorsHeader::take_field_key(const JsonEvent& event) {
  bool* seen = nullptr;
  if (event.text == "dtype") {
    field_ = Field::dtype;
    seen = &has_dtype_;
  } else if (event.text == "shape") {
    field_ = Field::shape;
    seen = &has_shape_;
  } else if (event.text == "data_offsets") {
    field_ = Field::data_offsets;
    seen = &has_offsets_;
  } else {
    malformed("safetensors-entry",
              fmt::format("the entry of {} has a field {} that the format does not know",
                          quoted(entry_.name), quoted(event.text)),
              event.offset);
  }
  if (std::exchange(*seen, true)) {
    malformed("duplicate-key",
              fmt::format("{} stands twice in the entry of {}", event.text, quoted(entry_.name)),
              event.offset);
  }
}

void SafetensorsHeader::take_item(const JsonEvent& event) {
  if (event.kind != Kind::unsigned_integer) refuse_value(event);
  if (field_ == Field::shape) {
    if (entry_.shape.size() >= limits_.rank) {
      malformed("limit-exceeded",
                fmt::format("{} has over {} dimensions", quoted(entry_.name), limits_.rank),
                event.offset);
    }
    entry_.shape.push_back(event.unsigned_integer);
    return;
  }
  if (offset_count_ == 2) refuse_value(event);
  (offset_count_ == 0 ? entry_.extent.begin : entry_.extent.end) = event.unsigned_integer;
  ++offset_count_;
}

void SafetensorsHeader::refuse_value(const JsonEvent& event) const {
  std::string_view wanted;
  switch (field_) {
    case Field::none:
    case Field::dtype:
      wanted = "dtype is not a string";
      break;
    case Field::shape:
      wanted = "shape is not a list of integers from 0";
      break;
    case Field::data_offsets:
      wanted = "data_offsets are not two integers from 0";
      break;
  }
  malformed("safetensors-entry", fmt::format("in the entry of {}, {}", quoted(entry_.name), wanted),
            event.offset);
}

void SafetensorsHeader::finish_entry(const JsonEvent& event) {
  std::string_view missing;
  if (!has_offsets_) missing = "data_offsets";
  if (!has_shape_) missing = "shape";
  if (!has_dtype_) missing = "dtype";
  if (!missing.empty()) {
    malformed("safetensors-entry",
              fmt::format("the entry of {} has no {}", quoted(entry_.name), missing), event.offset);
  }
  const Extent within = entry_.extent;
  if (within.begin > within.end) {
    malformed("safetensors-offsets",
              fmt::format("{} ends at {}, before it begins at {}", quoted(entry_.name), within.end,
                          within.begin),
              event.offset);
  }
  if (entry_.type != &opaque_type()) check_size(entry_, event.offset);
  if (within.end > data_.size()) {
    malformed("safetensors-offsets",
              fmt::format("{} ends at byte {} of the data, of which the file holds {}: it is "
                          "truncated or the offsets are wrong",
                          quoted(entry_.name), within.end, data_.size()),
              event.offset);
  }
  entry_.extent = {.begin = data_.begin + within.begin, .end = data_.begin + within.end};
  file_.tensors.push_back(std::move(entry_));
}

}  // namespace pedigree
