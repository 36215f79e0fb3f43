#include "model/gguf_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace pedigree {
namespace {

constexpr std::size_t longest_value = 4096;
constexpr std::size_t most_claims = 256;  // of one file

// A scalar as text; "" for lists, and for texts nobody would read.
std::string text_of(const HeaderField::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return text->size() > longest_value ? std::string() : *text;
  }
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* large = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *large);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return {};
}

// A number, or the one that a list repeats.
std::optional<double> number_of(const HeaderField::Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* large = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*large);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  const auto* list = std::get_if<std::vector<double>>(&value);
  if (list == nullptr || list->empty()) return std::nullopt;
  const bool equal = std::ranges::count(*list, list->front()) == std::ssize(*list);
  return equal ? std::optional(list->front()) : std::nullopt;
}

class Facts {
 public:
  Facts(std::span<const HeaderField> fields, std::string_view prefix, ConfigFacts& facts)
      : fields_(fields), prefix_(prefix), facts_(facts) {}

  std::optional<double> number(std::string_view key) const {
    const auto found = std::ranges::find_if(fields_, [&](const HeaderField& field) {
      return field.key.size() == prefix_.size() + key.size() && field.key.starts_with(prefix_) &&
             field.key.ends_with(key);
    });
    return found == fields_.end() ? std::nullopt : number_of(found->value);
  }

  std::optional<std::uint64_t> count(const char* fact, std::string_view key) const {
    const std::optional<double> value = number(key);
    if (!value) return std::nullopt;
    constexpr double largest = 0x1p53;
    if (*value >= 0 && *value <= largest && *value == std::trunc(*value)) {
      return static_cast<std::uint64_t>(*value);
    }
    facts_.unusable.push_back({.fact = fact, .value = fmt::format("{}", *value)});
    return std::nullopt;
  }

 private:
  std::span<const HeaderField> fields_;
  std::string_view prefix_;
  ConfigFacts& facts_;
};

Claim::Kind kind_of(std::string_view key) {
  using enum Claim::Kind;
  if (key == "general.architecture") return architecture;
  if (key == "general.name") return name;
  if (key.starts_with("general.license")) return license;
  if (key == "general.quantized_by" || key == "general.file_type" ||
      key == "general.quantization_version" || key.starts_with("quantize.imatrix.")) {
    return quantization;
  }
  return other;
}

// Of what a header says of one parent, the keys in order of how well they name it.
constexpr std::array<std::string_view, 5> naming = {"repo_url", "url", "name", "doi", "uuid"};

// "general.base_model.0." of a key that says something of a parent; "" of others.
std::string_view parent_of(std::string_view key) {
  constexpr std::string_view source = "general.source.";
  constexpr std::string_view base = "general.base_model.";
  if (key.starts_with(source)) return key.substr(0, source.size());
  if (!key.starts_with(base)) return {};
  const std::size_t dot = key.find('.', base.size());
  return dot == key.npos ? std::string_view() : key.substr(0, dot + 1);
}

bool names_parent(std::span<const HeaderField> fields, const HeaderField& field) {
  const std::string_view parent = parent_of(field.key);
  if (parent.empty()) return false;
  for (const std::string_view leaf : naming) {
    const std::string key = std::string(parent) + std::string(leaf);
    if (header_value<std::string>(fields, key) != nullptr) return field.key == key;
  }
  return false;
}

bool is_claim(std::string_view key) {
  return key.starts_with("general.") || key.starts_with("quantize.") ||
         key.starts_with("adapter.") || key == "tokenizer.ggml.pre";
}

}  // namespace

ConfigFacts header_facts(std::span<const HeaderField> fields, std::string_view file) {
  ConfigFacts facts;
  const auto* architecture = header_value<std::string>(fields, "general.architecture");
  if (architecture == nullptr) return facts;
  facts.present = true;
  facts.file = std::string(file);
  facts.model_type = *architecture;
  const std::string prefix = *architecture + ".";
  const Facts under(fields, prefix, facts);
  facts.hidden = under.count("hidden size", "embedding_length");
  facts.layers = under.count("layers", "block_count");
  facts.heads = under.count("heads", "attention.head_count");
  facts.kv_heads = under.count("kv heads", "attention.head_count_kv");
  facts.head_dim = under.count("head size", "attention.key_length");
  facts.ffn = under.count("MLP size", "feed_forward_length");
  facts.expert_ffn = under.count("expert MLP size", "expert_feed_forward_length");
  facts.vocab = under.count("vocabulary rows", "vocab_size");
  facts.context = under.count("context", "context_length");
  facts.experts = under.count("experts", "expert_count");
  facts.experts_used = under.count("experts used", "expert_used_count");
  facts.rope_theta = under.number("rope.freq_base");
  facts.norm_eps = under.number("attention.layer_norm_rms_epsilon");
  if (!facts.norm_eps) facts.norm_eps = under.number("attention.layer_norm_epsilon");
  return facts;
}

void add_header_claims(std::span<const HeaderField> fields, std::string_view file,
                       std::vector<Claim>& claims) {
  std::size_t added = 0;
  for (const HeaderField& field : fields) {
    if (!is_claim(field.key) || field.key.size() > longest_value) continue;
    std::string value = text_of(field.value);
    if (value.empty()) continue;
    const bool repeated = std::ranges::any_of(claims, [&](const Claim& claim) {
      return claim.offset && claim.key == field.key && claim.value == value;
    });
    if (repeated) continue;
    if (++added > most_claims) return;
    const bool parent = names_parent(fields, field);
    claims.push_back({.kind = parent ? Claim::Kind::base_model : kind_of(field.key),
                      .key = field.key,
                      .value = std::move(value),
                      .file = std::string(file),
                      .offset = field.offset});
  }
}

}  // namespace pedigree
