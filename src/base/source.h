// Where bytes come from: a file on disk, or memory in tests.
//
// Reads are positioned and bounded (pread, never mmap), so a truncated or
// flaky file is a Problem and not a signal. Safe for concurrent reads.
// Every source counts the bytes it handed out, so that tests can assert how
// little was read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/problem.h"

namespace pedigree {

class Source {
 public:
  virtual ~Source() = default;

  // The name used in problems; relative to the model's root where there is one.
  virtual const std::string& name() const = 0;
  virtual std::uint64_t size() const = 0;

  // Fills `out` from `offset` or says why not. Counts what it read.
  std::optional<Problem> read_at(std::uint64_t offset, std::span<std::byte> out) const;

  // A Problem when the file is no longer the one that was opened.
  virtual std::optional<Problem> still_the_same() const { return std::nullopt; }

  // The source whose bytes this one only puts in another order; null for a source
  // of its own, such as a file.
  virtual const Source* arranges() const { return nullptr; }

  std::uint64_t bytes_read() const { return bytes_read_.load(std::memory_order_relaxed); }

 protected:
  virtual std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const = 0;

 private:
  mutable std::atomic<std::uint64_t> bytes_read_ = 0;
};

// Opens a regular file without blocking. `name` is what problems will call it.
Result<std::unique_ptr<Source>> open_file(const std::string& path, std::string name);

class MemorySource final : public Source {
 public:
  MemorySource(std::string name, std::vector<std::byte> bytes)
      : name_(std::move(name)), bytes_(std::move(bytes)) {}
  MemorySource(std::string name, std::string_view text);

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return bytes_.size(); }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::string name_;
  std::vector<std::byte> bytes_;
};

}  // namespace pedigree
