#include "compare/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace pedigree {
namespace {

using Digests = std::optional<ModelDigests>;

// Those in a fingerprint, or made of the weights.
Result<Digests> digests_of(const Side& side, const CompareOptions& options) {
  if (side.weights == nullptr) return side.sketch.digests;
  auto made = digest_model(*side.weights, {.h0 = false,
                                           .h1 = true,
                                           .h2 = true,
                                           .h3 = true,
                                           .threads = options.threads,
                                           .progress = options.progress});
  if (!made) return std::unexpected(std::move(made.error()));
  return Digests(std::move(*made));
}

bool has_digests(const Side& side) {
  return side.weights != nullptr || side.sketch.digests.has_value();
}

Result<std::pair<Digests, Digests>> both_digests(const Side& subject, const Side& base,
                                                 const CompareOptions& options) {
  std::pair<Digests, Digests> both;
  if (options.quick || !has_digests(subject) || !has_digests(base)) return both;
  auto mine = digests_of(subject, options);
  if (!mine) return std::unexpected(std::move(mine.error()));
  auto theirs = digests_of(base, options);
  if (!theirs) return std::unexpected(std::move(theirs.error()));
  both.first = std::move(*mine);
  both.second = std::move(*theirs);
  return both;
}

Result<std::optional<ExactPass>> pass_over(const Side& subject, const Side& base,
                                           const LayerMap& layers, const CompareOptions& options) {
  if (subject.weights != nullptr && base.weights != nullptr) {
    if (options.quick) return std::nullopt;
    auto read = exact_pass(*subject.weights, *base.weights, layers,
                           {.threads = options.threads, .progress = options.progress});
    if (!read) return std::unexpected(std::move(read.error()));
    return std::optional(std::move(*read));
  }
  auto both = both_digests(subject, base, options);
  if (!both) return std::unexpected(std::move(both.error()));
  const auto& [mine, theirs] = *both;
  if (!mine || !theirs) return std::nullopt;
  return std::optional(exact_pass(*mine, *theirs, layers));
}

Evidence equal_tensors(std::uint64_t equal, std::uint64_t tensors, std::uint64_t values,
                       std::uint64_t moved) {
  return {.statistic = "equal-tensors/1",
          .outcome = Evidence::Outcome::measured,
          .value = static_cast<double>(equal),
          .null = Evidence::Null::digest,
          .samples = values,
          .stage = "digests",
          .because = fmt::format("{} of {} tensors hold the same values in both, {} of {} values "
                                 "moved by rounding into the stored type.",
                                 equal, tensors, moved, values)};
}

void read_off(Identity& identity) {
  using enum ExactTensor::State;
  const ExactPass& pass = identity.pass;
  std::uint64_t moved = 0;
  std::uint64_t values = 0;
  for (const ExactTensor& tensor : pass.tensors) {
    const bool rounded = tensor.state == subject_is_rounded || tensor.state == base_is_rounded;
    values += tensor.values;
    moved += rounded ? tensor.moved : 0;
    if (tensor.state == changed) identity.changed_tensors.push_back(tensor.name);
  }
  identity.evidence =
      equal_tensors(pass.tensors.size() - pass.count(changed) - pass.count(unmatched),
                    pass.tensors.size(), values, moved);
  if (pass.repeated_head) identity.transforms.emplace_back("drop-duplicate");
  if (pass.all_same()) {
    identity.mechanism = "identical";
    return;
  }
  // Nothing that both have differs, and one of them lacks something.
  const bool mine_only = pass.count(unmatched) > 0;
  if (pass.count(changed) == 0 && mine_only != (pass.base_unmatched > 0)) {
    identity.mechanism = "pruned";
    return;
  }
  for (const ExactTensor& tensor : pass.tensors) {
    if (tensor.state == unmatched) identity.changed_tensors.push_back(tensor.name);
  }
  identity.mechanism = "partial-finetune";
}

bool roles_are_guessed(const Side& side) { return side.sketch.architecture.roles_from == "shapes"; }

using Kinds = std::map<std::pair<std::string, std::vector<std::uint64_t>>, std::size_t>;

Kinds kinds_of(const Model& model) {
  Kinds kinds;
  for (const auto& tensor : model.tensors) {
    ++kinds[{std::string(tensor.entry.type_name), tensor.entry.shape}];
  }
  return kinds;
}

bool may_be_equal(const Side& subject, const Side& base) {
  if (subject.weights == nullptr || base.weights == nullptr) return true;
  return kinds_of(*subject.weights) == kinds_of(*base.weights);
}

// Stored tensors, by their bytes; parts of fused ones have no digest of their own.
bool same_content(const ModelDigests& subject, const ModelDigests& base) {
  const auto contents = [](const ModelDigests& digests) {
    std::vector<std::string_view> list;
    for (const TensorDigest& tensor : digests.tensors) {
      if (!tensor.h1.empty()) list.push_back(tensor.h1);
    }
    std::ranges::sort(list);
    return list;
  };
  const auto mine = contents(subject);
  return !mine.empty() && mine == contents(base);
}

}  // namespace

Result<std::optional<Identity>> identity_by_content(const Side& subject, const Side& base,
                                                    const CompareOptions& options) {
  if (!may_be_equal(subject, base)) return std::nullopt;
  const auto both = both_digests(subject, base, options);
  if (!both) return std::unexpected(both.error());
  const auto& [mine, theirs] = *both;
  if (!mine || !theirs || !same_content(*mine, *theirs)) return std::nullopt;
  if (!std::ranges::any_of(mine->tensors, &TensorDigest::informative)) return std::nullopt;
  std::uint64_t values = 0;
  for (const TensorDigest& tensor : mine->tensors) values += tensor.elements;
  Identity identity{
      .evidence = equal_tensors(mine->tensors.size(), mine->tensors.size(), values, 0),
      .mechanism = "identical"};
  const auto same_name = [](const TensorDigest& a, const TensorDigest& b) {
    return a.name == b.name;
  };
  if (!std::ranges::equal(mine->tensors, theirs->tensors, same_name)) {
    identity.transforms.emplace_back("rename");
  }
  return std::optional(std::move(identity));
}

Result<std::optional<Identity>> identity_of(const Side& subject, const Side& base,
                                            const LayerMap& layers, const CompareOptions& options) {
  auto pass = pass_over(subject, base, layers, options);
  if (!pass) return std::unexpected(std::move(pass.error()));
  std::optional<ExactPass>& made = *pass;
  if (!made) return std::nullopt;
  // Shapes say less than names: a bias may stand in another's place.
  if (!made->all_same() && (roles_are_guessed(subject) || roles_are_guessed(base))) {
    auto by_content = identity_by_content(subject, base, options);
    if (!by_content) return std::unexpected(std::move(by_content.error()));
    if (by_content->has_value()) return by_content;
  }
  Identity identity{.pass = std::move(*made)};
  read_off(identity);
  return std::optional(std::move(identity));
}

}  // namespace pedigree
