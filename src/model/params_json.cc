#include "model/params_json.h"

#include <cmath>
#include <optional>
#include <vector>

#include "model/manifest_json.h"

namespace pedigree {
namespace {

constexpr std::uint64_t sane = std::uint64_t{1} << 32U;

std::optional<std::uint64_t> count_at(const JsonValue& params, std::string_view key) {
  const JsonValue* value = params.find(key);
  const auto count = value == nullptr ? std::nullopt : value->as_u64();
  return count && *count > 0 && *count < sane ? count : std::nullopt;
}

// FeedForward of Meta's llama: two thirds of 4·dim, times the multiplier, rounded up.
std::optional<std::uint64_t> mlp_width(const JsonValue& params) {
  const auto dim = count_at(params, "dim");
  const auto multiple = count_at(params, "multiple_of");
  if (!dim || !multiple) return std::nullopt;
  double width = std::floor(static_cast<double>(8 * *dim) / 3);
  if (const JsonValue* value = params.find("ffn_dim_multiplier")) {
    const std::optional<double> factor = value->as_number();
    if (factor && (*factor <= 0 || *factor > 1024)) return std::nullopt;
    width = std::floor(width * factor.value_or(1));
  }
  const auto whole = static_cast<std::uint64_t>(width);
  return (whole + *multiple - 1) / *multiple * *multiple;
}

}  // namespace

ConfigFacts params_facts(const JsonValue& params, std::string_view file) {
  if (!count_at(params, "dim") || !count_at(params, "n_layers")) return {};
  ConfigFacts facts = config_facts(params, file);
  if (!facts.ffn) facts.ffn = mlp_width(params);
  // LLaMA 1 and 2 say -1: as many as the tokenizer has.
  std::erase_if(facts.unusable, [](const UnusableNumber& number) {
    return number.fact == "vocabulary rows" && (number.value == "-1" || number.value == "null");
  });
  return facts;
}

}  // namespace pedigree
