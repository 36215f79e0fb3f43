#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "fingerprint/fingerprint.h"
#include "fingerprint/half.h"
#include "fingerprint/metadata.h"
#include "formats/formats.h"

namespace pedigree {
namespace {

class Reader {
 public:
  Reader(const Source& source, const WeightFile& file) : source_(source) {
    for (const TensorEntry& entry : file.tensors) arrays_.emplace(entry.name, &entry);
  }

  Fingerprint read(const JsonValue& root);

 private:
  void read_samples(const std::vector<JsonValue>& items);
  const std::vector<std::uint64_t>& sample(const Fields& fields, std::string_view key,
                                           std::uint64_t below) const;
  template <class T>
  std::vector<T> array(const std::string& name, std::string_view type,
                       const std::vector<std::uint64_t>& shape) const;
  std::vector<float> halves(const std::string& name, const std::vector<std::uint64_t>& shape,
                            std::int64_t exponent) const;
  Block read_block(const Fields& fields) const;
  std::vector<float> rows_of_halves(const std::string& name, std::size_t rows,
                                    std::size_t width) const;
  Responses read_responses(const Fields& fields, std::size_t tokens) const;
  NeuronAnswers read_answers(const Fields& fields, std::size_t tokens) const;
  CoupledLayer read_coupled_layer(const Fields& fields) const;
  CoupledPair read_coupled_pair(const Fields& fields, const StoredCouplings& found) const;
  StoredCouplings read_couplings(const Fields& fields) const;
  void read_deep(const Fields& fields, Fingerprint& fingerprint) const;
  Gains read_gains(const Fields& fields) const;
  std::vector<Moments> read_moments(const std::vector<JsonValue>& items) const;

  const Source& source_;
  std::map<std::string_view, const TensorEntry*> arrays_;
  std::vector<std::vector<std::uint64_t>> samples_;
};

void Reader::read_samples(const std::vector<JsonValue>& items) {
  for (const JsonValue& item : items) {
    if (item.kind != JsonValue::Kind::array) malformed_fingerprint("a sample is not a list");
    std::vector<std::uint64_t> indices;
    indices.reserve(item.items.size());
    for (const JsonValue& index : item.items) indices.push_back(read_index(index));
    if (!std::ranges::is_sorted(indices, std::ranges::less_equal{})) {
      malformed_fingerprint("a sample's indices do not ascend");
    }
    samples_.push_back(std::move(indices));
  }
}

const std::vector<std::uint64_t>& Reader::sample(const Fields& fields, std::string_view key,
                                                 std::uint64_t below) const {
  const std::uint64_t place = fields.number(key);
  if (place >= samples_.size()) malformed_fingerprint("a sample is named that is not there");
  const auto& indices = samples_[place];
  if (!indices.empty() && indices.back() >= below) {
    malformed_fingerprint("a sampled index lies beyond its axis");
  }
  return indices;
}

template <class T>
std::vector<T> Reader::array(const std::string& name, std::string_view type,
                             const std::vector<std::uint64_t>& shape) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) malformed_fingerprint("the array " + name + " is missing");
  const TensorEntry& entry = *found->second;
  if (entry.type->id != type || entry.shape != shape ||
      entry.extent.size() != entry.element_count() * sizeof(T)) {
    malformed_fingerprint("the array " + name + " has another type or shape");
  }
  std::vector<T> values(entry.element_count());
  if (auto problem =
          source_.read_at(entry.extent.begin, std::as_writable_bytes(std::span(values)))) {
    throw Malformed{std::move(*problem)};
  }
  return values;
}

void require_finite(std::span<const float> values, const std::string& name) {
  // Without leaving early, so that the loop becomes vectors: x - x is 0 of finite x only.
  int other = 0;
  for (const float value : values) other += value - value == 0 ? 0 : 1;
  if (other > 0) {
    malformed_fingerprint("the array " + name + " holds a value that is not finite");
  }
}

std::vector<float> Reader::halves(const std::string& name, const std::vector<std::uint64_t>& shape,
                                  std::int64_t exponent) const {
  HalfPair pair = {.exponent = static_cast<int>(exponent)};
  pair.high = array<std::uint16_t>(name, "F16", shape);
  if (arrays_.contains(name + ".low")) {
    pair.low = array<std::uint16_t>(name + ".low", "F16", shape);
  }
  std::vector<float> values = from_halves(pair);
  require_finite(values, name);
  return values;
}

std::int64_t read_exponent(const Fields& fields, std::string_view key) {
  return fields.signed_number(key, -container::widest_exponent, container::widest_exponent);
}

Block Reader::read_block(const Fields& fields) const {
  Block block = {.role = fields.role(),
                 .layer = fields.layer("layer"),
                 .expert = fields.layer("expert"),
                 .full_rows = fields.number("full_rows"),
                 .full_cols = fields.number("full_cols"),
                 .element_type = fields.text("element_type")};
  block.rows = sample(fields, "rows", block.full_rows);
  block.cols = sample(fields, "cols", block.full_cols);
  const std::string name =
      container::block_name(container::subject_name(block.role, block.layer, block.expert));
  const std::vector<std::uint64_t> shape = {block.rows.size(), block.cols.size()};
  block.values = halves(name, shape, read_exponent(fields, "exponent"));
  if (fields.has("steps_exponent")) {
    block.steps = halves(name + ".steps", shape, read_exponent(fields, "steps_exponent"));
  }
  return block;
}

// Rows of halves, each with its own exponent.
std::vector<float> Reader::rows_of_halves(const std::string& name, std::size_t rows,
                                          std::size_t width) const {
  const auto values = array<std::uint16_t>(name, "F16", {rows, width});
  const auto exponents = array<std::int16_t>(name + ".exponents", "I16", {rows});
  std::vector<float> result;
  result.reserve(values.size());
  for (std::size_t i = 0; i < rows; ++i) {
    if (std::abs(int{exponents[i]}) > container::widest_exponent) {
      malformed_fingerprint("the array " + name + ".exponents is out of range");
    }
    const auto row = std::span(values).subspan(i * width, width);
    HalfPair pair = {.exponent = exponents[i]};
    pair.high.assign(row.begin(), row.end());
    const std::vector<float> decoded = from_halves(pair);
    result.insert(result.end(), decoded.begin(), decoded.end());
  }
  require_finite(result, name);
  return result;
}

Responses Reader::read_responses(const Fields& fields, std::size_t tokens) const {
  Responses item = {.role = fields.role(), .layer = fields.layer("layer")};
  item.units = sample(fields, "units", UINT64_MAX);
  item.values =
      rows_of_halves(container::response_name(container::subject_name(item.role, item.layer, -1)),
                     item.units.size(), tokens);
  return item;
}

// Without a kind it is the layer's own block.
void read_expert_place(const Fields& fields, NeuronAnswers& item) {
  if (!fields.has("kind")) return;
  const std::string kind = fields.text("kind");
  if (kind != container::expert_kind && kind != container::shared_kind) {
    malformed_fingerprint("a block is neither an expert nor a shared one");
  }
  const bool expert = kind == container::expert_kind;
  item.place.kind = expert ? FfnPlace::Kind::expert : FfnPlace::Kind::shared;
  item.place.expert = fields.layer("expert");
  item.experts = fields.number("experts", container::most_experts);
  item.full_neurons = fields.number("full_neurons");
  if (expert &&
      (item.place.expert < 0 || static_cast<std::uint64_t>(item.place.expert) >= item.experts)) {
    malformed_fingerprint("an expert lies beyond those of its layer");
  }
}

NeuronAnswers Reader::read_answers(const Fields& fields, std::size_t tokens) const {
  NeuronAnswers item = {.place = {.layer = fields.layer("layer")}, .gated = fields.truth("gated")};
  read_expert_place(fields, item);
  const bool dense = item.place.kind == FfnPlace::Kind::dense;
  item.neurons = sample(fields, "neurons", dense ? UINT64_MAX : item.full_neurons);
  const std::size_t count = item.neurons.size();
  item.first = rows_of_halves(container::answer_name(item.place, "first"), count, tokens);
  item.second = rows_of_halves(container::answer_name(item.place, "second"), count, tokens);
  return item;
}

// Probes of one matrix: of all its rows, or so many frequencies from 0 on.
void read_probes(const Fields& fields, std::vector<Probe>& probes) {
  Probe probe{.offset = static_cast<int>(fields.signed_number("offset", -1, 1)),
              .role = fields.role()};
  const std::uint64_t count = fields.number("frequencies", container::most_frequencies);
  if (!probes.empty() && probes.back().offset == probe.offset && probes.back().role == probe.role) {
    malformed_fingerprint("the probes of a matrix stand twice");
  }
  if (count == 0) probes.push_back(probe);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (probes.size() >= container::most_frequencies) malformed_fingerprint("too many probes");
    probe.frequency = static_cast<int>(i);
    probes.push_back(probe);
  }
}

CoupledLayer Reader::read_coupled_layer(const Fields& fields) const {
  CoupledLayer layer{.layer = fields.layer("layer"), .gated = fields.truth("gated")};
  layer.neurons = sample(fields, "neurons", UINT64_MAX);
  for (const JsonValue& item : fields.items("probes")) read_probes(Fields(item), layer.probes);
  if (!std::ranges::is_sorted(layer.probes, std::ranges::less_equal{})) {
    malformed_fingerprint("the probes of a layer do not ascend");
  }
  const std::size_t count = layer.neurons.size();
  const std::size_t probes = layer.probes.size();
  layer.first_strengths =
      rows_of_halves(container::strength_name(layer.layer, "first"), count, probes);
  layer.second_strengths =
      rows_of_halves(container::strength_name(layer.layer, "second"), count, probes);
  return layer;
}

CoupledPair Reader::read_coupled_pair(const Fields& fields, const StoredCouplings& found) const {
  CoupledPair pair{.one = fields.layer("one"), .other = fields.layer("other")};
  const auto neurons = [&](int layer) {
    const auto at = std::ranges::find(found.layers, layer, &CoupledLayer::layer);
    if (at == found.layers.end()) {
      malformed_fingerprint("products are of a layer without neurons");
    }
    return at->neurons.size();
  };
  if (pair.one >= pair.other) malformed_fingerprint("a pair of layers is not in order");
  const auto products = [&](std::string_view views) {
    return rows_of_halves(container::product_name(pair.one, pair.other, views), neurons(pair.one),
                          neurons(pair.other));
  };
  pair.first_first = products("first-first");
  pair.first_second = products("first-second");
  pair.second_first = products("second-first");
  return pair;
}

StoredCouplings Reader::read_couplings(const Fields& fields) const {
  StoredCouplings found;
  for (const JsonValue& item : fields.items("layers")) {
    found.layers.push_back(read_coupled_layer(Fields(item)));
  }
  if (!std::ranges::is_sorted(found.layers, std::ranges::less_equal{}, &CoupledLayer::layer)) {
    malformed_fingerprint("the coupled layers do not ascend");
  }
  for (const JsonValue& item : fields.items("pairs")) {
    found.pairs.push_back(read_coupled_pair(Fields(item), found));
  }
  const auto layers = [](const CoupledPair& pair) { return std::pair(pair.one, pair.other); };
  if (!std::ranges::is_sorted(found.pairs, std::ranges::less_equal{}, layers)) {
    malformed_fingerprint("the pairs of coupled layers do not ascend");
  }
  return found;
}

void Reader::read_deep(const Fields& fields, Fingerprint& fingerprint) const {
  fingerprint.deep_scheme = fields.text("scheme");
  for (const JsonValue& item : fields.items("layers")) {
    fingerprint.answers.push_back(read_answers(Fields(item), fingerprint.tokens.size()));
  }
  if (!std::ranges::is_sorted(fingerprint.answers, std::ranges::less_equal{},
                              &NeuronAnswers::place)) {
    malformed_fingerprint("the deep part's blocks do not ascend");
  }
  if (fields.has("couplings"))
    fingerprint.couplings = read_couplings(Fields(fields.at("couplings")));
}

Gains Reader::read_gains(const Fields& fields) const {
  Gains item = {.role = fields.role(),
                .layer = fields.layer("layer"),
                .full_size = fields.number("size", container::most_bytes),
                .element_type = fields.text("element_type")};
  item.channels = sample(fields, "channels", item.full_size);
  const std::uint64_t size = item.channels.empty() ? item.full_size : item.channels.size();
  item.values = halves(container::gain_name(container::subject_name(item.role, item.layer, -1)),
                       {size}, read_exponent(fields, "exponent"));
  return item;
}

std::vector<Moments> Reader::read_moments(const std::vector<JsonValue>& items) const {
  if (items.empty()) return {};
  const auto values = array<double>("moments", "F64", {items.size(), 4});
  if (!std::ranges::all_of(values, [](double value) { return std::isfinite(value); })) {
    malformed_fingerprint("the array moments holds a value that is not finite");
  }
  std::vector<Moments> moments;
  moments.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Fields fields(items[i]);
    moments.push_back({.role = fields.role(),
                       .layer = fields.layer("layer"),
                       .expert = fields.layer("expert"),
                       .samples = fields.number("samples"),
                       .mean = values[4 * i],
                       .deviation = values[4 * i + 1],
                       .largest = values[4 * i + 2],
                       .zeros = values[4 * i + 3],
                       .distinct = fields.number("distinct"),
                       .finite = fields.truth("finite")});
  }
  return moments;
}

// One entry for each (layer, role, expert).
template <class Items, class Key>
void require_distinct(const Items& items, const Key& key, std::string_view what) {
  std::vector<std::tuple<int, std::string_view, int>> keys;
  keys.reserve(items.size());
  for (const auto& item : items) keys.push_back(key(item));
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) {
    malformed_fingerprint("there are two " + std::string(what) + " for one role");
  }
}

Fingerprint Reader::read(const JsonValue& root) {
  const Fields fields(root);
  if (fields.text("schema") != container::schema) malformed_fingerprint("the schema is unknown");
  Fingerprint fingerprint;
  fingerprint.scheme = fields.text("scheme");
  fingerprint.detail = static_cast<std::uint32_t>(fields.number("detail", 64));
  fingerprint.name = fields.text("name");
  fingerprint.formats = read_strings(fields.items("formats"));
  fingerprint.architecture = read_architecture(fields.at("architecture"));
  fingerprint.claims = read_claims(fields.items("claims"));
  read_tokens(fields.at("tokens"), fingerprint);
  read_samples(fields.items("samples"));
  for (const JsonValue& item : fields.items("blocks")) {
    fingerprint.blocks.push_back(read_block(Fields(item)));
  }
  for (const JsonValue& item : fields.items("responses")) {
    fingerprint.responses.push_back(read_responses(Fields(item), fingerprint.tokens.size()));
  }
  for (const JsonValue& item : fields.items("gains")) {
    fingerprint.gains.push_back(read_gains(Fields(item)));
  }
  if (fields.has("deep")) read_deep(Fields(fields.at("deep")), fingerprint);
  fingerprint.moments = read_moments(fields.items("moments"));
  if (fields.has("tokenizer")) fingerprint.tokenizer = read_tokenizer(fields.at("tokenizer"));
  if (fields.has("digests")) fingerprint.digests = read_digests(fields.at("digests"));
  fingerprint.parameters = fields.number("parameters");
  fingerprint.weight_bytes = fields.number("weight_bytes");
  const auto with_expert = [](const auto& item) {
    return std::tuple(item.layer, std::string_view(item.role), item.expert);
  };
  const auto without = [](const auto& item) {
    return std::tuple(item.layer, std::string_view(item.role), -1);
  };
  require_distinct(fingerprint.blocks, with_expert, "blocks");
  require_distinct(fingerprint.moments, with_expert, "moments");
  require_distinct(fingerprint.responses, without, "responses");
  require_distinct(fingerprint.gains, without, "gains");
  return fingerprint;
}

Problem malformed_container(const Source& source, std::string message) {
  return make_problem("fingerprint-malformed", source.name(), std::move(message));
}

}  // namespace

Result<Fingerprint> read_fingerprint(const Source& source) {
  if (source.size() > container::most_bytes) {
    return std::unexpected(malformed_container(source, "the file is larger than any fingerprint"));
  }
  const auto file = read_weights(source, {.header_bytes = container::most_bytes});
  if (!file) {
    return std::unexpected(
        malformed_container(source, "the container is damaged: " + file.error().message));
  }
  const auto text = std::ranges::find(file->metadata, container::metadata_key,
                                      &std::pair<std::string, std::string>::first);
  if (text == file->metadata.end()) {
    return std::unexpected(malformed_container(source, "the file holds no fingerprint"));
  }
  const auto document = parse_json(text->second, source.name(), {.bytes = container::most_bytes});
  if (!document || !document->problems.empty()) {
    const Problem& cause = document ? document->problems.front() : document.error();
    return std::unexpected(malformed_container(source, "its JSON is damaged: " + cause.message));
  }
  try {
    return Reader(source, *file).read(document->root);
  } catch (Malformed& malformed) {
    malformed.problem.file = source.name();
    return std::unexpected(std::move(malformed.problem));
  }
}

bool looks_like_fingerprint(const Source& source) {
  static constexpr std::string_view start = "{\"__metadata__\":{\"pedigree-fingerprint\":";
  std::array<std::byte, 8 + start.size()> head = {};
  if (source.size() < head.size() || source.read_at(0, head)) return false;
  return std::memcmp(head.data() + 8, start.data(), start.size()) == 0;
}

}  // namespace pedigree
