// The words a report uses, in one sentence or two each: finding rules, relations
// and answers here; problem codes come from their own table.
#include <array>
#include <iterator>
#include <string_view>

#include "tasks/tasks.h"

namespace pedigree {
namespace {

struct Word {
  std::string_view code;
  std::string_view kind;
  std::string_view level;
  std::string_view meaning;
  std::string_view remedy;
};

constexpr std::array words = {
    // Finding rules
    Word{"lineage-undeclared-parent", "finding", "warning",
         "The weights show a parent that no file of the model declares.",
         "Declare it as base_model, and check what its licence asks for."},
    Word{"lineage-declared-contradicted", "finding", "error",
         "The model declares a parent, and the weights, compared with it, show no descent.",
         "Ask the publisher which base was used."},
    Word{"lineage-declared-unverified", "finding", "warning",
         "The model declares a parent that was not compared, or the comparison did not decide.",
         "Give the declared base with --against."},
    Word{"lineage-self-parent", "finding", "note", "The model names itself as its parent.",
         "Name the base model, or leave the field out."},
    Word{"lineage-local-path-parent", "finding", "note",
         "The declared parent is a path on somebody's machine, which nobody else can look up.",
         "Name the base by its public name."},
    // Relations, as in a verdict
    Word{"identical", "relation", "",
         "All informative weights are equal, after the transforms named.", ""},
    Word{"quantized", "relation", "", "The base's weights, stored with fewer bits.", ""},
    Word{"finetune", "relation", "", "The base's weights, trained further.", ""},
    Word{"partial-finetune", "relation", "",
         "Some tensors were trained further; the others are the base's bit for bit.", ""},
    Word{"continued-pretraining", "relation", "",
         "The base's weights, trained further so long that most of every matrix moved.", ""},
    Word{"lora-merge", "relation", "", "The base's weights plus a change of low rank.", ""},
    Word{"merge", "relation", "", "A combination of several models' weights.",
         "Compare with all suspected parents at once."},
    Word{"pruned", "relation", "", "The base with layers, heads or neurons left out.", ""},
    Word{"depth-upscaled", "relation", "", "The base with layers standing more than once.", ""},
    Word{"vocab-extended", "relation", "", "The base with token rows added.", ""},
    Word{"moe-upcycled", "relation", "", "The base's feed-forward layers, copied into experts.",
         ""},
    Word{"reparametrised", "relation", "",
         "The base's function in other coordinates: units permuted, rescaled or rotated.", ""},
    Word{"partial-reuse", "relation", "", "Only some layers or tensors are the base's.", ""},
    Word{"common-origin", "relation", "",
         "The two share something, but the same initial weights cannot be told from descent.", ""},
    Word{
        "independent", "relation", "",
        "No evidence of shared weights, though a likeness of the stated size would have been seen.",
        ""},
    Word{"inconclusive", "relation", "",
         "What was read does not decide; the summary says what is missing.",
         "Give whole models instead of fingerprints, or the missing files."},
    // Statistics, as in a report's evidence; docs/statistics.md has their definitions
    Word{"equal-tensors/1", "statistic", "",
         "How many informative tensors are equal bit for bit, or after the named transforms?", ""},
    Word{"equal-sample/1", "statistic", "",
         "How many sampled values of informative matrices are equal bit for bit? Three layers of "
         "them exclude chance and a shared seed alike.",
         ""},
    Word{"ffn-pairing/1", "statistic", "",
         "How many sampled feed-forward neurons are most like the neuron of the same number, when "
         "all are matched at once? Unrelated models expect one a layer.",
         ""},
    Word{"value-pairing/1", "statistic", "",
         "The same for the value channels of each attention head.", ""},
    Word{"hidden-pairing/1", "statistic", "",
         "The same for the residual dimensions, which one permutation of the whole model could "
         "re-deal.",
         ""},
    Word{"layer-map/1", "statistic", "",
         "Which layer of one model is which layer of the other? Every possible map is paid for.",
         ""},
    Word{"neuron-order/1", "statistic", "",
         "Do the neurons that have a clear partner stand in the partner's order, as they do after "
         "pruning?",
         ""},
    Word{"response-pairing/1", "statistic", "",
         "How many neurons answer common tokens like the neuron of the same number? Rotating the "
         "residual stream does not change the answers.",
         ""},
    Word{"two-view/1", "statistic", "",
         "How many neurons get the same partner by their gate answers and by their up answers? It "
         "finds models whose neurons were re-dealt and whose residual stream was rotated.",
         ""},
    Word{"common-origin/1", "statistic", "",
         "Do gains and strong directions agree as after descent, or only as after training twice "
         "from the same initial weights?",
         ""},
    Word{"lattice-residual/1", "statistic", "",
         "Are the dequantised values within half a quantiser step of the other model's?", ""},
    Word{"merge-copies/1", "statistic", "",
         "Does every matrix that carries information stand in one candidate or another with the "
         "same values, and in no single one?",
         ""},
    Word{"merge-fit/1", "statistic", "",
         "How much do weighted sums of the candidates' matrices leave, in units of what rounding "
         "into the stored type leaves? Training from one of them leaves a change of its own.",
         ""},
    Word{"merge-entries/1", "statistic", "",
         "What share of the entries take one of the few values that TIES, DARE and their kin "
         "allow?",
         ""},
    Word{"merge-direction/1", "statistic", "",
         "What share of the subject's values are the sum rounded once? Of a model that was not "
         "computed from the others, fewer are.",
         ""},
    // Answers that are no relation
    Word{"derived", "answer", "",
         "yes: one was made from the other's trained weights, or both from a common trained "
         "ancestor. no: independent. inconclusive: neither is shown.",
         ""},
    Word{"confirmed", "answer", "", "The weights show the declared parent.", ""},
    Word{"contradicted", "answer", "",
         "The weights were compared with the declared parent and show no descent.",
         "Ask the publisher which base was used."},
    Word{"unverified", "answer", "",
         "The declared parent was not compared, or nothing was decided.",
         "Give the declared base with --against."},
    Word{"undeclared", "answer", "", "The weights show a parent that no file declares.",
         "Declare it as base_model."},
};

}  // namespace

std::vector<Explanation> explanations() {
  std::vector<Explanation> list;
  for (const ProblemKind& kind : problem_kinds()) {
    list.push_back({std::string(kind.code), "problem", std::string(severity_name(kind.severity)),
                    std::string(kind.meaning), std::string(kind.remedy)});
  }
  for (const Word& word : words) {
    list.push_back({std::string(word.code), std::string(word.kind), std::string(word.level),
                    std::string(word.meaning), std::string(word.remedy)});
  }
  return list;
}

}  // namespace pedigree
