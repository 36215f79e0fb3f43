// Equality to the last bit, tensor by tensor: what `identical` and the list of
// untouched tensors rest on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compare/alignment.h"
#include "compare/witness.h"
#include "model/model.h"

namespace pedigree {

struct ExactTensor {
  enum class State {
    equal,
    subject_is_rounded,  // the base's values, rounded to nearest even into the subject's type
    base_is_rounded,     // the other way round
    changed,
    unmatched  // no counterpart of a comparable shape
  };
  std::string role = {};
  int layer = -1;  // of the subject
  int base_layer = -1;
  int expert = -1;        // of the subject
  std::string name = {};  // stored name in the subject
  std::string base_name = {};
  State state = State::unmatched;
  std::uint64_t values = 0;      // compared
  std::uint64_t moved = 0;       // values that rounding moved
  std::uint64_t extra_rows = 0;  // vocabulary rows only one side has (prefix compared)
  double relative_delta = 0;
  bool informative = false;  // more than 16 distinct values among those compared
};

struct ExactPass {
  std::vector<ExactTensor> tensors = {};  // by the subject's canonical order
  std::uint64_t base_unmatched = 0;       // tensors of the base without a counterpart
  // One side alone stores a head, and it is the token embedding that the other's head is tied to.
  bool repeated_head = false;

  std::uint64_t count(ExactTensor::State state) const;
  bool all_same() const;  // every informative tensor on both sides equal, or rounded one way
};

struct ExactOptions {
  // Which of the subject's tensors to read; the others stay unmatched. All when empty.
  std::function<bool(const CanonicalTensor&)> wanted = {};
  // Experts that stand against another block by index; others by their own number.
  const std::vector<FfnMatch>* experts = nullptr;
  unsigned threads = 0;
  Progress progress = {};
};

// Reads both models' counterparts under the layer map in bounded pieces. Rows of
// the embedding and the head are compared by number on the rows both have.
Result<ExactPass> exact_pass(const Model& subject, const Model& base, const LayerMap& layers,
                             const ExactOptions& options = {});

// The same answer from stored digests; nothing is read.
ExactPass exact_pass(const ModelDigests& subject, const ModelDigests& base, const LayerMap& layers);

}  // namespace pedigree
