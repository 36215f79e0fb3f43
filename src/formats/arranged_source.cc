// Tensors put in order as they are read. Small ones, nearly all, are gathered
// whole and a few kept; of large ones only the bytes that are asked for.
#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "base/problem.h"
#include "base/wire.h"
#include "formats/formats.h"
#include "formats/inflate.h"

namespace pedigree {
namespace {

constexpr std::uint64_t whole_limit = std::uint64_t{32} << 20U;
constexpr std::size_t kept_tensors = 4;

void reverse_each(std::span<std::byte> bytes, std::uint64_t width) {
  if (width < 2) return;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
    std::ranges::reverse(bytes.subspan(at, width));
  }
}

// The last byte an arrangement touches, plus one.
std::uint64_t reach(const ArrangedTensor& tensor) {
  const Arrangement& how = tensor.arrangement;
  if (tensor.entry.element_count() == 0) return how.first_byte;
  if (how.strides.empty() || how.varints) return how.first_byte + tensor.entry.extent.size();
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < how.strides.size(); ++i) {
    last += (tensor.entry.shape[i] - 1) * how.strides[i];
  }
  return how.first_byte + (last + 1) * how.element_bytes;
}

class ArrangedSource final : public Source {
 public:
  ArrangedSource(const Source& file, std::vector<ArrangedTensor> tensors)
      : file_(file), tensors_(std::move(tensors)) {
    size_ = tensors_.empty() ? 0 : tensors_.back().entry.extent.end;
    for (const ArrangedTensor& tensor : tensors_) {
      check(reach(tensor) <= tensor.arrangement.unpacked_bytes, "a tensor beyond its storage");
    }
  }

  const std::string& name() const override { return file_.name(); }
  std::uint64_t size() const override { return size_; }
  std::optional<Problem> still_the_same() const override { return file_.still_the_same(); }
  const Source* arranges() const override { return &file_; }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    auto next = std::ranges::upper_bound(
        tensors_, offset, {}, [](const ArrangedTensor& tensor) { return tensor.entry.extent.end; });
    while (!out.empty()) {
      if (next == tensors_.end()) {
        return make_problem("io-short-read", name(), "bytes beyond the last tensor were asked for");
      }
      const Extent extent = next->entry.extent;
      const std::uint64_t from = offset - extent.begin;
      const auto count = std::min<std::uint64_t>(out.size(), extent.end - offset);
      if (auto problem = read_part(*next, from, out.first(static_cast<std::size_t>(count)))) {
        return problem;
      }
      offset += count;
      out = out.subspan(static_cast<std::size_t>(count));
      ++next;
    }
    return std::nullopt;
  }

 private:
  struct Kept {
    const ArrangedTensor* tensor = nullptr;
    std::vector<std::byte> bytes = {};
  };

  // A deflated tensor too large to keep: its stream goes on where the last read ended.
  struct Streaming {
    const ArrangedTensor* tensor = nullptr;
    std::unique_ptr<InflateStream> stream = {};
  };

  std::optional<Problem> read_part(const ArrangedTensor& tensor, std::uint64_t from,
                                   std::span<std::byte> out) const {
    const std::uint64_t size = tensor.entry.extent.size();
    const bool strided = !tensor.arrangement.strides.empty();
    const std::lock_guard lock(mutex_);
    const bool small = size <= whole_limit && reach(tensor) <= whole_limit;
    if (small || tensor.arrangement.varints || (strided && tensor.arrangement.deflated)) {
      return read_kept(tensor, from, out);
    }
    return strided ? read_strided(tensor, from, out) : read_plain(tensor, from, out);
  }

  std::optional<Problem> read_kept(const ArrangedTensor& tensor, std::uint64_t from,
                                   std::span<std::byte> out) const {
    auto found = std::ranges::find(kept_, &tensor, &Kept::tensor);
    if (found == kept_.end()) {
      Kept fresh = {.tensor = &tensor};
      if (auto problem = gather(tensor, fresh.bytes)) return problem;
      // Of the large ones, which only lists of numbers are, one at a time.
      std::erase_if(kept_, [&](const Kept& kept) {
        return kept.bytes.size() > whole_limit && fresh.bytes.size() > whole_limit;
      });
      if (kept_.size() == kept_tensors) kept_.pop_back();
      kept_.push_front(std::move(fresh));
    } else {
      kept_.splice(kept_.begin(), kept_, found);
    }
    const auto part = std::span(kept_.front().bytes).subspan(from, out.size());
    std::ranges::copy(part, out.begin());
    return std::nullopt;
  }

  // The whole tensor from one read of what it spans.
  std::optional<Problem> gather(const ArrangedTensor& tensor, std::vector<std::byte>& out) const {
    const Arrangement& how = tensor.arrangement;
    if (how.varints) return read_varints(tensor, out);
    std::vector<std::byte> spanned(static_cast<std::size_t>(reach(tensor) - how.first_byte));
    if (auto problem = read_unpacked(tensor, how.first_byte, spanned)) return problem;
    if (how.strides.empty()) {
      out = std::move(spanned);
    } else {
      out.resize(static_cast<std::size_t>(tensor.entry.extent.size()));
      place(tensor, 0, out, [&](std::uint64_t at, std::span<std::byte> element) {
        std::ranges::copy(std::span(spanned).subspan(at, element.size()), element.begin());
      });
    }
    reverse_each(out, how.swapped_bytes);
    return std::nullopt;
  }

  // The reader has counted the numbers; a file that changed since gives what it has.
  std::optional<Problem> read_varints(const ArrangedTensor& tensor,
                                      std::vector<std::byte>& out) const {
    const Arrangement& how = tensor.arrangement;
    out.reserve(static_cast<std::size_t>(tensor.entry.extent.size()));
    try {
      WireFile file(file_, "io-short-read");
      WireReader numbers(file, how.stored.begin, how.stored.end);
      while (out.size() < tensor.entry.extent.size()) {
        std::uint64_t value = numbers.varint();
        for (std::uint64_t i = 0; i < how.element_bytes; ++i, value >>= 8U) {
          out.push_back(static_cast<std::byte>(value & 0xFFU));
        }
      }
    } catch (Malformed& stop) {
      stop.problem.file = name();
      return std::move(stop.problem);
    }
    return std::nullopt;
  }

  // Calls fetch(byte, element) for each element of `out`, the first of which is
  // number `first` of the tensor.
  template <class Fetch>
  static void place(const ArrangedTensor& tensor, std::uint64_t first, std::span<std::byte> out,
                    const Fetch& fetch) {
    const Arrangement& how = tensor.arrangement;
    const std::vector<std::uint64_t>& shape = tensor.entry.shape;
    if (out.empty()) return;
    std::vector<std::uint64_t> index(shape.size());
    std::uint64_t at = 0;
    for (std::size_t i = shape.size(); i-- > 0;) {
      index[i] = first % shape[i];
      first /= shape[i];
      at += index[i] * how.strides[i];
    }
    for (std::size_t done = 0; done < out.size(); done += how.element_bytes) {
      fetch(at * how.element_bytes, out.subspan(done, how.element_bytes));
      for (std::size_t i = shape.size(); i-- > 0;) {
        at += how.strides[i];
        if (++index[i] < shape[i]) break;
        at -= shape[i] * how.strides[i];
        index[i] = 0;
      }
    }
  }

  std::optional<Problem> read_unpacked(const ArrangedTensor& tensor, std::uint64_t offset,
                                       std::span<std::byte> out) const {
    const Arrangement& how = tensor.arrangement;
    if (!how.deflated) return file_.read_at(how.stored.begin + offset, out);
    const bool goes_on = streaming_.tensor == &tensor && streaming_.stream->position() <= offset;
    if (!goes_on) {
      streaming_ = {.tensor = &tensor,
                    .stream = std::make_unique<InflateStream>(file_, how.stored)};
    }
    std::vector<std::byte> passed;
    while (streaming_.stream->position() < offset) {
      passed.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(offset - streaming_.stream->position(), 1U << 20U)));
      if (auto problem = streaming_.stream->read(passed)) return problem;
    }
    return streaming_.stream->read(out);
  }

  // Elements that stand in order, of a tensor too large to keep.
  std::optional<Problem> read_plain(const ArrangedTensor& tensor, std::uint64_t from,
                                    std::span<std::byte> out) const {
    const Arrangement& how = tensor.arrangement;
    const std::uint64_t lead = how.swapped_bytes < 2 ? 0 : from % how.swapped_bytes;
    if (lead == 0 && (how.swapped_bytes < 2 || out.size() % how.swapped_bytes == 0)) {
      if (auto problem = read_unpacked(tensor, how.first_byte + from, out)) return problem;
      reverse_each(out, how.swapped_bytes);
      return std::nullopt;
    }
    const std::uint64_t whole = how.swapped_bytes;
    std::vector<std::byte> bytes((lead + out.size() + whole - 1) / whole * whole);
    if (auto problem = read_unpacked(tensor, how.first_byte + from - lead, bytes)) return problem;
    reverse_each(bytes, how.swapped_bytes);
    std::ranges::copy(std::span(bytes).subspan(lead, out.size()), out.begin());
    return std::nullopt;
  }

  // Single elements of a view too large to keep, each fetched by itself.
  std::optional<Problem> read_strided(const ArrangedTensor& tensor, std::uint64_t from,
                                      std::span<std::byte> out) const {
    const Arrangement& how = tensor.arrangement;
    const std::uint64_t lead = from % how.element_bytes;
    const std::uint64_t elements = (lead + out.size() + how.element_bytes - 1) / how.element_bytes;
    std::vector<std::byte> bytes(static_cast<std::size_t>(elements * how.element_bytes));
    std::optional<Problem> problem;
    place(tensor, from / how.element_bytes, bytes,
          [&](std::uint64_t at, std::span<std::byte> element) {
            if (!problem) problem = read_unpacked(tensor, how.first_byte + at, element);
          });
    if (problem) return problem;
    reverse_each(bytes, how.swapped_bytes);
    std::ranges::copy(std::span(bytes).subspan(lead, out.size()), out.begin());
    return std::nullopt;
  }

  const Source& file_;
  std::vector<ArrangedTensor> tensors_;  // by extent
  std::uint64_t size_ = 0;
  mutable std::mutex mutex_;
  mutable std::list<Kept> kept_;
  mutable Streaming streaming_;
};

}  // namespace

std::unique_ptr<Source> arranged_source(const Source& file, std::vector<ArrangedTensor>& tensors) {
  std::uint64_t at = 0;
  for (ArrangedTensor& tensor : tensors) {
    const std::uint64_t size = tensor.entry.extent.size();
    tensor.entry.extent = {.begin = at, .end = at + size};
    at += size;
  }
  return std::make_unique<ArrangedSource>(file, tensors);
}

}  // namespace pedigree
