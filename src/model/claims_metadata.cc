#include "model/claims_metadata.h"

#include <algorithm>
#include <array>

namespace pedigree {
namespace {

using KnownKey = std::pair<std::string_view, Claim::Kind>;

// ss_base_model_version names an architecture and not a parent, whatever its
// name suggests; ss_sd_model_name is the parent.
constexpr std::array<KnownKey, 12> known_keys = {{
    {"modelspec.architecture", Claim::Kind::architecture},
    {"modelspec.title", Claim::Kind::name},
    {"modelspec.license", Claim::Kind::license},
    {"modelspec.merged_from", Claim::Kind::merge_recipe},
    {"ss_sd_model_name", Claim::Kind::base_model},
    {"ss_base_model_version", Claim::Kind::architecture},
    {"ss_output_name", Claim::Kind::name},
    {"base_model", Claim::Kind::base_model},
    {"base_model_name_or_path", Claim::Kind::base_model},
    {"license", Claim::Kind::license},
    {"name", Claim::Kind::name},
    {"quantization", Claim::Kind::quantization},
}};

constexpr std::size_t max_value_bytes = 4096;
constexpr std::size_t max_claims = 256;  // of one file

}  // namespace

void add_metadata_claims(std::span<const std::pair<std::string, std::string>> metadata,
                         std::string_view file, std::vector<Claim>& claims) {
  std::size_t added = 0;
  for (const auto& [key, value] : metadata) {
    if (value.empty() || value.size() > max_value_bytes || key.size() > max_value_bytes) continue;
    const bool repeated = std::ranges::any_of(claims, [&](const Claim& claim) {
      return claim.line == 0 && claim.key == key && claim.value == value;
    });
    if (repeated) continue;
    if (++added > max_claims) return;
    const auto* known = std::ranges::find(known_keys, key, &KnownKey::first);
    claims.push_back({.kind = known == known_keys.end() ? Claim::Kind::other : known->second,
                      .key = key,
                      .value = value,
                      .file = std::string(file)});
  }
}

}  // namespace pedigree
