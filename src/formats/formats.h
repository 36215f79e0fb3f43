// A weight format: how to recognise one, and how to list its tensors.
//
// To teach the tool a new format, write formats/<name>.cc, which defines one
// Format, and name it in the table in formats.cc. Nothing above this floor
// changes: models, fingerprints and reports only ever see a WeightFile.
//
// Readers describe; they never run, repair or guess. A duplicate key is an
// error and not a choice between two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/problem.h"
#include "base/source.h"
#include "formats/limits.h"
#include "tensor/tensor.h"

namespace pedigree {

// One entry of a header whose values have types. Texts in lists are bytes as stored;
// a list of lists is read and not kept.
struct HeaderField {
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string,
                             std::vector<double>, std::vector<std::string>>;
  std::string key = {};
  std::uint64_t offset = 0;  // of the entry in the file
  Value value = {};
};

// How to get at a tensor whose bytes do not lie in the file in order: a view with
// strides, big-endian values, a part of a compressed member.
struct Arrangement {
  Extent stored = {};                       // what is read in the file
  bool deflated = false;                    // it is a raw deflate stream
  std::uint64_t unpacked_bytes = 0;         // of that stream; else stored.size()
  std::uint64_t first_byte = 0;             // of the first element, in the unpacked bytes
  std::uint64_t element_bytes = 0;          // never 0
  std::vector<std::uint64_t> strides = {};  // in elements, one a dimension; empty: row-major
  std::uint64_t swapped_bytes = 0;          // each so many bytes are reversed; 0: none
  // Stored as base-128 numbers, each of which gives its low `element_bytes` bytes.
  bool varints = false;
};

struct ArrangedTensor {
  TensorEntry entry = {};  // its extent begins at 0 until arranged_source() places it
  Arrangement arrangement = {};
};

// A tensor whose bytes lie in a file beside the one that names it.
struct ExternalTensor {
  TensorEntry entry = {};      // its extent lies in that file, whose size nobody knows yet
  std::string location = {};   // as stored: of a file in the naming file's folder, not yet trusted
  std::uint64_t named_at = 0;  // where the naming file says so
};

// What a graph of operators makes of a tensor, which may be called anything.
struct TensorUse {
  std::string parameter = {};  // "model.layers.0.mlp.up_proj.weight"; "" where its own name says it
  bool in_out = false;         // a matrix stored as [in, out]
};

struct WeightFile {
  std::string_view format = {};  // Format::id
  // By offset, then by position in the header. Formats with views may have tensors
  // that share bytes.
  std::vector<TensorEntry> tensors = {};
  std::vector<ArrangedTensor> arranged = {};  // those whose bytes do not lie in order
  std::vector<ExternalTensor> external = {};
  std::vector<std::pair<std::string, TensorUse>> uses = {};        // by name of tensor, sorted
  std::vector<std::pair<std::string, std::string>> metadata = {};  // in file order
  std::vector<HeaderField> fields = {};  // the same of a typed header (GGUF)
  std::vector<Problem> problems = {};    // what is wrong but leaves the rest trustworthy
};

// A git-lfs pointer that stands where weights should be.
struct LfsPointer {
  std::string oid = {};    // 64 hex digits of the SHA-256 of the real file
  std::uint64_t size = 0;  // of the real file
};

struct Format {
  std::string_view id;     // "safetensors": stable, appears in every report
  std::string_view title;  // for people

  // Could a file that starts like this be ours? Cheap, and allowed to say yes
  // too often; read() decides. `head` is the first 4 KiB, or all there is;
  // `size` is the file's.
  bool (*recognises)(std::span<const std::byte> head, std::uint64_t size) = nullptr;

  // Lists the tensors without touching their data, so the cost is that of the
  // header alone. Throws Malformed where the rest can no longer be trusted.
  // Null for formats that are recognised and named but not read.
  WeightFile (*read)(const Source& source, const Limits& limits) = nullptr;

  // Used for much else than weights: only the name of a weight file makes it one.
  bool general = false;

  // Whose files or readers ours was held against; for formats that are not read, what a
  // person can do to have the weights compared.
  std::string_view checked = {};
  std::string_view remedy = {};
};

std::span<const Format* const> formats();

// Which format the content is, whatever the name says; null when none.
const Format* recognise(std::span<const std::byte> head, std::uint64_t size);

// The pointer's oid and size when the file is a git-lfs pointer.
std::optional<LfsPointer> read_lfs_pointer(std::string_view text);

// The one way in. Picks the format by content, never by file name, and turns
// Malformed into a Problem (with the file's name): no exception about a file's
// content gets past here. Problems: not-a-weight-file, weights-not-downloaded,
// format-unsupported, and those of the reader.
Result<WeightFile> read_weights(const Source& source, const Limits& limits = {});

// A source that supplies the row-major little-endian bytes of `tensors`, one after
// the other, and sets their extents to places in it. It has the name of `file`,
// which it does not own and which must outlive it. A tensor of up to 32 MiB costs
// one read of what it spans and is kept until others push it out.
std::unique_ptr<Source> arranged_source(const Source& file, std::vector<ArrangedTensor>& tensors);

}  // namespace pedigree
