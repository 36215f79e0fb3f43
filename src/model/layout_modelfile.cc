#include "model/layout_modelfile.h"

#include <fmt/format.h>

#include <string>
#include <system_error>
#include <utility>

#include "base/confinement.h"
#include "base/files.h"
#include "base/text.h"
#include "model/modelfile.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_claim = 4096;

bool is_path(std::string_view value) {
  return value.starts_with('.') || value.starts_with('/') || value.starts_with('~') ||
         value.ends_with(".gguf") || value.ends_with(".safetensors") || value.ends_with(".bin") ||
         value.contains('\\');
}

std::vector<Claim> claims_of(const std::vector<ModelfileEntry>& entries, std::string_view file) {
  std::vector<Claim> claims;
  for (const ModelfileEntry& entry : entries) {
    const bool origin = entry.command == "from" || entry.command == "adapter";
    if (!origin && entry.command != "license") continue;
    Claim::Kind kind = Claim::Kind::license;
    // A path says where the file lay, and not what it is.
    if (origin) {
      const bool parent = entry.command == "from" && !is_path(entry.value);
      kind = parent ? Claim::Kind::base_model : Claim::Kind::other;
    }
    claims.push_back({.kind = kind,
                      .key = entry.command,
                      .value = entry.value.substr(0, longest_claim),
                      .file = std::string(file),
                      .line = entry.line});
  }
  return claims;
}

}  // namespace

bool is_modelfile_name(std::string_view leaf) {
  constexpr std::string_view name = "odelfile";
  if (leaf.size() < name.size() + 1 || (leaf.front() != 'M' && leaf.front() != 'm')) return false;
  leaf.remove_prefix(1);
  return leaf == name || (leaf.starts_with(name) && leaf[name.size()] == '.');
}

std::vector<Claim> modelfile_claims(std::string_view text, std::string_view file,
                                    std::vector<Problem>& problems) {
  const auto entries = parse_modelfile(text, file);
  if (!entries) {
    problems.push_back(entries.error());
    return {};
  }
  return claims_of(*entries, file);
}

Result<ModelfileTarget> modelfile_target(const fs::path& path) {
  const std::string name = percent_escaped(path.filename().string());
  const auto text = read_small_file(path.string(), name);
  if (!text) return std::unexpected(text.error());
  const auto entries = parse_modelfile(*text, name);
  if (!entries) return std::unexpected(entries.error());
  ModelfileTarget target{.claims = claims_of(*entries, name)};
  std::string from;
  for (const ModelfileEntry& entry : *entries) {
    if (entry.command == "from") from = entry.value;
  }
  std::string relative = from;
  while (relative.starts_with("./")) relative.erase(0, 2);
  const fs::path folder = path.parent_path();
  std::error_code error;
  const fs::path real =
      is_confined_name(relative) ? fs::canonical(folder / relative, error) : fs::path();
  const bool is_below =
      !real.empty() && !error && lies_within(real, fs::canonical(folder, error)) && !error;
  // One Modelfile that leads to another might lead on for ever.
  const bool confined = is_below && !is_modelfile_name(real.filename().string());
  const bool itself = from == "." || from == "./";
  if (!confined && !itself) {
    return std::unexpected(
        make_problem("not-a-model", name,
                     fmt::format("FROM {} is no file beside this Modelfile; name the model itself",
                                 shown(from.substr(0, 200)))));
  }
  target.from = itself ? folder : real;
  return target;
}

}  // namespace pedigree
