// Options as tables: one row is what Boost.Program_options parses, what help
// prints, and what "did you mean" knows.
#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

struct OptionSpec {
  std::string_view name;             // "output"
  std::string_view letter = {};      // "o"
  std::string_view value_name = {};  // "FORMAT[=FILE]"; "" for a flag
  std::string_view help = {};
  bool repeatable = false;
  bool later = false;  // in the contract, not in this version
};

struct UsageError {
  std::string message;
};

class Arguments {
 public:
  bool has(std::string_view name) const { return values_.contains(std::string(name)); }
  std::string value(std::string_view name) const;  // "" when absent
  std::vector<std::string> values(std::string_view name) const;
  const std::vector<std::string>& operands() const { return operands_; }

  void add(std::string_view name, std::string value) {
    values_[std::string(name)].push_back(std::move(value));
  }
  void add_operand(std::string operand) { operands_.push_back(std::move(operand)); }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_;
};

std::span<const OptionSpec> global_options();

// `specs` beside the global options. Unknown options get the nearest known one.
std::expected<Arguments, UsageError> parse_arguments(std::span<const OptionSpec> specs,
                                                     const std::vector<std::string>& words);

// Index of the verb among `words`: the first that is neither an option nor the
// value of a global one; words.size() when there is none.
std::size_t verb_position(const std::vector<std::string>& words);

// ", did you mean X?" or "".
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace pedigree
