#include "compare/storage.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "model/model.h"

namespace pedigree {
namespace {

std::set<std::string> transforms_of(const Model& model) {
  std::set<std::string> names;
  for (const CanonicalTensor& tensor : model.canonical) {
    names.insert(tensor.transforms.begin(), tensor.transforms.end());
  }
  return names;
}

}  // namespace

std::vector<std::string> storage_transforms(const Side& subject, const Side& base) {
  std::vector<std::string> names;
  if (subject.weights == nullptr || base.weights == nullptr) return names;
  std::ranges::set_symmetric_difference(transforms_of(*subject.weights),
                                        transforms_of(*base.weights), std::back_inserter(names));
  return names;
}

}  // namespace pedigree
