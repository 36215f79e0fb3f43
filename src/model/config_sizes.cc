#include "model/config_sizes.h"

#include <fmt/format.h>

#include <algorithm>
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
      if (const Size each = first_of({"v_head_dim"})) return product(heads, each);
      return find(Symbol::q, role);
    case Symbol::plain_keys:
      return product(heads, first_of({"qk_nope_head_dim"}));
    default:
      return std::nullopt;
  }
}

Size ConfigSizes::of_mixer(Symbol symbol) const {
  switch (symbol) {
    case Symbol::inner:
      if (const Size said = first_of({"d_inner", "lru_width"})) return said;
      return product(first_of({"expand", "mamba_expand"}), sane(config_.hidden));
    case Symbol::state:
      return first_of({"state_size", "d_state", "ssm_state_size", "mamba_d_state"});
    case Symbol::dt_rank:
      return first_of({"time_step_rank", "dt_rank", "mamba_dt_rank"});
    case Symbol::ssm_heads:
      return first_of({"mamba_n_heads", "mamba_num_heads", "linear_num_value_heads"});
    case Symbol::kernel:
      return first_of({"conv_kernel", "d_conv", "mamba_d_conv", "conv1d_width",
                       "linear_conv_kernel_dim", "conv_L_cache"});
    case Symbol::inputs:
      return first_of({"in_channels", "num_channels", "num_mel_bins"});
    case Symbol::patch:
      return first_of({"patch_size"});
    default:  // by rules of their own families, or not at all
      return std::nullopt;
  }
}

Size ConfigSizes::by_custom(Symbol symbol, std::string_view role) const {
  switch (symbol) {
    case Symbol::one:
      return 1;
    case Symbol::hidden:
      return sane(config_.hidden);
    case Symbol::embed:
      return first_of({"embedding_size", "word_embed_proj_dim"});
    case Symbol::other_hidden:
      return first_of({"vision_config.hidden_size"});
    case Symbol::projection:
      return first_of({"projection_dim"});
    case Symbol::vocab:
    case Symbol::head_rows:
      return sane(config_.vocab);
    case Symbol::positions:
      return sane(config_.context);
    case Symbol::other_positions:
      return std::nullopt;
    case Symbol::types:
      return first_of({"type_vocab_size"});
    case Symbol::buckets:
      return first_of({"relative_attention_num_buckets"});
    case Symbol::q_rank:
      return first_of({"q_lora_rank"});
    case Symbol::kv_rank:
      return first_of({"kv_lora_rank"});
    case Symbol::kv_in:
      return sum(first_of({"kv_lora_rank"}), first_of({"qk_rope_head_dim"}));
    case Symbol::ffn:
      return sane(width(role));
    case Symbol::experts:
      return sane(config_.experts);
    case Symbol::shared_ffn:
      if (const Size said = first_of({"shared_expert_intermediate_size"})) return said;
      return product(first_of({"n_shared_experts", "num_shared_experts", "num_shared_expert"}),
                     sane(config_.expert_ffn));
    case Symbol::inner:
    case Symbol::state:
    case Symbol::dt_rank:
    case Symbol::ssm_heads:
    case Symbol::kernel:
    case Symbol::inputs:
    case Symbol::patch:
    case Symbol::channels:
    case Symbol::keys:
    case Symbol::mix_rank:
    case Symbol::decay_rank:
    case Symbol::rate_rank:
    case Symbol::gate_rank:
    case Symbol::value_rank:
      return of_mixer(symbol);
    case Symbol::head_dim:
    case Symbol::heads:
    case Symbol::kv_heads:
    case Symbol::q:
    case Symbol::kv:
    case Symbol::values:
    case Symbol::plain_keys:
      return of_heads(symbol, role);
  }
  return std::nullopt;
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
