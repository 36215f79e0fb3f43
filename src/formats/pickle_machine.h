// The stack machine behind read_pickle(): one method for each instruction.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/pickle.h"
#include "formats/pickle_cursor.h"

namespace pedigree {

class PickleMachine {
 public:
  PickleMachine(const Source& source, Extent extent, const Limits& limits, PickleReading& reading)
      : cursor_(source, extent), limits_(limits), reading_(reading), tree_(reading.tree) {}

  // Runs to STOP. Throws Malformed where the pickle breaks.
  void run();
  std::uint64_t offset() const { return cursor_.offset(); }

 private:
  using Kind = PickleNode::Kind;
  using Step = void (PickleMachine::*)();
  using Steps = std::array<Step, 256>;
  static Steps make_steps();
  static void add_literal_steps(Steps& steps);
  static void add_structure_steps(Steps& steps);

  // pickle_machine.cc: the stack, the memo, containers, calls
  [[noreturn]] void refuse(std::string_view why) const;
  PickleRef add(PickleNode node);
  void push(PickleRef ref);
  void push(PickleNode node) { push(add(node)); }
  PickleRef pop();
  PickleRef top() const;
  std::vector<PickleRef> pop_mark();
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  void push_container(Kind kind, std::vector<PickleRef> items);
  void extend(PickleRef container, std::span<const PickleRef> items);
  void push_global(std::string module, std::string name);
  void note_foreign(const PickleGlobal& global);
  void memoize(std::uint64_t index);
  void recall(std::uint64_t index);
  void call(PickleRef callee, PickleRef arguments);
  void make_object(PickleRef cls, PickleRef arguments);
  std::vector<PickleRef> pairs_of(PickleRef arguments);
  void count_items(std::size_t items);
  void count_text(std::size_t bytes);

  void mark();
  void stop() { stopped_ = true; }
  void pop_one();
  void pop_to_mark() { pop_mark(); }
  void duplicate() { push(top()); }
  void protocol();
  void frame();
  template <std::size_t Width>
  void get() {
    recall(cursor_.little_endian(Width));
  }
  template <std::size_t Width>
  void put() {
    memoize(cursor_.little_endian(Width));
  }
  void get_line() { recall(decimal()); }
  void put_line() { memoize(decimal()); }
  void memoize_next();
  template <Kind Of>
  void empty() {
    push_container(Of, {});
  }
  template <Kind Of>
  void from_mark() {
    push_container(Of, pop_mark());
  }
  template <std::size_t Count>
  void tuple();
  void dict_from_mark();
  void append();
  void appends();
  void set_item();
  void set_items();
  void add_items() { appends(); }
  void global_lines();
  void global_from_stack();
  void instance();
  void object_from_mark();
  template <std::size_t Width>
  void extension();
  void reduce();
  void new_object();
  void new_object_with_keywords();
  void build();
  void persistent();
  void persistent_line();
  void buffer();
  void read_only() {}

  // pickle_literals.cc: numbers, texts, bytes
  std::uint64_t decimal();
  void push_text(Kind kind, std::string text);
  void push_integer(std::int64_t number);
  void push_big(std::string_view bytes);
  void none() { push(PickleNode{}); }
  template <bool Value>
  void boolean() {
    push(PickleNode{.kind = Kind::boolean, .number = Value ? 1 : 0});
  }
  void integer_line();
  void long_line();
  template <std::size_t Width>
  void unsigned_integer() {
    push_integer(static_cast<std::int64_t>(cursor_.little_endian(Width)));
  }
  void signed_integer();
  template <std::size_t Width>
  void long_integer();
  void real_line();
  void real();
  template <std::size_t Width, Kind Of>
  void counted() {
    counted_bytes(cursor_.little_endian(Width), Of);
  }
  void counted_bytes(std::uint64_t size, Kind kind);
  void string_line();
  void unicode_line();

  PickleCursor cursor_;
  const Limits& limits_;
  PickleReading& reading_;
  PickleTree& tree_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleRef> memo_;
  std::uint64_t memo_count_ = 0;  // places of it that hold something
  std::set<std::pair<std::string, std::string>> foreign_;
  std::uint64_t kept_bytes_ = 0;  // of texts and names
  std::uint64_t items_ = 0;       // in all containers
  std::uint64_t at_ = 0;          // of the instruction under way
  bool stopped_ = false;
};

}  // namespace pedigree
