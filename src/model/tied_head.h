// A config that says the output head is the token embedding, beside a head of its own.
#pragma once

#include <optional>

#include "model/model.h"

namespace pedigree {

// The contradiction, when some rows of both show one. A stored copy of the embedding
// is none. Reads a few rows; names alone decide nothing.
std::optional<Problem> tied_head_problem(const Model& model);

}  // namespace pedigree
