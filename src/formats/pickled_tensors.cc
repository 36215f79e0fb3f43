#include "formats/pickled_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "formats/pickled_views.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tensor-malformed";

// Problems about single tensors that are told one by one; the rest are counted.
constexpr std::size_t most_told = 20;

bool is_row_major(const PickledView& view) {
  std::uint64_t expected = 1;
  for (std::size_t i = view.shape.size(); i-- > 0;) {
    if (view.shape[i] != 1 && view.strides[i] != expected) return false;
    expected = checked_multiply(expected, view.shape[i], code);
  }
  return true;
}

class Placer {
 public:
  Placer(const PickleTree& tree, const StoragePlaces& places, const Source& source,
         WeightFile& file)
      : tree_(tree), places_(places), source_(source), file_(file) {}

  void place(const NamedNode& node) {
    try {
      place_view(node.name, pickled_view(tree_, node.ref, limits_));
    } catch (Malformed& fault) {
      if (fault.problem.code != code && fault.problem.code != "tensor-unread") throw;
      if (++faults_ > most_told) return;
      file_.problems.push_back(make_problem(
          fault.problem.code, {},
          fmt::format("the tensor {} was left out: {}", quoted(node.name), fault.problem.message),
          fault.problem.offset));
    }
  }

  void finish() {
    if (faults_ > most_told) {
      file_.problems.push_back(make_problem(
          code, {}, fmt::format("{} more tensors were left out", faults_ - most_told)));
    }
    if (quantized_ > 0) {
      file_.problems.push_back(make_problem(
          "unsupported-encoding", {},
          fmt::format("{} tensors are quantised by PyTorch; their integers were read without "
                      "scale and zero point",
                      quantized_)));
    }
    tell_unreachable();
  }

 private:
  void place_view(const std::string& name, const PickledView& view) {
    const StoragePlace storage = view.is_inline ? inline_place(view) : storage_place(view);
    const std::uint64_t elements = element_count(view.shape);
    const std::uint64_t bytes = checked_multiply(elements, view.type.bytes, code);
    const std::uint64_t reach = elements == 0 ? view.first : reach_of(view);
    if (checked_multiply(reach, view.type.bytes, code) > storage.bytes) {
      malformed(code, fmt::format("it reaches to element {} and its storage has {}", reach,
                                  storage.bytes / view.type.bytes));
    }
    bound_total(bytes, elements, storage);
    if (view.quantized) ++quantized_;
    TensorEntry entry = {.name = name,
                         .type = view.type.type,
                         .type_name = type_name(view.type),
                         .shape = view.shape};
    const std::uint64_t first_byte = view.first * view.type.bytes;
    const bool in_order = elements == 0 || is_row_major(view);
    if (!view.is_inline && elements > 0) {
      reached_[view.storage.key].emplace_back(first_byte, reach * view.type.bytes);
    }
    const std::uint64_t swapped = swapped_bytes(view);
    if (in_order && !storage.deflated && swapped == 0) {
      entry.extent = {.begin = storage.data.begin + first_byte,
                      .end = storage.data.begin + first_byte + bytes};
      file_.tensors.push_back(std::move(entry));
      return;
    }
    if (storage.deflated && !in_order && reach * view.type.bytes > largest_packed_view) {
      malformed("tensor-unread", "it is a view of a large packed storage");
    }
    entry.extent = {.begin = 0, .end = bytes};
    file_.arranged.push_back(
        {.entry = std::move(entry),
         .arrangement = {.stored = storage.data,
                         .deflated = storage.deflated,
                         .unpacked_bytes = storage.bytes,
                         .first_byte = first_byte,
                         .element_bytes = view.type.bytes,
                         .strides = in_order ? std::vector<std::uint64_t>() : view.strides,
                         .swapped_bytes = swapped}});
  }

  std::uint64_t swapped_bytes(const PickledView& view) const {
    PickledType type = view.type;
    if (!view.is_inline) type.big_endian = places_.big_endian;
    return bytes_to_swap(type);
  }

  StoragePlace inline_place(const PickledView& view) const {
    if (!places_.bytes_in_file) malformed("tensor-unread", "its bytes stand in a packed pickle");
    return {.data = view.inline_bytes, .deflated = false, .bytes = view.inline_bytes.size()};
  }

  StoragePlace storage_place(const PickledView& view) const {
    const auto found = places_.by_key.find(view.storage.key);
    if (found == places_.by_key.end()) {
      malformed(code, fmt::format("the file has no storage {}",
                                  quoted(percent_escaped(view.storage.key))));
    }
    const std::uint64_t bytes =
        checked_multiply(view.storage.elements, view.storage.type.bytes, code);
    if (bytes > found->second.bytes) {
      malformed(code, fmt::format("its storage should have {} bytes and has {}", bytes,
                                  found->second.bytes));
    }
    return found->second;
  }

  static std::uint64_t element_count(const std::vector<std::uint64_t>& shape) {
    if (std::ranges::find(shape, std::uint64_t{0}) != shape.end()) return 0;
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) count = checked_multiply(count, size, code);
    return count;
  }

  // The element behind the last one it touches.
  static std::uint64_t reach_of(const PickledView& view) {
    std::uint64_t last = view.first;
    for (std::size_t i = 0; i < view.shape.size(); ++i) {
      last = checked_add(last, checked_multiply(view.shape[i] - 1, view.strides[i], code), code);
    }
    return checked_add(last, 1, code);
  }

  // A few bytes can claim to be a tensor of any size (a stride of 0), or a storage
  // be claimed thousands of times: what must be read stays in proportion.
  void bound_total(std::uint64_t bytes, std::uint64_t elements, const StoragePlace& storage) {
    constexpr std::uint64_t small = std::uint64_t{1} << 20U;
    constexpr std::uint64_t allowance = std::uint64_t{16} << 20U;
    constexpr std::uint64_t most_copies = 8;
    if (bytes > small && bytes > storage.bytes) {
      malformed("tensor-unread", fmt::format("it repeats {} bytes of storage as {} elements",
                                             storage.bytes, elements));
    }
    claimed_ = checked_add(claimed_, bytes, "limit-exceeded");
    const std::uint64_t held = std::max(source_.size(), unpacked_total());
    if (claimed_ / most_copies > held + allowance) {
      malformed("limit-exceeded", fmt::format("the tensors claim over {} bytes of a file of {}",
                                              claimed_, source_.size()));
    }
  }

  std::uint64_t unpacked_total() {
    if (stored_ == 0) {
      for (const auto& [key, place] : places_.by_key) {
        stored_ += std::min(place.bytes, UINT64_MAX - stored_);
      }
    }
    return stored_;
  }

  // Bytes of storages that hold tensors, and whole storages that nothing names.
  void tell_unreachable() {
    std::set<std::string> named;
    for (PickleRef ref = 0; ref < tree_.node_count(); ++ref) {
      if (const auto id = storage_id(tree_, ref)) named.insert(id->key);
    }
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    std::string first;
    for (const auto& [key, place] : places_.by_key) {
      const auto spans = reached_.find(key);
      if (spans == reached_.end() && named.contains(key)) continue;  // another section's
      const std::uint64_t reached = spans == reached_.end() ? 0 : covered(spans->second);
      if (reached >= place.bytes) continue;
      bytes += place.bytes - reached;
      if (count++ == 0) first = key;
    }
    if (count == 0) return;
    file_.problems.push_back(
        make_problem("unreachable-storage", {},
                     fmt::format("{} bytes of {} storages, {} first, belong to no tensor", bytes,
                                 count, quoted(percent_escaped(first)))));
  }

  using Span = std::pair<std::uint64_t, std::uint64_t>;

  static std::uint64_t covered(std::vector<Span>& spans) {
    std::ranges::sort(spans);
    std::uint64_t end = 0;
    std::uint64_t sum = 0;
    for (const auto& [first, last] : spans) {
      if (last <= end) continue;
      sum += last - std::max(first, end);
      end = last;
    }
    return sum;
  }

  const PickleTree& tree_;
  const StoragePlaces& places_;
  const Source& source_;
  WeightFile& file_;
  Limits limits_;
  std::map<std::string, std::vector<Span>, std::less<>> reached_;
  std::uint64_t claimed_ = 0;
  std::uint64_t stored_ = 0;
  std::size_t faults_ = 0;
  std::size_t quantized_ = 0;
};

void check_names(const WeightFile& file) {
  std::vector<std::string_view> names;
  names.reserve(file.tensors.size() + file.arranged.size() + file.external.size());
  for (const TensorEntry& entry : file.tensors) names.push_back(entry.name);
  for (const ArrangedTensor& tensor : file.arranged) names.push_back(tensor.entry.name);
  for (const ExternalTensor& tensor : file.external) names.push_back(tensor.entry.name);
  std::ranges::sort(names);
  const auto twin = std::ranges::adjacent_find(names);
  if (twin != names.end()) {
    malformed("duplicate-key", fmt::format("the tensor name {} stands twice", quoted(*twin)));
  }
}

void tell_shared(WeightFile& file) {
  std::size_t shared = 0;
  std::string pair;
  std::uint64_t end = 0;
  const TensorEntry* before = nullptr;
  for (const TensorEntry& entry : file.tensors) {
    if (before != nullptr && entry.extent.begin < end) {
      if (shared++ == 0) {
        pair = fmt::format("{} and {}", quoted(before->name), quoted(entry.name));
      }
    }
    if (entry.extent.end > end || before == nullptr) {
      end = entry.extent.end;
      before = &entry;
    }
  }
  if (shared == 0) return;
  file.problems.push_back(
      make_problem("shared-storage", {},
                   fmt::format("{} tensors lie in bytes of others, {} first", shared, pair)));
}

}  // namespace

void add_pickled_tensors(const PickleReading& pickle, std::span<const NamedNode> nodes,
                         const StoragePlaces& places, const Source& source, WeightFile& file) {
  Placer placer(pickle.tree, places, source, file);
  for (const NamedNode& node : nodes) placer.place(node);
  placer.finish();
}

void finish_tensors(WeightFile& file) {
  check_names(file);
  std::ranges::stable_sort(file.tensors, {}, [](const TensorEntry& entry) {
    return std::pair(entry.extent.begin, entry.extent.end);
  });
  tell_shared(file);
}

}  // namespace pedigree
