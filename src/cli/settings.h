// What the options everywhere come to: a flag beats the environment
// (PEDIGREE_THREADS, PEDIGREE_FAIL_ON, …), which beats the configuration file.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/problem.h"
#include "cli/options.h"
#include "report/report.h"

namespace pedigree {

struct OutputTarget {
  const Reporter* reporter = nullptr;
  std::string path;  // "-" is stdout
};

enum class ColourChoice { automatic, always, never };

struct Settings {
  std::vector<OutputTarget> outputs;
  std::optional<Severity> fail_on = Severity::error;  // absent: never
  bool strict = false;
  unsigned threads = 0;
  bool quiet = false;
  bool verbose = false;
  bool progress = true;
  ColourChoice colour = ColourChoice::automatic;
  bool deterministic = false;
  std::optional<std::int64_t> source_date_epoch;  // seconds
};

// The value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

std::expected<Settings, UsageError> settings_from(const Arguments& arguments,
                                                  const Environment& environment);

}  // namespace pedigree
