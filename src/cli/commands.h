// The table of commands. To add one, write cli/<verb>_command.cc, which defines
// one Command, and name it in commands.cc.
#pragma once

#include <span>
#include <string_view>

#include "cli/options.h"
#include "cli/session.h"

namespace pedigree {

struct Command {
  std::string_view name;
  std::string_view summary;  // "say what a model is, from metadata alone"
  std::string_view usage;    // "MODEL [--tensors]"
  std::span<const std::string_view> examples = {};
  std::span<const OptionSpec> options = {};

  // Null for a verb of the contract that this version does not have.
  int (*run)(const Arguments& arguments, Session& session) = nullptr;
};

std::span<const Command* const> commands();
const Command* find_command(std::string_view name);

extern const Command audit_command;
extern const Command compare_command;
extern const Command digest_command;
extern const Command explain_command;
extern const Command fingerprint_command;
extern const Command inspect_command;
extern const Command schema_command;
extern const Command tree_command;

}  // namespace pedigree
