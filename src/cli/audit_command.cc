#include <array>

#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 3> examples = {
    "pedigree audit ./my-model",
    "pedigree audit ./my-model --against ./llama-2-7b --against ./mistral-7b",
    "pedigree audit ./my-model --against base.pedigree -o json=audit.json -o text",
};

constexpr std::array options = {
    OptionSpec{.name = "against",
               .value_name = "MODEL",
               .help = "a possible parent: model or fingerprint; may be repeated",
               .repeatable = true},
    OptionSpec{.name = "digests", .help = "also read every byte and give the model's digests"},
    OptionSpec{.name = "quick", .help = "sampled tests only; never a clean bill"},
    OptionSpec{.name = "salt",
               .value_name = "FILE",
               .help = "draw the samples from a secret, as the fingerprints given were"},
    OptionSpec{.name = "details", .help = "add a row for each tensor"},
    OptionSpec{.name = "catalog", .value_name = "URL", .later = true},
    OptionSpec{.name = "policy", .value_name = "FILE", .later = true},
};

int run(const Arguments& arguments, Session& session) {
  if (arguments.operands().size() != 1) return session.usage("audit takes one MODEL");
  AuditRequest request;
  request.model = arguments.operands().front();
  request.against = arguments.values("against");
  request.digests = arguments.has("digests");
  request.quick = arguments.has("quick");
  request.details = arguments.has("details");
  request.salt_file = arguments.value("salt");
  request.run = session.run_options();
  return session.finish(audit_model(request));
}

}  // namespace

const Command audit_command{
    .name = "audit",
    .summary = "inspect a model, test its parents, and hold its claims against the evidence",
    .usage = "MODEL [--against MODEL]…",
    .examples = examples,
    .options = options,
    .run = run};

}  // namespace pedigree
