#include "compare/computed_net.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "formats/formats.h"
#include "model/packings/packings.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_values_in_all = std::uint64_t{1} << 26U;

// Another model's source, which goes on owning the file.
class BorrowedSource final : public Source {
 public:
  explicit BorrowedSource(const Source& owned) : owned_(owned) {}

  const std::string& name() const override { return owned_.name(); }
  std::uint64_t size() const override { return owned_.size(); }
  std::optional<Problem> still_the_same() const override { return owned_.still_the_same(); }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    return owned_.read_at(offset, out);
  }

 private:
  const Source& owned_;
};

}  // namespace

std::unique_ptr<Model> with_computed(const Model& net, const std::vector<bool>& left_out,
                                     const std::vector<ComputedTensor>& made) {
  auto computed = std::make_unique<Model>();
  computed->name = net.name;
  computed->formats = net.formats;
  computed->shards.reserve(net.shards.size() + 1);
  for (const auto& shard : net.shards) {
    computed->shards.push_back(std::make_unique<BorrowedSource>(*shard));
  }
  computed->tensors.reserve(net.tensors.size() + made.size());
  for (std::size_t i = 0; i < net.tensors.size(); ++i) {
    if (!left_out[i]) computed->tensors.push_back(net.tensors[i]);
  }
  std::vector<std::byte> bytes;
  for (const ComputedTensor& each : made) {
    const auto values = std::as_bytes(std::span(each.values));
    const std::uint64_t begin = bytes.size();
    bytes.insert(bytes.end(), values.begin(), values.end());
    TensorEntry entry = {.name = each.name,
                         .type = find_element_type("F32"),
                         .type_name = "F32",
                         .shape = each.shape,
                         .extent = {.begin = begin, .end = bytes.size()}};
    computed->tensors.push_back({.entry = std::move(entry), .shard = net.shards.size()});
  }
  computed->shards.push_back(std::make_unique<MemorySource>("computed", std::move(bytes)));
  std::ranges::stable_sort(computed->tensors, {}, [](const StoredTensor& each) {
    return std::string_view(each.entry.name);
  });
  return computed;
}

std::optional<std::size_t> tensor_named(const Model& net, std::string_view name) {
  const auto name_of = [](const StoredTensor& each) { return std::string_view(each.entry.name); };
  const auto at = std::ranges::lower_bound(net.tensors, name, {}, name_of);
  if (at == net.tensors.end() || at->entry.name != name) return std::nullopt;
  return static_cast<std::size_t>(at - net.tensors.begin());
}

Result<std::unique_ptr<Model>> without_weight_norms(const Model& net) {
  std::vector<bool> left_out(net.tensors.size());
  std::vector<ComputedTensor> made;
  std::uint64_t values = 0;
  for (std::size_t i = 0; i < net.packed.size(); ++i) {
    const PackedMatrix& matrix = net.packed[i];
    if (!matrix.packing->normalises) continue;
    values += matrix.count();
    if (values > most_values_in_all) return nullptr;
    auto read = read_all(net, {.rows = matrix.rows(),
                               .cols = matrix.columns(),
                               .tensor = matrix.parts.front(),
                               .packed = i});
    if (!read) return std::unexpected(std::move(read.error()));
    for (const std::size_t part : matrix.parts) left_out[part] = true;
    made.push_back({.name = matrix.name, .shape = matrix.shape, .values = *std::move(read)});
  }
  if (made.empty()) return nullptr;
  return with_computed(net, left_out, made);
}

}  // namespace pedigree
