#include <algorithm>
#include <array>

#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 4> examples = {
    "pedigree tree ./base ./chat ./code ./chat-gptq",
    "pedigree tree models/*/ known/*.pedigree",
    "pedigree tree models/*/ -o dot=family.dot -o text",
    "pedigree tree models/*/ --quick -o json",
};

constexpr std::array options = {
    OptionSpec{.name = "quick",
               .help = "sampled tests only: disguised copies stay apart, and nothing is called "
                       "unrelated"},
};

// The same report whatever the order of the models, so they are named in one order.
std::string command_line(std::vector<std::string> models, bool quick) {
  std::ranges::sort(models);
  std::string line = "pedigree tree";
  for (const std::string& model : models) line += " " + shell_quoted(model);
  return line + (quick ? " --quick" : "");
}

int run(const Arguments& arguments, Session& session) {
  if (arguments.operands().size() < 2) return session.usage("tree takes at least two MODELs");
  TreeRequest request;
  request.models = arguments.operands();
  request.quick = arguments.has("quick");
  request.again = command_line(request.models, request.quick);
  request.run = session.run_options();
  return session.finish(tree_of_models(request));
}

}  // namespace

const Command tree_command{.name = "tree",
                           .summary = "draw the family tree of a set of models",
                           .usage = "MODEL MODEL… [--quick]",
                           .examples = examples,
                           .options = options,
                           .run = run};

}  // namespace pedigree
