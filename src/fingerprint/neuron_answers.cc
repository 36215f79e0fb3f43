#include "fingerprint/neuron_answers.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/parallel.h"
#include "fingerprint/responses.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;

using Floats = std::vector<float>;

Result<Floats> scaled_by_gain(const Model& model, std::string_view role, int layer, Floats rows) {
  const CanonicalTensor* norm = model.find(role, layer);
  if (norm == nullptr) return rows;
  auto gain = read_all(model, *norm);
  if (!gain) return std::unexpected(std::move(gain.error()));
  if (gain->empty() || rows.size() % gain->size() != 0) return rows;
  const float one = model.architecture.norm_plus_one ? 1.0F : 0.0F;
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] *= (*gain)[i % gain->size()] + one;
  return rows;
}

bool has_layer_norm(const Model& model) { return model.architecture.norm == "layernorm"; }

// What the blocks of one model are asked about.
struct Questions {
  Floats read = {};     // token embeddings, centred: what a neuron may read
  Floats written = {};  // head rows with the last gain, centred; of plain MLPs only
};

Result<Questions> questions_for(const Model& model, std::span<const std::uint64_t> tokens,
                                bool with_written) {
  const CanonicalTensor* embedding = model.find("embed.tokens");
  auto rows = read_rows(model, *embedding, tokens);
  if (!rows) return std::unexpected(std::move(rows.error()));
  // A LayerNorm takes the mean off W's rows times gain as well; taking it off one
  // factor of the product takes it off both.
  Questions questions{.read = centred_tokens(*rows, embedding->cols, has_layer_norm(model))};
  if (!with_written) return questions;
  const CanonicalTensor* head = model.find("head.out");
  if (head == nullptr) head = embedding;  // tied
  if (*std::ranges::max_element(tokens) >= head->rows) return questions;
  auto outputs = read_rows(model, *head, tokens);
  if (!outputs) return std::unexpected(std::move(outputs.error()));
  auto scaled = scaled_by_gain(model, "head.norm", -1, std::move(*outputs));
  if (!scaled) return std::unexpected(std::move(scaled.error()));
  questions.written = centred_tokens(*scaled, head->cols, has_layer_norm(model));
  return questions;
}

// rows × questions.
Floats answers(std::span<const float> rows, std::span<const float> questions, std::size_t width) {
  const std::size_t count = questions.size() / width;
  std::vector<double> exact(count);
  Floats result;
  result.reserve(rows.size() / width * count);
  for (std::size_t i = 0; i < rows.size(); i += width) {
    dots(rows.subspan(i, width), questions, exact);
    for (const double value : exact) result.push_back(static_cast<float>(value));
  }
  return result;
}

Result<std::vector<std::uint64_t>> chosen_neurons(const Model& model, const CanonicalTensor& reader,
                                                  std::span<const float> inputs,
                                                  const AnswerRequest& request) {
  std::vector<std::uint64_t> neurons(reader.rows);
  for (std::size_t i = 0; i < neurons.size(); ++i) neurons[i] = i;
  if (reader.rows <= std::max<std::uint64_t>(request.whole, request.chosen)) return neurons;
  const std::size_t width = reader.cols;
  const auto some = inputs.subspan(0, std::min(inputs.size(), choosing_tokens * width));
  std::vector<double> size(reader.rows);
  auto problem =
      stream_rows(model, reader, chunk_bytes,
                  [&](std::uint64_t row, std::span<const float> values) -> std::optional<Problem> {
                    const Floats seen = answers(values, some, width);
                    const std::size_t asked = some.size() / width;
                    for (std::size_t i = 0; i < seen.size(); ++i) {
                      const auto value = static_cast<double>(seen[i]);
                      size[row + i / asked] += value * value;
                    }
                    return std::nullopt;
                  });
  if (problem) return std::unexpected(std::move(*problem));
  std::ranges::stable_sort(neurons, std::greater{}, [&](std::uint64_t i) { return size[i]; });
  neurons.resize(request.chosen);
  std::ranges::sort(neurons);
  return neurons;
}

Result<Floats> read_answers(const Model& model, const CanonicalTensor& reader,
                            std::span<const std::uint64_t> neurons, const Floats& inputs) {
  auto rows = read_rows(model, reader, neurons);
  if (!rows) return std::unexpected(std::move(rows.error()));
  return answers(*rows, inputs, reader.cols);
}

// What each neuron's column of down adds towards the tokens.
Result<Floats> written_answers(const Model& model, const CanonicalTensor& down,
                               std::span<const std::uint64_t> neurons, const Floats& outputs) {
  std::vector<std::uint64_t> every(down.rows);
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
  auto columns = read_block(model, down, every, neurons);
  if (!columns) return std::unexpected(std::move(columns.error()));
  Floats turned(columns->size());
  for (std::size_t i = 0; i < every.size(); ++i) {
    for (std::size_t j = 0; j < neurons.size(); ++j) {
      turned[j * every.size() + i] = (*columns)[i * neurons.size() + j];
    }
  }
  return answers(turned, outputs, every.size());
}

bool fits(const CanonicalTensor* tensor, std::size_t tokens, const Floats& questions) {
  return tensor != nullptr && questions.size() == tokens * tensor->cols;
}

bool has_gate(const Model& model, const FfnPlace& place) {
  return find_part(model, place, FfnPart::gate) != nullptr;
}

std::map<int, std::uint64_t> experts_by_layer(const Model& model) {
  std::map<int, std::uint64_t> experts;
  for (const FfnPlace& place : ffn_places(model)) {
    if (place.kind != FfnPlace::Kind::expert || place.expert < 0) continue;
    std::uint64_t& count = experts[place.layer];
    count = std::max(count, static_cast<std::uint64_t>(place.expert) + 1);
  }
  return experts;
}

// `found` knows its place; `wanted` is null for the neurons with the largest first answers.
std::optional<Problem> answer(const Model& model, const AnswerRequest& request,
                              const Questions& questions, const std::vector<std::uint64_t>* wanted,
                              NeuronAnswers& found) {
  const std::size_t tokens = request.tokens.size();
  const CanonicalTensor* up = find_part(model, found.place, FfnPart::up);
  const CanonicalTensor* down = find_part(model, found.place, FfnPart::down);
  found.gated = has_gate(model, found.place);
  const CanonicalTensor* first = found.gated ? find_part(model, found.place, FfnPart::gate) : up;
  if (!fits(first, tokens, questions.read) || up == nullptr || first->rows != up->rows) return {};
  if (up->cols != first->cols) return {};
  if (!found.gated && (down == nullptr || down->cols != up->rows ||
                       questions.written.size() != tokens * down->rows)) {
    return {};
  }
  const auto inputs = scaled_by_gain(model, "ffn.norm", found.place.layer, questions.read);
  if (!inputs) return inputs.error();
  auto neurons = wanted == nullptr ? chosen_neurons(model, *first, *inputs, request)
                                   : Result<std::vector<std::uint64_t>>(*wanted);
  if (!neurons) return std::move(neurons.error());
  auto one = read_answers(model, *first, *neurons, *inputs);
  if (!one) return std::move(one.error());
  auto other = found.gated ? read_answers(model, *up, *neurons, *inputs)
                           : written_answers(model, *down, *neurons, questions.written);
  if (!other) return std::move(other.error());
  found.full_neurons = first->rows;
  found.neurons = std::move(*neurons);
  found.first = std::move(*one);
  found.second = std::move(*other);
  return {};
}

}  // namespace

Result<std::vector<NeuronAnswers>> neuron_answers(const Model& model, const AnswerRequest& request,
                                                  unsigned threads, const Progress& progress) {
  std::vector<NeuronAnswers> blocks(request.places.size());
  const auto experts = experts_by_layer(model);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i].place = request.places[i];
    if (blocks[i].place.kind == FfnPlace::Kind::expert) {
      const auto at = experts.find(blocks[i].place.layer);
      if (at != experts.end()) blocks[i].experts = at->second;
    }
  }
  if (model.find("embed.tokens") == nullptr || request.tokens.empty() || blocks.empty()) {
    return blocks;
  }
  const bool all_gated = std::ranges::all_of(
      request.places, [&](const FfnPlace& place) { return has_gate(model, place); });
  const auto questions = questions_for(model, request.tokens, !all_gated);
  if (!questions) return std::unexpected(questions.error());
  auto problem =
      parallel_for(blocks.size(), threads, progress, [&](std::size_t i) -> std::optional<Problem> {
        return answer(model, request, *questions,
                      request.neurons.empty() ? nullptr : &request.neurons[i], blocks[i]);
      });
  if (problem) return std::unexpected(std::move(*problem));
  return blocks;
}

}  // namespace pedigree
