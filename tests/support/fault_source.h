// Sources that misbehave on purpose, and one that is large without bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>

#include "base/source.h"

namespace pedigree {

// Passes reads on to another source until the n-th one (from 0), which fails;
// later reads work again, as on a flaky disk. Counts reads; bytes are counted
// by Source itself.
class FaultSource final : public Source {
 public:
  enum class Fault {
    fails,     // io-error, nothing delivered
    shortens,  // half of the bytes, then io-short-read
    changes    // every read works, but the file is no longer the one opened
  };
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  // Does not own `inner`, which must outlive it.
  FaultSource(const Source& inner, std::uint64_t nth, Fault fault = Fault::fails)
      : inner_(inner), nth_(nth), fault_(fault) {}

  const std::string& name() const override { return inner_.name(); }
  std::uint64_t size() const override { return inner_.size(); }
  std::optional<Problem> still_the_same() const override;
  std::uint64_t reads() const { return reads_.load(); }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  const Source& inner_;
  std::uint64_t nth_;
  Fault fault_;
  mutable std::atomic<std::uint64_t> reads_ = 0;
};

// `head`, then zeros up to `size`: a file of any size that takes no room.
class SparseSource final : public Source {
 public:
  SparseSource(std::string name, std::string head, std::uint64_t size)
      : name_(std::move(name)), head_(std::move(head)), size_(size) {}

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::string name_;
  std::string head_;
  std::uint64_t size_;
};

}  // namespace pedigree
