// The door to what a set of models says that no pair of them can.
#pragma once

#include "compare/family_copies.h"
#include "compare/family_order.h"
#include "compare/family_tree.h"
#include "compare/joint_parents.h"
#include "compare/kin_pair.h"
#include "compare/kinship.h"
#include "compare/response_distance.h"
#include "compare/siblings.h"
