// Many files, one Model: weights in all shards, roles, architecture, tokenizer,
// claims and problems, from metadata alone.
//
// open_model reads headers and small text files only; the cost does not grow
// with the weights. A Model owns its open files and is safe to read from many
// threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/source.h"
#include "formats/formats.h"
#include "model/architecture.h"
#include "model/claims.h"
#include "model/packings/packed_matrix.h"
#include "model/tokenizer.h"

namespace pedigree {

struct Adapter;  // adapter.h

struct ModelFile {
  std::string path = {};  // relative to the root
  // "safetensors", "config", "card", "tokenizer", "lfs-pointer", "other", …
  std::string format = {};
  std::uint64_t size = 0;
  std::string real_path = {};  // to open it, links resolved: of this machine, never reported
  // From an LFS pointer, a hub-cache blob or a checksum list beside it.
  std::optional<std::string> expected_sha256 = {};
  std::string expected_from = {};  // which of these
  // The hub names small files by git's blob id instead.
  std::optional<std::string> expected_git_sha1 = {};
  std::optional<std::string> expected_md5 = {};  // Meta's checklist.chk
};

// A tensor's place in a file, whose bytes there may be in another order.
struct FilePlace {
  std::size_t shard = 0;
  Extent extent = {};
};

struct StoredTensor {
  TensorEntry entry = {};
  std::size_t shard = 0;  // index into Model::shards
  // Where the file holds the bytes when `shard` only puts them in order.
  std::optional<FilePlace> gathered_from = {};
  std::optional<TensorUse> use = {};  // by the graph that came with it
};

// One logical matrix or vector of the architecture, and where it lies in a
// stored tensor. Matrices are [out, in], vectors have cols == 1.
struct CanonicalTensor {
  // "ffn.gate", "attn.q", "embed.tokens", "attn.norm"; biases end in ".bias"
  std::string role = {};
  int layer = -1;   // -1: not in a layer
  int expert = -1;  // -1: not an expert
  std::uint64_t rows = 0;
  std::uint64_t cols = 1;
  std::size_t tensor = 0;  // index into Model::tensors; of the codes where packed
  // Index into Model::packed, where a quantiser spread the matrix over several tensors.
  std::optional<std::size_t> packed = {};
  bool transposed = false;      // stored as [in, out]
  std::uint64_t first_row = 0;  // of the stored out axis, for fused tensors and experts
  std::uint64_t first_col = 0;  // of the stored in axis, for experts stacked along it
  // Runs of so many stored rows are this part's, one each `period`; a run of 0: all lie behind each
  // other. Of matrices [in, out] below each other, one a head, run is a head's and period 0.
  std::uint64_t run = 0;
  std::uint64_t period = 0;
  // Rows of each of so many heads are stored in pairs, row i of its first half before
  // row i of its second, as rotary embeddings of Meta's code and GGUF take them; 0: in
  // the order of heads' halves.
  std::uint64_t paired_heads = 0;
  float added = 0;                           // stored values are the canonical ones plus this
  std::vector<std::string> transforms = {};  // "transpose", "split-concat"; empty when stored as is

  // Do values stand in the file as they are, row behind row? Then they can be hashed there.
  bool is_plain() const {
    return !packed && !transposed && run == 0 && paired_heads == 0 && added == 0;
  }
};

struct ModelInfo {
  std::string name = {};  // directory or file name, for reports
  std::string root = {};  // as given
  std::vector<ModelFile> files = {};
  std::vector<std::string> formats = {};   // of the weights, sorted, unique
  std::vector<StoredTensor> tensors = {};  // sorted by name
  std::vector<PackedMatrix> packed = {};   // matrices that lie in several of them
  // Sorted by (layer, role, expert); tensors without a role are absent.
  std::vector<CanonicalTensor> canonical = {};
  Architecture architecture = {};
  std::optional<Tokenizer> tokenizer = {};
  std::vector<Claim> claims = {};
  std::vector<Problem> problems = {};
  std::uint64_t weight_bytes = 0;   // of all tensors
  std::uint64_t parameters = 0;     // elements of floating tensors, packed ones unpacked
  std::uint64_t missing_bytes = 0;  // behind LFS pointers
  bool only_pointers = false;       // every weight file is an LFS pointer
  bool is_adapter = false;          // holds an adapter and no base weights
  std::shared_ptr<const Adapter> adapter = {};  // what it is, where it is one
  // The config that says embedding and head are tied although both are stored; or "".
  std::string tied_by = {};

  // What a canonical tensor's values are stored as, and whether they can be read.
  const ElementType& type_of(const CanonicalTensor& tensor) const;
  bool is_decodable(const CanonicalTensor& tensor) const;
};

struct Model : ModelInfo {
  // Open files; behind one whose tensors do not all lie in order, a source that arranges them.
  std::vector<std::unique_ptr<Source>> shards = {};

  const CanonicalTensor* find(std::string_view role, int layer = -1, int expert = -1) const;
  std::uint64_t bytes_read() const;  // from the shards so far
};

struct OpenOptions {
  Limits limits = {};
  std::string revision = {};  // for a hub-cache repository; refs/main when empty
  std::string part = {};      // of a checkpoint that is several models (towers.h); "": the whole
};

// MODEL as in the contract: a directory, a hub-cache repository, a weight file
// or an index. A Problem only when nothing can be said at all; everything else
// that is wrong stands in Model::problems.
Result<std::unique_ptr<Model>> open_model(const std::string& path, const OpenOptions& options = {});

}  // namespace pedigree
