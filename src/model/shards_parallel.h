// Meta's consolidated.NN.pth: every file holds a share of every matrix.
//
// Which way a matrix was cut follows from its name; norms and rotary tables stand
// whole in every file and must be equal. With fewer heads of keys and values than files,
// neighbouring files hold the same head. Source: Meta's llama repository
// (ColumnParallelLinear, RowParallelLinear, VocabParallelEmbedding).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/joined_source.h"
#include "model/model.h"

namespace pedigree {

struct ParallelTensors {
  std::vector<StoredTensor> whole = {};   // that one file holds entirely, or all equally
  std::vector<JoinedTensor> joined = {};  // to be placed by joined_source()
  std::vector<Problem> problems = {};     // shard-replica-mismatch, shard-layout
};

// `files` holds the tensors of each file, in order of their numbers. `sources` are
// Model::shards. Reads the replicated vectors and some KiB of each wk and wv, and nothing else.
ParallelTensors join_parallel_shards(const std::vector<std::vector<StoredTensor>>& files,
                                     const std::vector<std::unique_ptr<Source>>& sources);

}  // namespace pedigree
