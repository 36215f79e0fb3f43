#include "compare/net_folding.h"

#include <set>

#include "compare/computed_net.h"
#include "compare/norm_folder.h"
#include "model/packings/packings.h"

namespace pedigree {
namespace {

std::set<std::string> computed_names(const Model& net) {
  std::set<std::string> names;
  for (const PackedMatrix& matrix : net.packed) {
    if (matrix.packing->normalises) names.insert(matrix.name);
  }
  return names;
}

// One of the two, as it is or computed.
struct NetSide {
  const Model* net = nullptr;
  std::unique_ptr<Model> made = {};
  std::set<std::string> computed = {};
};

Result<NetSide> side_of(const Model& net) {
  auto made = without_weight_norms(net);
  if (!made) return std::unexpected(std::move(made.error()));
  NetSide side = {.net = &net};
  if (*made == nullptr) return side;
  side.made = *std::move(made);
  side.net = side.made.get();
  side.computed = computed_names(net);
  return side;
}

// Folds one side towards the other and says whether there was anything to fold.
Result<bool> fold_towards(NetSide& plain, const NetSide& folded, ComputedNets& nets) {
  NormFolder folder(*plain.net, *folded.net, plain.computed);
  const auto found = folder.find();
  if (!found || !*found) return found;
  auto made = folder.take(nets.pairs);
  if (plain.made) nets.kept.push_back(std::move(plain.made));
  plain.made = std::move(made);
  plain.net = plain.made.get();
  nets.agreeing = folder.kernel_count();
  if (folder.folded_count() > 0) nets.transforms.emplace_back("bn-fold");
  return true;
}

}  // namespace

Result<ComputedNets> computed_nets(const Model& subject, const Model& base) {
  auto mine = side_of(subject);
  if (!mine) return std::unexpected(std::move(mine.error()));
  auto theirs = side_of(base);
  if (!theirs) return std::unexpected(std::move(theirs.error()));
  ComputedNets nets;
  if (mine->computed.empty() != theirs->computed.empty()) {
    nets.transforms.emplace_back("weight-norm");
  }
  const auto forth = fold_towards(*mine, *theirs, nets);
  if (!forth) return std::unexpected(forth.error());
  if (!*forth) {
    const auto back = fold_towards(*theirs, *mine, nets);
    if (!back) return std::unexpected(back.error());
    for (auto& [one, other] : nets.pairs) std::swap(one, other);
  }
  nets.subject = std::move(mine->made);
  nets.base = std::move(theirs->made);
  return nets;
}

}  // namespace pedigree
