// The subject's rows in the base's residual basis, when that was rotated or re-dealt: the
// rotation is the polar factor of common tokens' embeddings (Schönemann 1966).
//
// Answers to a few hundred tokens lose what embeddings do not vary in; in the recovered
// basis all of a row counts. Where two trainings went apart from one seed, that is the
// difference between a trace and a clear count.
#pragma once

#include <memory>
#include <optional>

#include "compare/assignment.h"
#include "compare/wide_rotation.h"
#include "model/model.h"

namespace pedigree {

class RecoveredBasis {
 public:
  // Nothing where the widths differ or the two share too few tokens to span half of it.
  static Result<std::optional<RecoveredBasis>> find(const Model& subject, const Model& base,
                                                    unsigned threads);

  Matrix turned_back(const Matrix& rows) const;
  std::size_t tokens() const { return tokens_; }

 private:
  Matrix rotation_ = {};                      // of narrow models
  std::shared_ptr<const WideRotation> wide_;  // of others
  std::size_t tokens_ = 0;
  unsigned threads_ = 1;
};

}  // namespace pedigree
