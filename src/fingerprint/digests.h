// Exact identity, in tiers: file bytes (H0), stored tensor bytes (H1), canonical
// values (H2), canonical values rounded to BF16 (H3).
//
// Every digest string carries its scheme ("h2/1:sha256:…"); unlike ids are never
// compared. H2 survives renames, re-sharding and lossless layout changes, H3
// also F32 copies of BF16 values. Each byte is read once whatever the tiers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "model/model.h"

namespace pedigree {

struct TensorDigest {
  std::string name = {};  // stored name; for a canonical part of a fused tensor "<name>#<role>"
  std::string role = {};  // "" when the tensor has none
  int layer = -1;
  int expert = -1;
  std::vector<std::uint64_t> shape = {};  // canonical when it has a role, else as stored
  std::string h1 = {};                    // "" where not asked for, or for a part of a fused tensor
  std::string h2 = {};
  std::string h3 = {};
  bool informative = true;  // more than 16 distinct values and not a known table
  std::uint64_t elements = 0;
  bool fused = false;  // its canonical parts stand beside it and carry H2 and H3
};

struct FileDigest {
  std::string path = {};
  std::uint64_t size = 0;
  std::string sha256 = {};  // hex
};

struct ModelDigests {
  std::vector<FileDigest> files = {};      // H0, sorted by path; empty when not asked for
  std::vector<Problem> problems = {};      // files beside the weights that have no H0
  std::vector<TensorDigest> tensors = {};  // sorted by name
  std::string named =
      {};                // over (role or name, shape, tensor digest) lines; h2 where there, else h1
  std::string bag = {};  // over the sorted multiset of tensor digests: names ignored
};

struct DigestOptions {
  bool h0 = true;
  bool h1 = true;
  bool h2 = false;
  bool h3 = false;
  unsigned threads = 0;
  Progress progress = {};
};

// Files are all those of the model; weights are read through the sources it holds
// open. A file beside them that cannot be opened is a problem in the result, a
// failing read is one instead of it. Transposed tensors of F64 or integers get no H2 and H3.
Result<ModelDigests> digest_model(const Model& model, const DigestOptions& options = {});

// One line of a published list of what files should be.
struct ExpectedDigest {
  std::string path = {};    // as the list names it; "" where it names none
  std::string sha256 = {};  // hex, lower case; "" where the list gives MD5
  std::optional<std::uint64_t> size = {};
  std::string md5 = {};  // hex, lower case

  bool operator==(const ExpectedDigest&) const = default;
};

// Reads sha256sum's or md5sum's output (text and binary lines, escaped names, comments),
// the BSD form of the former ("SHA256 (name) = …"), one git-lfs pointer (its path is `name` less a
// last ".pointer"), or a table with columns file, lfs_oid and size under a header
// line. `name` is what problems call the list.
Result<std::vector<ExpectedDigest>> read_digest_list(std::string_view text, std::string_view name);

// Every git-lfs pointer in a directory, by path; other files are passed over.
Result<std::vector<ExpectedDigest>> read_pointer_directory(const std::string& path);

// Reads a file or directory of expectations.
Result<std::vector<ExpectedDigest>> read_expected_digests(const std::string& path);

}  // namespace pedigree
