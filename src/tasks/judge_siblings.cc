#include <list>
#include <memory>
#include <utility>

#include "compare/family.h"
#include "tasks/judge.h"

namespace pedigree {
namespace {

struct SampledBase {
  std::shared_ptr<Opened> opened;
  Sketch subject;
  Sketch base;
  std::size_t place = 0;  // among the comparisons
};

}  // namespace

void tell_siblings_among(std::vector<Comparison>& comparisons, Opened& subject,
                         const BasesAtHand& at_hand) {
  std::list<SampledBase> sampled;
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    if (comparisons[i].verdict.derived != "yes") continue;
    auto opened = at_hand.store.open(at_hand.bases[i]);
    if (!opened) continue;  // was told when it was compared
    auto mine = sketch_of(subject, **opened, at_hand.judge);
    auto theirs = sketch_of(**opened, subject, at_hand.judge);
    if (!mine || !theirs) continue;
    sampled.push_back({.opened = std::move(*opened),
                       .subject = std::move(*mine),
                       .base = std::move(*theirs),
                       .place = i});
  }
  std::vector<BaseAtHand> bases;
  std::vector<SampledBase*> behind;
  for (SampledBase& each : sampled) {
    bases.push_back({.subject = {.sketch = each.subject.value(), .weights = subject.model.get()},
                     .base = {.sketch = each.base.value(), .weights = each.opened->model.get()},
                     .comparison = &comparisons[each.place]});
    behind.push_back(&each);
  }
  tell_siblings(bases, [&](std::size_t child, std::size_t parent) {
    return compare_opened(*behind[child]->opened, *behind[parent]->opened, at_hand.options,
                          at_hand.judge);
  });
}

}  // namespace pedigree
