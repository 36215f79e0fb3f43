#include "compare/evidence.h"

namespace pedigree {

std::string_view outcome_name(Evidence::Outcome outcome) {
  switch (outcome) {
    case Evidence::Outcome::measured:
      return "measured";
    case Evidence::Outcome::not_applicable:
      return "not_applicable";
    case Evidence::Outcome::insufficient:
      return "insufficient";
  }
  return "insufficient";
}

std::string_view null_name(Evidence::Null null) {
  switch (null) {
    case Evidence::Null::none:
      return "none";
    case Evidence::Null::digest:
      return "digest";
    case Evidence::Null::exact:
      return "exact";
    case Evidence::Null::bound:
      return "bound";
    case Evidence::Null::asymptotic:
      return "asymptotic";
    case Evidence::Null::assumed:
      return "assumed";
  }
  return "none";
}

}  // namespace pedigree
