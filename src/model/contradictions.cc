#include "model/contradictions.h"

#include <utility>

#include "model/booleans.h"
#include "model/tied_head.h"

namespace pedigree {

std::vector<Problem> stored_contradictions(const Model& model) {
  std::vector<Problem> problems;
  for (auto found : {tied_head_problem(model), boolean_problem(model)}) {
    if (found) problems.push_back(std::move(*found));
  }
  return problems;
}

}  // namespace pedigree
