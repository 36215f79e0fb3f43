// The words a report uses, in one sentence or two each: finding rules, relations
// and answers here; problem codes come from their own table.
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "tasks/tasks.h"
#include "tasks/transform_words.h"

namespace pedigree {
namespace {

struct Word {
  std::string_view code = {};
  std::string_view kind = {};
  std::string_view level = {};
  std::string_view meaning = {};
  std::string_view remedy = {};
};

constexpr std::array words = {
    // Finding rules
    Word{.code = "lineage-undeclared-parent",
         .kind = "finding",
         .level = "warning",
         .meaning = "The weights show a parent that no file of the model declares.",
         .remedy = "Declare it as base_model, and check what its licence asks for."},
    Word{.code = "lineage-declared-contradicted",
         .kind = "finding",
         .level = "error",
         .meaning =
             "The model declares a parent, and the weights, compared with it, show no descent.",
         .remedy = "Ask the publisher which base was used."},
    Word{.code = "lineage-declared-unverified",
         .kind = "finding",
         .level = "warning",
         .meaning =
             "The model declares a parent that was not compared, or the comparison did not decide.",
         .remedy = "Give the declared base with --against."},
    Word{.code = "lineage-self-parent",
         .kind = "finding",
         .level = "note",
         .meaning = "The model names itself as its parent.",
         .remedy = "Name the base model, or leave the field out."},
    Word{.code = "lineage-local-path-parent",
         .kind = "finding",
         .level = "note",
         .meaning =
             "The declared parent is a path on somebody's machine, which nobody else can look up.",
         .remedy = "Name the base by its public name."},
    Word{.code = "lineage-quant-mismatch",
         .kind = "finding",
         .level = "error",
         .meaning = "The model is declared a quantised copy of its base, and the weights show "
                    "that they were trained besides, or not quantised at all.",
         .remedy = "Ask the publisher what was done beside quantising."},
    Word{.code = "lineage-merge-recipe-mismatch",
         .kind = "finding",
         .level = "note",
         .meaning = "The weights are a merge of the declared parents, by another recipe than "
                    "the one given.",
         .remedy = "Ask the publisher for the recipe that was used."},
    Word{
        .code = "lineage-unknown-origin",
        .kind = "finding",
        .level = "note",
        .meaning = "No file declares a parent, and none of the models it was compared with is one.",
        .remedy = "Declare base_model, or say that it was trained from scratch."},
    Word{.code = "card-relation-mismatch",
         .kind = "finding",
         .level = "warning",
         .meaning = "The parent is as declared, and what was done to it is not "
                    "(base_model_relation).",
         .remedy = "Correct base_model_relation, or ask the publisher what was done."},
    Word{.code = "card-license-mismatch",
         .kind = "finding",
         .level = "warning",
         .meaning = "Two files of the model give different licences.",
         .remedy = "Ask the publisher which licence holds; keep to the stricter."},
    // Relations, as in a verdict
    Word{.code = "identical",
         .kind = "relation",
         .meaning = "All informative weights are equal, after the transforms named."},
    Word{.code = "quantized",
         .kind = "relation",
         .meaning = "The base's weights, stored with fewer bits."},
    Word{.code = "finetune", .kind = "relation", .meaning = "The base's weights, trained further."},
    Word{.code = "partial-finetune",
         .kind = "relation",
         .meaning = "Some tensors were trained further; the others are the base's bit for bit."},
    Word{.code = "continued-pretraining",
         .kind = "relation",
         .meaning = "The base's weights, trained further so long that most of every matrix moved."},
    Word{.code = "lora-merge",
         .kind = "relation",
         .meaning = "The base's weights plus a change of low rank."},
    Word{.code = "merge",
         .kind = "relation",
         .meaning = "A combination of several models' weights.",
         .remedy = "Compare with all suspected parents at once."},
    Word{.code = "pruned",
         .kind = "relation",
         .meaning = "The base with layers, heads or neurons left out."},
    Word{.code = "depth-upscaled",
         .kind = "relation",
         .meaning = "The base with layers standing more than once."},
    Word{
        .code = "vocab-extended", .kind = "relation", .meaning = "The base with token rows added."},
    Word{.code = "moe-upcycled",
         .kind = "relation",
         .meaning = "The base's feed-forward layers, copied into experts."},
    Word{.code = "reparametrised",
         .kind = "relation",
         .meaning =
             "The base's function in other coordinates: units permuted, rescaled or rotated."},
    Word{.code = "partial-reuse",
         .kind = "relation",
         .meaning = "Only some layers or tensors are the base's."},
    Word{.code = "common-origin",
         .kind = "relation",
         .meaning =
             "The two share something, but the same initial weights cannot be told from descent."},
    Word{.code = "independent",
         .kind = "relation",
         .meaning = "No evidence of shared weights, though a likeness of the stated size would "
                    "have been seen."},
    Word{.code = "inconclusive",
         .kind = "relation",
         .meaning = "What was read does not decide; the summary says what is missing.",
         .remedy = "Give whole models instead of fingerprints, or the missing files."},
    // Statistics, as in a report's evidence; docs/statistics.md has their definitions
    Word{.code = "equal-tensors/1",
         .kind = "statistic",
         .meaning =
             "How many informative tensors are equal bit for bit, or after the named transforms?"},
    Word{.code = "equal-sample/1",
         .kind = "statistic",
         .meaning = "How many sampled values of informative matrices are equal bit for bit? Three "
                    "layers of "
                    "them exclude chance and a shared seed alike."},
    Word{.code = "ffn-pairing/1",
         .kind = "statistic",
         .meaning = "How many sampled feed-forward neurons are most like the neuron of the same "
                    "number, when "
                    "all are matched at once? Unrelated models expect one a layer."},
    Word{.code = "expert-pairing/1",
         .kind = "statistic",
         .meaning = "The same where layers hold experts: every feed-forward block of a layer "
                    "against every block of the other side's layer. Each layer speaks through its "
                    "best pair, and p pays for the choice."},
    Word{.code = "expert-lookup/1",
         .kind = "statistic",
         .meaning = "Are the neurons of experts found among the other side's under other numbers? "
                    "Half of the residual dimensions find partners; through them the dimensions "
                    "of the other half are paired by number, which chance does not do."},
    Word{.code = "expert-map/1",
         .kind = "statistic",
         .meaning = "How many feed-forward blocks, experts among them, stand against one of the "
                    "other side?"},
    Word{.code = "expert-cover/1",
         .kind = "statistic",
         .meaning = "How much of a dense feed-forward block do experts hold, and do they divide "
                    "it among them?"},
    Word{.code = "expert-rays/1",
         .kind = "statistic",
         .meaning = "Were blocks that resemble one block made from it apart from each other, or "
                    "it from them?"},
    Word{.code = "value-pairing/1",
         .kind = "statistic",
         .meaning = "The same for the value channels of each attention head."},
    Word{.code = "hidden-pairing/1",
         .kind = "statistic",
         .meaning =
             "The same for the residual dimensions, which one permutation of the whole model could "
             "re-deal."},
    Word{.code = "layer-map/1",
         .kind = "statistic",
         .meaning = "Which layer of one model is which layer of the other? Every possible map is "
                    "paid for."},
    Word{.code = "neuron-order/1",
         .kind = "statistic",
         .meaning = "Do the neurons that have a clear partner stand in the partner's order, as "
                    "they do after "
                    "pruning?"},
    Word{.code = "response-pairing/1",
         .kind = "statistic",
         .meaning = "How many neurons answer common tokens like the neuron of the same number? "
                    "Rotating the "
                    "residual stream does not change the answers."},
    Word{.code = "two-view/1",
         .kind = "statistic",
         .meaning =
             "How many neurons get the same partner by their gate answers and by their up answers? "
             "It "
             "finds models whose neurons were re-dealt and whose residual stream was rotated. Of "
             "plain MLPs: by what a neuron reads and by what it writes."},
    Word{.code = "recovered-view/1",
         .kind = "statistic",
         .meaning = "How many neurons get the same partner by their gate rows and by their up "
                    "rows, after the embeddings of common tokens have shown how one residual basis "
                    "turns into the other? It sees what answers to a few hundred tokens are too "
                    "rough for, two trainings from one seed among it."},
    Word{.code = "couplings/1",
         .kind = "statistic",
         .meaning = "How many neurons get the same partner by how their gate rows and their up "
                    "rows couple to neurons of other layers? It needs no embedding: neurons are "
                    "first recognised by how strongly they couple to attention and feed-forward "
                    "matrices. It finds models whose embeddings were replaced as well."},
    Word{.code = "common-origin/1",
         .kind = "statistic",
         .meaning = "Do gains and strong directions agree as after descent, or only as after "
                    "training twice "
                    "from the same initial weights?"},
    Word{.code = "kernel-pairing/1",
         .kind = "statistic",
         .meaning =
             "In nets of no known architecture: are output channels of hidden kernels paired "
             "with the channel of their own number more often than chance would? Classes, "
             "tables, recurrent and square matrices bear no witness."},
    Word{.code = "channel-agreement/1",
         .kind = "statistic",
         .meaning = "In nets of no known architecture: how many channels have the same partner by "
                    "what they read, from the inputs on, and by what reads them, from the outputs "
                    "back? No number is seen by both. It finds channels that were dealt anew; nets "
                    "trained apart on one task agree on some as well, so no probability is stated "
                    "and three in four of a numbering are asked for."},
    Word{.code = "redealt-kernels/1",
         .kind = "statistic",
         .meaning = "How many kernels of a net are the same in both, but for rounding, once "
                    "channels stand in one order, and where needed with one factor a channel?"},
    Word{
        .code = "lattice-residual/1",
        .kind = "statistic",
        .meaning = "Are the dequantised values within half a quantiser step of the other model's?"},
    Word{.code = "requantised/1",
         .kind = "statistic",
         .meaning = "Does quantising the other model again, by a rule that leaves no choice, give "
                    "the same codes? Of the model that was quantised it does; of a relative hardly "
                    "any block comes out equal."},
    Word{.code = "adapter-sum/1",
         .kind = "statistic",
         .meaning = "What share of the values that changed is the base's plus what an adapter's "
                    "file adds, to within the rounding of the stored type?"},
    Word{.code = "merge-copies/1",
         .kind = "statistic",
         .meaning = "Does every matrix that carries information stand in one candidate or another "
                    "with the same values, and in no single one?"},
    Word{.code = "merge-fit/1",
         .kind = "statistic",
         .meaning = "How much do weighted sums of the candidates' matrices leave, in units of what "
                    "rounding into the stored type leaves? Training from one of them leaves a "
                    "change of its own."},
    Word{.code = "merge-entries/1",
         .kind = "statistic",
         .meaning = "What share of the entries take one of the few values that TIES, DARE and "
                    "their kin allow?"},
    Word{.code = "merge-direction/1",
         .kind = "statistic",
         .meaning = "What share of the subject's values are the sum rounded once? Of a model that "
                    "was not computed from the others, fewer are."},
    Word{.code = "unit-signs/1",
         .kind = "statistic",
         .meaning = "Do sampled neurons and value channels agree in sign with those of the same "
                    "number more often than coin tosses would? Training prefers no sign, so "
                    "unrelated models get z standard deviations beyond chance with a probability "
                    "of at most exp(-z²/2). It finds descent that is too faint for pairing. Once "
                    "by layer number, and once (layer-map) with the layers that fit best, which "
                    "p pays for."},
    Word{.code = "dimension-signs/1",
         .kind = "statistic",
         .meaning = "The same for the residual dimensions of models whose norms only rescale."},
    Word{.code = "whole-unit-signs/1",
         .kind = "statistic",
         .meaning = "The same for all neurons and value channels, from whole matrices."},
    Word{.code = "whole-dimension-signs/1",
         .kind = "statistic",
         .meaning = "The same for all residual dimensions, from whole matrices."},
    Word{.code = "neuron-trace/1",
         .kind = "statistic",
         .meaning = "Are sampled neurons more alike their own numbers than any other pairing would "
                    "make them? Screening: its null is asymptotic, so it never carries a verdict."},
    Word{.code = "dimension-order/1",
         .kind = "statistic",
         .meaning = "Do the residual dimensions of a narrower model, found by common tokens, stand "
                    "in the order of the wider one, as they do after pruning?"},
    Word{.code = "delta-noise/1",
         .kind = "statistic",
         .meaning = "Is the change nothing but added noise? Training leaves a few strong "
                    "directions; noise has no singular value beyond the Marchenko-Pastur edge."},
    Word{.code = "rounded-update/1",
         .kind = "statistic",
         .meaning =
             "Which side was rounded after a low-rank update was added? That side is the child."},
    Word{.code = "siblings",
         .kind = "answer",
         .meaning = "A direction: both come from one parent, and neither from the other. Said "
                    "where that parent is at hand and the weights show it."},
    Word{.code = "undetermined",
         .kind = "answer",
         .meaning = "A direction: the weights do not say which of the two came first. Training "
                    "looks the same from both ends.",
         .remedy = "Give the suspected common parent as a further base."},
    // Answers that are no relation
    Word{.code = "derived",
         .kind = "answer",
         .meaning =
             "yes: one was made from the other's trained weights, or both from a common trained "
             "ancestor. no: independent. inconclusive: neither is shown."},
    Word{.code = "confirmed", .kind = "answer", .meaning = "The weights show the declared parent."},
    Word{.code = "contradicted",
         .kind = "answer",
         .meaning = "The weights were compared with the declared parent and show no descent.",
         .remedy = "Ask the publisher which base was used."},
    Word{.code = "unverified",
         .kind = "answer",
         .meaning = "The declared parent was not compared, or nothing was decided.",
         .remedy = "Give the declared base with --against."},
    Word{.code = "undeclared",
         .kind = "answer",
         .meaning = "The weights show a parent that no file declares.",
         .remedy = "Declare it as base_model."},
};

}  // namespace

std::vector<Explanation> explanations() {
  std::vector<Explanation> list;
  for (const ProblemKind& kind : problem_kinds()) {
    list.push_back({.code = std::string(kind.code),
                    .kind = "problem",
                    .level = std::string(severity_name(kind.severity)),
                    .meaning = std::string(kind.meaning),
                    .remedy = std::string(kind.remedy)});
  }
  for (const Word& word : words) {
    list.push_back({.code = std::string(word.code),
                    .kind = std::string(word.kind),
                    .level = std::string(word.level),
                    .meaning = std::string(word.meaning),
                    .remedy = std::string(word.remedy)});
  }
  for (Explanation& each : transform_explanations()) list.push_back(std::move(each));
  return list;
}

}  // namespace pedigree
