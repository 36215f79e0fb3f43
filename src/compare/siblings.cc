#include "compare/siblings.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>

#include "compare/kin_pair.h"
#include "compare/kinship.h"
#include "compare/summary.h"
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
      Comparison& comparison = *bases_[place].comparison;
      comparison.verdict.direction = answer.direction;
      comparison.verdict.direction_because = answer.because;
      comparison.verdict.summary = summary_of(comparison, false, {});
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
    const Comparison& own = *bases_[place].comparison;
    const Side& subject = bases_[place].subject;
    const Side& base = bases_[place].base;
    const Side& middle = bases_[third].base;
    if (own.verdict.direction != "undetermined" ||
        !same_places(subject.sketch, bases_[third].subject.sketch) ||
        !same_places(subject.sketch, base.sketch) || !same_places(base.sketch, middle.sketch)) {
      return std::nullopt;
    }
    ThirdModel seen = third_model(kin_pair(subject.sketch, middle.sketch, {}),
                                  kin_pair(base.sketch, middle.sketch, {}),
                                  kin_pair(subject.sketch, base.sketch, {}));
    if (!seen.moved_apart()) return std::nullopt;
    if (subject.weights != nullptr && base.weights != nullptr && middle.weights != nullptr) {
      const auto rows = token_row_pattern(*subject.weights, *base.weights, *middle.weights);
      if (!rows) return std::nullopt;  // what cannot be read says nothing
      seen.rows = *rows;
    }
    if (!seen.between()) return std::nullopt;
    return Answer{
        .direction = "siblings",
        .because = fmt::format(
            "{} stands between them: it holds {} rows with {} alone, {} with {} alone, and lacks "
            "none that these two hold alike; and both moved away from it (their changes have "
            "cosine {:.2f} in the head, {:.2f} in the layers)",
            bases_[third].comparison->base, seen.rows.with_first, own.subject,
            seen.rows.with_second, own.base, seen.head_cosine, seen.body_cosine)};
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
