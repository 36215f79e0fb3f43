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

struct WeightFile {
  std::string_view format = {};           // Format::id
  std::vector<TensorEntry> tensors = {};  // by offset, then by position in the header
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

}  // namespace pedigree
