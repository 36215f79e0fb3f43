// Models that say something of themselves, and nothing else; and what is found of them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/model.h"
#include "report/report.h"

namespace pedigree {

inline ModelInfo model_with(std::vector<Claim> claims) {
  ModelInfo info;
  info.name = "child";
  info.claims = std::move(claims);
  return info;
}

inline Claim base_claim(std::string value) {
  return {Claim::Kind::base_model, "base_model", std::move(value), "README.md", 4};
}

inline bool has_rule(const std::vector<Finding>& findings, std::string_view rule, Severity level) {
  return std::ranges::any_of(
      findings, [&](const Finding& each) { return each.rule == rule && each.level == level; });
}

}  // namespace pedigree
