#include <cmath>
#include <string>

#include "model/known_configurations.h"
#include "report/json_parts.h"
#include "report/numbers.h"

namespace pedigree {
namespace {

void put_count(OrderedJson& out, const char* key, std::uint64_t count) {
  if (count > 0) out[key] = count;
}

// Reals of a config come from a file: what JSON cannot say is left out.
void put_setting(OrderedJson& out, const char* key, const std::optional<double>& value) {
  if (value && std::isfinite(*value)) out[key] = json_number(*value);
}

// Context, with the place its numbers were read.
OrderedJson json_resemblance(const Resemblance& found) {
  OrderedJson out;
  out["names"] = json_texts(found.known->names);
  out["differences"] = OrderedJson::array();
  for (const auto& [field, values] : found.differences) {
    out["differences"].push_back({{"field", json_text(field)}, {"values", json_text(values)}});
  }
  const ConfigurationSource& source = *found.known->source;
  out["source"] = {{"package", json_text(source.package)},
                   {"version", json_text(source.version)},
                   {"file", json_text(source.file)},
                   {"sha256", json_text(source.sha256)}};
  return out;
}

OrderedJson json_architecture(const Architecture& built) {
  OrderedJson out;
  out["family"] = json_text(built.family.empty() ? "unknown" : built.family);
  put_text(out, "title", built.family_title);
  put_text(out, "structure", built.structure);
  out["explained"] = json_number(built.explained);
  put_text(out, "runner_up", built.runner_up);
  if (!built.alike.empty()) {
    OrderedJson& placed = out["placed"];
    for (const std::string& family : built.alike) placed["alike"].push_back(json_text(family));
    placed["score"] = json_number(built.placed);
    if (built.runner_up_placed > 0) placed["runner_up_score"] = json_number(built.runner_up_placed);
  }
  put_text(out, "norm", built.norm);
  put_text(out, "activation", built.activation);
  put_text(out, "positions", built.positions);
  out["gated_mlp"] = built.gated_mlp;
  out["tied_embeddings"] = built.tied_embeddings;
  out["attention_bias"] = built.attention_bias;
  put_count(out, "layers", built.layers);
  put_count(out, "hidden", built.hidden);
  put_count(out, "heads", built.heads);
  put_count(out, "kv_heads", built.kv_heads);
  put_count(out, "head_dim", built.head_dim);
  put_count(out, "ffn", built.ffn);
  put_count(out, "vocab", built.vocab);
  put_count(out, "experts", built.experts);
  put_count(out, "experts_used", built.experts_used);
  put_setting(out, "rope_theta", built.rope_theta);
  put_text(out, "rope_scaling", built.rope_scaling);
  put_setting(out, "rotary_share", built.rotary_share);
  if (built.parallel_residual) out["parallel_residual"] = *built.parallel_residual;
  put_count(out, "window", built.window);
  put_setting(out, "norm_eps", built.norm_eps);
  if (built.context) out["context"] = *built.context;
  put_text(out, "layer_template", built.layer_template);
  for (const auto& [ours, theirs] : built.renames) {
    out["renames"].push_back({{"here", json_text(ours)}, {"usually", json_text(theirs)}});
  }
  put_text(out, "roles_from", built.roles_from);
  if (const auto found = resembled_configuration(built)) {
    out["resembles"] = json_resemblance(*found);
  }
  return out;
}

OrderedJson json_file(const ModelFile& file) {
  OrderedJson out;
  out["path"] = json_text(file.path);
  out["format"] = json_text(file.format);
  out["size"] = file.size;
  if (file.expected_sha256) {
    out["expected_sha256"] = json_text(*file.expected_sha256);
    put_text(out, "expected_from", file.expected_from);
  }
  return out;
}

OrderedJson json_claim(const Claim& claim) {
  OrderedJson out;
  out["kind"] = claim_kind_name(claim.kind);
  out["key"] = json_text(claim.key);
  out["value"] = json_text(claim.value);
  out["file"] = json_text(claim.file);
  if (claim.line > 0) out["line"] = claim.line;
  if (claim.offset) out["offset"] = *claim.offset;
  return out;
}

OrderedJson json_digest(const ModelDigests& digests) {
  OrderedJson out;
  put_text(out, "named", digests.named);
  put_text(out, "bag", digests.bag);
  for (const FileDigest& file : digests.files) {
    out["files"].push_back(
        {{"path", json_text(file.path)}, {"size", file.size}, {"sha256", json_text(file.sha256)}});
  }
  for (const TensorDigest& tensor : digests.tensors) {
    OrderedJson row;
    row["name"] = json_text(tensor.name);
    put_text(row, "role", tensor.role);
    if (tensor.layer >= 0) row["layer"] = tensor.layer;
    if (tensor.expert >= 0) row["expert"] = tensor.expert;
    row["shape"] = tensor.shape;
    put_text(row, "h1", tensor.h1);
    put_text(row, "h2", tensor.h2);
    put_text(row, "h3", tensor.h3);
    row["informative"] = tensor.informative;
    out["tensors"].push_back(std::move(row));
  }
  return out;
}

OrderedJson json_part(const CanonicalTensor& part) {
  OrderedJson out;
  out["role"] = json_text(part.role);
  if (part.layer >= 0) out["layer"] = part.layer;
  if (part.expert >= 0) out["expert"] = part.expert;
  out["rows"] = part.rows;
  out["cols"] = part.cols;
  if (part.first_row > 0) out["first_row"] = part.first_row;
  if (part.first_col > 0) out["first_col"] = part.first_col;
  if (part.run > 0) {
    out["run"] = part.run;
    if (part.period > 0) out["period"] = part.period;
  }
  if (!part.transforms.empty()) out["transforms"] = json_texts(part.transforms);
  return out;
}

OrderedJson json_tensors(const ModelInfo& info) {
  std::vector<OrderedJson> rows;
  for (const StoredTensor& tensor : info.tensors) {
    OrderedJson row;
    row["name"] = json_text(tensor.entry.name);
    row["type"] = json_text(tensor.entry.type_name);
    row["shape"] = tensor.entry.shape;
    const FilePlace place = tensor.gathered_from.value_or(
        FilePlace{.shard = tensor.shard, .extent = tensor.entry.extent});
    row["shard"] = place.shard;
    row["extent"] = {place.extent.begin, place.extent.end};
    rows.push_back(std::move(row));
  }
  for (const CanonicalTensor& part : info.canonical) {
    if (part.tensor < rows.size()) rows[part.tensor]["roles"].push_back(json_part(part));
  }
  return rows;
}

}  // namespace

OrderedJson json_subject(const Subject& subject, bool with_tensors) {
  const ModelInfo& info = subject.info;
  OrderedJson out;
  out["name"] = json_text(info.name);
  out["format"] = json_texts(info.formats);
  out["architecture"] = json_architecture(info.architecture);
  if (subject.digests) out["digest"] = json_digest(*subject.digests);
  out["parameters"] = info.parameters;
  out["weight_bytes"] = info.weight_bytes;
  out["tensor_count"] = info.tensors.size();
  put_count(out, "missing_bytes", info.missing_bytes);
  if (info.only_pointers) out["only_pointers"] = true;
  if (info.is_adapter) out["adapter"] = true;
  if (info.adapter) out["adapter_details"] = json_adapter(*info.adapter);
  put_text(out, "fingerprint_scheme", subject.fingerprint_scheme);
  for (const ModelFile& file : info.files) out["files"].push_back(json_file(file));
  if (info.tokenizer) out["tokenizer"] = json_tokenizer(*info.tokenizer);
  for (const Claim& claim : info.claims) out["claims"].push_back(json_claim(claim));
  if (with_tensors) out["tensors"] = json_tensors(info);
  return out;
}

}  // namespace pedigree
