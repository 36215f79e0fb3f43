#include "model/packings/packings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "model/packings/known_packings.h"

namespace pedigree {
namespace {

constexpr std::array table = {&packings::gptq,
                              &packings::awq,
                              &packings::bnb_4bit,
                              &packings::bnb_int8,
                              &packings::ct_packed,
                              &packings::ct_nvfp4,
                              &packings::ct_mxfp4,
                              &packings::mlx,
                              &packings::hqq,
                              &packings::mx_blocks,
                              &packings::modelopt,
                              &packings::scaled_floats,
                              &packings::scaled_integers,
                              &packings::weight_norm,
                              &packings::weight_norm_parametrised};

constexpr std::string_view code = "packed-tensor";
constexpr std::uint64_t small_bytes = 4096;

std::string named(const TensorEntry& entry) { return shown(entry.name.substr(0, 200)); }

class Finder {
 public:
  Finder(Model& model, const QuantizerFacts& declared)
      : model_(model), declared_(declared), names_(model) {}

  void find() {
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      if (!taken_.contains(i)) look_at(i);
    }
    report_refused();
    count_parameters();
    report_unread();
    report_contradiction();
  }

 private:
  void look_at(std::size_t tensor) {
    const std::string& name = model_.tensors[tensor].entry.name;
    for (const Packing* packing : table) {
      if (!name.ends_with(packing->suffix)) continue;
      std::string prefix = name.substr(0, name.size() - packing->suffix.size());
      PackedParts parts(model_, names_, tensor, std::move(prefix));
      try {
        std::optional<PackedMatrix> found = packing->recognise(parts, declared_);
        if (!found) continue;
        take(*std::move(found), *packing, parts);
      } catch (const Malformed& refusal) {
        refuse(tensor, refusal.problem);
      }
      return;
    }
  }

  void take(PackedMatrix matrix, const Packing& packing, PackedParts& parts) {
    matrix.packing = &packing;
    if (matrix.name.empty()) matrix.name = parts.prefix() + ".weight";
    std::uint64_t values = 1;
    for (const std::uint64_t size : matrix.shape) values = checked_multiply(values, size, code);
    if (values == 0) malformed(code, "a matrix without values");
    check_packed(model_, matrix);
    matrix.parts = parts.take_parts();
    matrix.parts.insert(matrix.parts.begin(), parts.codes());
    taken_.insert(matrix.parts.begin(), matrix.parts.end());
    model_.packed.push_back(std::move(matrix));
  }

  void refuse(std::size_t tensor, const Problem& problem) {
    if (refused_++ > 0) return;
    const StoredTensor& stored = model_.tensors[tensor];
    first_refused_ = make_problem(
        problem.code, model_.shards[stored.shard]->name(),
        fmt::format("\"{}\" was not decoded: {}", named(stored.entry), problem.message),
        stored.entry.extent.begin);
  }

  void report_refused() {
    if (!first_refused_) return;
    if (refused_ > 1) {
      first_refused_->message += fmt::format("; nor were {} others", refused_ - 1);
    }
    model_.problems.push_back(*std::move(first_refused_));
  }

  // Unpacked, and without what only serves to unpack.
  void count_parameters() {
    if (model_.packed.empty()) return;
    model_.parameters = 0;
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      const TensorEntry& entry = model_.tensors[i].entry;
      if (taken_.contains(i) || entry.type->kind != ElementType::Kind::floating) continue;
      model_.parameters += entry.element_count();
    }
    for (const PackedMatrix& matrix : model_.packed) model_.parameters += matrix.count();
  }

  // Tables of integers, and of types nobody knows, are weights in an encoding of their own.
  void report_unread() {
    std::uint64_t bytes = 0;
    std::uint64_t all = 0;
    std::size_t count = 0;
    const TensorEntry* first = nullptr;
    for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
      const TensorEntry& entry = model_.tensors[i].entry;
      all += entry.extent.size();
      const auto kind = entry.type->kind;
      const bool is_code = kind == ElementType::Kind::opaque ||
                           (kind == ElementType::Kind::integer && entry.shape.size() > 1);
      if (!is_code || taken_.contains(i)) continue;
      bytes += entry.extent.size();
      if (count++ == 0) first = &entry;
    }
    if (first == nullptr || bytes < all / 100 || bytes == 0) return;
    const auto percent = 100 * static_cast<double>(bytes) / static_cast<double>(all);
    model_.problems.push_back(make_problem(
        "unsupported-encoding", {},
        fmt::format("{} tensors, {:.0f} % of the bytes, are stored in a way that is not decoded; "
                    "\"{}\" ({}) is the first",
                    count, percent, named(*first), shown(first->type_name))));
  }

  void report_contradiction() {
    for (const PackedMatrix& matrix : model_.packed) {
      const bool counted = matrix.codes.order != NumberField::Order::elements;
      if (!counted || !declared_.bits || *declared_.bits == matrix.codes.bits) continue;
      model_.problems.push_back(
          make_problem("config-quantization-mismatch", declared_.file,
                       fmt::format("{} bits are declared and \"{}\" has {}", *declared_.bits,
                                   shown(matrix.name.substr(0, 200)), matrix.codes.bits)));
      return;
    }
  }

  Model& model_;
  const QuantizerFacts& declared_;
  TensorNames names_;
  std::set<std::size_t> taken_;
  std::size_t refused_ = 0;
  std::optional<Problem> first_refused_;
};

}  // namespace

TensorNames::TensorNames(const Model& model) {
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    index_.emplace(model.tensors[i].entry.name, i);
  }
}

std::optional<std::size_t> TensorNames::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? std::nullopt : std::optional(found->second);
}

bool PackedParts::has(std::string_view suffix) const {
  return names_.find(prefix_ + std::string(suffix)).has_value();
}

std::optional<std::size_t> PackedParts::find(std::string_view suffix) {
  const auto found = names_.find(prefix_ + std::string(suffix));
  if (found) parts_.push_back(*found);
  return found;
}

std::size_t PackedParts::require(std::string_view suffix) {
  const auto found = find(suffix);
  if (!found)
    malformed(code, fmt::format("there is no \"{}\"", shown(prefix_) + std::string(suffix)));
  return *found;
}

std::optional<std::size_t> PackedParts::find_starting(std::string_view suffix, std::string& rest) {
  const std::string start = prefix_ + std::string(suffix);
  const auto at = std::ranges::lower_bound(
      model_.tensors, start, {}, [](const StoredTensor& tensor) { return tensor.entry.name; });
  if (at == model_.tensors.end() || !at->entry.name.starts_with(start)) return std::nullopt;
  rest = at->entry.name.substr(start.size());
  const auto index = static_cast<std::size_t>(at - model_.tensors.begin());
  parts_.push_back(index);
  return index;
}

std::string PackedParts::read_text(std::size_t tensor) const {
  const StoredTensor& stored = model_.tensors[tensor];
  const std::uint64_t size = stored.entry.extent.size();
  if (size > small_bytes) {
    malformed(code, fmt::format("\"{}\" has {} bytes", named(stored.entry), size));
  }
  std::string bytes(size, '\0');
  const auto out = std::as_writable_bytes(std::span(bytes));
  if (auto problem = model_.shards[stored.shard]->read_at(stored.entry.extent.begin, out)) {
    throw Malformed{std::move(*problem)};
  }
  return bytes;
}

std::vector<std::int64_t> PackedParts::read_integers(std::size_t tensor) const {
  const ElementType& type = *entry(tensor).type;
  const std::size_t width = type.bits / 8;
  if (type.kind != ElementType::Kind::integer || width == 0) {
    malformed(code, fmt::format("\"{}\" holds no integers", named(entry(tensor))));
  }
  const std::string bytes = read_text(tensor);
  std::vector<std::int64_t> values;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    const unsigned unused = 64 - type.bits;
    const auto shifted = static_cast<std::int64_t>(value << unused);
    values.push_back(type.id.starts_with('I') ? shifted >> unused
                                              : static_cast<std::int64_t>(value));
  }
  return values;
}

std::span<const Packing* const> known_packings() { return table; }

void find_packed(Model& model, const QuantizerFacts& declared) { Finder(model, declared).find(); }

TableSize table_size(const TensorEntry& entry) {
  const std::vector<std::uint64_t>& shape = entry.shape;
  if (shape.size() > 2) {
    malformed(code, fmt::format("\"{}\" has {} axes", named(entry), shape.size()));
  }
  return {.rows = shape.empty() ? 1 : shape[0], .cols = shape.size() == 2 ? shape[1] : 1};
}

NumberField element_table(const PackedParts& parts, std::size_t tensor) {
  const TableSize size = table_size(parts.entry(tensor));
  return {.tensor = tensor, .rows = size.rows, .cols = size.cols};
}

std::uint64_t group_size(std::uint64_t size, std::uint64_t groups, std::uint64_t declared) {
  if (groups > 0 && size > 0 && size % groups == 0) return size / groups;
  if (groups > 0 && declared > 0 && (size - 1) / declared + 1 == groups) return declared;
  malformed(code, fmt::format("{} inputs do not make {} groups", size, groups));
}

bool is_float_of_eight_bits(const ElementType& type) {
  return type.kind == ElementType::Kind::floating && type.bits == 8;
}

std::vector<float> e2m1_values() {
  return {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
}

}  // namespace pedigree
