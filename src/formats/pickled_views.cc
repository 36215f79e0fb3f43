#include "formats/pickled_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = PickleNode::Kind;

[[noreturn]] void refuse(std::string message) { malformed("tensor-malformed", std::move(message)); }

[[noreturn]] void leave(std::string message) { malformed("tensor-unread", std::move(message)); }

std::vector<std::uint64_t> row_major(const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    if (__builtin_mul_overflow(strides[i], std::max<std::uint64_t>(shape[i], 1), &strides[i - 1])) {
      refuse("its shape multiplies beyond 64 bits");
    }
  }
  return strides;
}

std::vector<std::uint64_t> column_major(const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> turned(shape.rbegin(), shape.rend());
  std::vector<std::uint64_t> strides = row_major(turned);
  std::ranges::reverse(strides);
  return strides;
}

class ViewReader {
 public:
  ViewReader(const PickleTree& tree, const Limits& limits) : tree_(tree), limits_(limits) {}

  PickledView view(PickleRef ref, unsigned depth) {
    if (depth > 8) refuse("it is wrapped too often");
    if (tree_.is(ref, Kind::persistent)) return whole_storage(ref);
    if (!tree_.is(ref, Kind::call)) refuse("it is no tensor");
    return call(tree_.meaning(ref), ref, tree_.at(ref).second, depth);
  }

 private:
  PickledView call(PickleName meaning, PickleRef ref, PickleRef arguments, unsigned depth) {
    const auto items = tree_.items(arguments);
    switch (meaning) {
      case PickleName::tensor:
      case PickleName::tensor_v3:
      case PickleName::quantized_tensor:
        return dense(meaning, items);
      case PickleName::parameter:
      case PickleName::tensor_from_array:
        if (items.empty()) refuse("it wraps nothing");
        return view(items[0], depth + 1);
      case PickleName::tensor_of_type:
        if (items.size() < 3) refuse("it has too few arguments");
        return call(tree_.meaning(items[0]), ref, items[2], depth + 1);
      case PickleName::numpy_reconstruct:
        return array(ref);
      case PickleName::unread_tensor:
        leave(fmt::format("it is made by {}, which is not read", maker(ref)));
      case PickleName::foreign:
      case PickleName::mapping:
      case PickleName::container:
      case PickleName::storage:
      case PickleName::untyped_storage:
      case PickleName::element_type:
      case PickleName::sizes:
      case PickleName::plain:
      case PickleName::numpy_array:
      case PickleName::numpy_type:
      case PickleName::encode:
      case PickleName::script_class:
      case PickleName::script_list:
        break;
    }
    refuse("it is not made by a function that makes tensors");
  }

  std::string maker(PickleRef ref) const {
    const PickleGlobal* global = tree_.global(tree_.at(ref).first);
    return quoted(percent_escaped(global == nullptr ? "a computed function" : global->full_name()));
  }

  StorageId storage(PickleRef ref) const {
    auto id = storage_id(tree_, ref);
    if (!id) refuse("its storage has no id that is understood");
    return *std::move(id);
  }

  // (storage, first element, sizes, strides, …[, type])
  PickledView dense(PickleName meaning, std::span<const PickleRef> items) const {
    if (items.size() < 4) refuse("it has too few arguments");
    PickledView view;
    view.storage = storage(items[0]);
    view.type = view.storage.type;
    if (meaning == PickleName::tensor_v3) {
      const PickleGlobal* global = items.size() < 7 ? nullptr : tree_.global(items[6]);
      const auto type = global == nullptr ? std::nullopt : torch_type(global->name);
      if (!type) refuse("its element type is not understood");
      view.type = *type;
    } else if (view.storage.untyped) {
      refuse("its storage has no element type");
    }
    view.quantized = meaning == PickleName::quantized_tensor;
    const auto first = tree_.size(items[1]);
    if (!first || __builtin_add_overflow(*first, view.storage.first, &view.first)) {
      refuse("its first element is no number from 0");
    }
    view.shape = sizes(items[2]);
    view.strides = sizes(items[3]);
    if (view.shape.size() != view.strides.size()) refuse("it has not as many strides as sizes");
    return view;
  }

  PickledView whole_storage(PickleRef ref) const {
    PickledView view;
    view.storage = storage(ref);
    view.type = view.storage.type;
    view.first = view.storage.first;
    view.shape = {view.storage.elements};
    view.strides = {1};
    return view;
  }

  // A tuple of integers from 0, or torch.Size of one.
  std::vector<std::uint64_t> sizes(PickleRef ref) const {
    if (tree_.is(ref, Kind::call) && tree_.meaning(ref) == PickleName::sizes) {
      const auto inner = tree_.items(tree_.at(ref).second);
      if (inner.size() == 1) ref = inner[0];
    }
    if (!tree_.is(ref, Kind::tuple) && !tree_.is(ref, Kind::list)) refuse("its sizes are no tuple");
    const auto items = tree_.items(ref);
    if (items.size() > limits_.rank) {
      malformed("tensor-malformed", fmt::format("it has over {} dimensions", limits_.rank));
    }
    std::vector<std::uint64_t> numbers;
    for (const PickleRef item : items) {
      const auto number = tree_.size(item);
      if (!number) refuse("a size or stride is no number from 0");
      numbers.push_back(*number);
    }
    return numbers;
  }

  // State: (version, shape, type, is column-major, bytes)
  PickledView array(PickleRef ref) const {
    const auto state = tree_.items(tree_.at(ref).state);
    if (state.size() < 4) refuse("the array has no content");
    const auto last = state.last(4);
    PickledView view;
    view.is_inline = true;
    view.shape = sizes(last[0]);
    view.type = array_type(last[1]);
    const bool turned = tree_.is(last[2], Kind::boolean) && tree_.at(last[2]).number == 1;
    view.strides = turned ? column_major(view.shape) : row_major(view.shape);
    view.inline_bytes = tree_.bytes(last[3]);
    if (!tree_.is(last[3], Kind::bytes) && !tree_.is(last[3], Kind::text)) {
      leave("its bytes are written as text");
    }
    return view;
  }

  // dtype('f4', False, True) with the state (version, byte order, …)
  PickledType array_type(PickleRef ref) const {
    const auto arguments = tree_.items(tree_.at(ref).second);
    const bool is_type = tree_.is(ref, Kind::call) && tree_.meaning(ref) == PickleName::numpy_type;
    if (!is_type || arguments.empty()) refuse("its element type is not understood");
    const auto state = tree_.items(tree_.at(ref).state);
    const std::string order(state.size() < 2 ? std::string_view("|") : tree_.text(state[1]));
    const std::string descr = order + std::string(tree_.text(arguments[0]));
    auto type = numpy_type(descr);
    if (!type)
      leave(fmt::format("its element type {} is not read", quoted(percent_escaped(descr))));
    return *std::move(type);
  }

  const PickleTree& tree_;
  const Limits& limits_;
};

}  // namespace

std::optional<StorageId> storage_id(const PickleTree& tree, PickleRef ref) {
  if (!tree.is(ref, Kind::persistent)) return std::nullopt;
  const auto items = tree.items(tree.at(ref).first);
  if (items.size() < 5 || tree.text(items[0]) != "storage") return std::nullopt;
  const PickleGlobal* cls = tree.global(items[1]);
  const auto elements = tree.size(items[4]);
  if (cls == nullptr || !elements) return std::nullopt;
  StorageId id = {.key = std::string(tree.text(items[2])), .elements = *elements};
  if (tree.is(items[2], Kind::integer)) id.key = std::to_string(tree.at(items[2]).number);
  if (cls->meaning == PickleName::untyped_storage) {
    id.untyped = true;
    id.type = {.type = find_element_type("U8"), .bytes = 1, .name = cls->name};
  } else if (const auto type = torch_type(cls->name); type && cls->meaning == PickleName::storage) {
    id.type = *type;
  } else {
    return std::nullopt;
  }
  const auto view = items.size() < 6 ? std::span<const PickleRef>() : tree.items(items[5]);
  if (view.size() == 3) {
    const auto first = tree.size(view[1]);
    if (!first) return std::nullopt;
    id.first = *first;
  }
  return id;
}

PickledView pickled_view(const PickleTree& tree, PickleRef ref, const Limits& limits) {
  return ViewReader(tree, limits).view(ref, 0);
}

}  // namespace pedigree
