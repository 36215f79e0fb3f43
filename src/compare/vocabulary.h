// What became of the vocabulary between two related models.
#pragma once

#include <optional>
#include <vector>

#include "compare/change.h"
#include "compare/direction.h"

namespace pedigree {

enum class VocabularyChange : unsigned char {
  none,
  extended,  // the larger begins with the smaller
  trimmed,   // the smaller is a subset of the larger, under new ids
  replaced,  // other tokens, or rows that have nothing to do with the old ones
};

// From the tokenizers' sketches where both have one, and from the change of the
// embedding rows of common tokens.
VocabularyChange vocabulary_change(const Side& subject, const Side& base,
                                   const std::vector<Change>& changes);

// Tokens are left out of a vocabulary; nobody inserts them between its ids.
DirectionSign trimmed_sign(const Side& subject, const Side& base);

}  // namespace pedigree
