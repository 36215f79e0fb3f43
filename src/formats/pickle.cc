#include "formats/pickle.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "formats/pickle_machine.h"
#include "formats/source_text.h"

namespace pedigree {

std::span<const PickleRef> PickleTree::items(PickleRef ref) const {
  if (ref >= nodes_.size() || nodes_[ref].items == no_pickle_ref) return {};
  return lists_[nodes_[ref].items];
}

std::string_view PickleTree::text(PickleRef ref) const {
  if (ref >= nodes_.size() || nodes_[ref].kind == Kind::global) return {};
  return nodes_[ref].place == no_pickle_ref ? std::string_view() : texts_[nodes_[ref].place];
}

std::optional<std::uint64_t> PickleTree::size(PickleRef ref) const {
  if (!is(ref, Kind::integer) || nodes_[ref].number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(nodes_[ref].number);
}

Extent PickleTree::bytes(PickleRef ref) const {
  if (!is(ref, Kind::bytes) && !is(ref, Kind::text)) return {};
  return nodes_[ref].first == no_pickle_ref ? Extent() : extents_[nodes_[ref].first];
}

const PickleGlobal* PickleTree::global(PickleRef ref) const {
  return is(ref, Kind::global) ? &globals_[nodes_[ref].place] : nullptr;
}

PickleName PickleTree::meaning(PickleRef ref) const {
  if (is(ref, Kind::call) || is(ref, Kind::object)) ref = nodes_[ref].first;
  const PickleGlobal* found = global(ref);
  return found == nullptr ? PickleName::foreign : found->meaning;
}

PickleReading read_pickle(const Source& source, Extent extent, const Limits& limits) {
  PickleReading reading;
  PickleMachine machine(source, extent, limits, reading);
  try {
    machine.run();
  } catch (Malformed& stop) {
    const std::string_view code = stop.problem.code;
    if (code != "pickle-malformed" && code != "limit-exceeded") throw;
    reading.broken = std::move(stop.problem);
  }
  reading.end = machine.offset();
  return reading;
}

std::vector<Problem> pickle_problems(const PickleReading& reading) {
  constexpr std::size_t most = 20;
  std::vector<Problem> problems;
  for (const PickleGlobal& global : reading.foreign) {
    if (problems.size() == most) {
      problems.push_back(make_problem(
          "pickle-global", {},
          fmt::format("{} more names are none that weights need", reading.foreign.size() - most)));
      break;
    }
    problems.push_back(
        make_problem("pickle-global", {},
                     fmt::format("loading this pickle imports or calls {}, which no weights need",
                                 quoted(percent_escaped(global.full_name()))),
                     global.offset));
  }
  if (reading.broken) problems.push_back(*reading.broken);
  return problems;
}

}  // namespace pedigree
