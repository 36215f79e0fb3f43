#include "fingerprint/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "base/parallel.h"
#include "fingerprint/deep_part.h"
#include "fingerprint/lattice.h"
#include "fingerprint/plan.h"
#include "fingerprint/responses.h"
#include "fingerprint/sampling.h"
#include "model/token_bytes.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_distinct = 65'536;

Moments moments_of(const CanonicalTensor& tensor, std::span<const float> values) {
  Moments moments = {.role = tensor.role,
                     .layer = tensor.layer,
                     .expert = tensor.expert,
                     .samples = values.size()};
  moments.finite = all_finite(values);
  if (!moments.finite || values.empty()) return moments;
  const auto count = static_cast<double>(values.size());
  std::vector<float> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  moments.mean = sum(values) / count;
  const double variance = sum_of_squares(values) / count - moments.mean * moments.mean;
  moments.deviation = std::sqrt(std::max(variance, 0.0));
  moments.largest = std::max(std::fabs(static_cast<double>(sorted.front())),
                             std::fabs(static_cast<double>(sorted.back())));
  moments.zeros = static_cast<double>(std::ranges::count(sorted, 0.0F)) / count;
  const auto repeated = std::ranges::unique(sorted);
  moments.distinct = std::min<std::uint64_t>(sorted.size() - repeated.size(), most_distinct);
  return moments;
}

// What one planned block yields; each worker fills its own.
struct Slot {
  std::optional<Block> block;
  std::optional<Responses> responses;
  std::optional<Moments> moments;
};

class Maker {
 public:
  Maker(const Model& model, const FingerprintOptions& options, Fingerprint& out)
      : model_(model), options_(options), out_(out) {
    scheme_.salt = options.salt;
  }

  std::optional<Problem> make();

 private:
  std::optional<Problem> read_gains();
  std::optional<Problem> read_tokens();
  std::optional<Problem> read_blocks();
  std::optional<Problem> fill(const PlannedBlock& planned, Slot& slot) const;
  std::optional<Problem> fill_from_rows(const PlannedBlock& planned, Slot& slot) const;
  std::optional<Problem> read_steps(const PlannedBlock& planned, Slot& slot) const;
  std::optional<Responses> respond(const PlannedBlock& planned, std::span<const float> rows) const;
  void keep_block(const PlannedBlock& planned, std::vector<float> values, Slot& slot) const;
  void sketch_tokenizer();

  const Model& model_;
  const FingerprintOptions& options_;
  Fingerprint& out_;
  SamplingScheme scheme_;
  Plan plan_;
  std::vector<std::vector<float>> full_gains_;  // by Plan::gains; empty where not finite
  std::vector<float> embedding_;  // sampled rows, ascending; empty when no responses are wanted
  std::vector<float> tokens_;     // centred; empty when none are usable
};

std::optional<Problem> Maker::read_gains() {
  full_gains_.resize(plan_.gains.size());
  auto problem = parallel_for(plan_.gains.size(), options_.threads, options_.progress,
                              [&](std::size_t index) -> std::optional<Problem> {
                                auto values = read_all(model_, *plan_.gains[index].tensor);
                                if (!values) return values.error();
                                if (!all_finite(*values)) return std::nullopt;
                                if (model_.architecture.norm_plus_one) {
                                  for (float& value : *values) value += 1;
                                }
                                full_gains_[index] = std::move(*values);
                                return std::nullopt;
                              });
  if (problem) return problem;
  for (std::size_t i = 0; i < plan_.gains.size(); ++i) {
    const PlannedGain& planned = plan_.gains[i];
    if (full_gains_[i].empty()) continue;
    Gains gains = {.role = planned.tensor->role,
                   .layer = planned.tensor->layer,
                   .full_size = planned.tensor->rows,
                   .channels = planned.channels,
                   .element_type = std::string(model_.type_of(*planned.tensor).id)};
    if (planned.channels.empty()) gains.values = full_gains_[i];
    for (const std::uint64_t channel : planned.channels) {
      gains.values.push_back(full_gains_[i][channel]);
    }
    out_.gains.push_back(std::move(gains));
  }
  return std::nullopt;
}

// The embedding's rows are read once, for its block and for all layers' responses.
std::optional<Problem> Maker::read_tokens() {
  const bool wanted = std::ranges::any_of(
      plan_.blocks, [](const PlannedBlock& block) { return !block.response_units.empty(); });
  if (!wanted) return std::nullopt;
  const auto block = std::ranges::find(plan_.blocks, plan_.embedding, &PlannedBlock::tensor);
  check(block != plan_.blocks.end(), "responses are planned, but no embedding block");
  auto values = read_rows(model_, *plan_.embedding, block->rows);
  if (!values) return values.error();
  embedding_ = std::move(*values);
  if (!all_finite(embedding_)) return std::nullopt;
  const std::size_t width = plan_.embedding->cols;
  std::vector<float> rows;
  rows.reserve(plan_.tokens.size() * width);
  for (const SampledToken& token : plan_.tokens) {
    const auto at = std::ranges::lower_bound(block->rows, token.row) - block->rows.begin();
    const auto row = std::span(embedding_).subspan(static_cast<std::size_t>(at) * width, width);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  tokens_ = centred_tokens(rows, width, model_.architecture.norm == "layernorm");
  return std::nullopt;
}

std::optional<Responses> Maker::respond(const PlannedBlock& planned,
                                        std::span<const float> rows) const {
  if (planned.response_units.empty() || tokens_.empty()) return std::nullopt;
  const std::vector<float>& gain = full_gains_[planned.gain];
  if (gain.empty()) return std::nullopt;
  const std::size_t width = planned.tensor->cols;
  const bool centre = model_.architecture.norm == "layernorm";
  Responses responses = {.role = planned.tensor->role,
                         .layer = planned.tensor->layer,
                         .units = planned.response_units};
  for (const std::uint64_t unit : planned.response_units) {
    const auto at = static_cast<std::size_t>(std::ranges::lower_bound(planned.rows, unit) -
                                             planned.rows.begin());
    const auto answers = neuron_responses(rows.subspan(at * width, width), gain, tokens_, centre);
    responses.values.insert(responses.values.end(), answers.begin(), answers.end());
  }
  if (!all_finite(responses.values)) return std::nullopt;
  return responses;
}

void Maker::keep_block(const PlannedBlock& planned, std::vector<float> values, Slot& slot) const {
  const CanonicalTensor& tensor = *planned.tensor;
  slot.moments = moments_of(tensor, values);
  if (!slot.moments->finite) return;
  slot.block = Block{.role = tensor.role,
                     .layer = tensor.layer,
                     .expert = tensor.expert,
                     .full_rows = tensor.rows,
                     .full_cols = tensor.cols,
                     .element_type = std::string(model_.type_of(tensor).id),
                     .rows = planned.rows,
                     .cols = planned.cols,
                     .values = std::move(values)};
}

std::optional<Problem> Maker::fill_from_rows(const PlannedBlock& planned, Slot& slot) const {
  const CanonicalTensor& tensor = *planned.tensor;
  const bool at_hand = &tensor == plan_.embedding && !embedding_.empty();
  Result<std::vector<float>> read;
  if (!at_hand) read = read_rows(model_, tensor, planned.rows);
  if (!read) return read.error();
  const std::span<const float> rows = at_hand ? embedding_ : *read;
  const std::size_t width = tensor.cols;
  const auto row = [&](std::size_t index) { return rows.subspan(index * width, width); };
  std::vector<float> values;
  values.reserve(planned.rows.size() * planned.cols.size());
  for (std::size_t i = 0; i < planned.rows.size(); ++i) {
    for (const std::uint64_t col : planned.cols) values.push_back(row(i)[col]);
  }
  keep_block(planned, std::move(values), slot);
  if (!all_finite(rows)) return std::nullopt;
  slot.responses = respond(planned, rows);
  if (slot.block && has_steps(model_, tensor)) return read_steps(planned, slot);
  const bool in_blocks = model_.type_of(tensor).block != 0;
  if (!slot.block || tensor.transposed || in_blocks) return std::nullopt;
  const Lattice lattice = find_lattice(planned.rows.size(), width, rows, model_.type_of(tensor));
  for (std::size_t i = 0; lattice.found() && i < planned.rows.size(); ++i) {
    const auto steps = lattice_steps(lattice, row(i), planned.cols);
    slot.block->steps.insert(slot.block->steps.end(), steps.begin(), steps.end());
  }
  return std::nullopt;
}

// What a quantiser's own scales say needs no looking for.
std::optional<Problem> Maker::read_steps(const PlannedBlock& planned, Slot& slot) const {
  auto steps = read_block_steps(model_, *planned.tensor, planned.rows, planned.cols);
  if (!steps) return steps.error();
  if (slot.block) slot.block->steps = std::move(*steps);
  return std::nullopt;
}

std::optional<Problem> Maker::fill(const PlannedBlock& planned, Slot& slot) const {
  const CanonicalTensor& tensor = *planned.tensor;
  if (tensor.cols <= held_values / planned.rows.size()) return fill_from_rows(planned, slot);
  auto values = read_block(model_, tensor, planned.rows, planned.cols);
  if (!values) return values.error();
  keep_block(planned, std::move(*values), slot);
  if (slot.block && has_steps(model_, tensor)) return read_steps(planned, slot);
  return std::nullopt;
}

std::optional<Problem> Maker::read_blocks() {
  std::vector<Slot> slots(plan_.blocks.size());
  auto problem =
      parallel_for(slots.size(), options_.threads, options_.progress, [&](std::size_t index) {
        if (options_.progress.report) options_.progress.report("sampling", index, slots.size());
        return fill(plan_.blocks[index], slots[index]);
      });
  if (problem) return problem;
  for (Slot& slot : slots) {
    if (slot.block) out_.blocks.push_back(std::move(*slot.block));
    if (slot.responses) out_.responses.push_back(std::move(*slot.responses));
    if (slot.moments) out_.moments.push_back(std::move(*slot.moments));
  }
  return std::nullopt;
}

void Maker::sketch_tokenizer() {
  if (!model_.tokenizer) return;
  const Tokenizer& tokenizer = *model_.tokenizer;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> hashed;
  for (std::size_t id = 0; id < tokenizer.tokens.size(); ++id) {
    if (tokenizer.tokens[id].empty()) continue;
    const std::string bytes = token_bytes(tokenizer.tokens[id], tokenizer.spelling);
    hashed.emplace_back(token_hash(scheme_, bytes), id);
  }
  std::ranges::sort(hashed);
  const auto repeated =
      std::ranges::unique(hashed, {}, [](const auto& pair) { return pair.first; });
  hashed.erase(repeated.begin(), repeated.end());
  TokenizerSketch sketch = {.kind = tokenizer.kind,
                            .tokens = tokenizer.tokens.size(),
                            .vocabulary_digest = tokenizer.vocabulary_digest,
                            .merges_digest = tokenizer.merges_digest};
  for (const auto& [hash, id] : hashed) {
    if (sketch.smallest.size() == scheme_.sketch) break;
    sketch.smallest.push_back(hash);
    sketch.smallest_ids.push_back(id);
  }
  out_.tokenizer = std::move(sketch);
}

std::optional<Problem> Maker::make() {
  const std::uint64_t before = model_.bytes_read();
  plan_ = plan_fingerprint(model_, scheme_, options_);
  out_.scheme = scheme_.id();
  out_.detail = plan_.detail.level;
  out_.name = model_.name;
  out_.formats = model_.formats;
  out_.architecture = model_.architecture;
  out_.claims = model_.claims;
  out_.tokens = plan_.tokens;
  out_.tokens_by_row = plan_.tokens_by_row;
  out_.parameters = model_.parameters;
  out_.weight_bytes = model_.weight_bytes;
  sketch_tokenizer();
  if (auto problem = read_gains()) return problem;
  if (auto problem = read_tokens()) return problem;
  if (auto problem = read_blocks()) return problem;
  out_.bytes_read = model_.bytes_read() - before;
  return std::nullopt;
}

template <class Items, class Same>
auto* find_in(const Items& items, const Same& same) {
  const auto found = std::ranges::find_if(items, same);
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

const Block* Fingerprint::block(std::string_view role, int layer, int expert) const {
  return find_in(blocks, [&](const Block& block) {
    return block.layer == layer && block.expert == expert && block.role == role;
  });
}

const Responses* Fingerprint::response(std::string_view role, int layer) const {
  return find_in(responses,
                 [&](const Responses& item) { return item.layer == layer && item.role == role; });
}

const Gains* Fingerprint::gain(std::string_view role, int layer) const {
  return find_in(gains,
                 [&](const Gains& item) { return item.layer == layer && item.role == role; });
}

Result<Fingerprint> make_fingerprint(const Model& model, const FingerprintOptions& options) {
  Fingerprint fingerprint;
  if (auto problem = Maker(model, options, fingerprint).make()) {
    return std::unexpected(std::move(*problem));
  }
  if (options.deep) {
    if (auto problem = add_deep_part(model, options, fingerprint)) {
      return std::unexpected(std::move(*problem));
    }
  }
  if (!options.digests) return fingerprint;
  auto digests = digest_model(model, {.h0 = true,
                                      .h1 = true,
                                      .h2 = true,
                                      .h3 = true,
                                      .threads = options.threads,
                                      .progress = options.progress});
  if (!digests) return std::unexpected(digests.error());
  // Digests that lack a file would be compared as if there were no such file.
  if (!digests->problems.empty()) return std::unexpected(digests->problems.front());
  fingerprint.digests = std::move(*digests);
  return fingerprint;
}

}  // namespace pedigree
