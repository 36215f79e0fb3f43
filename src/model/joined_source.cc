#include "model/joined_source.h"

#include <algorithm>
#include <utility>

namespace pedigree {
namespace {

class JoinedSource final : public Source {
 public:
  explicit JoinedSource(std::vector<JoinedTensor> tensors) : tensors_(std::move(tensors)) {
    size_ = tensors_.empty() ? 0 : tensors_.back().entry.extent.end;
  }

  const std::string& name() const override { return first().name(); }
  std::uint64_t size() const override { return size_; }
  const Source* arranges() const override { return &first(); }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    auto next = std::ranges::upper_bound(
        tensors_, offset, {}, [](const JoinedTensor& tensor) { return tensor.entry.extent.end; });
    while (!out.empty()) {
      if (next == tensors_.end()) {
        return make_problem("io-short-read", name(), "bytes beyond the last tensor were asked for");
      }
      const Extent extent = next->entry.extent;
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), extent.end - offset));
      if (auto problem = read_rows(*next, offset - extent.begin, out.first(count))) return problem;
      offset += count;
      out = out.subspan(count);
      ++next;
    }
    return std::nullopt;
  }

 private:
  const Source& first() const { return *tensors_.front().parts.front().source; }

  static std::optional<Problem> read_rows(const JoinedTensor& tensor, std::uint64_t from,
                                          std::span<std::byte> out) {
    std::uint64_t row_bytes = 0;
    for (const TensorPart& part : tensor.parts) row_bytes += part.row_bytes;
    while (!out.empty()) {
      const std::uint64_t row = from / row_bytes;
      std::uint64_t column = from % row_bytes;
      for (const TensorPart& part : tensor.parts) {
        if (column >= part.row_bytes) {
          column -= part.row_bytes;
          continue;
        }
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), part.row_bytes - column));
        const std::uint64_t at = part.begin + row * part.row_bytes + column;
        if (auto problem = part.source->read_at(at, out.first(count))) return problem;
        out = out.subspan(count);
        from += count;
        column = 0;
        if (out.empty()) break;
      }
    }
    return std::nullopt;
  }

  std::vector<JoinedTensor> tensors_;  // by extent
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Source> joined_source(std::vector<JoinedTensor>& tensors) {
  check(!tensors.empty(), "nothing to join");
  std::uint64_t at = 0;
  for (JoinedTensor& tensor : tensors) {
    const std::uint64_t size = tensor.entry.extent.size();
    tensor.entry.extent = {.begin = at, .end = at + size};
    at += size;
  }
  return std::make_unique<JoinedSource>(tensors);
}

}  // namespace pedigree
