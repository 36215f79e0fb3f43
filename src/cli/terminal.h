// The terminal: is there one, how wide is it, may it be coloured; a progress
// bar; and Ctrl-C.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/problem.h"
#include "base/progress.h"
#include "cli/settings.h"

namespace pedigree {

// All of `bytes`, at once. A reader that went away (EPIPE) is no failure of ours.
std::optional<Problem> write_stdout(std::string_view bytes);

unsigned terminal_width(const Environment& environment);
bool colour_wanted(ColourChoice choice, const Environment& environment);

// Ctrl-C and SIGTERM set the flag, a second one ends the process at once; a
// closed pipe is an error of write() and not a signal.
void install_signal_handlers();
const std::atomic<bool>& interrupt_flag();

// Draws on stderr when that is a terminal and the work lasts over a second.
// Safe to call from any thread.
class ProgressBar {
 public:
  ProgressBar(bool draw, bool verbose) : draw_(draw), verbose_(verbose) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  Progress progress();
  void clear();

 private:
  void show(std::string_view what, std::uint64_t done, std::uint64_t total);

  bool draw_;
  bool verbose_;
  bool drawn_ = false;
  std::mutex mutex_;
  std::string last_what_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_ = {};
};

// Does progress belong on this stderr at all?
bool progress_wanted(const Settings& settings, const Environment& environment);

}  // namespace pedigree
