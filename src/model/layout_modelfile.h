// Which files a Modelfile means, and what it claims.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "model/claims.h"

namespace pedigree {

bool is_modelfile_name(std::string_view leaf);  // "Modelfile", "modelfile.q4"

// FROM and ADAPTER are claims about where a model came from, LICENSE about its licence.
std::vector<Claim> modelfile_claims(std::string_view text, std::string_view file,
                                    std::vector<Problem>& problems);

struct ModelfileTarget {
  std::filesystem::path from = {};
  std::vector<Claim> claims = {};
};

// The file or folder that FROM names beside the Modelfile. A problem where it names a model
// by name alone, or leads out of the Modelfile's folder.
Result<ModelfileTarget> modelfile_target(const std::filesystem::path& path);

}  // namespace pedigree
