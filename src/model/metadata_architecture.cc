#include "model/metadata_architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "model/architecture_facts.h"
#include "model/config_check.h"
#include "model/families_match.h"
#include "model/planned_tensors.h"

namespace pedigree {
namespace {

// Of the names, or of what the family always has, for names to mean a family. A language model
// beside a vision tower is all there and makes less than half of the names.
constexpr double enough = 0.5;

bool is_of_type(const Family& family, const ConfigFacts& config) {
  const auto names = [&](const std::string& type) {
    return !type.empty() && std::ranges::find(family.model_types, type) != family.model_types.end();
  };
  return names(config.nested_model_type) || names(config.model_type);
}

std::vector<StoredTensor> named_only(const std::vector<std::string>& names) {
  std::vector<StoredTensor> result;
  result.reserve(names.size());
  for (const std::string& name : names) result.push_back({.entry = {.name = name}});
  return result;
}

// How far the config speaks for this one of several families with its model type.
int preference(const Family& family, const ConfigFacts& config) {
  if (family.when.empty()) return 1;
  const bool holds = std::ranges::all_of(family.when, [&](const auto& said) {
    return std::ranges::any_of(config.entries, [&](const ConfigEntry& entry) {
      return entry.key == said.first && entry.value == said.second;
    });
  });
  return holds ? 2 : 0;
}

const Family* family_by_type(const ConfigFacts& config) {
  const Family* best = nullptr;
  for (const Family& family : families()) {
    if (!is_of_type(family, config)) continue;
    if (best == nullptr || preference(family, config) > preference(*best, config)) best = &family;
  }
  return best;
}

void check_names(ModelInfo& info, const ConfigFacts& config, const ListedTensors& listed,
                 std::string of_type) {
  if (!config.present) return;
  std::vector<std::string> found = contradictions(info, config);
  if (!of_type.empty()) found.insert(found.begin(), std::move(of_type));
  if (found.empty()) return;
  info.problems.push_back(
      make_problem("config-weights-mismatch", config.file,
                   fmt::format("the config and the tensors that {} lists disagree on {}",
                               listed.file, fmt::join(found, "; "))));
}

// The bytes an index claims against what the config's shapes would take in some type. Not
// held against quantised weights, nor where any tensor or size is not known.
void check_bytes(ModelInfo& info, const ConfigFacts& config, const ListedTensors& listed,
                 const FamilyMatch& match) {
  if (!listed.bytes || match.count_share < 1 || !config.quantization.empty()) return;
  std::uint64_t values = 0;
  for (const CanonicalTensor& tensor : info.canonical) {
    std::uint64_t size = 0;
    if (tensor.rows == 0 || tensor.cols == 0 ||
        __builtin_mul_overflow(tensor.rows, tensor.cols, &size) ||
        __builtin_add_overflow(values, size, &values)) {
      return;
    }
  }
  const auto claimed = static_cast<double>(*listed.bytes);
  const auto fits = [&](double bytes_each) {
    // Buffers, norms in another type and padded rows come on top.
    return std::abs(claimed / (bytes_each * static_cast<double>(values)) - 1) < 0.01;
  };
  if (values == 0 || fits(2) || fits(4) || fits(1) || fits(8)) return;
  info.problems.push_back(make_problem(
      "config-weights-mismatch", config.file,
      fmt::format("the config's sizes make {} values, and {} gives all tensors {} bytes, {:.2f} "
                  "for each",
                  values, listed.file, *listed.bytes, claimed / static_cast<double>(values))));
}

void describe_by_names(ModelInfo& info, const ConfigFacts& config, const ListedTensors& listed,
                       const std::vector<FamilyMatch>& ranked) {
  const FamilyMatch& best = ranked.front();
  info.canonical = planned_tensors(*best.spelling, config, best.matched);
  describe_architecture(info, config, best.family);
  Architecture& built = info.architecture;
  built.explained = best.count_share;
  built.wrappers = best.wrappers;
  built.roles_from = "index";
  check_names(info, config, listed, type_contradiction(ranked, config));
  check_bytes(info, config, listed, best);
}

bool names_mean_a_family(const FamilyMatch& match) {
  if (match.completeness < enough) return false;
  return match.completeness == 1 || match.count_share >= enough;
}

// Roles of part of the names; what the rest is nobody knows.
void report_unknown(ModelInfo& info, const ConfigFacts& config, const ListedTensors& listed) {
  std::string what;
  if (!listed.names.empty())
    what = fmt::format("no known family's names fit those in {}", listed.file);
  const std::string& type =
      config.nested_model_type.empty() ? config.model_type : config.nested_model_type;
  if (!type.empty()) {
    what += fmt::format("{}{} names model type \"{}\", which is not known",
                        what.empty() ? "" : "; ", config.file, shown(type));
  }
  if (what.empty()) return;
  info.problems.push_back(make_problem("architecture-unknown", "", std::move(what)));
}

}  // namespace

void describe_from_metadata(ModelInfo& info, const ConfigFacts& config,
                            const ListedTensors& listed) {
  if (!info.tensors.empty() || info.is_adapter) return;
  if (!config.present && listed.names.empty()) return;
  std::vector<FamilyMatch> ranked;
  if (!listed.names.empty()) ranked = rank_families_by_names(named_only(listed.names), config);
  if (!ranked.empty() && names_mean_a_family(ranked.front())) {
    describe_by_names(info, config, listed, ranked);
  } else if (const Family* family = family_by_type(config)) {
    info.canonical = planned_tensors(*family, config, planned_by_config(*family, config));
    describe_architecture(info, config, family);
    info.architecture.roles_from = "config";
  } else {
    report_unknown(info, config, listed);
  }
  info.canonical.clear();
}

}  // namespace pedigree
