// The sizes of a family's tensors as a config gives them, for where no shapes are at hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/config_facts.h"
#include "model/families.h"

namespace pedigree {

// One way to a size: "n_inner", "4*@hidden", "intermediate_size/2", "n_positions+2". Factors
// are numbers, keys of the config and, behind @, sizes.
using SizeRule = std::string;

// What is wrong with the form of a rule; "" when nothing is.
std::string rule_fault(std::string_view rule);

class ConfigSizes {
 public:
  // Both outlive it.
  ConfigSizes(const Family& family, const ConfigFacts& config) : family_(family), config_(config) {}

  // None where the config does not say, or says more than 2^32. `role` tells an expert's
  // width from that of a dense layer.
  std::optional<std::uint64_t> find(Symbol symbol, std::string_view role) const;
  std::optional<std::uint64_t> evaluate(const SizeFormula& formula, std::string_view role) const;

  // A count anywhere in the config, of the decoder's part first.
  std::optional<std::uint64_t> count(std::string_view key) const;

 private:
  std::optional<std::uint64_t> by_rules(Symbol symbol, std::string_view role) const;
  std::optional<std::uint64_t> by_rule(std::string_view rule, std::string_view role) const;
  std::optional<std::uint64_t> by_custom(Symbol symbol, std::string_view role) const;
  std::optional<std::uint64_t> of_heads(Symbol symbol, std::string_view role) const;
  std::optional<std::uint64_t> by_key(Symbol symbol) const;
  std::optional<std::uint64_t> first_of(std::initializer_list<std::string_view> keys) const;
  std::optional<std::uint64_t> width(std::string_view role) const;

  const Family& family_;
  const ConfigFacts& config_;
};

// Is layer `layer` of a model with experts one without?
bool is_dense_layer(const ConfigSizes& sizes, std::uint64_t layer);

}  // namespace pedigree
