// What the files beside the weights say: facts for the architecture, claims for
// the report, and what is wrong with either.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/adapter.h"
#include "model/claims.h"
#include "model/config_facts.h"
#include "model/layout.h"

namespace pedigree {

struct Manifest {
  ConfigFacts config = {};
  bool adapter_config = false;                     // adapter_config.json is there
  std::optional<AdapterDeclaration> adapter = {};  // and could be parsed
  std::vector<Claim> claims = {};
  std::vector<Problem> problems = {};
};

// `folder` is where the weights lie; its files win over those at the root. `part`: of a
// checkpoint that is several models, the one whose facts are wanted.
Manifest read_manifest(const ModelLayout& layout, std::string_view folder,
                       std::string_view part = {});

struct SideText {
  std::string text = {};
  std::string file = {};  // relative path
};

// The text of a side file by its name, from the weights' folder or the root.
// None when it is absent; none and a problem when it cannot be read.
std::optional<SideText> read_side_file(const ModelLayout& layout, std::string_view folder,
                                       std::string_view leaf, std::uint64_t limit,
                                       std::vector<Problem>& problems);

}  // namespace pedigree
