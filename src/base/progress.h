// How long work tells that it goes on, and hears that it should stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace pedigree {

struct Progress {
  // Called now and then with what is being done and how far it is, in bytes or
  // items; may be empty. Called from any thread.
  std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)> report;
  const std::atomic<bool>* cancelled = nullptr;  // not owned; null means never

  bool stop() const { return cancelled != nullptr && cancelled->load(std::memory_order_relaxed); }
};

}  // namespace pedigree
