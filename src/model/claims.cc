#include "model/claims.h"

namespace pedigree {

std::string_view claim_kind_name(Claim::Kind kind) {
  switch (kind) {
    case Claim::Kind::base_model:
      return "base-model";
    case Claim::Kind::base_model_relation:
      return "base-model-relation";
    case Claim::Kind::merge_recipe:
      return "merge-recipe";
    case Claim::Kind::license:
      return "license";
    case Claim::Kind::name:
      return "name";
    case Claim::Kind::quantization:
      return "quantization";
    case Claim::Kind::architecture:
      return "architecture";
    case Claim::Kind::tag:
      return "tag";
    case Claim::Kind::other:
      break;
  }
  return "other";
}

}  // namespace pedigree
