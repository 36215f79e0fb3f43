#include "formats/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "formats/source_text.h"

namespace pedigree {

void PickleMachine::refuse(std::string_view why) const {
  malformed("pickle-malformed", std::string(why), at_);
}

PickleRef PickleMachine::add(PickleNode node) {
  if (tree_.nodes_.size() >= limits_.pickle_nodes) {
    malformed("limit-exceeded",
              fmt::format("the pickle builds over {} values", limits_.pickle_nodes), at_);
  }
  tree_.nodes_.push_back(node);
  return static_cast<PickleRef>(tree_.nodes_.size() - 1);
}

void PickleMachine::push(PickleRef ref) {
  if (stack_.size() + marks_.size() >= limits_.pickle_stack) {
    malformed("limit-exceeded",
              fmt::format("the pickle stacks over {} values", limits_.pickle_stack), at_);
  }
  stack_.push_back(ref);
}

PickleRef PickleMachine::pop() {
  const PickleRef ref = top();
  stack_.pop_back();
  return ref;
}

PickleRef PickleMachine::top() const {
  if (stack_.size() <= floor()) refuse("the pickle takes a value that is not there");
  return stack_.back();
}

std::vector<PickleRef> PickleMachine::pop_mark() {
  if (marks_.empty()) refuse("the pickle goes back to a mark that was not set");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleRef> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleMachine::push_container(Kind kind, std::vector<PickleRef> items) {
  PickleNode node = {.kind = kind};
  if (!items.empty()) {
    count_items(items.size());
    node.items = static_cast<std::uint32_t>(tree_.lists_.size());
    tree_.lists_.push_back(std::move(items));
  }
  push(node);
}

void PickleMachine::extend(PickleRef container, std::span<const PickleRef> items) {
  if (items.empty()) return;
  count_items(items.size());
  PickleNode& node = tree_.nodes_[container];
  if (node.items == no_pickle_ref) {
    node.items = static_cast<std::uint32_t>(tree_.lists_.size());
    tree_.lists_.emplace_back();
  }
  std::vector<PickleRef>& list = tree_.lists_[node.items];
  list.insert(list.end(), items.begin(), items.end());
}

void PickleMachine::note_foreign(const PickleGlobal& global) {
  constexpr std::size_t most = 1000;
  if (reading_.foreign.size() >= most) return;
  if (foreign_.emplace(global.module, global.name).second) reading_.foreign.push_back(global);
}

// A container may be taken up into others by two bytes: what they hold together is bounded.
void PickleMachine::count_items(std::size_t items) {
  items_ += items;
  if (items_ <= limits_.pickle_operations) return;
  malformed("limit-exceeded",
            fmt::format("the pickle's containers hold over {} items", limits_.pickle_operations),
            at_);
}

void PickleMachine::count_text(std::size_t bytes) {
  kept_bytes_ += bytes;
  if (kept_bytes_ <= limits_.header_bytes) return;
  malformed("limit-exceeded",
            fmt::format("the pickle's texts have over {} bytes", limits_.header_bytes), at_);
}

void PickleMachine::push_global(std::string module, std::string name) {
  constexpr std::size_t longest = 4096;
  if (module.size() + name.size() > longest) refuse("a global's name is too long for one");
  count_text(sizeof(PickleGlobal) + module.size() + name.size());
  PickleGlobal global = {.module = std::move(module), .name = std::move(name), .offset = at_};
  global.meaning = pickle_name(global.module, global.name);
  if (global.meaning == PickleName::foreign) note_foreign(global);
  const auto place = static_cast<std::uint32_t>(tree_.globals_.size());
  tree_.globals_.push_back(std::move(global));
  push(PickleNode{.kind = Kind::global, .place = place});
}

void PickleMachine::memoize(std::uint64_t index) {
  if (index >= limits_.pickle_nodes) {
    malformed("limit-exceeded", "the pickle's memo is numbered beyond the limit", at_);
  }
  if (index >= memo_.size()) memo_.resize(static_cast<std::size_t>(index) + 1, no_pickle_ref);
  PickleRef& place = memo_[static_cast<std::size_t>(index)];
  if (place == no_pickle_ref) ++memo_count_;
  place = top();
}

// Python numbers it by how many values the memo holds, which an odd PUT before it may
// have set apart from the highest number.
void PickleMachine::memoize_next() { memoize(memo_count_); }

void PickleMachine::recall(std::uint64_t index) {
  if (index >= memo_.size() || memo_[static_cast<std::size_t>(index)] == no_pickle_ref) {
    refuse("the pickle recalls a value it did not keep");
  }
  push(memo_[static_cast<std::size_t>(index)]);
}

void PickleMachine::mark() {
  if (stack_.size() + marks_.size() >= limits_.pickle_stack) {
    malformed("limit-exceeded",
              fmt::format("the pickle stacks over {} marks", limits_.pickle_stack), at_);
  }
  marks_.push_back(stack_.size());
}

void PickleMachine::pop_one() {
  if (stack_.size() > floor()) {
    stack_.pop_back();
  } else if (!marks_.empty()) {
    marks_.pop_back();
  } else {
    refuse("the pickle takes a value that is not there");
  }
}

void PickleMachine::protocol() {
  if (cursor_.u8() > 5) refuse("the pickle's protocol is beyond 5");
}

void PickleMachine::frame() {
  if (cursor_.little_endian(8) > cursor_.remaining()) refuse("a frame is longer than the pickle");
}

template <std::size_t Count>
void PickleMachine::tuple() {
  std::vector<PickleRef> items(Count);
  for (std::size_t i = Count; i-- > 0;) items[i] = pop();
  push_container(Kind::tuple, std::move(items));
}

void PickleMachine::dict_from_mark() {
  std::vector<PickleRef> items = pop_mark();
  if (items.size() % 2 != 0) refuse("a dictionary has a key without a value");
  push_container(Kind::dict, std::move(items));
}

void PickleMachine::append() {
  const PickleRef item = pop();
  extend(top(), std::span(&item, 1));
}

void PickleMachine::appends() {
  const std::vector<PickleRef> items = pop_mark();
  extend(top(), items);
}

void PickleMachine::set_item() {
  const PickleRef value = pop();
  const PickleRef key = pop();
  const std::array<PickleRef, 2> pair = {key, value};
  extend(top(), pair);
}

void PickleMachine::set_items() {
  const std::vector<PickleRef> items = pop_mark();
  if (items.size() % 2 != 0) refuse("a dictionary has a key without a value");
  extend(top(), items);
}

void PickleMachine::global_lines() {
  std::string module(cursor_.line());
  std::string name(cursor_.line());
  push_global(std::move(module), std::move(name));
}

void PickleMachine::global_from_stack() {
  const PickleRef name = pop();
  const PickleRef module = pop();
  if (!tree_.is(name, Kind::text) || !tree_.is(module, Kind::text)) {
    refuse("a global's name is not text");
  }
  push_global(std::string(tree_.text(module)), std::string(tree_.text(name)));
}

void PickleMachine::instance() {
  std::string module(cursor_.line());
  std::string name(cursor_.line());
  push_container(Kind::tuple, pop_mark());
  const PickleRef arguments = pop();
  push_global(std::move(module), std::move(name));
  call(pop(), arguments);
}

void PickleMachine::object_from_mark() {
  std::vector<PickleRef> items = pop_mark();
  if (items.empty()) refuse("an object has no class");
  const PickleRef callee = items.front();
  items.erase(items.begin());
  push_container(Kind::tuple, std::move(items));
  call(callee, pop());
}

// A number that copyreg's registry of the loading program turns into a name.
template <std::size_t Width>
void PickleMachine::extension() {
  push_global("copyreg", fmt::format("extension {}", cursor_.little_endian(Width)));
}

// OrderedDict([(key, value), …]) as Python 2 wrote it.
std::vector<PickleRef> PickleMachine::pairs_of(PickleRef arguments) {
  const auto outer = tree_.items(arguments);
  if (outer.size() != 1) return {};
  count_items(tree_.items(outer[0]).size());
  std::vector<PickleRef> items;
  for (const PickleRef pair : tree_.items(outer[0])) {
    const auto both = tree_.items(pair);
    if (both.size() == 2) items.insert(items.end(), both.begin(), both.end());
  }
  return items;
}

void PickleMachine::call(PickleRef callee, PickleRef arguments) {
  if (!tree_.is(callee, Kind::global)) {
    note_foreign({.module = {}, .name = "a computed function", .offset = at_});
  }
  if (tree_.meaning(callee) == PickleName::mapping) {
    return push_container(Kind::dict, pairs_of(arguments));
  }
  push(PickleNode{.kind = Kind::call, .first = callee, .second = arguments});
}

void PickleMachine::make_object(PickleRef cls, PickleRef arguments) {
  if (tree_.meaning(cls) == PickleName::mapping) {
    return push_container(Kind::dict, pairs_of(arguments));
  }
  if (!tree_.is(cls, Kind::global)) {
    note_foreign({.module = {}, .name = "a computed class", .offset = at_});
  }
  push(PickleNode{.kind = Kind::object, .first = cls, .second = arguments});
}

void PickleMachine::reduce() {
  const PickleRef arguments = pop();
  call(pop(), arguments);
}

void PickleMachine::new_object() {
  const PickleRef arguments = pop();
  make_object(pop(), arguments);
}

void PickleMachine::new_object_with_keywords() {
  pop();
  new_object();
}

void PickleMachine::build() {
  const PickleRef state = pop();
  if (const PickleGlobal* changed = tree_.global(top())) {
    note_foreign({.module = changed->module,
                  .name = changed->name + " (its attributes are set)",
                  .offset = at_});
  }
  tree_.nodes_[top()].state = state;
}

void PickleMachine::persistent() {
  const PickleRef id = pop();
  push(PickleNode{.kind = Kind::persistent, .first = id});
}

void PickleMachine::persistent_line() {
  push_text(Kind::text, std::string(cursor_.line()));
  persistent();
}

void PickleMachine::buffer() { refuse("the pickle wants a buffer that lies outside of it"); }

void PickleMachine::add_structure_steps(Steps& steps) {
  using M = PickleMachine;
  using Row = std::pair<char, Step>;
  constexpr std::array rows = {Row{'(', &M::mark},
                               Row{'.', &M::stop},
                               Row{'0', &M::pop_one},
                               Row{'1', &M::pop_to_mark},
                               Row{'2', &M::duplicate},
                               Row{'\x80', &M::protocol},
                               Row{'\x95', &M::frame},
                               Row{'g', &M::get_line},
                               Row{'h', &M::get<1>},
                               Row{'j', &M::get<4>},
                               Row{'p', &M::put_line},
                               Row{'q', &M::put<1>},
                               Row{'r', &M::put<4>},
                               Row{'\x94', &M::memoize_next},
                               Row{')', &M::empty<Kind::tuple>},
                               Row{']', &M::empty<Kind::list>},
                               Row{'}', &M::empty<Kind::dict>},
                               Row{'\x8f', &M::empty<Kind::set>},
                               Row{'t', &M::from_mark<Kind::tuple>},
                               Row{'l', &M::from_mark<Kind::list>},
                               Row{'\x91', &M::from_mark<Kind::set>},
                               Row{'d', &M::dict_from_mark},
                               Row{'\x85', &M::tuple<1>},
                               Row{'\x86', &M::tuple<2>},
                               Row{'\x87', &M::tuple<3>},
                               Row{'a', &M::append},
                               Row{'e', &M::appends},
                               Row{'\x90', &M::add_items},
                               Row{'s', &M::set_item},
                               Row{'u', &M::set_items},
                               Row{'c', &M::global_lines},
                               Row{'\x93', &M::global_from_stack},
                               Row{'i', &M::instance},
                               Row{'o', &M::object_from_mark},
                               Row{'\x82', &M::extension<1>},
                               Row{'\x83', &M::extension<2>},
                               Row{'\x84', &M::extension<4>},
                               Row{'R', &M::reduce},
                               Row{'\x81', &M::new_object},
                               Row{'\x92', &M::new_object_with_keywords},
                               Row{'b', &M::build},
                               Row{'Q', &M::persistent},
                               Row{'P', &M::persistent_line},
                               Row{'\x97', &M::buffer},
                               Row{'\x98', &M::read_only}};
  for (const auto& [code, step] : rows) steps[static_cast<unsigned char>(code)] = step;
}

PickleMachine::Steps PickleMachine::make_steps() {
  Steps steps = {};
  add_structure_steps(steps);
  add_literal_steps(steps);
  return steps;
}

void PickleMachine::run() {
  static const Steps steps = make_steps();
  for (std::uint64_t count = 0; !stopped_; ++count) {
    at_ = cursor_.offset();
    if (count == limits_.pickle_operations) {
      malformed("limit-exceeded",
                fmt::format("the pickle has over {} instructions", limits_.pickle_operations), at_);
    }
    const std::uint8_t code = cursor_.u8();
    if (steps[code] == nullptr) refuse(fmt::format("no pickle instruction has the code {}", code));
    (this->*steps[code])();
  }
  reading_.root = pop();
}

}  // namespace pedigree
