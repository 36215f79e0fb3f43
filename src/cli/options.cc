#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>

#include "base/text.h"

namespace pedigree {
namespace {

namespace po = boost::program_options;

constexpr std::array globals = {
    OptionSpec{
        .name = "output",
        .letter = "o",
        .value_name = "FORMAT[=FILE]",
        .help = "write the report as text, json, markdown or dot; may be repeated; - is stdout",
        .repeatable = true},
    OptionSpec{.name = "fail-on",
               .value_name = "LEVEL",
               .help = "exit 1 for findings at or above note, warning or error, or none [error]; "
                       "compare takes --expect instead"},
    OptionSpec{.name = "strict", .help = "exit 5 when a verdict is inconclusive"},
    OptionSpec{.name = "threads", .value_name = "N", .help = "how many threads [one a core]"},
    OptionSpec{.name = "quiet", .letter = "q", .help = "no progress and no diagnostics"},
    OptionSpec{.name = "verbose", .letter = "v", .help = "say on stderr what is being done"},
    OptionSpec{.name = "no-progress", .help = "no progress bar"},
    OptionSpec{.name = "color", .value_name = "WHEN", .help = "auto, always or never [auto]"},
    OptionSpec{.name = "deterministic", .help = "no clock in the report but SOURCE_DATE_EPOCH"},
    OptionSpec{.name = "config", .value_name = "FILE", .help = "read settings from a JSON file"},
    OptionSpec{.name = "version", .help = "print the version"},
    OptionSpec{.name = "help", .letter = "h", .help = "print help with examples"},
    OptionSpec{.name = "max-memory", .value_name = "SIZE", .later = true},
    OptionSpec{.name = "cache", .value_name = "DIR", .later = true},
};

po::options_description described(std::span<const OptionSpec> specs) {
  po::options_description description;
  for (const auto& list : {std::span<const OptionSpec>(globals), specs}) {
    for (const OptionSpec& spec : list) {
      std::string name(spec.name);
      if (!spec.letter.empty()) name += "," + std::string(spec.letter);
      // The library frees the value semantic.
      if (spec.value_name.empty()) {
        description.add_options()(name.c_str(), new po::untyped_value(true));
      } else {
        description.add_options()(name.c_str(), po::value<std::string>());
      }
    }
  }
  return description;
}

constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

const OptionSpec* find_spec(std::span<const OptionSpec> specs, std::string_view name) {
  for (const auto& list : {std::span<const OptionSpec>(globals), specs}) {
    const auto found = std::ranges::find(list, name, &OptionSpec::name);
    if (found != list.end()) return &*found;
  }
  return nullptr;
}

std::string unknown_option_message(std::string_view written, std::span<const OptionSpec> specs) {
  std::string_view bare = written;
  while (bare.starts_with('-')) bare.remove_prefix(1);
  std::vector<std::string_view> known;
  for (const auto& list : {std::span<const OptionSpec>(globals), specs}) {
    for (const OptionSpec& spec : list) {
      if (!spec.later) known.push_back(spec.name);
    }
  }
  const std::string_view nearest = nearest_word(bare, known);
  std::string message = fmt::format("unknown option '{}'", shown(written));
  if (!nearest.empty()) message += fmt::format(", did you mean '--{}'?", nearest);
  return message;
}

std::expected<Arguments, UsageError> collected(const po::parsed_options& parsed,
                                               std::span<const OptionSpec> specs) {
  Arguments arguments;
  for (const auto& option : parsed.options) {
    if (option.position_key >= 0) {
      for (const std::string& word : option.value) arguments.add_operand(word);
      continue;
    }
    const OptionSpec* spec = find_spec(specs, option.string_key);
    if (spec == nullptr) return std::unexpected(UsageError{"unknown option"});
    if (spec->later) {
      return std::unexpected(
          UsageError{fmt::format("--{} is not available in this version", spec->name)});
    }
    if (!spec->repeatable && !spec->value_name.empty() && arguments.has(spec->name)) {
      return std::unexpected(UsageError{fmt::format("--{} is given twice", spec->name)});
    }
    arguments.add(spec->name, option.value.empty() ? std::string() : option.value.front());
  }
  return arguments;
}

}  // namespace

std::string Arguments::value(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string() : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::span<const OptionSpec> global_options() { return globals; }

std::expected<Arguments, UsageError> parse_arguments(std::span<const OptionSpec> specs,
                                                     const std::vector<std::string>& words) {
  const po::options_description description = described(specs);
  try {
    return collected(po::command_line_parser(words).options(description).style(style).run(), specs);
  } catch (const po::unknown_option& error) {
    return std::unexpected(UsageError{unknown_option_message(error.get_option_name(), specs)});
  } catch (const po::error& error) {
    return std::unexpected(UsageError{shown(error.what())});
  }
}

std::size_t verb_position(const std::vector<std::string>& words) {
  const po::options_description description = described({});
  try {
    const auto parsed =
        po::command_line_parser(words).options(description).style(style).allow_unregistered().run();
    std::size_t position = 0;
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) return position;
      position += option.original_tokens.size();
    }
  } catch (const po::error&) {
    // The full parse that follows says what is wrong.
    const auto verb =
        std::ranges::find_if(words, [](auto& word) { return !word.starts_with('-'); });
    return static_cast<std::size_t>(verb - words.begin());
  }
  return words.size();
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_word(word, known);
  return nearest.empty() ? std::string() : fmt::format(", did you mean '{}'?", nearest);
}

}  // namespace pedigree
