#include "compare/tokenizer_relation.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "model/token_bytes.h"

namespace pedigree {
namespace {

constexpr std::size_t most_shown = 4;
constexpr std::size_t longest_shown = 40;

// What the tokens stand for, by id, up to the last that is spelled.
std::vector<std::string> spelled_bytes(const Tokenizer& tokenizer) {
  std::vector<std::string> bytes(tokenizer.tokens.size());
  std::ranges::transform(tokenizer.tokens, bytes.begin(), [&](const std::string& token) {
    return token_bytes(token, tokenizer.spelling);
  });
  while (!bytes.empty() && bytes.back().empty()) bytes.pop_back();
  return bytes;
}

using Places = std::unordered_map<std::string_view, std::uint64_t>;

Places places_of(const std::vector<std::string>& bytes) {
  Places places;
  places.reserve(bytes.size());
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty()) places.emplace(bytes[id], id);
  }
  return places;
}

std::string shown_token(const std::string& bytes) {
  std::string text = shown(percent_escaped(bytes.substr(0, longest_shown)));
  return bytes.size() > longest_shown ? text + "…" : text;
}

class Relating {
 public:
  Relating(const Tokenizer& subject, const Tokenizer& base)
      : subject_(subject),
        base_(base),
        mine_(spelled_bytes(subject)),
        theirs_(spelled_bytes(base)) {}

  TokenizerRelation relate() {
    result_.subject_tokens = mine_.size();
    result_.base_tokens = theirs_.size();
    compare_ids();
    compare_sets();
    result_.relation = name_relation();
    note_appended();
    compare_merges();
    compare_special();
    compare_templates();
    return std::move(result_);
  }

 private:
  void compare_ids() {
    const std::size_t both = std::min(mine_.size(), theirs_.size());
    for (std::size_t id = 0; id < both; ++id) {
      if (mine_[id].empty() || theirs_[id].empty()) continue;
      if (mine_[id] == theirs_[id]) {
        ++result_.same_ids;
        continue;
      }
      ++conflicts_;
      if (!is_added(subject_, id) && !is_added(base_, id)) ++ordinary_conflicts_;
      if (result_.changed_ids.size() < most_shown) result_.changed_ids.push_back(id);
    }
  }

  static bool is_added(const Tokenizer& tokenizer, std::size_t id) {
    return std::ranges::binary_search(tokenizer.added_ids, static_cast<std::uint32_t>(id));
  }

  void compare_sets() {
    const Places mine = places_of(mine_);
    const Places theirs = places_of(theirs_);
    for (const auto& [token, id] : mine) result_.common += theirs.contains(token) ? 1U : 0U;
    distinct_mine_ = mine.size();
    distinct_theirs_ = theirs.size();
    result_.smaller = std::min(distinct_mine_, distinct_theirs_);
  }

  std::string name_relation() {
    // Two lists whose spelled ids lie beside each other agree in nothing.
    const bool aligned = 2 * result_.same_ids >= std::min(spelled(mine_), spelled(theirs_));
    if (aligned && conflicts_ == 0) {
      if (mine_.size() == theirs_.size()) return "identical";
      return mine_.size() > theirs_.size() ? "extended" : "truncated";
    }
    if (aligned && ordinary_conflicts_ == 0) return "respecialed";
    result_.changed_ids.clear();
    const bool all_mine = result_.common == distinct_mine_;
    const bool all_theirs = result_.common == distinct_theirs_;
    if (all_mine && all_theirs) return "reordered";
    if (all_mine) return "subset";
    if (all_theirs) return "superset";
    if (10 * result_.common >= 9 * result_.smaller) return "overlapping";
    return subject_.kind == base_.kind ? "retrained" : "different";
  }

  static std::uint64_t spelled(const std::vector<std::string>& bytes) {
    const auto unspelled = std::ranges::count_if(bytes, &std::string::empty);
    return bytes.size() - static_cast<std::uint64_t>(unspelled);
  }

  void note_appended() {
    if (result_.relation != "extended" && result_.relation != "truncated") return;
    const auto& longer = mine_.size() > theirs_.size() ? mine_ : theirs_;
    result_.first_appended = std::min(mine_.size(), theirs_.size());
    result_.appended = longer.size() - result_.first_appended;
    for (std::size_t id = result_.first_appended;
         id < longer.size() && result_.shown_tokens.size() < most_shown; ++id) {
      if (!longer[id].empty()) result_.shown_tokens.push_back(shown_token(longer[id]));
    }
  }

  void compare_merges() {
    const auto& mine = subject_.merge_hashes;
    const auto& theirs = base_.merge_hashes;
    if (mine.empty() || theirs.empty()) return;
    if (subject_.merges_digest == base_.merges_digest) {
      result_.merges = "equal";
    } else if (mine.size() > theirs.size() &&
               std::equal(theirs.begin(), theirs.end(), mine.begin())) {
      result_.merges = "extended";
    } else if (mine.size() < theirs.size() &&
               std::equal(mine.begin(), mine.end(), theirs.begin())) {
      result_.merges = "truncated";
    } else {
      result_.merges = "different";
    }
  }

  void compare_special() {
    if (subject_.added_ids.empty() || base_.added_ids.empty()) return;
    const bool equal = subject_.added_ids == base_.added_ids &&
                       std::ranges::all_of(subject_.added_ids, [&](std::uint32_t id) {
                         return text_at(mine_, id) == text_at(theirs_, id);
                       });
    result_.special_tokens = equal ? "equal" : "different";
  }

  static std::string_view text_at(const std::vector<std::string>& bytes, std::uint32_t id) {
    return id < bytes.size() ? std::string_view(bytes[id]) : std::string_view();
  }

  void compare_templates() {
    const auto& mine = subject_.chat_template;
    const auto& theirs = base_.chat_template;
    if (mine && theirs) {
      result_.chat_template = mine->digest == theirs->digest ? "equal" : "different";
    } else if (mine || theirs) {
      result_.chat_template = mine ? "subject-only" : "base-only";
    }
  }

  const Tokenizer& subject_;
  const Tokenizer& base_;
  std::vector<std::string> mine_;
  std::vector<std::string> theirs_;
  std::uint64_t conflicts_ = 0;
  std::uint64_t ordinary_conflicts_ = 0;
  std::uint64_t distinct_mine_ = 0;
  std::uint64_t distinct_theirs_ = 0;
  TokenizerRelation result_;
};

std::string appended_in_words(const TokenizerRelation& it) {
  const std::uint64_t last = it.first_appended + it.appended - 1;
  const std::string ids = it.appended == 1 ? fmt::format("id {}", it.first_appended)
                                           : fmt::format("ids {} to {}", it.first_appended, last);
  const std::string more = it.appended > it.shown_tokens.size() ? ", …" : "";
  return fmt::format("{} {}: {}{}",
                     it.appended == 1 ? "1 token," : fmt::format("{} tokens,", it.appended), ids,
                     fmt::join(it.shown_tokens, ", "), more);
}

std::string shares_in_words(const TokenizerRelation& it) {
  return fmt::format("{} of the smaller's {} distinct tokens are in both, {} under the same id",
                     it.common, it.smaller, it.same_ids);
}

std::string main_in_words(const TokenizerRelation& it) {
  const std::string sizes = fmt::format("{} against {} tokens", it.subject_tokens, it.base_tokens);
  if (it.relation == "identical") {
    return fmt::format("The same {} tokens in the same order", it.subject_tokens);
  }
  if (it.relation == "extended") {
    return fmt::format("The subject's is the base's, extended by {}", appended_in_words(it));
  }
  if (it.relation == "truncated") {
    return fmt::format("The subject's is the base's without its last {}", appended_in_words(it));
  }
  if (it.relation == "respecialed") {
    return fmt::format("Special and added tokens differ, from id {} on, and no others ({})",
                       it.changed_ids.empty() ? 0 : it.changed_ids.front(), sizes);
  }
  if (it.relation == "reordered") {
    return fmt::format("The same {} tokens under other ids", it.common);
  }
  if (it.relation == "subset") {
    return fmt::format("All tokens of the subject are the base's, under other ids ({})", sizes);
  }
  if (it.relation == "superset") {
    return fmt::format("All tokens of the base are the subject's, under other ids ({})", sizes);
  }
  if (it.relation == "overlapping") {
    return fmt::format("The vocabularies overlap without being one ({}): {}", sizes,
                       shares_in_words(it));
  }
  return fmt::format("{} ({}): {}",
                     it.relation == "retrained" ? "Different vocabularies of one kind"
                                                : "Different kinds of vocabulary",
                     sizes, shares_in_words(it));
}

}  // namespace

TokenizerRelation relate_tokenizers(const Tokenizer& subject, const Tokenizer& base) {
  return Relating(subject, base).relate();
}

std::string tokenizer_relation_answer(const TokenizerRelation& relation) {
  const std::string& name = relation.relation;
  if (name == "identical" || name == "extended" || name == "truncated" || name == "respecialed") {
    return "yes";
  }
  // A sketch could not tell these apart from strangers' either: rows do not correspond.
  const bool most = 10 * relation.common >= 9 * relation.smaller;
  return most && 2 * relation.same_ids >= relation.common ? "inconclusive" : "no";
}

std::string tokenizer_relation_in_words(const TokenizerRelation& relation) {
  std::string text = main_in_words(relation);
  // Between strangers nobody expects the merges to agree.
  const bool is_one = tokenizer_relation_answer(relation) == "yes";
  if (is_one && relation.merges == "different") text += "; the merges differ";
  if (is_one && relation.merges == "extended") text += "; the merges begin with the base's";
  if (is_one && relation.merges == "truncated") text += "; the merges are the base's first";
  if (relation.special_tokens == "different" && relation.relation == "identical") {
    text += "; other tokens are marked special";
  }
  if (relation.chat_template == "different") text += "; the chat templates differ";
  if (relation.chat_template == "equal") text += "; the chat template is the same";
  if (relation.chat_template == "subject-only") text += "; only the subject has a chat template";
  if (relation.chat_template == "base-only") text += "; only the base has a chat template";
  return text + ".";
}

std::string names_in_words(const Tokenizer& subject, const Tokenizer& base) {
  const auto name = [](const Tokenizer& tokenizer) {
    const bool is_exact =
        !tokenizer.known.empty() && tokenizer.known.front().how != VocabularyMatch::How::resembling;
    return is_exact ? match_in_words(tokenizer.known.front()) : std::string();
  };
  const std::string mine = name(subject);
  const std::string theirs = name(base);
  if (mine == theirs) return mine.empty() ? "" : fmt::format(" Both are {}.", mine);
  std::string text;
  if (!mine.empty()) text += fmt::format(" The subject's is {}.", mine);
  if (!theirs.empty()) text += fmt::format(" The base's is {}.", theirs);
  return text;
}

}  // namespace pedigree
