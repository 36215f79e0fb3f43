#include "compare/exact.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "base/parallel.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t values_at_once = std::uint64_t{1} << 20U;

bool is_vocabulary(std::string_view role) { return role == "embed.tokens" || role == "head.out"; }

int base_layer_of(const LayerMap& layers, int subject_layer) {
  if (subject_layer < 0) return -1;
  const auto at = std::ranges::find(layers, subject_layer, &std::pair<int, int>::first);
  return at == layers.end() ? -2 : at->second;
}

// What streaming two tensors has shown so far.
class Tally {
 public:
  // How each side stores its values: in a type, after something was added.
  struct Storage {
    const ElementType& type;
    float added = 0;

    // Is `value` what storing `exact` here leaves of it?
    bool leaves(float value, float exact) const {
      return type.precision > 0 && rounded_to(type, exact + added) - added == value;
    }
  };

  Tally(Storage subject, Storage base) : subject_(subject), base_(base) {}

  void add(std::span<const float> mine, std::span<const float> theirs) {
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const bool finite = std::isfinite(mine[i]) && std::isfinite(theirs[i]);
      if (finite) {
        const double delta = static_cast<double>(mine[i]) - static_cast<double>(theirs[i]);
        if (distinct_.size() <= 16) distinct_.insert(theirs[i]);
        size_ += static_cast<double>(theirs[i]) * static_cast<double>(theirs[i]);
        squares_ += delta * delta;
      }
      if (mine[i] == theirs[i] || (std::isnan(mine[i]) && std::isnan(theirs[i]))) continue;
      ++differing_;
      subject_rounded_ = subject_rounded_ && subject_.leaves(mine[i], theirs[i]);
      base_rounded_ = base_rounded_ && base_.leaves(theirs[i], mine[i]);
    }
    values_ += mine.size();
  }

  void write(ExactTensor& tensor) const {
    using enum ExactTensor::State;
    tensor.values = values_;
    tensor.informative = distinct_.size() > 16;
    tensor.relative_delta = size_ > 0 ? std::sqrt(squares_ / size_) : (squares_ > 0 ? 1.0 : 0.0);
    tensor.moved = differing_;
    tensor.state = differing_ == 0    ? equal
                   : subject_rounded_ ? subject_is_rounded
                   : base_rounded_    ? base_is_rounded
                                      : changed;
  }

 private:
  Storage subject_;
  Storage base_;
  std::set<float> distinct_;
  double squares_ = 0;
  double size_ = 0;
  std::uint64_t differing_ = 0;
  std::uint64_t values_ = 0;
  bool subject_rounded_ = true;
  bool base_rounded_ = true;
};

std::optional<Problem> compare_tensors(const Model& subject, const CanonicalTensor& mine,
                                       const Model& base, const CanonicalTensor& theirs,
                                       ExactTensor& tensor) {
  Tally tally({.type = subject.type_of(mine), .added = mine.added},
              {.type = base.type_of(theirs), .added = theirs.added});
  const std::uint64_t rows = std::min(mine.rows, theirs.rows);
  const std::uint64_t step =
      std::max<std::uint64_t>(1, values_at_once / std::max<std::uint64_t>(1, mine.cols));
  for (std::uint64_t first = 0; first < rows; first += step) {
    std::vector<std::uint64_t> wanted(std::min(step, rows - first));
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = first + i;
    const auto a = read_rows(subject, mine, wanted);
    if (!a) return a.error();
    const auto b = read_rows(base, theirs, wanted);
    if (!b) return b.error();
    tally.add(*a, *b);
  }
  tally.write(tensor);
  tensor.extra_rows = std::max(mine.rows, theirs.rows) - rows;
  return std::nullopt;
}

bool comparable(const CanonicalTensor& mine, const CanonicalTensor& theirs) {
  if (mine.cols != theirs.cols) return false;
  return mine.rows == theirs.rows || is_vocabulary(mine.role);
}

const CanonicalTensor* counterpart(const CanonicalTensor& mine, const Model& base, int base_layer,
                                   const std::vector<FfnMatch>* experts) {
  const auto place = ffn_place(mine.role, mine.layer, mine.expert);
  if (experts != nullptr && place) {
    const auto at = std::ranges::find_if(*experts, [&](const FfnMatch& match) {
      return match.by_index && match.subject == *place && match.base.layer == base_layer;
    });
    if (at != experts->end()) return find_part(base, at->base, ffn_part(mine.role));
  }
  return base.find(mine.role, base_layer, mine.expert);
}

// Names every tensor's counterpart, by the subject's canonical order; null where
// there is none.
std::vector<const CanonicalTensor*> matched_tensors(const Model& subject, const Model& base,
                                                    const LayerMap& layers,
                                                    const std::vector<FfnMatch>* experts,
                                                    ExactPass& pass) {
  pass.tensors.resize(subject.canonical.size());
  std::vector<const CanonicalTensor*> counterparts(subject.canonical.size());
  std::set<const CanonicalTensor*> used;
  for (std::size_t i = 0; i < subject.canonical.size(); ++i) {
    const CanonicalTensor& mine = subject.canonical[i];
    ExactTensor& tensor = pass.tensors[i];
    tensor.role = mine.role;
    tensor.layer = mine.layer;
    tensor.expert = mine.expert;
    tensor.base_layer = base_layer_of(layers, mine.layer);
    tensor.name = subject.tensors[mine.tensor].entry.name;
    const CanonicalTensor* theirs =
        tensor.base_layer < -1 ? nullptr : counterpart(mine, base, tensor.base_layer, experts);
    if (theirs == nullptr || !comparable(mine, *theirs)) continue;
    used.insert(theirs);
    tensor.base_name = base.tensors[theirs->tensor].entry.name;
    counterparts[i] = theirs;
  }
  pass.base_unmatched = static_cast<std::uint64_t>(
      std::ranges::count_if(base.canonical, [&](const auto& t) { return !used.contains(&t); }));
  return counterparts;
}

// A head that one side alone stores is no other tensor where it repeats the embedding: models
// without one use the embedding. Each side's head is held against the other's embedding.
class RepeatedHead {
 public:
  RepeatedHead(const Model& subject, const Model& base, ExactPass& pass)
      : subject_(subject), base_(base), pass_(pass) {}

  std::optional<Problem> look() {
    const CanonicalTensor* mine = subject_.find("head.out");
    const CanonicalTensor* theirs = base_.find("head.out");
    if ((mine == nullptr) == (theirs == nullptr)) return std::nullopt;
    if (mine == nullptr) return look_at_base(*theirs);
    const auto tensor = std::ranges::find(pass_.tensors, "head.out", &ExactTensor::role);
    const CanonicalTensor* embedding = base_.find("embed.tokens");
    if (tensor == pass_.tensors.end() || embedding == nullptr) return std::nullopt;
    ExactTensor found = *tensor;
    found.base_name = base_.tensors[embedding->tensor].entry.name;
    if (auto problem = hold(*mine, *embedding, found)) return problem;
    if (pass_.repeated_head) *tensor = std::move(found);
    return std::nullopt;
  }

 private:
  std::optional<Problem> look_at_base(const CanonicalTensor& head) {
    const CanonicalTensor* embedding = subject_.find("embed.tokens");
    if (embedding == nullptr) return std::nullopt;
    ExactTensor found;
    if (auto problem = hold(*embedding, head, found)) return problem;
    if (pass_.repeated_head) --pass_.base_unmatched;
    return std::nullopt;
  }

  std::optional<Problem> hold(const CanonicalTensor& mine, const CanonicalTensor& theirs,
                              ExactTensor& found) {
    if (mine.rows != theirs.rows || mine.cols != theirs.cols) return std::nullopt;
    if (auto problem = compare_tensors(subject_, mine, base_, theirs, found)) return problem;
    pass_.repeated_head = found.state != ExactTensor::State::changed;
    return std::nullopt;
  }

  const Model& subject_;
  const Model& base_;
  ExactPass& pass_;
};

using DigestKey = std::tuple<int, std::string, int>;

}  // namespace

std::uint64_t ExactPass::count(ExactTensor::State state) const {
  return static_cast<std::uint64_t>(std::ranges::count(tensors, state, &ExactTensor::state));
}

bool ExactPass::all_same() const {
  using enum ExactTensor::State;
  if (tensors.empty() || base_unmatched > 0) return false;
  if (count(changed) > 0 || count(unmatched) > 0) return false;
  if (count(subject_is_rounded) > 0 && count(base_is_rounded) > 0) return false;
  return std::ranges::any_of(tensors, &ExactTensor::informative) &&
         std::ranges::all_of(tensors, [](const ExactTensor& t) { return t.extra_rows == 0; });
}

Result<ExactPass> exact_pass(const Model& subject, const Model& base, const LayerMap& layers,
                             const ExactOptions& options) {
  ExactPass pass;
  const auto counterparts = matched_tensors(subject, base, layers, options.experts, pass);
  auto problem =
      parallel_for(counterparts.size(), options.threads, options.progress,
                   [&](std::size_t i) -> std::optional<Problem> {
                     const CanonicalTensor& mine = subject.canonical[i];
                     if (counterparts[i] == nullptr) return std::nullopt;
                     if (options.wanted && !options.wanted(mine)) return std::nullopt;
                     return compare_tensors(subject, mine, base, *counterparts[i], pass.tensors[i]);
                   });
  if (!problem && !options.wanted) problem = RepeatedHead(subject, base, pass).look();
  if (problem) return std::unexpected(std::move(*problem));
  return pass;
}

ExactPass exact_pass(const ModelDigests& subject, const ModelDigests& base,
                     const LayerMap& layers) {
  using enum ExactTensor::State;
  ExactPass pass;
  std::map<DigestKey, const TensorDigest*> theirs;
  for (const TensorDigest& digest : base.tensors) {
    if (!digest.role.empty()) theirs[{digest.layer, digest.role, digest.expert}] = &digest;
  }
  std::size_t used = 0;
  for (const TensorDigest& digest : subject.tensors) {
    if (digest.role.empty()) continue;
    ExactTensor tensor{.role = digest.role, .layer = digest.layer, .name = digest.name};
    tensor.expert = digest.expert;
    tensor.base_layer = base_layer_of(layers, digest.layer);
    tensor.informative = digest.informative;
    const auto at = theirs.find({tensor.base_layer, digest.role, digest.expert});
    if (at != theirs.end() && at->second->shape == digest.shape) {
      ++used;
      tensor.base_name = at->second->name;
      tensor.values = digest.elements;
      const bool equal_values = !digest.h2.empty() && digest.h2 == at->second->h2;
      const bool equal_rounded = !digest.h3.empty() && digest.h3 == at->second->h3;
      tensor.state = equal_values ? equal : equal_rounded ? subject_is_rounded : changed;
    }
    pass.tensors.push_back(std::move(tensor));
  }
  pass.base_unmatched = theirs.size() - used;
  return pass;
}

}  // namespace pedigree
