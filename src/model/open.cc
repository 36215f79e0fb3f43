// From a MODEL argument to a Model: layout, weights, manifest, tokenizer, roles,
// and what only shows when these are held against each other.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "model/adapter.h"
#include "model/gguf_header.h"
#include "model/known_configurations.h"
#include "model/known_vocabularies.h"
#include "model/layout.h"
#include "model/manifest.h"
#include "model/metadata_architecture.h"
#include "model/model.h"
#include "model/packings/packings.h"
#include "model/roles.h"
#include "model/shards.h"
#include "model/tensor_list.h"
#include "model/tokenizer_names.h"
#include "model/tokenizer_open.h"
#include "model/towers.h"

namespace pedigree {
namespace {

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  std::ranges::move(from, std::back_inserter(to));
}

struct AdapterTensors {
  std::size_t count = 0;
  std::string first = {};
};

AdapterTensors adapter_tensors(const std::vector<StoredTensor>& tensors) {
  AdapterTensors found;
  for (const StoredTensor& tensor : tensors) {
    if (!is_adapter_tensor(tensor.entry.name)) continue;
    if (found.count++ == 0) found.first = tensor.entry.name;
  }
  return found;
}

// An adapter is one by its file's name, by its config, or by holding nothing
// else; adapter matrices anywhere else are left-overs.
void judge_adapter(const WeightsOutcome& weights, Manifest& manifest, Model& model) {
  const AdapterTensors found = adapter_tensors(model.tensors);
  model.is_adapter = weights.adapter_file || (manifest.adapter_config && found.count > 0) ||
                     (found.count > 0 && found.count == model.tensors.size());
  if (model.is_adapter) {
    model.adapter = std::make_shared<const Adapter>(
        read_adapter(model, manifest.adapter ? *std::move(manifest.adapter)
                                             : adapter_declaration(weights.header)));
  }
  if (model.is_adapter || found.count == 0) return;
  model.problems.push_back(
      make_problem("adapter-keys-in-model", {},
                   fmt::format("{} of {} tensors belong to an adapter, \"{}\" first", found.count,
                               model.tensors.size(), shown(found.first.substr(0, 200)))));
}

bool shows_quantization(const StoredTensor& tensor) {
  const ElementType& type = *tensor.entry.type;
  // Sub-byte and eight-bit floats are what quantisers write.
  return type.kind != ElementType::Kind::floating || type.bits <= 8;
}

void judge_quantization(const ConfigFacts& config, Model& model) {
  if (config.quantization.empty() || model.tensors.empty() || model.is_adapter) return;
  if (std::ranges::any_of(model.tensors, shows_quantization)) return;
  model.problems.push_back(
      make_problem("config-quantization-mismatch", config.file,
                   fmt::format("\"{}\" is declared and every tensor is stored in full precision",
                               shown(config.quantization))));
}

void judge_vocabulary(Model& model) {
  const std::uint64_t rows = model.architecture.vocab;
  if (!model.tokenizer || rows == 0 || model.tokenizer->tokens.size() <= rows) return;
  model.problems.push_back(make_problem(
      "tokenizer-vocab-mismatch", model.tokenizer->file,
      fmt::format("{} tokens meet {} embedding rows", model.tokenizer->tokens.size(), rows)));
}

// Names that someone gave it on purpose; a local path says nothing.
void judge_name(Model& model) {
  std::vector<std::string> names = {model.name};
  for (const Claim& claim : model.claims) {
    if (claim.key == "_name_or_path" || claim.kind == Claim::Kind::name) {
      names.push_back(claim.value);
    }
  }
  if (auto problem = name_contradiction(model.architecture, names)) {
    model.problems.push_back(*std::move(problem));
  }
}

// A typed header says what config and tokenizer files say beside other weights; where
// there are such files, they win.
void use_header(const WeightsOutcome& weights, Manifest& manifest, Model& model) {
  if (weights.header.empty()) return;
  if (!manifest.config.present) {
    manifest.config = header_facts(weights.header, weights.header_file);
    const bool head = std::ranges::any_of(model.tensors, [](const StoredTensor& tensor) {
      return tensor.entry.name == "output.weight";
    });
    if (!head) manifest.config.tie_word_embeddings = true;
  }
  if (model.tokenizer) return;
  auto tokenizer = read_header_tokenizer(weights.header, weights.header_file);
  if (!tokenizer) {
    model.problems.push_back(std::move(tokenizer.error()));
  } else {
    model.tokenizer = *std::move(tokenizer);
  }
}

// Whose vocabulary it is by its tokens, and whether the names around it agree.
void name_tokenizer(Model& model) {
  if (!model.tokenizer) return;
  find_known_vocabularies(*model.tokenizer);
  std::vector<Problem> problems = tokenizer_name_problems(model);
  append(model.problems, problems);
}

// Nothing can be said at all about one given file that holds no weights.
std::optional<Problem> refusal(const ModelLayout& layout, const WeightsOutcome& weights,
                               const Model& model) {
  if (!layout.single_file || weights.any_file) return std::nullopt;
  for (const Problem& problem : model.problems) {
    if (problem.severity == Severity::error) return problem;
  }
  return make_problem("not-a-weight-file", layout.name, "no weight format was recognised");
}

}  // namespace

Result<std::unique_ptr<Model>> open_model(const std::string& path, const OpenOptions& options) {
  auto layout = find_layout(path, options.revision);
  if (!layout) return std::unexpected(std::move(layout.error()));
  auto model = std::make_unique<Model>();
  model->name = layout->name;
  model->root = path;
  append(model->problems, layout->problems);
  append(model->claims, layout->claims);
  const WeightsOutcome weights = add_weights(*layout, options.limits, *model);
  if (auto problem = refusal(*layout, weights, *model)) return std::unexpected(std::move(*problem));
  if (!weights.any_file) {
    model->problems.push_back(make_problem("no-weights", {}, "no file in it holds weights"));
  }
  if (!options.part.empty()) {
    if (auto problem = keep_tower(*model, options.part)) {
      return std::unexpected(*std::move(problem));
    }
    model->name += "/" + options.part;
  }
  Manifest manifest;
  if (layout->single_file) {
    use_header(weights, manifest, *model);
  } else {
    manifest = read_manifest(*layout, weights.folder, options.part);
    append(model->claims, manifest.claims);
    if (!manifest.config.present && !weights.header.empty()) {
      std::erase_if(manifest.problems,
                    [](const Problem& problem) { return problem.code == "config-missing"; });
    }
    append(model->problems, manifest.problems);
    if (has_tokens(options.part)) {
      TokenizerOpening opening = open_tokenizer(*layout, weights.folder);
      model->tokenizer = std::move(opening.tokenizer);
      append(model->claims, opening.claims);
      append(model->problems, opening.problems);
    }
    use_header(weights, manifest, *model);
  }
  // What a checkpoint declares is about its language model, or its denoiser; what is wrong
  // with its files is told there too, but for what may hide a part's tensors.
  if (!speaks_for_the_whole(options.part)) {
    model->claims.clear();
    std::erase_if(model->problems,
                  [](const Problem& problem) { return problem.severity != Severity::error; });
  }
  judge_adapter(weights, manifest, *model);
  judge_quantization(manifest.config, *model);
  find_packed(*model, manifest.config.quantizer);
  assign_roles(*model, manifest.config);
  if (model->tensors.empty()) {
    describe_from_metadata(
        *model, manifest.config,
        weights.listed.names.empty() ? read_tensor_list(*layout, model->problems) : weights.listed);
  }
  judge_vocabulary(*model);
  judge_name(*model);
  name_tokenizer(*model);
  return model;
}

}  // namespace pedigree
