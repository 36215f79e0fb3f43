// ONNX: one protobuf message, the model, whose graph holds the weights as initialisers.
//
// Only descriptions are read: messages are walked through a small window, and the bytes of
// tensors are passed over. Values in a file beside the model are described as such; the
// model's room looks for the file (model/external_data.h).
//
// ModelProto: 1 ir_version, 2 producer_name, 3 producer_version, 4 domain, 5 model_version,
// 6 doc_string, 7 graph, 8 opset_import, 14 metadata_props, 20 training_info, 25 functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/wire.h"
#include "formats/known_formats.h"
#include "formats/onnx_graph.h"
#include "formats/pickled_tensors.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = WireField::Kind;

constexpr std::string_view code = "onnx-malformed";
constexpr std::uint64_t graph_number = 7;
constexpr std::size_t most_metadata = 4096;  // entries

// A cursor over the few bytes a file is recognised by; false once they do not fit.
class Head {
 public:
  explicit Head(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t position() const { return at_; }
  bool at_end() const { return at_ >= bytes_.size(); }
  void skip(std::uint64_t size) { at_ += static_cast<std::size_t>(size); }

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63 && at_ < bytes_.size(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

bool is_field(std::uint64_t tag, std::initializer_list<unsigned> numbers, unsigned wire) {
  return std::ranges::any_of(numbers,
                             [&](unsigned number) { return tag == (number << 3U | wire); });
}

// A graph begins with one of its own fields, all of which are messages or texts.
bool begins_as_graph(Head head) {
  const auto tag = head.varint();
  return !tag || is_field(*tag, {1, 2, 5, 10, 11, 12, 13, 14, 15, 16}, 2);
}

// Passes over the number of a version, which is small; false where there is none.
bool skip_number(Head& head, std::uint64_t tag, bool& version) {
  constexpr std::uint64_t largest_version = 1000;
  const auto value = head.varint();
  if (!value) return false;
  if (!is_field(tag, {1}, 0)) return true;
  version = *value > 0 && *value <= largest_version;
  return version;
}

// The fields of a model up to its graph, which is there and fits into the file. Other
// messages that begin with a number (SavedModel, Core ML) have no field 7 of that kind.
bool recognises(std::span<const std::byte> bytes, std::uint64_t size) {
  Head head(bytes);
  bool version = false;
  for (int fields = 0; fields < 64; ++fields) {
    const auto tag = head.varint();
    if (!tag) return false;
    if (is_field(*tag, {1, 5}, 0)) {
      if (!skip_number(head, *tag, version)) return false;
      continue;
    }
    if (!is_field(*tag, {2, 3, 4, 6, graph_number, 8, 14, 20, 25, 26}, 2)) return false;
    const auto length = head.varint();
    if (!length || *length > size - head.position()) return false;
    if (*tag >> 3U == graph_number) return version && (*length == 0 || begins_as_graph(head));
    head.skip(*length);
  }
  return false;
}

struct Parts {
  std::vector<WireField> graphs = {};  // one, in a model that can be trusted
  std::vector<WireField> functions = {};
  std::vector<WireField> training = {};
};

class ModelReader {
 public:
  ModelReader(const Source& source, const Limits& limits)
      : limits_(limits), wire_(source, code), model_(wire_), graphs_(wire_, limits, file_) {}

  WeightFile read() {
    Parts parts = top_fields();
    if (parts.graphs.empty()) malformed(code, "the model holds no graph");
    if (parts.graphs.size() > 1) {
      // Readers merge the two, or take the last.
      malformed(code, "the model's graph stands in two parts", parts.graphs[1].at);
    }
    using enum OnnxGraphs::Container;
    const std::vector<WireField> training = graphs_of_training(parts.training);
    graphs_.list(model_.inside(parts.graphs.front()), graph, "");
    for (const WireField& each : parts.functions) {
      graphs_.list(model_.inside(each), function, fmt::format("function-{}.", each.at));
    }
    for (const WireField& each : training) {
      graphs_.list(model_.inside(each), graph, fmt::format("training-{}.", each.at));
    }
    graphs_.find_uses(model_.inside(parts.graphs.front()), graph);
    graphs_.finish();
    finish_tensors(file_);
    return std::move(file_);
  }

 private:
  Parts top_fields() {
    Parts parts;
    WireReader rest = model_;
    while (const auto field = rest.next()) {
      if (field->kind == Kind::number) {
        if (field->number == 1) add("ir_version", std::to_string(field->value));
        if (field->number == 5) add("model_version", std::to_string(field->value));
      } else {
        take(*field, parts);
      }
    }
    return parts;
  }

  void take(const WireField& field, Parts& parts) {
    switch (field.number) {
      case 2:
        return add_text("producer_name", field);
      case 3:
        return add_text("producer_version", field);
      case 4:
        return add_text("domain", field);
      case graph_number:
        return keep(parts.graphs, field);
      case 14:
        return add_property(field);
      case 20:
        return keep(parts.training, field);
      case 25:
        return keep(parts.functions, field);
      default:
        return;
    }
  }

  void keep(std::vector<WireField>& fields, const WireField& field) const {
    if (fields.size() >= limits_.archive_members) {
      malformed("limit-exceeded", "the model has too many functions", field.at);
    }
    fields.push_back(field);
  }

  void add(std::string key, std::string value) {
    if (file_.metadata.size() >= most_metadata || value.empty()) return;
    file_.metadata.emplace_back(std::move(key), std::move(value));
  }

  void add_text(std::string key, const WireField& field) {
    if (field.size() > limits_.name_bytes) return;
    add(std::move(key), percent_escaped(model_.text(field, limits_.name_bytes, "a text")));
  }

  // StringStringEntryProto. Keys must be distinct (onnx.proto); weights can be trusted where
  // they are not, so that is told, and all values stay.
  void add_property(const WireField& field) {
    WireReader entry = model_.inside(field);
    std::string key;
    std::string value;
    while (const auto part = entry.next()) {
      if (part->kind != Kind::bytes || part->size() > limits_.name_bytes) continue;
      if (part->number == 1) key = entry.text(*part, limits_.name_bytes, "a key");
      if (part->number == 2) value = entry.text(*part, limits_.name_bytes, "a value");
    }
    if (key.empty()) return;
    if (properties_.size() < most_metadata && !properties_.insert(key).second) {
      tell_twice(key, field.at);
    }
    add(percent_escaped(key), percent_escaped(value));
  }

  void tell_twice(const std::string& key, std::uint64_t at) {
    constexpr std::size_t most_told = 20;
    if (file_.problems.size() >= most_told) return;
    file_.problems.push_back(make_problem(
        "duplicate-key", {},
        fmt::format("the model's property {} stands twice", quoted(percent_escaped(key))), at));
  }

  // TrainingInfoProto: 1 initialization, 2 algorithm; both are graphs.
  std::vector<WireField> graphs_of_training(const std::vector<WireField>& messages) const {
    std::vector<WireField> graphs;
    for (const WireField& message : messages) {
      WireReader in = model_.inside(message);
      while (const auto field = in.next()) {
        if (field->kind == Kind::bytes && field->number <= 2) keep(graphs, *field);
      }
    }
    return graphs;
  }

  const Limits& limits_;
  WireFile wire_;
  WireReader model_;
  WeightFile file_ = {.format = onnx_format.id};
  OnnxGraphs graphs_;
  std::set<std::string> properties_;  // keys
};

WeightFile read(const Source& source, const Limits& limits) {
  return ModelReader(source, limits).read();
}

}  // namespace

constinit const Format onnx_format = {
    .id = "onnx",
    .title = "ONNX",
    .recognises = recognises,
    .read = read,
    .checked = "models of the onnx package 1.23 and of torch.onnx 1.13"};

}  // namespace pedigree
