// What each tensor is for, whatever it is called.
#pragma once

#include "model/config_facts.h"
#include "model/model.h"

namespace pedigree {

// Fills info.canonical and info.architecture from info.tensors, names first and
// shapes where names mean nothing, and adds what is odd to info.problems. The
// config breaks ties and fills what tensors cannot show; tensors win.
void assign_roles(ModelInfo& info, const ConfigFacts& config);

}  // namespace pedigree
