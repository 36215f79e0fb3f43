// The inside of digest_model: which bytes of which file belong to which digest,
// and the pass that feeds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "fingerprint/digests.h"
#include "model/model.h"

namespace pedigree {

// A run of stored bytes and the digest it belongs to.
struct Piece {
  Extent extent = {};
  std::size_t tensor = 0;                 // index into Model::tensors
  std::size_t result = 0;                 // index into ModelDigests::tensors
  std::vector<std::uint64_t> shape = {};  // canonical
};

// Pieces of one file, by offset, none overlapping within a list. What overlaps
// another is read by itself.
struct ShardPlan {
  std::vector<Piece> raw = {};     // for H1
  std::vector<Piece> values = {};  // for H2 and H3
  std::vector<Piece> raw_apart = {};
  std::vector<Piece> values_apart = {};
};

// A canonical tensor whose values do not lie in order in the file.
struct RowPart {
  std::size_t canonical = 0;  // index into Model::canonical
  std::size_t result = 0;
};

struct DigestPlan {
  std::vector<ShardPlan> shards = {};  // as Model::shards
  std::vector<RowPart> rest = {};
  std::vector<std::size_t> parents =
      {};  // of results behind the stored tensors: whose part each is
};

// Names every result (`results` starts with one entry a stored tensor, in the
// model's order) and lays out the pass.
DigestPlan plan_digests(const Model& model, const DigestOptions& options,
                        std::vector<TensorDigest>& results);

// Reads a file once. Workers on different files write to different results.
class FilePass {
 public:
  using Tell = std::function<void(std::uint64_t bytes)>;

  // `split`: hash the file and its tensors in two threads over one buffer.
  FilePass(const Model& model, const DigestOptions& options, std::vector<TensorDigest>& results,
           bool split)
      : model_(model), options_(options), results_(results), split_(split) {}

  std::optional<Problem> run(const Source& source, const ShardPlan& plan, FileDigest& file,
                             const Tell& tell) const;
  std::optional<Problem> run_rows(const RowPart& part) const;

 private:
  const Model& model_;
  const DigestOptions& options_;
  std::vector<TensorDigest>& results_;
  bool split_;
};

}  // namespace pedigree
