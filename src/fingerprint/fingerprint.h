// What is kept of a model: sampled sub-blocks, responses, gains, moments, the
// tokenizer's sketch, the architecture, claims, and digests when a full pass
// was made. docs/fingerprint.md is its specification.
//
// Sampling is consistent: index i of an axis is in the sample when its hash is
// among the m smallest, so models of different size share indices. The scheme
// id names every parameter; fingerprints of unlike schemes are never compared.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "fingerprint/digests.h"
#include "fingerprint/neuron_answers.h"
#include "fingerprint/stored_couplings.h"
#include "model/model.h"

namespace pedigree {

// A sampled part of one canonical tensor.
struct Block {
  std::string role = {};
  int layer = -1;
  int expert = -1;
  std::uint64_t full_rows = 0;  // of the tensor it was taken from
  std::uint64_t full_cols = 0;
  std::string element_type = {};         // of the stored tensor, "BF16"
  std::vector<std::uint64_t> rows = {};  // sampled indices, ascending
  std::vector<std::uint64_t> cols = {};
  std::vector<float> values = {};  // rows × cols, row-major
  // Where the stored values are whole multiples of a step within blocks (a
  // dequantised copy): the step in force at each value, 0 where none was found.
  // Empty when the tensor shows no such lattice. Not kept where they would take
  // the container over its budget.
  std::vector<float> steps = {};
};

// Gate or up responses of sampled neurons to sampled tokens: (W diag γ)(E − Ē)ᵀ.
struct Responses {
  std::string role = {};  // "ffn.gate" or "ffn.up"
  int layer = -1;
  std::vector<std::uint64_t> units = {};  // neuron indices, ascending
  std::vector<float> values = {};         // units × tokens, row-major
};

struct Gains {
  std::string role = {};  // "attn.norm", "ffn.norm", "head.norm"
  int layer = -1;
  std::uint64_t full_size = 0;               // of the norm
  std::vector<std::uint64_t> channels = {};  // sampled, ascending; empty when all are here
  std::vector<float> values = {};            // as used: stored + 1 where the family says so
  std::string element_type = {};  // of the stored tensor, "F32"; set it: rounding tests need it
};

struct Moments {
  std::string role = {};
  int layer = -1;
  int expert = -1;
  std::uint64_t samples = 0;  // values looked at
  double mean = 0;
  double deviation = 0;
  double largest = 0;          // absolute
  double zeros = 0;            // share of exact zeros
  std::uint64_t distinct = 0;  // distinct values among the samples, capped at 65,536
  bool finite = true;          // no NaN or infinity among the samples
};

struct SampledToken {
  std::uint64_t row = 0;   // of the embedding
  std::uint64_t hash = 0;  // of the token's bytes; of the row number when by_row
};

struct TokenizerSketch {
  std::string kind = {};
  std::uint64_t tokens = 0;
  std::string vocabulary_digest = {};
  std::string merges_digest = {};
  std::vector<std::uint64_t> smallest = {};      // bottom-k hashes of token strings, ascending
  std::vector<std::uint64_t> smallest_ids = {};  // the ids of these tokens
};

struct Fingerprint {
  std::string scheme = {};
  std::uint32_t detail = 0;  // 0: everything; higher levels keep subsets, for models of many layers
  std::string name = {};
  std::vector<std::string> formats = {};
  Architecture architecture = {};
  std::vector<Claim> claims = {};
  std::vector<SampledToken> tokens = {};  // the sample, ascending by hash
  bool tokens_by_row = false;             // no readable tokenizer
  std::vector<Block> blocks = {};         // by (layer, role, expert)
  std::vector<Responses> responses = {};  // by (layer, role)
  std::vector<Gains> gains = {};          // by (layer, role)
  std::vector<Moments> moments = {};      // by (layer, role, expert)
  std::optional<TokenizerSketch> tokenizer = {};
  std::optional<ModelDigests> digests = {};  // when a full pass was made
  // The deep part: neurons' answers to `tokens`, by place, couplings between neurons, and
  // the scheme that chose blocks and neurons; empty without it.
  std::string deep_scheme = {};
  std::vector<NeuronAnswers> answers = {};
  std::optional<StoredCouplings> couplings = {};  // not kept before pedigree-deep/2
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t bytes_read = 0;  // not stored: of weights, for this fingerprint

  const Block* block(std::string_view role, int layer, int expert = -1) const;
  const Responses* response(std::string_view role, int layer) const;
  const Gains* gain(std::string_view role, int layer) const;
};

struct FingerprintOptions {
  bool digests = false;        // also make the full pass
  bool deep = false;           // also keep the deep part; costs a pass over an MLP matrix
  unsigned threads = 0;        // 0: one per core
  std::string salt = {};       // secret bytes that re-draw the sample; "" for the public one
  bool tokens_by_row = false;  // sample rows by number although a tokenizer is there
  std::vector<SampledToken> tokens = {};  // when not empty: use exactly these rows
  Progress progress = {};
};

// Names every parameter of the deep part that can move a number.
std::string deep_scheme_id();

// Does the deep part hold answers, of layers' own blocks or of experts, or couplings, that ours
// can be compared with? Earlier schemes keep the same: pedigree-deep/2 no answers of experts,
// pedigree-deep/1 no couplings either.
bool keeps_answers(const Fingerprint& fingerprint);
bool keeps_expert_answers(const Fingerprint& fingerprint);
bool keeps_couplings(const Fingerprint& fingerprint);

Result<Fingerprint> make_fingerprint(const Model& model, const FingerprintOptions& options = {});

// The container is a safetensors file; bytes are canonical.
std::string to_bytes(const Fingerprint& fingerprint);
Result<Fingerprint> read_fingerprint(const Source& source);
bool looks_like_fingerprint(const Source& source);

}  // namespace pedigree
