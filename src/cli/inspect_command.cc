#include <array>

#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 4> examples = {
    "pedigree inspect ./my-model",
    "pedigree inspect model.safetensors --tensors",
    "pedigree inspect ./my-model -o json",
    "pedigree inspect --formats",
};

constexpr std::array options = {
    OptionSpec{.name = "tensors", .help = "list every tensor with its shape and role"},
    OptionSpec{.name = "formats",
               .help = "list every file with its format, however many there are; without a MODEL, "
                       "every format there is and how far it is supported"},
};

int run(const Arguments& arguments, Session& session) {
  if (arguments.operands().empty() && arguments.has("formats")) {
    return session.finish(supported());
  }
  if (arguments.operands().size() != 1) return session.usage("inspect takes one MODEL");
  return session.finish(inspect_model({.model = arguments.operands().front(),
                                       .tensors = arguments.has("tensors"),
                                       .files = arguments.has("formats")}));
}

}  // namespace

const Command inspect_command{.name = "inspect",
                              .summary = "say what a model is, from metadata alone",
                              .usage = "MODEL [--tensors] [--formats] | --formats",
                              .examples = examples,
                              .options = options,
                              .run = run};

}  // namespace pedigree
