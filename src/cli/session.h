// One run of one command: what it was asked for, and where its reports go.
#pragma once

#include <string>
#include <vector>

#include "cli/settings.h"
#include "cli/terminal.h"
#include "tasks/tasks.h"

namespace pedigree {

class Session {
 public:
  Session(std::vector<std::string> words, Settings settings, Environment environment);

  RunOptions run_options();

  // Writes the report everywhere it is wanted; returns the exit status.
  int finish(Report report);

  // A report that holds nothing but what went wrong.
  int fail(std::string command, Problem problem);

  // The same as finish for many reports, one compact line each, as they come.
  void stream(Report report);
  int finish_stream();

  // And for explanations.
  int finish(const std::vector<Explanation>& entries);
  int finish(const std::vector<Supported>& rows);

  // Prints to stdout as it is.
  int print(std::string_view text);

  // Says what is wrong with the command line; returns 4.
  int usage(std::string_view message) const;

  const Settings& settings() const { return settings_; }

 private:
  void complete(Report& report, bool alone) const;
  void say_problems(const Report& report) const;
  bool write(const OutputTarget& target, std::string_view bytes);
  RenderOptions render_options(const OutputTarget& target, bool compact) const;

  std::vector<std::string> words_;  // the command line without the program's name
  Settings settings_;
  Environment environment_;
  ProgressBar bar_;
  RunOutcome outcome_;
  std::vector<std::string> pending_;  // of a stream, by output
};

// A word as a shell reads it back.
std::string shell_quoted(const std::string& word);

// "2024-01-02T03:04:05Z"
std::string utc_text(std::int64_t seconds);

}  // namespace pedigree
