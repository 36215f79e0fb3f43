#include "model/config_sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::uint64_t largest = std::uint64_t{1} << 32U;

using Size = std::optional<std::uint64_t>;

Size sane(Size value) { return value && *value > 0 && *value <= largest ? value : std::nullopt; }

Size product(Size a, Size b) {
  std::uint64_t result = 0;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &result)) return std::nullopt;
  return sane(result);
}

Size sum(Size a, Size b) {
  if (!a || !b) return std::nullopt;
  return sane(*a + *b);
}

// Sizes that one key of a config gives, under any of these names.
constexpr std::array<std::pair<Symbol, std::string_view>, 33> usual_keys = {{
    {Symbol::embed, "embedding_size"},
    {Symbol::embed, "word_embed_proj_dim"},
    {Symbol::other_hidden, "vision_config.hidden_size"},
    {Symbol::projection, "projection_dim"},
    {Symbol::types, "type_vocab_size"},
    {Symbol::buckets, "relative_attention_num_buckets"},
    {Symbol::q_rank, "q_lora_rank"},
    {Symbol::kv_rank, "kv_lora_rank"},
    {Symbol::shared_ffn, "shared_expert_intermediate_size"},
    {Symbol::inner, "d_inner"},
    {Symbol::inner, "lru_width"},
    {Symbol::state, "state_size"},
    {Symbol::state, "d_state"},
    {Symbol::state, "ssm_state_size"},
    {Symbol::state, "mamba_d_state"},
    {Symbol::dt_rank, "time_step_rank"},
    {Symbol::dt_rank, "dt_rank"},
    {Symbol::dt_rank, "mamba_dt_rank"},
    {Symbol::ssm_heads, "mamba_n_heads"},
    {Symbol::ssm_heads, "mamba_num_heads"},
    {Symbol::ssm_heads, "linear_num_value_heads"},
    {Symbol::kernel, "conv_kernel"},
    {Symbol::kernel, "d_conv"},
    {Symbol::kernel, "mamba_d_conv"},
    {Symbol::kernel, "conv1d_width"},
    {Symbol::kernel, "linear_conv_kernel_dim"},
    {Symbol::kernel, "conv_L_cache"},
    {Symbol::inputs, "in_channels"},
    {Symbol::inputs, "num_channels"},
    {Symbol::inputs, "num_mel_bins"},
    {Symbol::patch, "patch_size"},
    {Symbol::values, "v_head_dim"},
    {Symbol::plain_keys, "qk_nope_head_dim"},
}};

// "4*@hidden/2+1" apart.
struct RuleParts {
  std::string_view factors;
  std::string_view divisor;
  std::string_view addend;
};

RuleParts parts_of(std::string_view rule) {
  RuleParts parts{.factors = rule, .divisor = {}, .addend = {}};
  const std::size_t plus = parts.factors.find('+');
  if (plus != rule.npos) {
    parts.addend = parts.factors.substr(plus + 1);
    parts.factors = parts.factors.substr(0, plus);
  }
  const std::size_t slash = parts.factors.find('/');
  if (slash != rule.npos) {
    parts.divisor = parts.factors.substr(slash + 1);
    parts.factors = parts.factors.substr(0, slash);
  }
  return parts;
}

bool is_number(std::string_view text) {
  const auto number = whole_number<std::uint64_t>(text);
  return number && *number > 0;
}

bool is_key(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

// The next factor, taken off the front.
std::string_view next_factor(std::string_view& factors) {
  const std::size_t end = std::min(factors.find('*'), factors.size());
  const std::string_view factor = factors.substr(0, end);
  factors.remove_prefix(std::min(end + 1, factors.size()));
  return factor;
}

}  // namespace

std::string rule_fault(std::string_view rule) {
  RuleParts parts = parts_of(rule);
  if (!parts.divisor.empty() && !is_number(parts.divisor)) return "divides by no number";
  if (!parts.addend.empty() && !is_number(parts.addend)) return "adds no number";
  if (parts.factors.empty()) return "has no factor";
  while (!parts.factors.empty()) {
    const std::string_view factor = next_factor(parts.factors);
    if (factor.starts_with('@')) {
      if (!find_symbol(factor.substr(1))) return fmt::format("names no size with {}", factor);
    } else if (!is_number(factor) && !is_key(factor)) {
      return fmt::format("has the factor \"{}\"", factor);
    }
  }
  return {};
}

Size ConfigSizes::count(std::string_view key) const {
  const std::string nested =
      config_.nested.empty() ? std::string{} : fmt::format("{}.{}", config_.nested, key);
  Size root;
  for (const ConfigEntry& entry : config_.entries) {
    if (!nested.empty() && entry.key == nested) {
      if (const auto value = whole_number<std::uint64_t>(entry.value)) return value;
    }
    if (entry.key == key) root = whole_number<std::uint64_t>(entry.value);
  }
  return root;
}

Size ConfigSizes::first_of(std::initializer_list<std::string_view> keys) const {
  for (const std::string_view key : keys) {
    if (const Size value = sane(count(key))) return value;
  }
  return std::nullopt;
}

Size ConfigSizes::by_rule(std::string_view rule, std::string_view role) const {
  RuleParts parts = parts_of(rule);
  Size result = 1;
  while (!parts.factors.empty()) {
    const std::string_view factor = next_factor(parts.factors);
    Size value = whole_number<std::uint64_t>(factor);
    if (factor.starts_with('@')) {
      const std::optional<Symbol> symbol = find_symbol(factor.substr(1));
      value = symbol ? find(*symbol, role) : std::nullopt;
    } else if (!value) {
      value = count(factor);
    }
    result = product(result, value);
  }
  if (result && !parts.divisor.empty()) {
    const std::uint64_t divisor = whole_number<std::uint64_t>(parts.divisor).value_or(1);
    if (*result % divisor != 0) return std::nullopt;
    result = *result / divisor;
  }
  return parts.addend.empty() ? result : sum(result, whole_number<std::uint64_t>(parts.addend));
}

Size ConfigSizes::by_rules(Symbol symbol, std::string_view role) const {
  for (const auto& [of, rule] : family_.config_sizes) {
    if (of != symbol) continue;
    if (const Size value = by_rule(rule, role)) return value;
  }
  return std::nullopt;
}

// Experts are as wide as dense layers where the config gives one width alone.
Size ConfigSizes::width(std::string_view role) const {
  const bool of_expert = role.starts_with("moe.") && !role.starts_with("moe.shared.");
  return of_expert && config_.expert_ffn ? config_.expert_ffn : config_.ffn;
}

Size ConfigSizes::of_heads(Symbol symbol, std::string_view role) const {
  const Size heads = sane(config_.heads);
  const auto times = [&](Size many, Symbol size) { return product(many, find(size, role)); };
  switch (symbol) {
    case Symbol::head_dim:
      if (const Size said = sane(config_.head_dim)) return said;
      if (const Size hidden = sane(config_.hidden); hidden && heads && *hidden % *heads == 0) {
        return *hidden / *heads;
      }
      return std::nullopt;
    case Symbol::heads:
      return heads;
    case Symbol::kv_heads:
      return config_.kv_heads ? sane(config_.kv_heads) : heads;
    case Symbol::q:
      return times(heads, Symbol::head_dim);
    case Symbol::kv:
      return times(find(Symbol::kv_heads, role), Symbol::head_dim);
    case Symbol::values:
      if (const Size each = by_key(symbol)) return product(heads, each);
      return find(Symbol::q, role);
    case Symbol::plain_keys:
      return product(heads, by_key(symbol));
    default:
      return std::nullopt;
  }
}

Size ConfigSizes::by_key(Symbol symbol) const {
  for (const auto& [of, key] : usual_keys) {
    if (of != symbol) continue;
    if (const Size value = sane(count(key))) return value;
  }
  return std::nullopt;
}

// What is more than a key's value; the rest is by_key's, or told by no usual key.
Size ConfigSizes::by_custom(Symbol symbol, std::string_view role) const {
  switch (symbol) {
    case Symbol::one:
      return 1;
    case Symbol::hidden:
      return sane(config_.hidden);
    case Symbol::vocab:
    case Symbol::head_rows:
      return sane(config_.vocab);
    case Symbol::positions:
      return sane(config_.context);
    case Symbol::kv_in:
      return sum(by_key(Symbol::kv_rank), sane(count("qk_rope_head_dim")));
    case Symbol::ffn:
      return sane(width(role));
    case Symbol::experts:
      return sane(config_.experts);
    case Symbol::shared_ffn:
      if (const Size said = by_key(symbol)) return said;
      return product(first_of({"n_shared_experts", "num_shared_experts", "num_shared_expert"}),
                     sane(config_.expert_ffn));
    case Symbol::inner:
      if (const Size said = by_key(symbol)) return said;
      return product(first_of({"expand", "mamba_expand"}), sane(config_.hidden));
    case Symbol::head_dim:
    case Symbol::heads:
    case Symbol::kv_heads:
    case Symbol::q:
    case Symbol::kv:
    case Symbol::values:
    case Symbol::plain_keys:
      return of_heads(symbol, role);
    default:
      return by_key(symbol);
  }
}

Size ConfigSizes::find(Symbol symbol, std::string_view role) const {
  const Size by_family = by_rules(symbol, role);
  return by_family ? by_family : by_custom(symbol, role);
}

Size ConfigSizes::evaluate(const SizeFormula& formula, std::string_view role) const {
  Size total;
  for (const auto& [coefficient, symbol] : formula) {
    const Size term = product(coefficient, find(symbol, role));
    if (!term) return std::nullopt;
    total = total ? sum(total, term) : term;
  }
  return total;
}

bool is_dense_layer(const ConfigSizes& sizes, std::uint64_t layer) {
  if (const Size first = sizes.count("first_k_dense_replace"); first && layer < *first) return true;
  for (const std::string_view key : {"decoder_sparse_step", "interleave_moe_layer_step"}) {
    const Size step = sizes.count(key);
    if (step && *step > 1 && (layer + 1) % *step != 0) return true;
  }
  constexpr std::size_t most_listed = 4096;
  for (std::size_t i = 0; i < most_listed; ++i) {
    const Size listed = sizes.count(fmt::format("mlp_only_layers[{}]", i));
    if (!listed) break;
    if (*listed == layer) return true;
  }
  return false;
}

}  // namespace pedigree
