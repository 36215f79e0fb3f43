// One subject against several bases: what the bases together say about
// direction that each alone cannot.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

// A base the subject was compared with.
struct BaseAtHand {
  Side subject;  // as it was sampled for this base
  Side base;
  Comparison* comparison = nullptr;  // of the subject with it; direction may change
};

// Of one base against another: asked only where an answer depends on it.
using CompareBases = std::function<Comparison(std::size_t subject, std::size_t base)>;

// `siblings` where a third model at hand, the common parent, shows it: both were
// made from it without training, or both were trained away from it. And where a
// base was taken for the parent although another one holds all that the subject
// was made from, that claim is withdrawn.
void tell_siblings(const std::vector<BaseAtHand>& bases, const CompareBases& compare_bases);

}  // namespace pedigree
