#include "cli/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <string>
#include <system_error>

#include "base/text.h"

namespace pedigree {
namespace {

// The one variable of the program: a signal handler has nothing else to write to.
std::atomic<bool> interrupted = false;

void on_interrupt(int) {
  if (interrupted.exchange(true)) ::_exit(130);
}

bool is_set(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value != nullptr && *value != '\0';
}

constexpr unsigned narrowest = 40;
constexpr unsigned widest = 200;

}  // namespace

std::optional<Problem> write_stdout(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return std::nullopt;
    if (written < 0 && errno == EAGAIN) {
      // Whoever gave us the pipe made it non-blocking.
      pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (written < 0) {
      return make_problem("output-error", "stdout", std::generic_category().message(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return std::nullopt;
}

unsigned terminal_width(const Environment& environment) {
  unsigned width = 0;
  if (const char* columns = environment("COLUMNS"); columns != nullptr) {
    const std::string_view text(columns);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), width);
    if (read.ec != std::errc()) width = 0;
  }
  winsize size{};
  if (width == 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
  return width == 0 ? 80 : std::clamp(width, narrowest, widest);
}

bool colour_wanted(ColourChoice choice, const Environment& environment) {
  if (choice != ColourChoice::automatic) return choice == ColourChoice::always;
  if (is_set(environment, "NO_COLOR")) return false;
  if (is_set(environment, "CLICOLOR_FORCE") || is_set(environment, "FORCE_COLOR")) return true;
  const char* terminal = environment("TERM");
  if (terminal != nullptr && std::string_view(terminal) == "dumb") return false;
  return ::isatty(STDOUT_FILENO) != 0;
}

bool progress_wanted(const Settings& settings, const Environment& environment) {
  return settings.progress && !settings.quiet && !is_set(environment, "CI") &&
         ::isatty(STDERR_FILENO) != 0;
}

void install_signal_handlers() {
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

const std::atomic<bool>& interrupt_flag() { return interrupted; }

Progress ProgressBar::progress() {
  Progress progress;
  progress.cancelled = &interrupt_flag();
  if (draw_ || verbose_) {
    progress.report = [this](std::string_view what, std::uint64_t done, std::uint64_t total) {
      show(what, done, total);
    };
  }
  return progress;
}

void ProgressBar::show(std::string_view what, std::uint64_t done, std::uint64_t total) {
  using namespace std::chrono_literals;
  const std::scoped_lock lock(mutex_);
  if (verbose_ && what != last_what_) {
    last_what_ = what;
    std::fputs(fmt::format("pedigree: {}\n", shown(what)).c_str(), stderr);
  }
  const auto now = std::chrono::steady_clock::now();
  if (!draw_ || now - started_ < 1s || now - last_ < 100ms) return;
  last_ = now;
  drawn_ = true;
  constexpr std::size_t cells = 30;
  const double share =
      total == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  const std::string bar = std::string(full, '#') + std::string(cells - full, '.');
  std::fputs(fmt::format("\r\x1b[2K[{}] {:3.0f} %  {}", bar, share * 100, shown(what)).c_str(),
             stderr);
}

void ProgressBar::clear() {
  const std::scoped_lock lock(mutex_);
  if (drawn_) std::fputs("\r\x1b[2K", stderr);
  drawn_ = false;
}

}  // namespace pedigree
