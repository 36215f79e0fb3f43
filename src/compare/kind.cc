#include "compare/kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <tuple>

#include "compare/delta_noise.h"
#include "compare/direction.h"
#include "compare/identity.h"
#include "compare/layer_pairs.h"
#include "compare/low_rank.h"
#include "compare/refolding.h"
#include "compare/requantised.h"
#include "compare/rounded_update.h"
#include "compare/vocabulary.h"
#include "tensor/block_steps.h"

namespace pedigree {
namespace {

// statistics.md section 8: the relation is the first mechanism that holds.
constexpr std::array<std::string_view, 13> precedence = {
    "merge",          "moe-upcycled", "depth-upscaled",       "pruned",           "vocab-extended",
    "reparametrised", "quantized",    "lora-merge",           "partial-finetune", "identical",
    "partial-reuse",  "finetune",     "continued-pretraining"};

constexpr double lattice_share = 0.999;  // measured: parent 1.0000, sibling at most 0.991

bool everything_is_same(const std::vector<Change>& all) {
  return !all.empty() &&
         (std::ranges::all_of(all, &Change::subject_is_rounded) ||
          std::ranges::all_of(all, &Change::base_is_rounded)) &&
         std::ranges::any_of(all, &Change::informative);
}

std::vector<Change> with_swapped_sides(std::vector<Change> all) {
  for (Change& change : all) {
    std::swap(change.subject, change.base);
    std::swap(change.subject_steps, change.base_steps);
    std::swap(change.subject_type, change.base_type);
  }
  return all;
}

bool shows_lattice(const Fingerprint& sketch) {
  std::size_t with = 0;
  std::size_t matrices = 0;
  for (const Block& block : sketch.blocks) {
    if (block.layer < 0) continue;
    ++matrices;
    const ElementType* type = find_element_type(block.element_type);
    const bool in_blocks = type != nullptr && type->block != 0;
    with += block.steps.empty() && !in_blocks ? 0U : 1U;
  }
  return with > 0 && 2 * with >= matrices;
}

std::string type_of(const Fingerprint& sketch) {
  for (const Block& block : sketch.blocks) {
    if (block.layer >= 0) return block.element_type;
  }
  return {};
}

class KindFinder {
 public:
  KindFinder(const Side& subject, const Side& base, const Descent& descent,
             const CompareOptions& options)
      : subject_(subject), base_(base), descent_(descent), options_(options) {}

  Result<Kind> find() {
    auto all = changes(subject_, base_, descent_.alignment);
    if (!all) return std::unexpected(std::move(all.error()));
    changes_ = std::move(*all);
    kind_.transforms = descent_.transforms;
    find_cast();
    if (auto problem = find_refolding()) return std::unexpected(std::move(*problem));
    find_rescaling();
    find_depth();
    find_order();
    find_width();
    find_experts();
    if (auto problem = find_vocabulary()) return std::unexpected(std::move(*problem));
    if (descent_.reparametrised || descent_.experts.reparametrised || rescaled_ || refolded_) {
      add("reparametrised");
    }
    if (auto problem = find_size_of_change()) return std::unexpected(std::move(*problem));
    settle();
    return std::move(kind_);
  }

 private:
  bool has(std::string_view mechanism) const {
    return std::ranges::find(kind_.mechanisms, mechanism) != kind_.mechanisms.end();
  }
  void add(std::string_view mechanism) {
    if (!has(mechanism)) kind_.mechanisms.emplace_back(mechanism);
  }

  void find_cast() {
    const std::string mine = type_of(subject_.sketch);
    const std::string theirs = type_of(base_.sketch);
    if (mine != theirs && !mine.empty() && !theirs.empty()) {
      kind_.transforms.push_back(fmt::format("cast:{}->{}", theirs, mine));
    }
  }

  std::optional<Problem> find_refolding() {
    auto refolding = take_out_refolding(subject_, base_, descent_.alignment, changes_);
    if (!refolding) return std::move(refolding.error());
    refolded_ = refolding->found();
    explained_ = std::move(refolding->explained);
    std::ranges::move(refolding->transforms, std::back_inserter(kind_.transforms));
    return std::nullopt;
  }

  void find_rescaling() {
    const Rescaling rescaling = take_out_rescaling(changes_);
    rescaled_ = rescaling.found;
    if (rescaled_) kind_.transforms.emplace_back("up-down-scale");
  }

  // Layers of one side that no layer of the other stands against, and that are
  // neither copies of mapped ones nor without effect.
  bool lacks_layers(bool subject_lacks) const {
    const Fingerprint& full = subject_lacks ? base_.sketch : subject_.sketch;
    std::set<int> mapped;
    for (const auto& [a, b] : descent_.alignment.layers) mapped.insert(subject_lacks ? b : a);
    const LayerPairs within(full, full);
    const auto is_copy = [&](int layer) {
      return std::ranges::any_of(mapped, [&](int other) {
        const Cell cell = within.neurons(layer, other, true);
        return cell.units > 0 && 2 * cell.matched >= cell.units;
      });
    };
    for (int i = 0; i < static_cast<int>(full.architecture.layers); ++i) {
      if (!mapped.contains(i) && !is_null_layer(full, i) && !is_copy(i)) return true;
    }
    return false;
  }

  void find_depth() {
    const auto mine = subject_.sketch.architecture.layers;
    const auto theirs = base_.sketch.architecture.layers;
    if (descent_.subject_repeats_layers) {
      add("depth-upscaled");
      signs_.push_back({true, "the subject repeats layers that the base has once"});
    } else if (descent_.base_repeats_layers) {
      add("depth-upscaled");
      signs_.push_back({false, "the base repeats layers that the subject has once"});
    } else if (mine < theirs && lacks_layers(true)) {
      add("pruned");
      signs_.push_back({true, "the subject lacks layers that the base has"});
    } else if (mine > theirs && lacks_layers(false)) {
      add("pruned");
      signs_.push_back({false, "the base lacks layers that the subject has"});
    } else if (mine != theirs) {
      add("depth-upscaled");
    } else if ((lacks_layers(true) && has_gap(subject_.sketch)) ||
               (lacks_layers(false) && has_gap(base_.sketch))) {
      add("pruned");
    }
  }

  // A number below its depth under which no matrix is stored.
  static bool has_gap(const Fingerprint& sketch) {
    for (int i = 0; i < static_cast<int>(sketch.architecture.layers); ++i) {
      if (std::ranges::find(sketch.blocks, i, &Block::layer) == sketch.blocks.end()) return true;
    }
    return false;
  }

  // The layers in another order: the same weights, and not the same function.
  void find_order() {
    if (has("depth-upscaled")) return;
    if (std::ranges::is_sorted(descent_.alignment.layers, {}, &std::pair<int, int>::second)) return;
    kind_.transforms.emplace_back("layers-reordered");
    add("reparametrised");
  }

  void find_width() {
    if (!descent_.kept) return;
    add("pruned");
    kind_.kept = descent_.kept;
    if (!descent_.subject_lacks.empty()) {
      signs_.push_back({true, fmt::format("the subject lacks {} that the base has",
                                          fmt::join(descent_.subject_lacks, ", "))});
    }
    if (!descent_.base_lacks.empty()) {
      signs_.push_back({false, fmt::format("the base lacks {} that the subject has",
                                           fmt::join(descent_.base_lacks, ", "))});
    }
  }

  void find_experts() {
    const ExpertFindings& found = descent_.experts;
    for (const std::string& mechanism : found.mechanisms) add(mechanism);
    for (const std::string& transform : found.transforms) {
      if (std::ranges::find(kind_.transforms, transform) == kind_.transforms.end()) {
        kind_.transforms.push_back(transform);
      }
    }
    kind_.experts = found.report;
    if (found.sign) signs_.push_back(*found.sign);
    if (!found.kept_ffn && !found.kept_experts) return;
    if (!kind_.kept) kind_.kept = Kept{};
    kind_.kept->ffn = found.kept_ffn.value_or(kind_.kept->ffn);
    kind_.kept->experts = found.kept_experts;
  }

  std::optional<Problem> find_vocabulary() {
    switch (vocabulary_change(subject_, base_, changes_)) {
      case VocabularyChange::none:
        return std::nullopt;
      case VocabularyChange::replaced:
        kind_.transforms.emplace_back("vocabulary-replaced");
        return std::nullopt;
      case VocabularyChange::trimmed:
        kind_.transforms.emplace_back("vocabulary-trimmed");
        add("pruned");
        signs_.push_back(trimmed_sign(subject_, base_));
        return std::nullopt;
      case VocabularyChange::extended:
        break;
    }
    add("vocab-extended");
    auto sign = appended_rows_sign(subject_, base_);
    if (!sign) return std::move(sign.error());
    if (std::optional<DirectionSign>& found = *sign) signs_.push_back(std::move(*found));
    return std::nullopt;
  }

  std::optional<Problem> find_size_of_change() {
    record_changes();
    if (is_rounding_only()) return std::nullopt;
    if (changes_.empty()) {
      // Coordinates were rotated: the lattice is all that still shows in values.
      if (shows_lattice(subject_.sketch) && !shows_lattice(base_.sketch)) add("quantized");
      return std::nullopt;
    }
    if (everything_is_same(changes_)) {
      if (descent_.only_a_part) add("partial-reuse");
      return find_identity();
    }
    if (find_lattice()) return find_requantised();
    auto lora = low_rank_update(subject_, base_, descent_.alignment, changes_);
    if (!lora) return std::move(lora.error());
    if (std::optional<Lora>& found = *lora; found && !rescaled_) {
      add("lora-merge");
      const auto rank = found->rank;
      kind_.lora = std::move(found);
      return find_rounded_side(rank);
    }
    if (shows_lattice(subject_.sketch) != shows_lattice(base_.sketch)) add("quantized");
    if (has("quantized") && is_usual_of_grids()) return std::nullopt;
    find_noise();
    if (auto problem = find_untouched()) return problem;
    if (descent_.only_a_part) {
      add("partial-reuse");
      return std::nullopt;
    }
    add(median_relative_delta(changes_) <= fine_tune_limit ? "finetune" : "continued-pretraining");
    return std::nullopt;
  }

  std::optional<Problem> find_rounded_side(std::uint64_t rank) {
    auto rounded = rounded_update(subject_, base_, descent_.alignment, changes_, rank);
    if (!rounded) return std::move(rounded.error());
    const std::optional<RoundedUpdate>& found = *rounded;
    if (!found) return std::nullopt;
    const bool subject = found->subject_was_rounded;
    kind_.evidence.push_back(rounding_evidence(*found));
    signs_.push_back({subject, subject ? "the subject is the base with a low-rank update, rounded "
                                         "on the subject's own grid"
                                       : "the base is the subject with a low-rank update, rounded "
                                         "on the base's own grid"});
    return std::nullopt;
  }

  bool find_lattice() {
    auto fit = lattice_fit(changes_);
    bool subject_is_lossy = true;
    if (!fit) {
      fit = lattice_fit(with_swapped_sides(changes_));
      subject_is_lossy = false;
    }
    if (!fit) return false;
    kind_.evidence.push_back(lattice_evidence(*fit));
    if (fit->worst_share < lattice_share) return false;
    add("quantized");
    subject_is_lossy_ = subject_is_lossy;
    signs_.push_back(
        {subject_is_lossy,
         subject_is_lossy
             ? "the subject's values lie on a quantiser's lattice and the base's do not"
             : "the base's values lie on a quantiser's lattice and the subject's do "
               "not"});
    return true;
  }

  // Grids place several values at once: no single one must lie within a step, and a change
  // that is no larger than theirs cannot be told from it.
  bool is_usual_of_grids() const {
    constexpr double margin = 1.3;
    std::size_t matrices = 0;
    std::size_t usual = 0;
    for (const Change& change : changes_) {
      if (change.is_vector || change.subject_layer < 0) continue;
      ++matrices;
      const ElementType* lossy =
          shows_lattice(subject_.sketch) ? change.subject_type : change.base_type;
      const double error = lossy == nullptr ? 0 : usual_error(*lossy);
      usual += error > 0 && change.relative_delta <= margin * error ? 1U : 0U;
    }
    return usual > 0 && 2 * usual >= matrices;
  }

  std::optional<Problem> find_requantised() {
    const bool unmoved = descent_.alignment.hidden_by_index && !descent_.reparametrised;
    if (!unmoved || subject_.weights == nullptr || base_.weights == nullptr || options_.quick) {
      return std::nullopt;
    }
    LayerMap layers = descent_.alignment.layers;
    if (!subject_is_lossy_) {
      for (auto& [mine, theirs] : layers) std::swap(mine, theirs);
    }
    const Model& copy = subject_is_lossy_ ? *subject_.weights : *base_.weights;
    const Model& source = subject_is_lossy_ ? *base_.weights : *subject_.weights;
    auto found = requantised(copy, source, layers);
    if (!found) return std::move(found.error());
    if (const auto& made = *found) kind_.evidence.push_back(requantised_evidence(*made));
    return std::nullopt;
  }

  // A copy disguised by random numbers; it stays a `finetune` by relation.
  void find_noise() {
    const bool sketched = subject_.weights == nullptr || base_.weights == nullptr;
    const auto noise = delta_noise(changes_, sketched);
    if (!noise) return;
    kind_.evidence.push_back(noise_evidence(*noise));
    if (noise->white && !rescaled_) kind_.transforms.emplace_back("noise");
  }

  bool structure_is_equal() const {
    return !has("pruned") && !has("depth-upscaled") && !has("vocab-extended") &&
           !has("reparametrised") && !has("moe-upcycled") && !descent_.only_a_part;
  }

  // Equal on the sample; only a full pass, or both digests, can say `identical`.
  std::optional<Problem> find_identity() {
    if (!structure_is_equal()) return std::nullopt;
    auto looked = identity_of(subject_, base_, descent_.alignment.layers, options_);
    if (!looked) return std::move(looked.error());
    std::optional<Identity>& identity = *looked;
    if (!identity) {
      kind_.equal_on_sample_only = true;
      add("finetune");
      return std::nullopt;
    }
    kind_.evidence.push_back(std::move(identity->evidence));
    kind_.changed_tensors = std::move(identity->changed_tensors);
    std::ranges::move(identity->transforms, std::back_inserter(kind_.transforms));
    if (auto sign = rounding_sign(identity->pass, subject_, base_)) {
      signs_.push_back(std::move(*sign));
    }
    add(identity->mechanism);
    return std::nullopt;
  }

  // Some informative matrices untouched, others not: which, to the last bit.
  std::optional<Problem> find_untouched() {
    if (rescaled_ || descent_.only_a_part || !structure_is_comparable()) return std::nullopt;
    std::set<PartKey> same;
    for (const Change& change : changes_) {
      if (!change.is_vector && change.informative && change.subject_is_rounded) {
        same.insert({change.role, change.subject_layer, change.expert});
      }
    }
    if (same.empty()) return std::nullopt;
    if (subject_.weights != nullptr && base_.weights != nullptr && !options_.quick) {
      auto pass = exact_pass(
          *subject_.weights, *base_.weights, descent_.alignment.layers,
          {.wanted =
               [&](const CanonicalTensor& t) { return same.contains({t.role, t.layer, t.expert}); },
           .threads = options_.threads,
           .progress = options_.progress});
      if (!pass) return std::move(pass.error());
      for (const ExactTensor& tensor : pass->tensors) {
        if (tensor.state == ExactTensor::State::changed)
          same.erase({tensor.role, tensor.layer, tensor.expert});
      }
      if (same.empty()) return std::nullopt;
      list_changed_names(same);
    }
    add("partial-finetune");
    return std::nullopt;
  }

  bool structure_is_comparable() const {
    return !has("depth-upscaled") && !has("pruned") && !has("reparametrised") &&
           !has("moe-upcycled");
  }

  using PartKey = std::tuple<std::string, int, int>;  // role, layer, expert

  void list_changed_names(const std::set<PartKey>& same) {
    for (const CanonicalTensor& tensor : subject_.weights->canonical) {
      const auto at = std::ranges::find_if(changes_, [&](const Change& change) {
        return change.role == tensor.role && change.subject_layer == tensor.layer &&
               change.expert == tensor.expert;
      });
      const bool untouched = same.contains({tensor.role, tensor.layer, tensor.expert}) ||
                             (at != changes_.end() && at->is_vector && at->subject_is_rounded);
      if (!untouched) {
        kind_.changed_tensors.push_back(subject_.weights->tensors[tensor.tensor].entry.name);
      }
    }
  }

  // Factors were moved about, and nothing is left but what rounding them anew leaves.
  bool is_rounding_only() const {
    if (!rescaled_ && !refolded_) return false;
    return std::ranges::all_of(kind_.change, [&](const RoleChange& change) {
      return change.relative_delta <= rounding_of(change);
    });
  }

  double rounding_of(const RoleChange& change) const {
    const Block* block = subject_.sketch.block(change.role, change.layer, change.expert);
    const ElementType* type = block == nullptr ? nullptr : find_element_type(block->element_type);
    const int precision = type == nullptr || type->precision == 0 ? 8 : type->precision;
    return std::ldexp(1.0, 1 - precision);
  }

  void record_changes() {
    for (const Change& change : changes_) {
      kind_.change.push_back({.role = change.role,
                              .layer = change.subject_layer,
                              .relative_delta = change.relative_delta,
                              .exact = change.subject_is_rounded || change.base_is_rounded,
                              .expert = change.expert});
    }
    std::ranges::move(explained_, std::back_inserter(kind_.change));
    std::ranges::sort(kind_.change, {}, [](const RoleChange& change) {
      return std::tuple(change.layer, change.role, change.expert);
    });
  }

  void settle() {
    std::ranges::sort(kind_.mechanisms, {}, [](const std::string& mechanism) {
      return std::ranges::find(precedence, mechanism) - precedence.begin();
    });
    if (!kind_.mechanisms.empty()) kind_.relation = kind_.mechanisms.front();
    std::tie(kind_.direction, kind_.direction_because) = settled_direction(signs_);
  }

  const Side& subject_;
  const Side& base_;
  const Descent& descent_;
  const CompareOptions& options_;
  Kind kind_;
  std::vector<Change> changes_;
  std::vector<DirectionSign> signs_;
  bool rescaled_ = false;
  bool refolded_ = false;
  bool subject_is_lossy_ = false;      // of the two, the one on a lattice
  std::vector<RoleChange> explained_;  // attention that a refolding explains
};

}  // namespace

Result<Kind> kind_of(const Side& subject, const Side& base, const Descent& descent,
                     const CompareOptions& options) {
  return KindFinder(subject, base, descent, options).find();
}

}  // namespace pedigree
