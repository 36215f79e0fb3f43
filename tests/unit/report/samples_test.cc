#include "tests/unit/report/samples.h"

namespace pedigree::test {
namespace {

Subject subject_named(const std::string& name) {
  Subject subject;
  ModelInfo& info = subject.info;
  info.name = name;
  info.formats = {"safetensors"};
  info.files = {{"model.safetensors", "safetensors", 1'234'567, "ab12", "lfs-pointer"},
                {hostile, "other", 12, std::nullopt, ""}};
  info.architecture.family = "llama";
  info.architecture.family_title = "LLaMA";
  info.architecture.structure = "decoder/rmsnorm-pre/rope/gated-silu";
  info.architecture.explained = 1;
  info.architecture.layers = 4;
  info.architecture.hidden = 96;
  info.architecture.heads = 4;
  info.architecture.kv_heads = 2;
  info.architecture.head_dim = 24;
  info.architecture.rope_theta = 10000;
  info.architecture.norm_eps = 1e-5;
  info.architecture.renames = {{"ln1", "input_layernorm"}};
  info.tensors = {{TensorEntry{hostile, &opaque_type(), "BF16", {64, 96}, {128, 12416}}, 0}};
  info.canonical = {{.role = "attn.q", .layer = 0, .rows = 64, .cols = 96}};
  info.claims = {{Claim::Kind::base_model, "base_model", hostile, "README.md", 4},
                 {Claim::Kind::license, "license", "apache-2.0", "README.md", 2}};
  info.parameters = 617'000;
  info.weight_bytes = 1'234'000;
  return subject;
}

Evidence pairing_evidence() {
  return {.statistic = "ffn-pairing/1",
          .outcome = Evidence::Outcome::measured,
          .value = 64,
          .log10_p = -89.1049,
          .null = Evidence::Null::exact,
          .samples = 256,
          .stage = "aligned",
          .because = "64 of 64 sampled neurons pair with the neuron of the same number"};
}

Comparison derived_comparison() {
  Comparison comparison;
  comparison.subject = "child";
  comparison.base = hostile;
  comparison.verdict = {.relation = "lora-merge",
                        .mechanisms = {"lora-merge"},
                        .derived = "yes",
                        .direction = "undetermined",
                        .direction_because = "",
                        .architecture = "yes",
                        .architecture_because = "same structure and shapes",
                        .tokenizer = "yes",
                        .tokenizer_because = "",
                        .log10_p = -321.44,
                        .stage = "aligned",
                        .coverage = 0.98,
                        .power_cosine = {},
                        .summary = "child shares weights with " + hostile};
  comparison.transforms = {"rename", "cast:F32->BF16"};
  comparison.layer_map = {{0, 0}, {1, 1}, {2, 1}, {3, 2}};
  comparison.lora = Lora{.rank = 8, .at_least = false, .roles = {"attn.q", "ffn.up"}};
  comparison.kept = Kept{.ffn = 0.6, .heads = 1, .hidden = 1};
  comparison.change = {{"ffn.up", 0, 0.0131234567, false}, {"ffn.up", 1, 0, true}};
  comparison.changed_tensors = {hostile};
  comparison.evidence = {pairing_evidence(),
                         {.statistic = "ffn-responses/1",
                          .outcome = Evidence::Outcome::insufficient,
                          .log10_p = {},
                          .samples = 12,
                          .stage = "responses",
                          .because = "12 tokens are shared, 20 are needed"}};
  comparison.rows = {{hostile, "attn.q", 0, "q", "changed", 0.5}};
  comparison.config_differences = {{"rope_theta", "10000 against 5000000"}};
  comparison.problems = {make_problem("tensor-not-finite", hostile, "NaN in it")};
  return comparison;
}

Comparison independent_comparison(const std::string& base) {
  Comparison comparison;
  comparison.subject = "child";
  comparison.base = base;
  comparison.verdict.relation = "independent";
  comparison.verdict.derived = "no";
  comparison.verdict.architecture = "yes";
  comparison.verdict.coverage = 1;
  comparison.verdict.power_cosine = 0.05;
  comparison.evidence = {pairing_evidence()};
  comparison.evidence.front().value = 1;
  comparison.evidence.front().log10_p = 0;
  return comparison;
}

Joint merged() {
  Joint joint{.method = "slerp", .condition = 45.2};
  joint.parents = {{.name = hostile, .weight = 0.618, .t = 0.6},
                   {.name = "other", .weight = 0.416, .t = 0.4, .kept = 0.5}};
  joint.base = JointParent{.name = "root", .weight = -0.034};
  joint.unneeded = {hostile};
  joint.residual = 0.0017;
  joint.rounding_ratio = 1.004;
  joint.within_rounding = true;
  joint.direction = "base-is-parent";
  joint.direction_because = "its values are the sum rounded once";
  joint.parts = {{.layer = 0, .role = "attn.q", .weights = {0.7, 0.3, 0}, .t = 0.3},
                 {.layer = 1, .role = "attn.q", .weights = {0.5, 0.5, 0}, .t = 0.5, .from = 0}};
  joint.evidence = {{.statistic = "merge-fit/1",
                     .outcome = Evidence::Outcome::measured,
                     .value = 1.004,
                     .log10_p = -37.84,
                     .null = Evidence::Null::assumed,
                     .samples = 122'880,
                     .stage = "aligned",
                     .because = "sums of " + hostile + " leave what rounding leaves"}};
  joint.summary = "child is a slerp merge of " + hostile + " and other.";
  return joint;
}

}  // namespace

Report full_report() {
  Report report;
  report.command = "audit";
  report.tool_version = "0.1.0";
  report.scheme = "fp/1";
  report.generated = "2024-01-02T03:04:05Z";
  report.subject = subject_named("child");
  report.subject->digests = ModelDigests{.files = {{"model.safetensors", 12, std::string(64, 'a')}},
                                         .tensors = {{.name = hostile,
                                                      .role = "attn.q",
                                                      .layer = 0,
                                                      .shape = {64, 96},
                                                      .h1 = "h1/1:sha256:00",
                                                      .h2 = "",
                                                      .h3 = ""}},
                                         .named = "named/1:sha256:01",
                                         .bag = "bag/1:sha256:02"};
  report.comparisons = {derived_comparison(), independent_comparison("other")};
  report.joint = merged();
  report.declared = {
      {"README.md:4 base_model", hostile, "contradicted", "its weights do not descend from it"},
      {"config.json:3 _name_or_path", "x/y", "unverified", "it was not compared"}};
  report.findings = {{"lineage-declared-contradicted", Severity::error, "says " + hostile, hostile,
                      "Ask the publisher."}};
  report.problems = {make_problem("safetensors-offsets", hostile, "overlap in " + hostile, 4096)};
  report.written = {{"child", "child.pedigree", "fp/1", 4096, 100, 10'000}};
  report.checks = {{hostile, std::string(64, 'b'), std::string(64, 'c'), "SHA256SUMS", "mismatch"}};
  report.expected = Expectation{.wanted = "independent", .met = false};
  report.show_tensors = true;
  report.rerun = "pedigree audit child --against " + hostile;
  return report;
}

Report inspect_report() {
  Report report;
  report.command = "inspect";
  report.tool_version = "0.1.0";
  report.subject = subject_named("模型");
  return report;
}

Report independent_report() {
  Report report = inspect_report();
  report.command = "compare";
  report.comparisons = {independent_comparison("one"), independent_comparison("two")};
  return report;
}

}  // namespace pedigree::test
