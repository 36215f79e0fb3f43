// Which families explain a set of tensors best: by names first, which is cheap, and by shapes
// for those that may win.
#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/families_match.h"
#include "model/families_names.h"
#include "model/families_patterns.h"

namespace pedigree {
namespace {

struct WrappedMatch {
  MatchedTensor matched;
  std::string wrapper;
  std::size_t frequency = 0;  // of the wrapper
};

// Of several tensors with one meaning (a model beside its averaged copy, say)
// the one stays whose wrapper is the most frequent.
std::vector<WrappedMatch> without_doubles(std::span<const NamedMatch> named,
                                          std::span<const CoreName> names) {
  std::vector<WrappedMatch> matches;
  matches.reserve(named.size());
  for (const NamedMatch& match : named) {
    matches.push_back({.matched = match.matched,
                       .wrapper = wrapper_of(names[match.matched.tensor], *match.name)});
  }
  std::map<std::string_view, std::size_t> frequency;
  for (const WrappedMatch& match : matches) ++frequency[match.wrapper];
  for (WrappedMatch& match : matches) match.frequency = frequency[match.wrapper];
  frequency.clear();  // its keys move with the matches
  const auto meaning = [](const WrappedMatch& match) {
    return std::tuple(match.matched.layer, match.matched.as, match.matched.expert);
  };
  std::ranges::sort(matches, std::ranges::less(), [&](const WrappedMatch& match) {
    return std::tuple(meaning(match), std::numeric_limits<std::size_t>::max() - match.frequency,
                      std::string_view(match.wrapper), match.matched.tensor);
  });
  const auto doubles = std::ranges::unique(matches, {}, meaning);
  matches.erase(doubles.begin(), doubles.end());
  return matches;
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double completeness_of(const Family& family, std::span<const MatchedTensor> matched) {
  std::set<const FamilyTensor*> seen;
  for (const MatchedTensor& one : matched) seen.insert(one.as);
  std::uint64_t required = 0;
  std::uint64_t found = 0;
  for (const FamilyTensor& tensor : family.tensors) {
    if (tensor.optional) continue;
    ++required;
    if (seen.contains(&tensor)) ++found;
  }
  return share(found, required);
}

// What names alone say of a family's spelling: no share is larger once shapes are seen.
struct Candidate {
  std::size_t family = 0;
  const Family* spelling = nullptr;
  NameMatches names = {};
  double explained = 0;
  double completeness = 0;

  auto most() const { return std::pair(explained, completeness); }
};

double completeness_of(const Family& family, std::span<const NamedMatch> named) {
  std::vector<MatchedTensor> matched;
  matched.reserve(named.size());
  for (const NamedMatch& match : named) matched.push_back(match.matched);
  return completeness_of(family, matched);
}

// How much there is to explain.
struct Whole {
  explicit Whole(std::span<const StoredTensor> stored) : tensors(stored.size()) {
    for (const StoredTensor& tensor : stored) bytes += tensor.entry.extent.size();
  }

  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
};

void add_candidates(std::vector<Candidate>& result, std::span<const Family> spellings,
                    std::vector<NameMatches> matches, std::span<const StoredTensor> stored) {
  const Whole whole(stored);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    Candidate one = {.family = i, .spelling = &spellings[i], .names = std::move(matches[i])};
    std::uint64_t bytes = 0;
    const auto size = [&](std::size_t tensor) { return stored[tensor].entry.extent.size(); };
    for (const NamedMatch& match : one.names.tensors) bytes += size(match.matched.tensor);
    for (const std::size_t buffer : one.names.buffers) bytes += size(buffer);
    const double count = share(one.names.tensors.size() + one.names.buffers.size(), whole.tensors);
    one.explained = (count + (whole.bytes == 0 ? count : share(bytes, whole.bytes))) / 2;
    one.completeness = completeness_of(*one.spelling, one.names.tensors);
    result.push_back(std::move(one));
  }
}

// Every family under its own names and, where such names are there at all, as GGUF files
// spell it; the most promising first.
std::vector<Candidate> candidates_by_name(std::span<const StoredTensor> stored,
                                          std::span<const CoreName> names) {
  static const SpellingIndex own(families());
  static const SpellingIndex graph(graph_families());
  const bool by_graph = std::ranges::any_of(
      stored, [](const StoredTensor& tensor) { return tensor.use.has_value(); });
  std::vector<Candidate> result;
  result.reserve(2 * families().size());
  add_candidates(result, by_graph ? graph_families() : families(),
                 (by_graph ? graph : own).match(names), stored);
  const bool in_gguf = std::ranges::any_of(names, [](const CoreName& name) {
    return name.core.starts_with("blk.{}.") || name.core.starts_with("token_embd.");
  });
  if (in_gguf) {
    static const SpellingIndex gguf(gguf_families());
    add_candidates(result, gguf_families(), gguf.match(names), stored);
  }
  std::ranges::stable_sort(result, std::ranges::greater(), &Candidate::most);
  return result;
}

// Which of the tensors a family's names mean have the shapes it gives them.
class ShapesConfirmed {
 public:
  ShapesConfirmed(std::span<const StoredTensor> stored, std::span<const MatchedTensor> by_name)
      : stored_(stored), sizes_(stored, by_name) {}

  bool operator()(const MatchedTensor& matched) const {
    return sizes_.confirms(matched, stored_[matched.tensor]);
  }

 private:
  std::span<const StoredTensor> stored_;
  Sizes sizes_;
};

std::vector<MatchedTensor> matched_of(std::span<const WrappedMatch> unique) {
  std::vector<MatchedTensor> matched;
  matched.reserve(unique.size());
  for (const WrappedMatch& match : unique) matched.push_back(match.matched);
  return matched;
}

// `by_name` goes with `unique`, one by one.
template <class IsBelieved>
FamilyMatch match_of(const Candidate& candidate, std::span<const StoredTensor> stored,
                     std::span<const WrappedMatch> unique, std::span<const MatchedTensor> by_name,
                     const IsBelieved& is_believed) {
  const Family& family = *candidate.spelling;

  const Whole whole(stored);
  FamilyMatch result = {.family = &families()[candidate.family], .spelling = &family};
  std::uint64_t bytes = 0;
  for (const std::size_t i : candidate.names.buffers) bytes += stored[i].entry.extent.size();
  std::set<std::string> wrappers;
  for (std::size_t i = 0; i < unique.size(); ++i) {
    const StoredTensor& tensor = stored[by_name[i].tensor];
    if (!is_believed(by_name[i])) continue;
    bytes += tensor.entry.extent.size();
    result.matched.push_back(by_name[i]);
    if (!unique[i].wrapper.empty()) wrappers.insert(unique[i].wrapper);
  }
  result.wrappers.assign(wrappers.begin(), wrappers.end());
  result.count_share = share(result.matched.size() + candidate.names.buffers.size(), whole.tensors);
  result.byte_share = whole.bytes == 0 ? result.count_share : share(bytes, whole.bytes);
  result.completeness = completeness_of(family, result.matched);
  return result;
}

FamilyMatch match_shapes(const Candidate& candidate, std::span<const StoredTensor> stored,
                         std::span<const CoreName> names) {
  const std::vector<WrappedMatch> unique = without_doubles(candidate.names.tensors, names);
  std::vector<MatchedTensor> by_name = matched_of(unique);
  put_experts_right(stored, by_name);
  return match_of(candidate, stored, unique, by_name, ShapesConfirmed(stored, by_name));
}

bool says_type(const ConfigFacts& config, const Family& family) {
  const auto says = [&](const std::string& type) {
    return !type.empty() && std::ranges::find(family.model_types, type) != family.model_types.end();
  };
  return says(config.model_type) || says(config.nested_model_type);
}

auto rank_of(const FamilyMatch& match, const ConfigFacts& config) {
  const Family& family = *match.spelling;
  const auto asked = std::ranges::count(family.tensors, false, &FamilyTensor::optional);
  return std::tuple(-match.explained(), -match.completeness, !says_type(config, family), -asked,
                    family.norm_plus_one, !family.reference, std::string_view(family.id));
}

// The two best families so far, as far as explaining goes.
class Leaders {
 public:
  bool outdo(const Candidate& candidate) const {
    return leaders_.size() == 2 && leaders_.back().first > candidate.most();
  }

  void add(const FamilyMatch& match) {
    const std::pair explains(match.explained(), match.completeness);
    const auto same = std::ranges::find(leaders_, match.family, &Leader::second);
    if (same != leaders_.end()) {
      same->first = std::max(same->first, explains);
    } else {
      leaders_.emplace_back(explains, match.family);
    }
    std::ranges::stable_sort(leaders_, std::ranges::greater(), &Leader::first);
    if (leaders_.size() > 2) leaders_.pop_back();
  }

 private:
  using Leader = std::pair<std::pair<double, double>, const Family*>;
  std::vector<Leader> leaders_;
};

std::vector<CoreName> core_names(std::span<const StoredTensor> stored) {
  std::vector<CoreName> names;
  names.reserve(stored.size());
  for (const StoredTensor& tensor : stored) names.push_back(core_name(tensor.entry.name));
  return names;
}

// Best first, and of a family's two spellings the better.
void rank(std::vector<FamilyMatch>& matches, const ConfigFacts& config) {
  std::ranges::sort(matches, {}, [&](const FamilyMatch& match) { return rank_of(match, config); });
  std::set<const Family*> seen;
  std::erase_if(matches,
                [&](const FamilyMatch& match) { return !seen.insert(match.family).second; });
}

// The candidates that may win, matched by `match`, and ranked.
template <class Match>
std::vector<FamilyMatch> ranked(std::span<const StoredTensor> stored, const ConfigFacts& config,
                                const Match& match) {
  const std::vector<CoreName> names = core_names(stored);
  std::vector<FamilyMatch> result;
  Leaders leaders;
  for (const Candidate& candidate : candidates_by_name(stored, names)) {
    if (leaders.outdo(candidate) && !says_type(config, *candidate.spelling)) continue;
    result.push_back(match(candidate, names));
    leaders.add(result.back());
  }
  rank(result, config);
  return result;
}

}  // namespace

std::vector<FamilyMatch> rank_families_by_names(std::span<const StoredTensor> named,
                                                const ConfigFacts& config) {
  return ranked(named, config, [&](const Candidate& candidate, std::span<const CoreName> names) {
    const std::vector<WrappedMatch> unique = without_doubles(candidate.names.tensors, names);
    return match_of(candidate, named, unique, matched_of(unique),
                    [](const MatchedTensor&) { return true; });
  });
}

std::vector<FamilyMatch> rank_families(std::span<const StoredTensor> stored,
                                       const ConfigFacts& config) {
  return ranked(stored, config, [&](const Candidate& candidate, std::span<const CoreName> names) {
    return match_shapes(candidate, stored, names);
  });
}

}  // namespace pedigree
