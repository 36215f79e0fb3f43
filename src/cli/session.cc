#include "cli/session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace pedigree {
namespace {

void say(std::string_view text) { std::fputs(fmt::format("pedigree: {}\n", text).c_str(), stderr); }

}  // namespace

std::string shell_quoted(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_@%+=:,./-").contains(c);
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string utc_text(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

Session::Session(std::vector<std::string> words, Settings settings, Environment environment)
    : words_(std::move(words)),
      settings_(std::move(settings)),
      environment_(std::move(environment)),
      bar_(progress_wanted(settings_, environment_), settings_.verbose),
      pending_(settings_.outputs.size()) {}

RunOptions Session::run_options() {
  return {.threads = settings_.threads, .progress = bar_.progress()};
}

void Session::complete(Report& report, bool alone) const {
  if (settings_.source_date_epoch) {
    report.generated = utc_text(*settings_.source_date_epoch);
  } else if (!settings_.deterministic) {
    const auto now = std::chrono::system_clock::now();
    report.generated = utc_text(std::chrono::system_clock::to_time_t(now));
  }
  if (!alone || !report.rerun.empty()) return;
  report.rerun = "pedigree";
  for (const std::string& word : words_) report.rerun += " " + shell_quoted(word);
}

// Errors reach a person also when the report goes to a machine.
void Session::say_problems(const Report& report) const {
  const bool shown_already = std::ranges::any_of(settings_.outputs, [](const OutputTarget& each) {
    return each.path == "-" && each.reporter->id == "text";
  });
  if (settings_.quiet || shown_already) return;
  const auto say_errors = [](const std::vector<Problem>& problems) {
    for (const Problem& problem : problems) {
      if (problem.severity != Severity::error) continue;
      say(fmt::format("{}: {}{}{}", problem.code, shown(problem.file),
                      problem.file.empty() ? "" : ": ", shown(problem.message)));
    }
  };
  say_errors(report.problems);
  for (const Comparison& comparison : report.comparisons) say_errors(comparison.problems);
}

RenderOptions Session::render_options(const OutputTarget& target, bool compact) const {
  RenderOptions options;
  options.compact = compact;
  options.width = target.path == "-" ? terminal_width(environment_) : 100;
  options.colour = target.path == "-" && colour_wanted(settings_.colour, environment_);
  return options;
}

bool Session::write(const OutputTarget& target, std::string_view bytes) {
  const auto problem =
      target.path == "-" ? write_stdout(bytes) : write_atomically(target.path, bytes);
  if (!problem) return true;
  say(fmt::format("{}: {}", shown(problem->file), problem->message));
  outcome_.unreadable = true;
  return false;
}

int Session::finish(Report report) {
  bar_.clear();
  outcome_.add(outcome_of(report, settings_.fail_on));
  outcome_.interrupted = outcome_.interrupted || interrupt_flag().load();
  if (outcome_.interrupted) {
    say("interrupted");
    return exit_status(outcome_, settings_.strict);
  }
  complete(report, true);
  say_problems(report);
  for (const OutputTarget& target : settings_.outputs) {
    write(target, target.reporter->render(report, render_options(target, false)));
  }
  return exit_status(outcome_, settings_.strict);
}

int Session::fail(std::string command, Problem problem) {
  return finish(failed_report(std::move(command), std::move(problem)));
}

void Session::stream(Report report) {
  if (interrupt_flag().load()) return;
  outcome_.add(outcome_of(report, settings_.fail_on));
  complete(report, false);
  bar_.clear();
  say_problems(report);
  for (std::size_t i = 0; i < settings_.outputs.size(); ++i) {
    const OutputTarget& target = settings_.outputs[i];
    const std::string line = target.reporter->render(report, render_options(target, true));
    if (target.path == "-") {
      write(target, line);
    } else {
      pending_[i] += line;
    }
  }
}

int Session::finish_stream() {
  bar_.clear();
  outcome_.interrupted = outcome_.interrupted || interrupt_flag().load();
  if (outcome_.interrupted) {
    say("interrupted");
    return exit_status(outcome_, settings_.strict);
  }
  for (std::size_t i = 0; i < settings_.outputs.size(); ++i) {
    if (settings_.outputs[i].path != "-") write(settings_.outputs[i], pending_[i]);
  }
  return exit_status(outcome_, settings_.strict);
}

int Session::finish(const std::vector<Explanation>& entries) {
  for (const OutputTarget& target : settings_.outputs) {
    if (target.reporter->explain != nullptr) continue;
    return usage(
        fmt::format("the output format '{}' has no words to explain", target.reporter->id));
  }
  for (const OutputTarget& target : settings_.outputs) {
    write(target, target.reporter->explain(entries, render_options(target, false)));
  }
  return exit_status(outcome_, settings_.strict);
}

int Session::finish(const std::vector<Supported>& rows) {
  for (const OutputTarget& target : settings_.outputs) {
    if (target.reporter->support != nullptr) continue;
    return usage(fmt::format("the output format '{}' does not list formats", target.reporter->id));
  }
  for (const OutputTarget& target : settings_.outputs) {
    write(target, target.reporter->support(rows, render_options(target, false)));
  }
  return exit_status(outcome_, settings_.strict);
}

int Session::print(std::string_view text) {
  write({.reporter = nullptr, .path = "-"}, text);
  return exit_status(outcome_, settings_.strict);
}

int Session::usage(std::string_view message) const {
  say(message);
  return exit_status({.usage = true}, false);
}

}  // namespace pedigree
