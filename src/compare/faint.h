// Faint descent: what the sign-symmetry test and the trace say when no pairing stands
// out (statistics.md sections 3.3 and 3.4; docs/decisions/0014).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "compare/witness.h"

namespace pedigree {

struct Faint {
  std::vector<Evidence> evidence = {};
  std::optional<double> log10_p = {};  // of the test that rejects independence, if one does
  std::string stage = {};              // where it stands
  LayerMap map = {};
  std::size_t supporting = 0;  // layers and groups that speak for it

  // For the other case. The least mean cosine that would have been seen, over any
  // order of the layers or only with every layer in its place; and a reason not to
  // say `no` although nothing rejects.
  std::optional<double> power = {};
  bool power_in_place = false;
  std::string doubt = {};
};

// On sampled sub-blocks: layers by number, then under the best of all maps, which
// pays for them. `log10_alternatives`: bases tried in this run.
Faint sampled_signs(const Side& subject, const Side& base, double log10_alternatives,
                    unsigned threads);

// On whole matrices, layers by number. Not applicable without weights on both sides
// or where depths or widths differ.
Result<Faint> whole_signs(const Side& subject, const Side& base, double log10_alternatives,
                          const CompareOptions& options);

}  // namespace pedigree
