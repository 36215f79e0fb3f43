#include "model/known_vocabularies.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "model/vocabulary_sketch.h"

namespace pedigree {
namespace {

using How = VocabularyMatch::How;

// Vocabularies trained apart share up to 0.60 of all their tokens (GPT-2's and Falcon's, of
// the table's 561 pairs), known within 0.03: below this no likeness is worth a name.
constexpr double least_resemblance = 0.7;
constexpr std::size_t most_resembling = 2;

// Rows are ours; what is wrong with one is thrown to parse_known_vocabulary.
class RowReader {
 public:
  explicit RowReader(const JsonValue& root) : root_(root) {}

  KnownVocabulary read() const {
    if (text(root_, "schema") != "pedigree-vocabulary/1") fail("schema is not ours");
    KnownVocabulary row = {.id = text(root_, "id"),
                           .name = text(root_, "name"),
                           .kind = text(root_, "kind"),
                           .tokens = count("tokens"),
                           .digest = text(root_, "digest"),
                           .ordinary_tokens = count("ordinary_tokens"),
                           .ordinary_digest = text(root_, "ordinary_digest"),
                           .distinct = count("distinct"),
                           .set_digest = text(root_, "set_digest")};
    const JsonValue& sketch = member(root_, "sketch");
    const JsonValue& hashes = member(sketch, "hashes");
    const JsonValue& ids = member(sketch, "ids");
    row.hashes.resize(hashes.items.size());
    row.ids.resize(ids.items.size());
    std::ranges::transform(hashes.items, row.hashes.begin(), hex);
    std::ranges::transform(ids.items, row.ids.begin(), number);
    if (row.hashes.size() != row.ids.size() || !std::ranges::is_sorted(row.hashes)) {
      fail("the sketch is not in order");
    }
    const JsonValue& models = member(root_, "models");
    row.models.reserve(models.items.size());
    for (const JsonValue& model : models.items) {
      row.models.push_back(text(model, "name"));
    }
    return row;
  }

 private:
  [[noreturn]] static void fail(std::string message) {
    malformed("json-malformed", std::move(message));
  }

  static const JsonValue& member(const JsonValue& object, std::string_view key) {
    const JsonValue* value = object.find(key);
    if (value == nullptr) fail("there is no " + std::string(key));
    return *value;
  }

  static std::string text(const JsonValue& object, std::string_view key) {
    const auto value = member(object, key).as_string();
    if (!value || value->empty()) fail(std::string(key) + " is no text");
    return std::string(*value);
  }

  static std::uint64_t number(const JsonValue& value) {
    const auto whole = value.as_u64();
    if (!whole) fail("a count is no whole number");
    return *whole;
  }

  std::uint64_t count(std::string_view key) const { return number(member(root_, key)); }

  static std::uint64_t hex(const JsonValue& value) {
    const auto parsed = whole_number<std::uint64_t>(value.as_string().value_or(""), 16);
    if (!parsed) fail("a hash is not hexadecimal");
    return *parsed;
  }

  const JsonValue& root_;
};

std::vector<KnownVocabulary> embedded_table() {
  std::vector<KnownVocabulary> table;
  table.reserve(embedded_vocabularies().size());
  for (const EmbeddedFile& file : embedded_vocabularies()) {
    auto row = parse_known_vocabulary(file.text(), file.name);
    check(row.has_value(), row ? "" : row.error().message);
    check(row->id == file.name, "a vocabulary's file is not named for its id");
    table.push_back(*std::move(row));
  }
  std::ranges::sort(table, {}, &KnownVocabulary::id);
  return table;
}

std::vector<std::uint64_t> sizes_to_digest(const VocabularyExtent& extent) {
  std::set<std::uint64_t> sizes = {extent.tokens};
  for (const KnownVocabulary& row : known_vocabularies()) {
    if (row.tokens <= extent.tokens) sizes.insert(row.tokens);
    if (row.ordinary_tokens <= extent.ordinary) sizes.insert(row.ordinary_tokens);
  }
  return {sizes.begin(), sizes.end()};
}

const PrefixDigest* digest_at(std::span<const PrefixDigest> digests, std::uint64_t size) {
  const auto at = std::ranges::lower_bound(digests, size, {}, &PrefixDigest::tokens);
  return at != digests.end() && at->tokens == size ? &*at : nullptr;
}

VocabularyMatch match_of(const KnownVocabulary& row, How how) {
  return {.how = how, .id = row.id, .name = row.name, .tokens = row.tokens};
}

std::vector<VocabularyMatch> exact_matches(const VocabularyExtent& extent,
                                           std::span<const PrefixDigest> digests) {
  std::vector<VocabularyMatch> matches;
  for (const KnownVocabulary& row : known_vocabularies()) {
    const PrefixDigest* whole = digest_at(digests, row.tokens);
    const PrefixDigest* ordinary = digest_at(digests, row.ordinary_tokens);
    if (whole != nullptr && whole->all == row.digest) {
      VocabularyMatch match =
          match_of(row, row.tokens == extent.tokens ? How::identical : How::extended);
      match.added = extent.tokens - row.tokens;
      matches.push_back(std::move(match));
    } else if (ordinary != nullptr && row.ordinary_tokens == extent.ordinary &&
               ordinary->ordinary == row.ordinary_digest) {
      matches.push_back(match_of(row, How::ordinary));
    }
  }
  return matches;
}

struct Shared {
  std::size_t common = 0;
  std::size_t looked_at = 0;
  std::size_t same_ids = 0;
};

// Of the smallest hashes of the union, those in both: a sample of the union.
Shared shared_hashes(const VocabularySketch& mine, const KnownVocabulary& row) {
  Shared shared;
  std::size_t i = 0;
  std::size_t j = 0;
  const std::size_t limit = std::max(mine.hashes.size(), row.hashes.size());
  while (i < mine.hashes.size() && j < row.hashes.size() && shared.looked_at < limit) {
    ++shared.looked_at;
    if (mine.hashes[i] == row.hashes[j]) {
      ++shared.common;
      shared.same_ids += mine.ids[i] == row.ids[j] ? 1U : 0U;
      ++i;
      ++j;
    } else {
      (mine.hashes[i] < row.hashes[j] ? i : j) += 1;
    }
  }
  return shared;
}

VocabularyMatch estimate(const VocabularySketch& mine, const KnownVocabulary& row) {
  VocabularyMatch match = match_of(row, How::resembling);
  const Shared shared = shared_hashes(mine, row);
  const auto looked_at = static_cast<double>(shared.looked_at);
  match.resemblance = shared.looked_at == 0 ? 0 : static_cast<double>(shared.common) / looked_at;
  match.error = shared.looked_at == 0
                    ? 1
                    : std::sqrt(match.resemblance * (1 - match.resemblance) / looked_at);
  match.same_ids = shared.common == 0
                       ? 0
                       : static_cast<double>(shared.same_ids) / static_cast<double>(shared.common);
  return match;
}

std::size_t longest_sketch() {
  std::size_t longest = 0;
  for (const KnownVocabulary& row : known_vocabularies()) {
    longest = std::max(longest, row.hashes.size());
  }
  return longest;
}

std::vector<VocabularyMatch> inexact_matches(const Tokenizer& tokenizer) {
  const VocabularySketch sketch = sketch_vocabulary(tokenizer, longest_sketch());
  std::string set_digest;
  std::vector<VocabularyMatch> reordered;
  std::vector<VocabularyMatch> resembling;
  for (const KnownVocabulary& row : known_vocabularies()) {
    if (sketch.distinct == row.distinct && sketch.hashes == row.hashes) {
      if (set_digest.empty()) set_digest = vocabulary_set_digest(tokenizer);
      if (set_digest == row.set_digest) reordered.push_back(match_of(row, How::reordered));
    }
    VocabularyMatch match = estimate(sketch, row);
    if (match.resemblance >= least_resemblance) resembling.push_back(std::move(match));
  }
  if (!reordered.empty()) return reordered;
  std::ranges::stable_sort(resembling, std::greater(), &VocabularyMatch::resemblance);
  resembling.resize(std::min(resembling.size(), most_resembling));
  return resembling;
}

// The longest known beginning first; among equal ordinary tokens the plainest row.
void sort_best_first(std::vector<VocabularyMatch>& matches) {
  std::ranges::stable_sort(matches, [](const VocabularyMatch& one, const VocabularyMatch& other) {
    if (one.how != other.how) return one.how < other.how;
    return one.how == How::extended ? one.tokens > other.tokens : one.tokens < other.tokens;
  });
}

}  // namespace

Result<KnownVocabulary> parse_known_vocabulary(std::string_view text, std::string_view file) {
  const auto document = parse_json(text, file);
  if (!document) return std::unexpected(document.error());
  try {
    return RowReader(document->root).read();
  } catch (Malformed& stop) {
    stop.problem.file = std::string(file);
    return std::unexpected(std::move(stop.problem));
  }
}

std::span<const KnownVocabulary> known_vocabularies() {
  static const std::vector<KnownVocabulary> table = embedded_table();
  return table;
}

void find_known_vocabularies(Tokenizer& tokenizer) {
  const VocabularyExtent extent = vocabulary_extent(tokenizer);
  const std::vector<std::uint64_t> sizes = sizes_to_digest(extent);
  const std::vector<PrefixDigest> digests = prefix_digests(tokenizer, sizes);
  const PrefixDigest* whole = digest_at(digests, extent.tokens);
  tokenizer.bytes_digest = whole == nullptr ? "" : whole->all;
  tokenizer.known = exact_matches(extent, digests);
  sort_best_first(tokenizer.known);
  if (tokenizer.known.empty()) tokenizer.known = inexact_matches(tokenizer);
}

VocabularyMatch resemblance_to(const Tokenizer& tokenizer, const KnownVocabulary& known) {
  return estimate(sketch_vocabulary(tokenizer, known.hashes.size()), known);
}

}  // namespace pedigree
