#include "cli/application.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace pedigree {
namespace {

int print(std::string_view text) {
  const auto problem = write_stdout(text);
  if (!problem) return 0;
  std::fputs(fmt::format("pedigree: {}: {}\n", problem->file, problem->message).c_str(), stderr);
  return exit_status({.unreadable = true}, false);
}

int usage(std::string_view message, std::string_view verb = {}) {
  const std::string topic = verb.empty() ? "--help" : fmt::format("help {}", verb);
  std::fputs(fmt::format("pedigree: {}\nTry 'pedigree {}'.\n", message, topic).c_str(), stderr);
  return exit_status({.usage = true}, false);
}

int unknown_verb(std::string_view verb) {
  std::vector<std::string_view> known = {"help"};
  for (const Command* command : commands()) known.push_back(command->name);
  return usage(fmt::format("'{}' is not a command{}", shown(verb), suggestion(verb, known)));
}

int help(const std::vector<std::string>& words) {
  const std::size_t topic = verb_position(words);
  if (topic == words.size()) return print(program_help());
  const Command* command = find_command(words[topic]);
  if (command == nullptr) return unknown_verb(words[topic]);
  if (command->run == nullptr) {
    return usage(fmt::format("'{}' is not available in this version", command->name));
  }
  return print(command_help(*command));
}

int without_verb(const std::vector<std::string>& words) {
  const auto arguments = parse_arguments({}, words);
  if (!arguments) return usage(arguments.error().message);
  if (arguments->has("version")) return print(fmt::format("pedigree {}\n", PEDIGREE_VERSION));
  if (arguments->has("help")) return print(program_help());
  return usage("no command given");
}

int run_command(const Command& command, const std::vector<std::string>& words,
                const std::vector<std::string>& rest, const Environment& environment) {
  const auto arguments = parse_arguments(command.options, rest);
  if (!arguments) return usage(arguments.error().message, command.name);
  if (arguments->has("help")) return print(command_help(command));
  if (arguments->has("version")) return print(fmt::format("pedigree {}\n", PEDIGREE_VERSION));
  if (std::ranges::find(arguments->operands(), "") != arguments->operands().end()) {
    return usage("an argument is empty; is a shell variable unset?", command.name);
  }
  auto settings = settings_from(*arguments, environment);
  if (!settings) return usage(settings.error().message, command.name);
  Session session(words, std::move(*settings), environment);
  return command.run(*arguments, session);
}

}  // namespace

int run_application(const std::vector<std::string>& words, const Environment& environment) {
  const std::size_t position = verb_position(words);
  if (position >= words.size()) return without_verb(words);
  const std::string& verb = words[position];
  std::vector<std::string> rest = words;
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(position));
  if (verb == "help") return help(rest);
  const Command* command = find_command(verb);
  if (command == nullptr) return unknown_verb(verb);
  if (command->run == nullptr) {
    return usage(fmt::format("'{}' is not available in this version", verb));
  }
  return run_command(*command, words, rest, environment);
}

}  // namespace pedigree
