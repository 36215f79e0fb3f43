#include "fingerprint/plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/token_bytes.h"

namespace pedigree {
namespace {

enum class Axis { hidden, neuron, qk_head, vo_head, token };

struct RoleAxes {
  std::string_view role;
  Axis rows;
  Axis cols;
};

constexpr RoleAxes role_axes[] = {
    {.role = "attn.q", .rows = Axis::qk_head, .cols = Axis::hidden},
    {.role = "attn.k", .rows = Axis::qk_head, .cols = Axis::hidden},
    {.role = "attn.v", .rows = Axis::vo_head, .cols = Axis::hidden},
    {.role = "attn.o", .rows = Axis::hidden, .cols = Axis::vo_head},
    {.role = "ffn.gate", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "ffn.up", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "ffn.down", .rows = Axis::hidden, .cols = Axis::neuron},
    {.role = "moe.gate", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "moe.up", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "moe.down", .rows = Axis::hidden, .cols = Axis::neuron},
    {.role = "moe.shared.gate", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "moe.shared.up", .rows = Axis::neuron, .cols = Axis::hidden},
    {.role = "moe.shared.down", .rows = Axis::hidden, .cols = Axis::neuron},
    {.role = "embed.tokens", .rows = Axis::token, .cols = Axis::hidden},
    {.role = "head.out", .rows = Axis::token, .cols = Axis::hidden},
};

constexpr std::array<Detail, 4> details = {{
    {.level = 0, .qk_rows = 128, .vo_rows = 128, .response_units = 64, .side = 64},
    {.level = 1, .qk_rows = 64, .vo_rows = 128, .response_units = 32, .side = 64},
    {.level = 2, .qk_rows = 32, .vo_rows = 64, .response_units = 16, .side = 64},
    {.level = 3, .qk_rows = 32, .vo_rows = 32, .response_units = 16, .side = 32},
}};

constexpr std::uint32_t expert_side = 32;
constexpr std::uint32_t experts_kept = 4;
constexpr std::uint64_t longest_gain = std::uint64_t{1} << 22U;

bool is_gain(const CanonicalTensor& tensor) {
  return tensor.cols == 1 && tensor.expert < 0 && tensor.role.ends_with("norm");
}

bool is_decodable(const Model& model, const CanonicalTensor& tensor) {
  return model.is_decodable(tensor) && model.type_of(tensor).kind == ElementType::Kind::floating;
}

bool is_wide(const Model& model, const CanonicalTensor& tensor) {
  return model.type_of(tensor).bits > 16;
}

// By the tensors, not by the config.
std::uint64_t layer_count(const Model& model) {
  std::uint64_t count = 0;
  for (const CanonicalTensor& tensor : model.canonical) {
    if (tensor.layer >= 0) count = std::max(count, static_cast<std::uint64_t>(tensor.layer) + 1);
  }
  return count;
}

class Planner {
 public:
  // `tokens` is a plan with its tokens chosen and nothing else in it.
  Planner(const Model& model, const SamplingScheme& scheme, const Plan& tokens)
      : model_(model), scheme_(scheme), tokens_(tokens), layers_(layer_count(model)) {}

  Plan plan(const Detail& detail);

 private:
  const std::vector<std::uint64_t>& sample(std::string_view axis, std::uint64_t size,
                                           std::uint64_t count);
  std::vector<std::uint64_t> head_rows(std::uint64_t size, std::uint64_t limit);
  std::vector<std::uint64_t> indices(Axis axis, std::uint64_t size, std::uint32_t side);
  std::vector<std::uint64_t> token_rows(std::uint64_t size) const;
  bool expert_is_kept(const CanonicalTensor& tensor);
  bool layer_is_kept(int layer);
  bool is_wanted(const CanonicalTensor& tensor);
  void add_gains(Plan& plan);
  void add_blocks(Plan& plan);
  void add_block(const CanonicalTensor& tensor, const RoleAxes& axes, Plan& plan);
  void add_responses(PlannedBlock& block, const Plan& plan);

  const Model& model_;
  const SamplingScheme& scheme_;
  const Plan& tokens_;
  std::uint64_t layers_;
  Detail detail_;
  std::set<std::tuple<int, std::string_view, int>> seen_;  // layer, role, expert
  std::map<int, std::size_t> ffn_norms_;                   // layer to index into the plan's gains
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, std::vector<std::uint64_t>>
      samples_;
};

const std::vector<std::uint64_t>& Planner::sample(std::string_view axis, std::uint64_t size,
                                                  std::uint64_t count) {
  const auto [place, is_new] = samples_.try_emplace(std::tuple(std::string(axis), size, count),
                                                    std::vector<std::uint64_t>{});
  if (is_new) place->second = sampled_indices(scheme_, axis, size, count);
  return place->second;
}

// Whole heads in hash order while they fit; the first rows of one head when
// even one does not.
std::vector<std::uint64_t> Planner::head_rows(std::uint64_t size, std::uint64_t limit) {
  const std::uint64_t head = model_.architecture.head_dim;
  if (head == 0 || size % head != 0) {
    return sample("attn-row", size, std::min<std::uint64_t>(limit, scheme_.hidden));
  }
  const std::uint64_t kept = std::min(head, limit);
  std::vector<std::uint64_t> rows;
  rows.reserve(std::max(kept, limit));
  for (const std::uint64_t index :
       sample("head", size / head, std::max<std::uint64_t>(1, limit / head))) {
    for (std::uint64_t row = 0; row < kept; ++row) rows.push_back(index * head + row);
  }
  return rows;
}

std::vector<std::uint64_t> Planner::token_rows(std::uint64_t size) const {
  std::vector<std::uint64_t> rows;
  for (const SampledToken& token : tokens_.tokens) {
    if (token.row < size) rows.push_back(token.row);
  }
  std::ranges::sort(rows);
  const auto repeated = std::ranges::unique(rows);
  rows.erase(repeated.begin(), repeated.end());
  return rows;
}

std::vector<std::uint64_t> Planner::indices(Axis axis, std::uint64_t size, std::uint32_t side) {
  switch (axis) {
    case Axis::hidden:
      return sample("hidden", size, std::min(side, scheme_.hidden));
    case Axis::neuron:
      return sample("neuron", size, std::min(side, scheme_.neurons));
    case Axis::qk_head:
      return head_rows(size, std::min(detail_.qk_rows, scheme_.head_rows));
    case Axis::vo_head:
      return head_rows(size, std::min(detail_.vo_rows, scheme_.head_rows));
    case Axis::token:
      return token_rows(size);
  }
  return {};
}

bool Planner::expert_is_kept(const CanonicalTensor& tensor) {
  if (tensor.expert < 0) return true;
  const auto expert = static_cast<std::uint64_t>(tensor.expert);
  const std::uint64_t experts = std::max(model_.architecture.experts, expert + 1);
  return std::ranges::binary_search(sample("expert", experts, experts_kept), expert);
}

bool Planner::layer_is_kept(int layer) {
  if (detail_.layers == 0 || layer < 0) return true;
  const auto index = static_cast<std::uint64_t>(layer);
  return std::ranges::binary_search(sample("layer", layers_, detail_.layers), index);
}

// Responses need full rows, the norm in front, and an embedding of equal width.
void Planner::add_responses(PlannedBlock& block, const Plan& plan) {
  const CanonicalTensor& tensor = *block.tensor;
  if (tensor.role != "ffn.gate" && tensor.role != "ffn.up") return;
  if (tensor.expert >= 0 || plan.embedding == nullptr || plan.tokens.size() < 2) return;
  if (plan.embedding->cols != tensor.cols || !is_decodable(model_, *plan.embedding)) return;
  if (plan.tokens.size() * tensor.cols > held_values) return;
  const auto norm = ffn_norms_.find(tensor.layer);
  if (norm == ffn_norms_.end() || plan.gains[norm->second].tensor->rows != tensor.cols) return;
  block.gain = norm->second;
  block.response_units = sample("neuron", tensor.rows, detail_.response_units);
}

void Planner::add_block(const CanonicalTensor& tensor, const RoleAxes& axes, Plan& plan) {
  const std::uint32_t side =
      tensor.expert >= 0 ? std::min(expert_side, detail_.side) : detail_.side;
  PlannedBlock block = {.tensor = &tensor,
                        .rows = indices(axes.rows, tensor.rows, side),
                        .cols = indices(axes.cols, tensor.cols, side)};
  if (block.rows.empty() || block.cols.empty()) return;
  add_responses(block, plan);
  plan.blocks.push_back(std::move(block));
}

// Once a role and layer: of tensors that repeat one, the first counts.
bool Planner::is_wanted(const CanonicalTensor& tensor) {
  return layer_is_kept(tensor.layer) &&
         seen_.emplace(tensor.layer, tensor.role, tensor.expert).second;
}

void Planner::add_gains(Plan& plan) {
  for (const CanonicalTensor& tensor : model_.canonical) {
    if (!is_gain(tensor) || tensor.rows == 0 || tensor.rows > longest_gain) continue;
    if (!is_decodable(model_, tensor) || !is_wanted(tensor)) continue;
    PlannedGain gain = {.tensor = &tensor};
    if (tensor.rows > gain_channels) gain.channels = sample("hidden", tensor.rows, gain_channels);
    if (tensor.role == "ffn.norm") ffn_norms_[tensor.layer] = plan.gains.size();
    plan.gains.push_back(std::move(gain));
  }
}

void Planner::add_blocks(Plan& plan) {
  for (const CanonicalTensor& tensor : model_.canonical) {
    const auto* const axes = std::ranges::find(role_axes, tensor.role, &RoleAxes::role);
    if (axes == std::ranges::end(role_axes) || tensor.rows == 0 || tensor.cols == 0) continue;
    if (!is_decodable(model_, tensor) || !expert_is_kept(tensor)) continue;
    if (is_wanted(tensor)) add_block(tensor, *axes, plan);
  }
}

Plan Planner::plan(const Detail& detail) {
  detail_ = detail;
  seen_.clear();
  ffn_norms_.clear();
  Plan plan = tokens_;
  plan.detail = detail;
  add_gains(plan);
  add_blocks(plan);
  return plan;
}

std::uint64_t array_bytes(const Model& model, const Plan& plan) {
  std::uint64_t bytes = 0;
  for (const PlannedBlock& block : plan.blocks) {
    const std::uint64_t values = block.rows.size() * block.cols.size();
    bytes += values * (is_wide(model, *block.tensor) ? 4 : 2);
    bytes += block.response_units.size() * (plan.tokens.size() + 1) * 2;
  }
  for (const PlannedGain& gain : plan.gains) {
    bytes += std::min(gain.tensor->rows, gain_channels) * 4;
  }
  return bytes;
}

std::vector<SampledToken> tokens_by_string(const Tokenizer& tokenizer, std::uint64_t rows,
                                           const SamplingScheme& scheme) {
  std::vector<SampledToken> tokens;
  const std::uint64_t known = std::min<std::uint64_t>(rows, tokenizer.tokens.size());
  for (std::uint64_t row = 0; row < known; ++row) {
    if (tokenizer.tokens[row].empty()) continue;
    const std::string bytes = token_bytes(tokenizer.tokens[row], tokenizer.spelling);
    tokens.push_back({.row = row, .hash = token_hash(scheme, bytes)});
  }
  const auto key = [](const SampledToken& token) { return std::pair(token.hash, token.row); };
  std::ranges::sort(tokens, {}, key);
  const auto repeated = std::ranges::unique(tokens, {}, &SampledToken::hash);
  tokens.erase(repeated.begin(), repeated.end());
  if (tokens.size() > scheme.tokens) tokens.resize(scheme.tokens);
  return tokens;
}

std::vector<SampledToken> tokens_by_number(std::uint64_t rows, const SamplingScheme& scheme) {
  std::vector<SampledToken> tokens;
  tokens.reserve(scheme.tokens);
  for (const std::uint64_t row : sampled_indices(scheme, "token-row", rows, scheme.tokens)) {
    tokens.push_back({.row = row, .hash = sampling_hash(scheme, "token-row", row)});
  }
  std::ranges::sort(tokens, {}, &SampledToken::hash);
  return tokens;
}

Plan plan_tokens(const Model& model, const SamplingScheme& scheme,
                 const FingerprintOptions& options) {
  Plan plan;
  plan.embedding = model.find("embed.tokens");
  if (plan.embedding == nullptr) return plan;
  const std::uint64_t rows = plan.embedding->rows;
  if (!options.tokens.empty()) {
    plan.tokens_by_row = options.tokens_by_row;
    for (const SampledToken& token : options.tokens) {
      if (token.row < rows) plan.tokens.push_back(token);
    }
    return plan;
  }
  if (model.tokenizer && !options.tokens_by_row) {
    plan.tokens = tokens_by_string(*model.tokenizer, rows, scheme);
  }
  if (plan.tokens.empty()) {
    plan.tokens_by_row = true;
    plan.tokens = tokens_by_number(rows, scheme);
  }
  return plan;
}

}  // namespace

Plan plan_fingerprint(const Model& model, const SamplingScheme& scheme,
                      const FingerprintOptions& options) {
  const Plan tokens = plan_tokens(model, scheme, options);
  Planner planner(model, scheme, tokens);
  Plan plan;
  std::uint64_t bytes = 0;
  for (const Detail& detail : details) {
    plan = planner.plan(detail);
    bytes = array_bytes(model, plan);
    if (bytes <= array_budget) return plan;
  }
  Detail last = plan.detail;
  last.level = static_cast<std::uint32_t>(details.size());
  std::uint64_t layers = layer_count(model);
  while (bytes > array_budget && layers > 1) {
    layers = std::min(layers - 1, layers * array_budget / bytes);
    last.layers = static_cast<std::uint32_t>(std::max<std::uint64_t>(layers, 1));
    plan = planner.plan(last);
    bytes = array_bytes(model, plan);
  }
  return plan;
}

}  // namespace pedigree
