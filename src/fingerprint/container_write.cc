// A safetensors file: arrays as tensors, everything else as one canonical JSON
// text under __metadata__. docs/fingerprint.md describes every field.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <span>
#include <utility>

#include "base/problem.h"
#include "fingerprint/canonical_json.h"
#include "fingerprint/container.h"
#include "fingerprint/fingerprint.h"
#include "fingerprint/half.h"
#include "fingerprint/metadata.h"
#include "fingerprint/plan.h"

namespace pedigree {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are written as they lie here");

struct Array {
  std::string name;
  std::string_view type;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Index lists that many blocks share are written once.
class Samples {
 public:
  void add(const std::vector<std::uint64_t>& indices) { places_.emplace(indices, 0); }
  void number() {
    std::size_t next = 0;
    for (auto& [indices, place] : places_) place = next++;
  }
  std::size_t place(const std::vector<std::uint64_t>& indices) const { return places_.at(indices); }
  void write(CanonicalJson& json) const {
    json.begin_array();
    for (const auto& [indices, place] : places_) {
      json.begin_array();
      for (const std::uint64_t index : indices) json.value(index);
      json.end_array();
    }
    json.end_array();
  }

 private:
  std::map<std::vector<std::uint64_t>, std::size_t> places_;
};

class Writer {
 public:
  explicit Writer(const Fingerprint& fingerprint) : fingerprint_(fingerprint) {}

  std::string write();

 private:
  void collect_samples();
  int add_halves(const std::string& name, std::vector<std::uint64_t> shape,
                 std::span<const float> values, bool keep_low);
  void choose_steps();
  void write_blocks();
  void write_gains();
  void write_moments();
  void add_rows(const std::string& name, std::size_t rows, std::size_t width,
                std::span<const float> values);
  void write_responses();
  void write_answers();
  void write_coupled_layer(const CoupledLayer& layer);
  void write_coupled_pair(const CoupledPair& pair);
  void write_deep();
  void write_metadata();
  std::string file() const;

  const Fingerprint& fingerprint_;
  Samples samples_;
  std::size_t blocks_with_steps_ = 0;  // those before it keep theirs
  CanonicalJson json_;
  std::vector<Array> arrays_;
};

void Writer::collect_samples() {
  for (const Block& block : fingerprint_.blocks) {
    samples_.add(block.rows);
    samples_.add(block.cols);
  }
  for (const Responses& item : fingerprint_.responses) samples_.add(item.units);
  for (const Gains& item : fingerprint_.gains) samples_.add(item.channels);
  for (const NeuronAnswers& item : fingerprint_.answers) samples_.add(item.neurons);
  if (fingerprint_.couplings) {
    for (const CoupledLayer& item : fingerprint_.couplings->layers) samples_.add(item.neurons);
  }
  samples_.number();
}

int Writer::add_halves(const std::string& name, std::vector<std::uint64_t> shape,
                       std::span<const float> values, bool keep_low) {
  const HalfPair halves = to_halves(values, keep_low);
  arrays_.push_back({.name = name, .type = "F16", .shape = shape, .bytes = bytes_of(halves.high)});
  if (!halves.low.empty()) {
    arrays_.push_back({.name = name + ".low",
                       .type = "F16",
                       .shape = std::move(shape),
                       .bytes = bytes_of(halves.low)});
  }
  return halves.exponent;
}

bool is_wide(const Block& block) {
  return block.element_type == "F32" || block.element_type == "F64";
}

// Steps give way, from the last block on, when there is no room for them.
void Writer::choose_steps() {
  std::uint64_t bytes = 0;
  for (const Responses& item : fingerprint_.responses) {
    bytes += 2 * (item.values.size() + item.units.size());
  }
  for (const Gains& item : fingerprint_.gains) bytes += 4 * item.values.size();
  for (const Block& block : fingerprint_.blocks) {
    bytes += (is_wide(block) ? 4 : 2) * block.values.size() + 2 * block.steps.size();
  }
  blocks_with_steps_ = fingerprint_.blocks.size();
  while (bytes > array_budget && blocks_with_steps_ > 0) {
    --blocks_with_steps_;
    bytes -= 2 * fingerprint_.blocks[blocks_with_steps_].steps.size();
  }
}

void Writer::write_blocks() {
  json_.begin_array();
  for (std::size_t i = 0; i < fingerprint_.blocks.size(); ++i) {
    const Block& block = fingerprint_.blocks[i];
    const std::string name =
        container::block_name(container::subject_name(block.role, block.layer, block.expert));
    const std::vector<std::uint64_t> shape = {block.rows.size(), block.cols.size()};
    json_.begin_object();
    json_.member("cols", samples_.place(block.cols));
    json_.member("element_type", json_text(block.element_type));
    json_.member("expert", block.expert);
    json_.member("exponent", add_halves(name, shape, block.values, is_wide(block)));
    json_.member("full_cols", block.full_cols);
    json_.member("full_rows", block.full_rows);
    json_.member("layer", block.layer);
    json_.member("role", json_text(block.role));
    json_.member("rows", samples_.place(block.rows));
    if (!block.steps.empty() && i < blocks_with_steps_) {
      json_.member("steps_exponent", add_halves(name + ".steps", shape, block.steps, false));
    }
    json_.end_object();
  }
  json_.end_array();
}

void Writer::write_gains() {
  json_.begin_array();
  for (const Gains& item : fingerprint_.gains) {
    const std::string name =
        container::gain_name(container::subject_name(item.role, item.layer, -1));
    json_.begin_object();
    json_.member("channels", samples_.place(item.channels));
    json_.member("element_type", json_text(item.element_type));
    json_.member("exponent", add_halves(name, {item.values.size()}, item.values, true));
    json_.member("layer", item.layer);
    json_.member("role", json_text(item.role));
    json_.member("size", item.full_size);
    json_.end_object();
  }
  json_.end_array();
}

void Writer::write_moments() {
  std::vector<double> values;
  json_.begin_array();
  for (const Moments& item : fingerprint_.moments) {
    values.insert(values.end(), {item.mean, item.deviation, item.largest, item.zeros});
    json_.begin_object();
    json_.member("distinct", item.distinct);
    json_.member("expert", item.expert);
    json_.member("finite", item.finite);
    json_.member("layer", item.layer);
    json_.member("role", json_text(item.role));
    json_.member("samples", item.samples);
    json_.end_object();
  }
  json_.end_array();
  if (values.empty()) return;
  arrays_.push_back({.name = "moments",
                     .type = "F64",
                     .shape = {fingerprint_.moments.size(), 4},
                     .bytes = bytes_of(values)});
}

// Rows of halves, each with its own exponent.
void Writer::add_rows(const std::string& name, std::size_t rows, std::size_t width,
                      std::span<const float> values) {
  check(values.size() == rows * width, "rows of another size");
  std::vector<std::uint16_t> halves;
  std::vector<std::int16_t> exponents;
  for (std::size_t i = 0; i < rows; ++i) {
    const HalfPair row = to_halves(values.subspan(i * width, width), false);
    halves.insert(halves.end(), row.high.begin(), row.high.end());
    exponents.push_back(static_cast<std::int16_t>(row.exponent));
  }
  arrays_.push_back(
      {.name = name, .type = "F16", .shape = {rows, width}, .bytes = bytes_of(halves)});
  arrays_.push_back(
      {.name = name + ".exponents", .type = "I16", .shape = {rows}, .bytes = bytes_of(exponents)});
}

void Writer::write_responses() {
  json_.begin_array();
  for (const Responses& item : fingerprint_.responses) {
    add_rows(container::response_name(container::subject_name(item.role, item.layer, -1)),
             item.units.size(), fingerprint_.tokens.size(), item.values);
    json_.begin_object();
    json_.member("layer", item.layer);
    json_.member("role", json_text(item.role));
    json_.member("units", samples_.place(item.units));
    json_.end_object();
  }
  json_.end_array();
}

// Of experts also how many there are, and of how many neurons.
void write_expert_place(CanonicalJson& json, const NeuronAnswers& item) {
  json.member("expert", item.place.expert);
  json.member("experts", item.experts);
  json.member("full_neurons", item.full_neurons);
}

void Writer::write_answers() {
  const std::size_t tokens = fingerprint_.tokens.size();
  json_.begin_array();
  for (const NeuronAnswers& item : fingerprint_.answers) {
    const bool dense = item.place.kind == FfnPlace::Kind::dense;
    const bool expert = item.place.kind == FfnPlace::Kind::expert;
    add_rows(container::answer_name(item.place, "first"), item.neurons.size(), tokens, item.first);
    add_rows(container::answer_name(item.place, "second"), item.neurons.size(), tokens,
             item.second);
    json_.begin_object();
    if (!dense) write_expert_place(json_, item);
    json_.member("gated", item.gated);
    if (!dense) json_.member("kind", expert ? container::expert_kind : container::shared_kind);
    json_.member("layer", item.place.layer);
    json_.member("neurons", samples_.place(item.neurons));
    json_.end_object();
  }
  json_.end_array();
}

// Probes of one matrix follow each other: one of all its rows, or frequencies from 0 on.
void write_probes(CanonicalJson& json, const std::vector<Probe>& probes) {
  json.begin_array();
  for (std::size_t i = 0; i < probes.size();) {
    const auto matrix = [&](const Probe& probe) { return std::pair(probe.offset, probe.role); };
    std::size_t end = i;
    while (end < probes.size() && matrix(probes[end]) == matrix(probes[i])) ++end;
    json.begin_object();
    json.member("frequencies", probes[i].frequency < 0 ? 0 : end - i);
    json.member("offset", probes[i].offset);
    json.member("role", json_text(probes[i].role));
    json.end_object();
    i = end;
  }
  json.end_array();
}

void Writer::write_coupled_layer(const CoupledLayer& layer) {
  const std::size_t neurons = layer.neurons.size();
  for (const auto& [view, values] :
       {std::pair("first", &layer.first_strengths), std::pair("second", &layer.second_strengths)}) {
    add_rows(container::strength_name(layer.layer, view), neurons, layer.probes.size(), *values);
  }
  json_.begin_object();
  json_.member("gated", layer.gated);
  json_.member("layer", layer.layer);
  json_.member("neurons", samples_.place(layer.neurons));
  json_.key("probes");
  write_probes(json_, layer.probes);
  json_.end_object();
}

void Writer::write_coupled_pair(const CoupledPair& pair) {
  const auto neurons = [&](int layer) {
    return std::ranges::find(fingerprint_.couplings->layers, layer, &CoupledLayer::layer)
        ->neurons.size();
  };
  for (const auto& [views, values] :
       {std::pair("first-first", &pair.first_first), std::pair("first-second", &pair.first_second),
        std::pair("second-first", &pair.second_first)}) {
    add_rows(container::product_name(pair.one, pair.other, views), neurons(pair.one),
             neurons(pair.other), *values);
  }
  json_.begin_object();
  json_.member("one", pair.one);
  json_.member("other", pair.other);
  json_.end_object();
}

void Writer::write_deep() {
  json_.begin_object();
  if (fingerprint_.couplings) {
    json_.key("couplings");
    json_.begin_object();
    json_.key("layers");
    json_.begin_array();
    for (const CoupledLayer& layer : fingerprint_.couplings->layers) write_coupled_layer(layer);
    json_.end_array();
    json_.key("pairs");
    json_.begin_array();
    for (const CoupledPair& pair : fingerprint_.couplings->pairs) write_coupled_pair(pair);
    json_.end_array();
    json_.end_object();
  }
  json_.key("layers");
  write_answers();
  json_.member("scheme", fingerprint_.deep_scheme);
  json_.end_object();
}

void Writer::write_metadata() {
  json_.begin_object();
  json_.key("architecture");
  write_architecture(json_, fingerprint_.architecture);
  json_.key("blocks");
  write_blocks();
  json_.key("claims");
  write_claims(json_, fingerprint_.claims);
  if (!fingerprint_.deep_scheme.empty()) {
    json_.key("deep");
    write_deep();
  }
  json_.member("detail", fingerprint_.detail);
  if (fingerprint_.digests) {
    json_.key("digests");
    write_digests(json_, *fingerprint_.digests);
  }
  json_.key("formats");
  write_strings(json_, fingerprint_.formats);
  json_.key("gains");
  write_gains();
  json_.key("moments");
  write_moments();
  json_.member("name", json_text(fingerprint_.name));
  json_.member("parameters", fingerprint_.parameters);
  json_.key("responses");
  write_responses();
  json_.key("samples");
  samples_.write(json_);
  json_.member("schema", container::schema);
  json_.member("scheme", fingerprint_.scheme);
  if (fingerprint_.tokenizer) {
    json_.key("tokenizer");
    write_tokenizer(json_, *fingerprint_.tokenizer);
  }
  json_.key("tokens");
  write_tokens(json_, fingerprint_);
  json_.member("weight_bytes", fingerprint_.weight_bytes);
  json_.end_object();
}

// Wider elements first, so that each array is aligned to its elements.
std::string Writer::file() const {
  std::string header = "{\"__metadata__\":{" + quoted_json(container::metadata_key) + ':' +
                       quoted_json(json_.text()) + '}';
  std::uint64_t offset = 0;
  for (const Array& array : arrays_) {
    header += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          quoted_json(array.name), array.type, fmt::join(array.shape, ","), offset,
                          offset + array.bytes.size());
    offset += array.bytes.size();
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string bytes;
  bytes.reserve(8 + header.size() + offset);
  for (unsigned i = 0; i < 8; ++i) {
    bytes += static_cast<char>(std::uint64_t{header.size()} >> (8 * i) & 0xFFU);
  }
  bytes += header;
  for (const Array& array : arrays_) bytes += array.bytes;
  return bytes;
}

std::string Writer::write() {
  collect_samples();
  choose_steps();
  write_metadata();
  const auto order = [](const Array& array) {
    return std::pair(array.type == "F64" ? 0 : 1, std::string_view(array.name));
  };
  std::ranges::sort(arrays_, {}, order);
  return file();
}

}  // namespace

std::string container::subject_name(std::string_view role, int layer, int expert) {
  std::string name = layer < 0 ? std::string("model") : std::to_string(layer);
  name += '.';
  name += role;
  if (expert >= 0) name += '.' + std::to_string(expert);
  return name;
}

std::string container::answer_name(const FfnPlace& place, std::string_view view) {
  std::string name = "answer." + std::to_string(place.layer);
  if (place.kind != FfnPlace::Kind::dense) name += ".moe";
  if (place.kind == FfnPlace::Kind::shared) name += ".shared";
  if (place.expert >= 0) name += '.' + std::to_string(place.expert);
  return name + '.' + std::string(view);
}

std::string to_bytes(const Fingerprint& fingerprint) { return Writer(fingerprint).write(); }

}  // namespace pedigree
