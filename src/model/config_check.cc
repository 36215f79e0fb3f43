#include "model/config_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "model/head_counts.h"
#include "model/role_table.h"

namespace pedigree {
namespace {

// The element type that a torch_dtype means; "" when it is none of weights.
std::string_view type_named(std::string_view torch_dtype) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> names = {
      {{"float32", "F32"},
       {"float", "F32"},
       {"bfloat16", "BF16"},
       {"float16", "F16"},
       {"half", "F16"},
       {"float64", "F64"},
       {"double", "F64"}}};
  if (torch_dtype.starts_with("torch.")) torch_dtype.remove_prefix(6);
  const auto at =
      std::ranges::find(names, torch_dtype, &std::pair<std::string_view, std::string_view>::first);
  return at == names.end() ? std::string_view{} : at->second;
}

bool says_type(const FamilyMatch& match, const ConfigFacts& config) {
  const Family& family = *match.spelling;
  const std::string& type =
      config.nested_model_type.empty() ? config.model_type : config.nested_model_type;
  return std::ranges::find(family.model_types, type) != family.model_types.end();
}

class ConfigCheck {
 public:
  ConfigCheck(const ModelInfo& info, const ConfigFacts& config)
      : info_(info), built_(info.architecture), config_(config), roles_(info.canonical) {}

  std::vector<std::string> run() {
    check_sizes();
    check_heads();
    check_experts();
    check_type();
    return std::move(result_);
  }

 private:
  // One fact: as declared, in whatever form, against what the tensors show.
  void check(std::string_view fact, std::optional<std::uint64_t> declared, std::uint64_t found) {
    if (found == 0) return;
    if (declared) {
      if (*declared != found) {
        result_.push_back(fmt::format("{}: {} declared, {} found", fact, *declared, found));
      }
    } else if (const UnusableNumber* odd = unusable(fact)) {
      result_.push_back(fmt::format("{}: {} declared, {} found", fact, shown(odd->value), found));
    }
  }

  const UnusableNumber* unusable(std::string_view fact) const {
    const auto at = std::ranges::find(config_.unusable, fact, &UnusableNumber::fact);
    return at == config_.unusable.end() ? nullptr : &*at;
  }

  void check_sizes() {
    check_layers();
    check("hidden size", config_.hidden, built_.hidden);
    check("vocabulary rows", config_.vocab, built_.vocab);
    if (built_.experts != 0) check("experts", config_.experts, built_.experts);
    const std::uint64_t expert_ffn = roles_.rows("moe.up");
    if (built_.experts == 0) {
      check("MLP size", config_.ffn, built_.ffn);
    } else if (config_.expert_ffn) {
      check("expert MLP size", config_.expert_ffn, expert_ffn);
    } else {
      check("MLP size", config_.ffn, expert_ffn);
    }
  }

  // An encoder's and a decoder's are counted apart, as are those of two streams and of the one
  // they join to, and some layers are not counted as such; of two towers the config says each
  // its own.
  void check_layers() {
    const std::string kind = parse_structure(built_.structure).kind;
    std::optional<std::uint64_t> declared = config_.layers;
    if (kind == "two-towers") return;
    if (kind == "denoiser" && !config_.more_layers) return;
    if ((kind == "encoder-decoder" || kind == "denoiser") && declared) {
      const std::uint64_t more = config_.more_layers.value_or(*declared);
      if (__builtin_add_overflow(*declared, more, &*declared)) return;
    }
    if (declared && config_.extra_layers && built_.layers > *declared &&
        built_.layers - *declared <= *config_.extra_layers) {
      return;
    }
    check("layers", declared, built_.layers);
  }

  // A count as it was declared, or "" when nothing was said of it.
  std::string declared(std::string_view fact, std::optional<std::uint64_t> count) const {
    if (count) return fmt::format("{}", *count);
    const UnusableNumber* odd = unusable(fact);
    return odd == nullptr ? "" : shown(odd->value);
  }

  void check_heads() {
    if (built_.heads != 0) {
      check("heads", config_.heads, built_.heads);
      const auto means = config_.kv_heads || unusable("kv heads") || config_.head_dim
                             ? config_.kv_heads
                             : config_.heads;
      // Compressed keys are made into as many heads as there are; GGUF files count their one
      // source.
      if (!roles_.has("attn.kv_a")) check("kv heads", means, built_.kv_heads);
      check("head size", config_.head_dim, built_.head_dim);
      return;
    }
    const std::uint64_t queries = roles_.rows("attn.q");
    std::vector<std::string> said;
    const auto add = [&](std::string_view unit, std::string text) {
      if (!text.empty()) said.push_back(fmt::format("{} {}", text, unit));
    };
    add("heads", declared("heads", config_.heads));
    add("for keys and values", declared("kv heads", config_.kv_heads));
    add("values each", declared("head size", config_.head_dim));
    if (said.empty() || queries == 0) return;
    std::string found = fmt::format("q has {} rows", queries);
    if (roles_.has("attn.k")) found += fmt::format(" and k {}", roles_.rows("attn.k"));
    result_.push_back(fmt::format("attention: {} declared, but {}", fmt::join(said, ", "), found));
  }

  // Experts declared of a model whose every layer is known to be dense.
  void check_experts() {
    const std::uint64_t said = config_.experts.value_or(0);
    if (built_.experts != 0 || said < 2 || built_.explained < 1) return;
    std::set<int> dense;
    for (const CanonicalTensor& tensor : info_.canonical) {
      if (tensor.role == "ffn.up") dense.insert(tensor.layer);
    }
    if (built_.layers == 0 || dense.size() != built_.layers) return;
    result_.push_back(fmt::format("experts: {} declared, none found", said));
  }

  // Only where all matrices are stored in one plain type, and it is another one.
  void check_type() {
    const std::string_view declared = type_named(config_.torch_dtype);
    if (declared.empty() || info_.tensors.empty() || !config_.quantization.empty() ||
        info_.is_adapter)
      return;
    const ElementType* found = nullptr;
    for (const CanonicalTensor& tensor : info_.canonical) {
      if (tensor.cols < 2) continue;
      const ElementType* type = info_.tensors[tensor.tensor].entry.type;
      if (found != nullptr && type != found) return;
      found = type;
    }
    if (found == nullptr || found->kind != ElementType::Kind::floating || found->bits < 16 ||
        found->id == declared) {
      return;
    }
    result_.push_back(
        fmt::format("data type: {} declared, {} found", shown(config_.torch_dtype), found->id));
  }

  const ModelInfo& info_;
  const Architecture& built_;
  const ConfigFacts& config_;
  const RoleTable roles_;
  std::vector<std::string> result_;
};

}  // namespace

std::vector<std::string> contradictions(const ModelInfo& info, const ConfigFacts& config) {
  return ConfigCheck(info, config).run();
}

std::string type_contradiction(std::span<const FamilyMatch> ranked, const ConfigFacts& config) {
  const auto said = std::ranges::find_if(
      ranked, [&](const FamilyMatch& match) { return says_type(match, config); });
  if (said == ranked.end() || said == ranked.begin()) return {};
  const FamilyMatch& best = ranked.front();
  // Of a part of a model, many families explain everything.
  const bool explains_less = said->explained() < best.explained();
  const bool lacks_tensors = best.completeness == 1 && said->completeness < 1;
  if (!explains_less && !lacks_tensors) return {};
  return fmt::format("model type: {} declared, tensors of {} found", said->family->title,
                     best.family->title);
}

}  // namespace pedigree
