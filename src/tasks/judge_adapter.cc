#include "tasks/judge_adapter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>

#include "compare/adapter_sum.h"
#include "model/adapter.h"
#include "model/adapter_targets.h"

namespace pedigree {
namespace {

bool is_adapter(const Opened& side) { return side.model && side.model->adapter != nullptr; }

bool is_whole(const Opened& side) {
  return side.model && !side.model->is_adapter && !side.model->tensors.empty();
}

// "a LoRA adapter of rank 8 for attn.q and attn.v"
std::string kind_of(const Adapter& adapter) {
  const AdapterDeclaration& declared = adapter.declared;
  std::string text = "an adapter";
  if (declared.type == "LORA") {
    text = declared.decomposed ? "a DoRA adapter" : "a LoRA adapter";
  } else if (!declared.type.empty()) {
    text = fmt::format("an adapter of type {}", declared.type);
  }
  if (adapter.largest_rank > 0) {
    text += adapter.least_rank == adapter.largest_rank
                ? fmt::format(" of rank {}", adapter.largest_rank)
                : fmt::format(" of ranks {} to {}", adapter.least_rank, adapter.largest_rank);
  }
  if (!adapter.roles.empty()) text += fmt::format(" for {}", fmt::join(adapter.roles, ", "));
  return text;
}

std::string fit_text(const Adapter& adapter, const AdapterFit& fit, const std::string& base) {
  if (adapter.updates.empty()) return {};
  if (fit.misfits + fit.absent > 0) {
    return fmt::format(
        "It does not fit {}: {} of its {} updates have no matrix of their shape there; {}", base,
        fit.misfits + fit.absent, adapter.updates.size(), fit.first);
  }
  return fmt::format(
      "It is compatible with {}: every matrix it updates ({}) is there with its shape", base,
      fit.updates);
}

std::string copies_text(const AdapterFit& fit, const std::string& base) {
  if (fit.equal == 0) return {};
  return fmt::format(
      " Of {} whole {} it carries beside its updates, {} hold the values of {}, "
      "\"{}\" first.",
      fit.copies, fit.copies == 1 ? "tensor" : "tensors", fit.equal, base, fit.equal_name);
}

Comparison undecided(const Opened& subject, const Opened& base, std::string summary) {
  Comparison comparison;
  comparison.subject = subject.name();
  comparison.base = base.name();
  comparison.verdict.summary = "not decided: " + std::move(summary);
  return comparison;
}

// An adapter may be made to fit whatever it is held against; a merged one leaves the rest of the
// model its base's, and that shows without the adapter.
Joint unsupported(const NamedModel& subject, const NamedModel& base, const Joint& found) {
  Joint joint;
  joint.relation = "inconclusive";
  joint.evidence = found.evidence;
  joint.residual = found.residual;
  joint.summary = fmt::format(
      "What the adapter adds would explain how {} differs from {}, but by themselves the two were "
      "not found to share weights, so it was not merged into that base.",
      subject.name, base.name);
  return joint;
}

// Is one answer to be preferred to another?
bool says_more(const Joint& one, const Joint& other) {
  const bool decided = one.relation != "inconclusive";
  const bool known = other.relation != "inconclusive";
  return decided != known ? decided : one.residual < other.residual;
}

struct Whole {
  NamedModel model = {};
  bool shares = false;  // weights with the subject, by the pair's own verdict
};

// With what all adapters add, each base by itself; the answer that says most.
std::optional<Joint> best_of(const NamedModel& subject, const std::vector<Whole>& bases,
                             const std::vector<NamedModel>& adapters) {
  std::optional<Joint> best;
  for (const Whole& base : bases) {
    auto answer = joint_with_adapters(subject, base.model, adapters);
    if (!answer) continue;  // what cannot be read was told with the pair
    std::optional<Joint>& found = *answer;
    if (!found) continue;
    if (!base.shares && found->relation != "inconclusive") {
      found = unsupported(subject, base.model, *found);
    }
    if (!best || says_more(*found, *best)) best = std::move(found);
  }
  return best;
}

}  // namespace

std::optional<Comparison> adapter_answer(const Opened& subject, const Opened& base) {
  const bool ours = is_adapter(subject);
  if (!ours && !is_adapter(base)) return std::nullopt;
  const Opened& one = ours ? subject : base;
  const Opened& other = ours ? base : subject;
  const Adapter& adapter = *one.model->adapter;
  std::string text =
      fmt::format("{} is {} and holds no base weights.", one.name(), kind_of(adapter));
  if (!is_whole(other)) {
    text += " Name the model it was merged into, the base and the adapter to hear whether it was.";
    return undecided(subject, base, std::move(text));
  }
  const AdapterFit fit = fit_adapter(adapter, *one.model, *other.model);
  if (const std::string fits = fit_text(adapter, fit, other.name()); !fits.empty()) {
    text += " " + fits + ".";
  }
  text += copies_text(fit, other.name());
  Comparison comparison = undecided(subject, base, std::move(text));
  if (fit.misfits + fit.absent > 0) {
    comparison.problems.push_back(
        make_problem("lineage-adapter-base-mismatch", one.name(), fit.first));
  }
  return comparison;
}

std::optional<Joint> merged_adapters(const Opened& subject,
                                     const std::vector<std::shared_ptr<Opened>>& bases,
                                     const std::vector<Comparison>& comparisons) {
  constexpr std::size_t most = 8;
  if (!is_whole(subject)) return std::nullopt;
  std::vector<NamedModel> adapters;
  std::vector<Whole> whole;
  for (std::size_t i = 0; i < bases.size() && i < comparisons.size(); ++i) {
    if (bases[i] == nullptr) continue;
    const NamedModel named{.name = comparisons[i].base, .model = bases[i]->model.get()};
    if (is_adapter(*bases[i]) && adapters.size() < most) adapters.push_back(named);
    if (!is_whole(*bases[i])) continue;
    whole.push_back({.model = named, .shares = comparisons[i].verdict.derived == "yes"});
  }
  if (adapters.empty()) return std::nullopt;
  return best_of({.name = subject.name(), .model = subject.model.get()}, whole, adapters);
}

}  // namespace pedigree
