// What a code in a report means and what to do about it, as a value.
#pragma once

#include <string>

namespace pedigree {

struct Explanation {
  std::string code;     // "index-missing-shard", "finetune", "ffn-pairing/1"
  std::string kind;     // problem, finding, relation, statistic, transform, answer
  std::string level;    // note, warning, error; "" where levels have no meaning
  std::string meaning;  // one or two sentences
  std::string remedy;   // what a person can do; "" when nothing is asked for

  bool operator==(const Explanation&) const = default;
};

}  // namespace pedigree
