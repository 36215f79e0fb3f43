#include "model/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "model/architecture_facts.h"
#include "model/config_check.h"
#include "model/families_match.h"
#include "model/packings/packings.h"
#include "model/placement.h"
#include "model/role_table.h"
#include "model/structure.h"

namespace pedigree {
namespace {

constexpr double enough = 0.5;  // of the bytes, for names to be believed
// Of what a family always has, for a few names to mean it: many nets have a "head.weight".
constexpr double fewest_seen = 0.2;
constexpr std::size_t few = 2;  // tensors

// Many nets have an "emb.weight" and a "head.weight", however much these weigh.
bool tells_a_family(const FamilyTensor& tensor) {
  return tensor.in_layer || std::ranges::count(tensor.name, '.') > 1;
}

bool is_believed(const FamilyMatch& match) {
  const bool is_told = std::ranges::any_of(
      match.matched, [](const MatchedTensor& one) { return tells_a_family(*one.as); });
  return match.matched.size() >= few &&
         (match.completeness >= fewest_seen || (match.explained() >= enough && is_told));
}

int percent(double share) { return static_cast<int>(share * 100); }

void use_names(ModelInfo& info, const FamilyMatch& match, const ConfigFacts& config) {
  const Sizes sizes(info.tensors, match.matched);
  info.canonical = canonical_tensors(info.tensors, match.matched, sizes);
  set_row_orders(match.matched, head_counts(RoleTable(info.canonical), config), info.canonical);
  info.architecture.explained = match.explained();
  info.architecture.wrappers = match.wrappers;
}

void use_shapes(ModelInfo& info, ShapeRoles roles) {
  const Sizes sizes(info.tensors, roles.matched);
  info.canonical = canonical_tensors(info.tensors, roles.matched, sizes);
  info.architecture.explained = (roles.count_share + roles.byte_share) / 2;
  info.architecture.roles_from = "shapes";
  info.architecture.ambiguous = std::move(roles.ambiguous);
}

void report_unknown(ModelInfo& info, const FamilyMatch& best, std::string_view consequence) {
  if (info.is_adapter) return;  // its names are known, to the adapter reader
  const std::string how =
      !is_believed(best)
          ? "no known family's tensor names fit"
          : fmt::format("the best known family ({}) explains {} % of the weight bytes by name",
                        best.family->title, percent(best.byte_share));
  info.problems.push_back(
      make_problem("architecture-unknown", "", fmt::format("{}; {}", how, consequence)));
}

struct Choice {
  const Family* family = nullptr;  // whose names were used; null when roles came from shapes
  std::string contradiction = {};  // of the declared model type, "" for none
  std::optional<Placement> placement = {};  // where no family's names fit
};

Choice choose(ModelInfo& info, const ConfigFacts& config) {
  const std::vector<FamilyMatch> ranked = rank_families(info.tensors, config);
  const FamilyMatch& best = ranked.front();
  if (best.byte_share >= enough && is_believed(best)) {
    use_names(info, best, config);
    if (ranked.size() > 1 && is_believed(ranked[1])) {
      info.architecture.runner_up = ranked[1].family->id;
    }
    return {.family = best.family, .contradiction = type_contradiction(ranked, config)};
  }
  if (is_believed(best)) info.architecture.runner_up = best.family->id;
  std::optional<Placement> placement;
  if (!info.is_adapter) placement = place_by_structure(info.tensors);
  const std::vector<const Family*> alike =
      placement ? placement->alike : std::vector<const Family*>{};
  if (std::optional<ShapeRoles> roles = roles_from_shapes(info.tensors, alike)) {
    report_unknown(info, best, "roles were taken from shapes and order");
    use_shapes(info, *std::move(roles));
    return {.placement = std::move(placement)};
  }
  report_unknown(info, best, "shapes and order did not tell the other roles");
  if (!is_believed(best)) return {.placement = std::move(placement)};
  use_names(info, best, config);
  return {.family = best.family};
}

void report_contradictions(ModelInfo& info, const ConfigFacts& config, std::string of_type) {
  if (!config.present || info.canonical.empty()) return;
  std::vector<std::string> found = contradictions(info, config);
  if (!of_type.empty()) found.insert(found.begin(), std::move(of_type));
  if (found.empty()) return;
  info.problems.push_back(make_problem(
      "config-weights-mismatch", config.file,
      fmt::format("the config and the tensors disagree on {}", fmt::join(found, "; "))));
}

void report_gaps(ModelInfo& info) {
  constexpr std::size_t most_named = 8;
  std::set<int> present;
  for (const CanonicalTensor& tensor : info.canonical) {
    if (tensor.layer >= 0) present.insert(tensor.layer);
  }
  if (present.empty()) return;
  const auto missing = static_cast<std::size_t>(*present.rbegin() + 1) - present.size();
  if (missing == 0) return;
  std::vector<int> named;
  for (int layer = 0; layer < *present.rbegin() && named.size() < most_named; ++layer) {
    if (!present.contains(layer)) named.push_back(layer);
  }
  info.problems.push_back(
      make_problem("layers-not-contiguous", "",
                   fmt::format("layers run to {} but {} missing: {}{}", *present.rbegin(),
                               missing == 1 ? "one is" : fmt::format("{} are", missing),
                               fmt::join(named, ", "), missing > named.size() ? ", …" : "")));
}

// While it lives, info.tensors are as the model's own code has them: as if no quantiser had
// spread matrices over several tensors, and no exporter had renamed and transposed any.
// Matrices that a graph of operators reads lie as [out, in]. Roles are told by the names and
// shapes of modules.
class UnpackedView {
 public:
  explicit UnpackedView(ModelInfo& info) : info_(info) {
    const bool used = std::ranges::any_of(
        info.tensors, [](const StoredTensor& tensor) { return tensor.use.has_value(); });
    if (info.packed.empty() && !used) return;
    std::vector<std::optional<std::size_t>> codes_of(info.tensors.size());
    std::vector<bool> hidden(info.tensors.size());
    for (std::size_t i = 0; i < info.packed.size(); ++i) {
      for (const std::size_t part : info.packed[i].parts) hidden[part] = true;
      codes_of[info.packed[i].parts.front()] = i;
    }
    stored_.swap(info.tensors);
    for (std::size_t i = 0; i < stored_.size(); ++i) {
      if (const std::optional<std::size_t> packed = codes_of[i]) {
        add({.tensor = i, .packed = packed}, unpacked(i, info.packed[*packed]));
      } else if (!hidden[i]) {
        add({.tensor = i, .in_out = lies_in_out(stored_[i].use)}, as_used(stored_[i]));
      }
    }
  }

  ~UnpackedView() {
    if (places_.empty()) return;
    for (CanonicalTensor& tensor : info_.canonical) {
      const Place& place = places_[tensor.tensor];
      tensor.tensor = place.tensor;
      tensor.packed = place.packed;
      if (place.packed && info_.packed[*place.packed].packing->normalises) {
        tensor.transforms.emplace_back("weight-norm");
      }
      if (place.packed && info_.packed[*place.packed].transposed) {
        tensor.transposed = !tensor.transposed;
      }
      if (place.in_out) turn(tensor);
    }
    info_.tensors.swap(stored_);
  }

  UnpackedView(const UnpackedView&) = delete;
  UnpackedView& operator=(const UnpackedView&) = delete;

 private:
  struct Place {
    std::size_t tensor = 0;
    std::optional<std::size_t> packed = {};
    bool in_out = false;  // stored so, and shown as [out, in]
  };

  static bool lies_in_out(const std::optional<TensorUse>& use) { return use && use->in_out; }

  static void turn(CanonicalTensor& tensor) {
    tensor.transposed = !tensor.transposed;
    if (std::erase(tensor.transforms, "transpose") == 0) {
      tensor.transforms.insert(tensor.transforms.begin(), "transpose");
    }
  }

  static StoredTensor as_used(const StoredTensor& stored) {
    StoredTensor tensor = stored;
    if (!stored.use) return tensor;
    if (!stored.use->parameter.empty()) tensor.entry.name = stored.use->parameter;
    if (stored.use->in_out) std::ranges::reverse(tensor.entry.shape);
    return tensor;
  }

  void add(Place place, StoredTensor tensor) {
    places_.push_back(place);
    info_.tensors.push_back(std::move(tensor));
  }

  StoredTensor unpacked(std::size_t codes, const PackedMatrix& matrix) const {
    StoredTensor tensor = stored_[codes];
    tensor.entry.name = matrix.name;
    tensor.entry.shape = matrix.shape;
    tensor.entry.type = find_element_type(matrix.packing->type);
    for (const std::size_t part : matrix.parts) {
      if (part != codes) tensor.entry.extent.end += stored_[part].entry.extent.size();
    }
    return tensor;
  }

  ModelInfo& info_;
  std::vector<StoredTensor> stored_;
  std::vector<Place> places_;
};

}  // namespace

void assign_roles(ModelInfo& info, const ConfigFacts& config) {
  const UnpackedView view(info);
  info.architecture = {};
  info.canonical.clear();
  Choice choice = info.tensors.empty() ? Choice{} : choose(info, config);
  describe_architecture(info, config, choice.family, choice.placement);
  if (config.tie_word_embeddings == true && RoleTable(info.canonical).has("head.out")) {
    info.tied_by = config.file;
  }
  report_contradictions(info, config, std::move(choice.contradiction));
  report_gaps(info);
}

}  // namespace pedigree
