#include "fingerprint/deep_part.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "fingerprint/kept_answers.h"

namespace pedigree {
namespace {

// Schemes whose parts are those of ours, less what came later.
std::string without_experts() {
  return fmt::format("pedigree-deep/2:{}:{}", answer_scheme(), coupling_scheme());
}

std::string without_couplings() { return "pedigree-deep/1:" + answer_scheme(); }

}  // namespace

std::string deep_scheme_id() {
  return fmt::format("pedigree-deep/3:{}:{}:{}", answer_scheme(), expert_scheme(),
                     coupling_scheme());
}

bool keeps_expert_answers(const Fingerprint& fingerprint) {
  return fingerprint.deep_scheme == deep_scheme_id();
}

bool keeps_answers(const Fingerprint& fingerprint) {
  return keeps_expert_answers(fingerprint) || fingerprint.deep_scheme == without_experts() ||
         fingerprint.deep_scheme == without_couplings();
}

bool keeps_couplings(const Fingerprint& fingerprint) {
  const bool by_scheme =
      keeps_expert_answers(fingerprint) || fingerprint.deep_scheme == without_experts();
  return by_scheme && fingerprint.couplings.has_value();
}

std::optional<Problem> add_deep_part(const Model& model, const FingerprintOptions& options,
                                     Fingerprint& fingerprint) {
  std::vector<std::uint64_t> tokens;
  tokens.reserve(fingerprint.tokens.size());
  for (const SampledToken& token : fingerprint.tokens) tokens.push_back(token.row);
  auto answers = kept_answers(model, tokens, options.salt, options.threads, options.progress);
  if (!answers) return std::move(answers.error());
  fingerprint.deep_scheme = deep_scheme_id();
  fingerprint.answers = std::move(*answers);
  auto couplings = stored_couplings(model, options.threads, options.progress);
  if (!couplings) return std::move(couplings.error());
  fingerprint.couplings = std::move(*couplings);
  return std::nullopt;
}

}  // namespace pedigree
