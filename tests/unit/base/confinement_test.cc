#include "base/confinement.h"

#include <doctest/doctest.h>

namespace pedigree {

TEST_CASE("a folder holds itself and what is below it, by whole names") {
  CHECK(lies_within("/a/b", "/a/b"));
  CHECK(lies_within("/a/b/c/d", "/a/b"));
  CHECK_FALSE(lies_within("/a/bc", "/a/b"));
  CHECK_FALSE(lies_within("/a", "/a/b"));
  CHECK_FALSE(lies_within("/c/a/b", "/a/b"));
}

}  // namespace pedigree
