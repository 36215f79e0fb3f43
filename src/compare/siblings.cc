#include "compare/siblings.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>

#include "compare/kin_pair.h"
#include "compare/pairing.h"
#include "compare/third_model.h"

namespace pedigree {
namespace {

bool shares_weights(const Comparison& comparison) { return comparison.verdict.derived == "yes"; }

// The subject was made from the base and from nothing else.
bool was_made_from(const Comparison& comparison) {
  return comparison.verdict.direction == "base-is-parent" && is_copy(comparison);
}

class Siblings {
 public:
  Siblings(const std::vector<BaseAtHand>& bases, const CompareBases& compare_bases)
      : bases_(bases), compare_bases_(compare_bases) {}

  void tell() {
    for (std::size_t i = 0; i < bases_.size(); ++i) {
      const Comparison& comparison = *bases_[i].comparison;
      const bool open = comparison.verdict.direction == "undetermined" ||
                        (comparison.verdict.direction == "base-is-parent" && !is_copy(comparison));
      if (shares_weights(comparison) && open) decide(i);
    }
    for (const auto& [place, answer] : answers_) {
      Verdict& verdict = bases_[place].comparison->verdict;
      verdict.direction = answer.direction;
      verdict.direction_because = answer.because;
    }
  }

 private:
  struct Answer {
    std::string direction = {};
    std::string because = {};
  };

  void decide(std::size_t place) {
    for (std::size_t third = 0; third < bases_.size(); ++third) {
      if (third == place || !shares_weights(*bases_[third].comparison)) continue;
      auto answer = was_made_from(*bases_[third].comparison) ? by_making(place, third)
                                                             : by_training(place, third);
      if (!answer) continue;
      const bool settled = answer->direction == "siblings";
      answers_[place] = std::move(*answer);
      if (settled) return;
    }
  }

  // The subject holds what `third` holds and nothing else. Does the base, too?
  std::optional<Answer> by_making(std::size_t place, std::size_t third) const {
    const Comparison& own = *bases_[place].comparison;
    const std::string& parent = bases_[third].comparison->base;
    const Comparison between = compare_bases_(place, third);
    if (shares_weights(between) && was_made_from(between)) {
      return Answer{.direction = "siblings",
                    .because = fmt::format("both hold what {} holds and nothing else, so each was "
                                           "made from it",
                                           parent)};
    }
    if (own.verdict.direction != "base-is-parent") return std::nullopt;
    return Answer{.direction = "undetermined",
                  .because = fmt::format(
                      "{} holds all that {} was made from; whether {} came before {} is open",
                      parent, own.subject, own.base, parent)};
  }

  std::optional<Answer> by_training(std::size_t place, std::size_t third) const {
    const BaseAtHand& base = bases_[place];
    const BaseAtHand& middle = bases_[third];
    if (base.comparison->verdict.direction != "undetermined" ||
        !same_places(*base.subject, *middle.subject) || !same_places(*base.base, *middle.base) ||
        !same_places(*base.subject, *base.base)) {
      return std::nullopt;
    }
    const auto pair = [](const Fingerprint& a, const Fingerprint& b) {
      return kin_pair(0, 1, {}, kinship_of(a, b, identity_map(a, b)));
    };
    const ThirdModel seen =
        third_model(pair(*middle.subject, *middle.base), pair(*base.base, *middle.base),
                    pair(*base.subject, *base.base));
    if (!seen.siblings) return std::nullopt;
    return Answer{
        .direction = "siblings",
        .because = fmt::format(
            "{} stands between them: it holds {} sampled rows with {} alone, {} with {} alone, and "
            "lacks none that these two hold alike; and both moved away from it (their changes have "
            "cosine {:.2f} in the head, {:.2f} in the layers)",
            middle.comparison->base, seen.rows_with_first, base.comparison->subject,
            seen.rows_with_second, base.comparison->base, seen.head_cosine, seen.body_cosine)};
  }

  const std::vector<BaseAtHand>& bases_;
  const CompareBases& compare_bases_;
  std::map<std::size_t, Answer> answers_;
};

}  // namespace

void tell_siblings(const std::vector<BaseAtHand>& bases, const CompareBases& compare_bases) {
  if (bases.size() > 1) Siblings(bases, compare_bases).tell();
}

}  // namespace pedigree
