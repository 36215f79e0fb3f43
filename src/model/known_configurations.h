// Hyper-parameters of well-known models: what a model's own resemble, as context and never as
// evidence of where its weights come from.
//
// To add models, write a file in configurations/ with its recipe; nothing else changes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/embedded.h"
#include "model/model.h"

namespace pedigree {

// Where a row's numbers were read.
struct ConfigurationSource {
  std::string package = {};
  std::string version = {};
  std::string file = {};    // inside the package
  std::string sha256 = {};  // of that file
};

struct KnownConfiguration {
  std::vector<std::string> names = {};  // "meta-llama/Llama-2-7b-hf"; all with these numbers
  Architecture built = {};              // what is not in the row is not known
  std::uint64_t tokens = 0;             // before rows of the embedding are padded
  const ConfigurationSource* source = nullptr;
};

// A row, and what differs from it as ("kv heads", "4 against 32"), the row's last.
struct Resemblance {
  const KnownConfiguration* known = nullptr;
  std::vector<std::pair<std::string, std::string>> differences = {};
};

// The files as embedded, defined by scripts/embed.cmake.
std::span<const EmbeddedFile> embedded_configurations();

std::span<const KnownConfiguration> known_configurations();

// The row that differs least, of those with the same depth, widths and heads; none where more
// than a few fields differ, or where these sizes are not known.
std::optional<Resemblance> resembled_configuration(const Architecture& built);

// A name that says one model, with another's hyper-parameters: "Reflection-Llama-3.1-70B"
// with Llama 3's context. `names`: what the model and its config call it.
std::optional<Problem> name_contradiction(const Architecture& built,
                                          std::span<const std::string> names);

}  // namespace pedigree
