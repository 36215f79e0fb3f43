// What a third model says about two: does it stand between them, and did both
// move away from it?
//
// Standing between is read from rows held alike, exactly: a row that training
// moved does not come back, so a model between two others holds every row they
// hold alike, and shares with each of them rows that the other has moved.
//
// That alone does not say whether the two are siblings, or one the other's
// ancestor by way of the third. Every training drifts the output head the same
// way, whatever it is trained on: seen from a parent two children drift alike,
// seen from the middle of a line they drift apart. So on the head the two moves
// agree better than in the layers for siblings, and worse on a line. The margin
// is empirical (docs/decisions/0013-family-trees.md), and where the signs are weak
// the answer is neither.
#pragma once

#include <cstddef>

#include "compare/family_tree.h"
#include "compare/kept_rows.h"

namespace pedigree {

struct ThirdModel {
  RowPattern rows = {};
  double head_cosine = 0;  // of the two moves away from the third, in the head
  double body_cosine = 0;  // in the layers

  bool between() const;      // by the rows
  bool moved_apart() const;  // by the moves
  bool siblings() const { return between() && moved_apart(); }
};

// Pairs of one chart: (first, third), (second, third), (first, second).
ThirdModel third_model(const KinPair& first_third, const KinPair& second_third,
                       const KinPair& first_second);

}  // namespace pedigree
