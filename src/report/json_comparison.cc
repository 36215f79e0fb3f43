#include <algorithm>

#include "report/json_parts.h"
#include "report/numbers.h"
#include "report/wording_architecture.h"

namespace pedigree {
namespace {

OrderedJson json_verdict(const Verdict& verdict) {
  OrderedJson out;
  out["relation"] = json_text(verdict.relation);
  out["mechanisms"] = json_texts(verdict.mechanisms);
  out["derived"] = json_text(verdict.derived);
  out["direction"] = json_text(verdict.direction);
  put_text(out, "direction_because", verdict.direction_because);
  out["architecture"] = json_text(verdict.architecture);
  put_text(out, "architecture_because", verdict.architecture_because);
  out["tokenizer"] = json_text(verdict.tokenizer);
  put_text(out, "tokenizer_because", verdict.tokenizer_because);
  if (verdict.log10_p) out["log10_p"] = json_log10(*verdict.log10_p);
  put_text(out, "stage", verdict.stage);
  out["coverage"] = json_number(verdict.coverage);
  if (verdict.power_cosine) out["power_cosine"] = json_number(*verdict.power_cosine);
  out["summary"] = json_text(verdict.summary);
  return out;
}

OrderedJson json_change(const RoleChange& change) {
  OrderedJson out;
  out["role"] = json_text(change.role);
  if (change.layer >= 0) out["layer"] = change.layer;
  if (change.expert >= 0) out["expert"] = change.expert;
  out["relative_delta"] = json_number(change.relative_delta);
  if (change.exact) out["exact"] = true;
  return out;
}

OrderedJson json_kept(const Kept& kept) {
  OrderedJson out = {{"ffn", json_number(kept.ffn)},
                     {"heads", json_number(kept.heads)},
                     {"hidden", json_number(kept.hidden)}};
  if (kept.experts) out["experts"] = json_number(*kept.experts);
  return out;
}

OrderedJson json_experts(const Experts& experts) {
  OrderedJson out = {{"subject", experts.subject}, {"base", experts.base}};
  if (experts.covered) out["covered"] = json_number(*experts.covered);
  out["map"] = OrderedJson::array();
  for (const ExpertLink& link : experts.map) {
    OrderedJson entry;
    entry["layer"] = link.layer;
    if (link.expert >= 0) entry["expert"] = link.expert;
    entry["base_layer"] = link.base_layer;
    if (link.base_expert >= 0) entry["base_expert"] = link.base_expert;
    entry["share"] = json_number(link.share);
    out["map"].push_back(std::move(entry));
  }
  return out;
}

OrderedJson json_row(const TensorRow& row) {
  OrderedJson out;
  out["name"] = json_text(row.name);
  put_text(out, "role", row.role);
  if (row.layer >= 0) out["layer"] = row.layer;
  put_text(out, "base_name", row.base_name);
  out["state"] = json_text(row.state);
  if (row.relative_delta) out["relative_delta"] = json_number(*row.relative_delta);
  return out;
}

void put_lists(OrderedJson& out, const Comparison& comparison) {
  for (const RoleChange& each : comparison.change) out["change"].push_back(json_change(each));
  if (!comparison.changed_tensors.empty()) {
    out["changed_tensors"] = json_texts(comparison.changed_tensors);
  }
  for (const auto& [field, values] : comparison.config_differences) {
    OrderedJson difference;
    difference["field"] = json_text(field);
    difference["values"] = json_text(values);
    put_text(difference, "consequence", consequence_of(field));
    out["config_differences"].push_back(std::move(difference));
  }
  if (comparison.tokenizers) out["tokenizers"] = json_tokenizers(*comparison.tokenizers);
  out["evidence"] = OrderedJson::array();
  for (const Evidence& each : comparison.evidence) out["evidence"].push_back(json_evidence(each));
  for (const TensorRow& each : comparison.rows) out["tensors"].push_back(json_row(each));
  if (!comparison.problems.empty()) out["problems"] = json_problems(comparison.problems);
}

}  // namespace

OrderedJson json_lora(const Lora& lora) {
  OrderedJson out;
  out["rank"] = lora.rank;
  if (lora.at_least) out["at_least"] = true;
  out["roles"] = json_texts(lora.roles);
  const bool differ = std::ranges::any_of(
      lora.ranks, [&](const RoleRank& each) { return each.rank != lora.rank || each.at_least; });
  for (const RoleRank& each : lora.ranks) {
    if (!differ) break;
    OrderedJson rank = {{"role", each.role}, {"rank", each.rank}};
    if (each.at_least) rank["at_least"] = true;
    out["ranks"].push_back(std::move(rank));
  }
  return out;
}

OrderedJson json_evidence(const Evidence& evidence) {
  OrderedJson out;
  out["statistic"] = json_text(evidence.statistic);
  out["outcome"] = outcome_name(evidence.outcome);
  if (evidence.outcome == Evidence::Outcome::measured) {
    out["value"] = json_number(evidence.value);
    if (evidence.log10_p) out["log10_p"] = json_log10(*evidence.log10_p);
    if (evidence.null != Evidence::Null::none) out["null"] = null_name(evidence.null);
  }
  out["samples"] = evidence.samples;
  put_text(out, "stage", evidence.stage);
  out["because"] = json_text(evidence.because);
  return out;
}

OrderedJson json_comparison(const Comparison& comparison) {
  OrderedJson out;
  out["subject"] = {{"name", json_text(comparison.subject)}};
  out["base"] = {{"name", json_text(comparison.base)}};
  out["verdict"] = json_verdict(comparison.verdict);
  out["transforms"] = json_texts(comparison.transforms);
  for (const auto& [subject, base] : comparison.layer_map) {
    out["layer_map"].push_back(OrderedJson::array({subject, base}));
  }
  if (comparison.lora) out["lora"] = json_lora(*comparison.lora);
  if (comparison.kept) out["kept"] = json_kept(*comparison.kept);
  if (comparison.experts) out["experts"] = json_experts(*comparison.experts);
  put_lists(out, comparison);
  return out;
}

}  // namespace pedigree
