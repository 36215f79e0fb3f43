// From the inert calls of a pickle to tensor entries.
//
// A PyTorch tensor is a view: storage, first element, sizes, strides. Views whose
// elements stand in row-major order become places in the file; others, and all of
// a big-endian or deflated storage, are arranged. Several may share one storage.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "formats/formats.h"
#include "formats/pickle.h"
#include "formats/pickled_types.h"
#include "formats/state_dict.h"

namespace pedigree {

// What the archive keeps under a storage's key.
struct StoragePlace {
  Extent data = {};
  bool deflated = false;
  std::uint64_t bytes = 0;  // unpacked
};

struct StoragePlaces {
  std::map<std::string, StoragePlace, std::less<>> by_key = {};
  bool big_endian = false;
  bool bytes_in_file = true;  // do the pickle's own bytes lie in the file as they are?
};

// Strided views of a packed storage are unpacked whole when they are read; larger
// ones are left out.
constexpr std::uint64_t largest_packed_view = std::uint64_t{256} << 20U;

// ('storage', class, key, location, element count[, view])
struct StorageId {
  std::string key = {};
  PickledType type = {};  // of one byte where the storage is untyped
  bool untyped = false;
  std::uint64_t elements = 0;
  std::uint64_t first = 0;  // element, of a storage that is a view of another
};

// None when the node is no storage of a known type.
std::optional<StorageId> storage_id(const PickleTree& tree, PickleRef ref);

// Adds the tensors and what is wrong with any of them (tensor-malformed,
// tensor-unread, shared-storage, unreachable-storage). Throws Malformed for names
// that stand twice and for views that make far more of the file than it holds.
void add_pickled_tensors(const PickleReading& pickle, std::span<const NamedNode> nodes,
                         const StoragePlaces& places, const Source& source, WeightFile& file);

// For every reader: by place in the file. Throws duplicate-key.
void finish_tensors(WeightFile& file);

}  // namespace pedigree
