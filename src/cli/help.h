// Help, from the tables of commands and options.
#pragma once

#include <string>

#include "cli/commands.h"

namespace pedigree {

std::string program_help();
std::string command_help(const Command& command);

}  // namespace pedigree
