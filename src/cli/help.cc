#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::size_t width = 80;
constexpr std::size_t column = 28;  // where explanations begin

constexpr std::string_view exit_statuses =
    "Exit status\n"
    "  0  nothing at or above --fail-on      1  findings; compare: --expect not met\n"
    "  2  an input could not be read         3  nothing to do: no weights, or only pointers\n"
    "  4  usage or configuration             5  inconclusive, with --strict\n";

// `label` at the left, `text` wrapped beside it.
void put_entry(std::string& out, std::string_view label, std::string_view text) {
  std::string line = fmt::format("  {}", label);
  std::size_t used = display_width(line);
  if (used + 2 > column) {
    out += line + '\n';
    line.clear();
    used = 0;
  }
  line += std::string(column - used, ' ');
  used = column;
  bool first = true;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (!first && used + 1 + display_width(word) > width) {
      out += line + '\n';
      line = std::string(column, ' ');
      used = column;
      first = true;
    }
    if (!first) line += ' ';
    line += word;
    used += display_width(word) + (first ? 0 : 1);
    first = false;
  }
  out += line + '\n';
}

void put_options(std::string& out, std::string_view title, std::span<const OptionSpec> specs) {
  if (specs.empty()) return;
  out += fmt::format("\n{}\n", title);
  for (const OptionSpec& spec : specs) {
    if (spec.later) continue;
    std::string label = spec.letter.empty() ? "" : fmt::format("-{}, ", spec.letter);
    label += fmt::format("--{}", spec.name);
    if (!spec.value_name.empty()) label += fmt::format(" {}", spec.value_name);
    put_entry(out, label, spec.help);
  }
}

}  // namespace

std::string program_help() {
  std::string out =
      "pedigree says, from weights alone, whether one model descends from another.\n\n"
      "Examples\n"
      "  pedigree audit ./my-model --against ./llama-2-7b\n"
      "  pedigree compare ./suspect ./base\n"
      "  pedigree inspect ./my-model\n\n"
      "Commands\n";
  for (const Command* command : commands()) {
    if (command->run != nullptr) put_entry(out, command->name, command->summary);
  }
  out +=
      "\nA MODEL is a directory, a weight file, a shard index or a fingerprint (*.pedigree);\n"
      "MODEL::PART is one of several models in a checkpoint, as inspect lists them.\n"
      "`pedigree help COMMAND` shows a command's options with examples.\n";
  put_options(out, "Options everywhere", global_options());
  return out + "\n" + std::string(exit_statuses);
}

std::string command_help(const Command& command) {
  std::string out = fmt::format("pedigree {}: {}\n\nExamples\n", command.name, command.summary);
  for (const std::string_view example : command.examples) out += fmt::format("  {}\n", example);
  out += fmt::format("\nUsage\n  pedigree {} {}\n", command.name, command.usage);
  put_options(out, "Options", command.options);
  put_options(out, "Options everywhere", global_options());
  return out + "\n" + std::string(exit_statuses);
}

}  // namespace pedigree
