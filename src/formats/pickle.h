// A Python pickle as inert values: what it would build, never built.
//
// A pickle is a program for a stack machine that may import and call anything.
// This decoder runs the stack and nothing else: a global becomes a name, a call
// becomes a node that holds callee and arguments. Only names on a short list
// (pickle_names.h) have a meaning; every other one is told, also when its result
// is thrown away again. Protocols 0 to 5, as of CPython 3.14's pickletools.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "base/source.h"
#include "formats/limits.h"
#include "formats/pickle_names.h"
#include "tensor/tensor.h"

namespace pedigree {

using PickleRef = std::uint32_t;  // a node of a PickleTree
constexpr PickleRef no_pickle_ref = std::numeric_limits<PickleRef>::max();

struct PickleNode {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    big_integer,  // beyond 64 bits: text holds its little-endian bytes
    real,
    text,
    bytes,
    global,
    list,
    tuple,
    dict,  // items are keys and values in turn
    set,
    call,        // first(second…): the result of a function nobody called
    object,      // an instance of the class `first`, made with the arguments `second`
    persistent,  // what the archive keeps under the id `first`
  };

  Kind kind = Kind::none;
  std::uint32_t place = no_pickle_ref;  // into the tree's texts, extents or globals
  std::uint32_t items = no_pickle_ref;  // into the tree's lists
  PickleRef first = no_pickle_ref;
  PickleRef second = no_pickle_ref;
  PickleRef state = no_pickle_ref;  // what BUILD would set
  std::int64_t number = 0;
};

struct PickleGlobal {
  std::string module = {};
  std::string name = {};
  std::uint64_t offset = 0;  // in the file
  PickleName meaning = PickleName::foreign;

  std::string full_name() const { return module.empty() ? name : module + "." + name; }
};

// The nodes may share parts and may form cycles, as Python's objects do: whoever
// walks them bounds depth and steps.
class PickleTree {
 public:
  using Kind = PickleNode::Kind;

  const PickleNode& at(PickleRef ref) const { return nodes_[ref]; }
  bool is(PickleRef ref, Kind kind) const {
    return ref < nodes_.size() && nodes_[ref].kind == kind;
  }
  // The items of a container, an argument tuple included; empty for anything else.
  std::span<const PickleRef> items(PickleRef ref) const;
  // A text, or bytes short enough to be kept; "" for anything else.
  std::string_view text(PickleRef ref) const;
  std::optional<std::uint64_t> size(PickleRef ref) const;  // an integer from 0
  Extent bytes(PickleRef ref) const;                       // where bytes lie in the file
  const PickleGlobal* global(PickleRef ref) const;         // null for anything else
  // Of the global itself, or of what a call calls; foreign for anything else.
  PickleName meaning(PickleRef ref) const;
  std::size_t node_count() const { return nodes_.size(); }

 private:
  friend class PickleMachine;

  std::vector<PickleNode> nodes_;
  std::vector<std::string> texts_;
  std::vector<Extent> extents_;
  std::vector<std::vector<PickleRef>> lists_;
  std::vector<PickleGlobal> globals_;
};

struct PickleReading {
  PickleTree tree = {};
  PickleRef root = no_pickle_ref;          // none when broken
  std::vector<PickleGlobal> foreign = {};  // names off the list, at their first place
  std::optional<Problem> broken = {};      // why it ended early: pickle-malformed, limit-exceeded
  std::uint64_t end = 0;                   // behind the STOP
};

// Decodes one pickle from the start of `extent`. What was seen before a stream
// breaks is kept. Long texts and bytes stay in the file. Throws Malformed only
// for the source's own problems.
PickleReading read_pickle(const Source& source, Extent extent, const Limits& limits);

// One problem for each foreign name (the first of them, and how many more), and
// the one that ended the reading.
std::vector<Problem> pickle_problems(const PickleReading& reading);

}  // namespace pedigree
