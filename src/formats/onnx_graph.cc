// GraphProto: 1 node, 5 initializer, 15 sparse_initializer. FunctionProto: 7 node.
#include "formats/onnx_graph.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "formats/onnx_tensor.h"
#include "formats/onnx_uses.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = WireField::Kind;

// Smaller constants of operators are shapes, axes and scalars.
constexpr std::uint64_t smallest_constant = 256;  // bytes

std::uint64_t node_field(OnnxGraphs::Container kind) {
  return kind == OnnxGraphs::Container::graph ? 1 : 7;
}

}  // namespace

void OnnxGraphs::list(WireReader message, Container kind, const std::string& scope) {
  Scope& names = scopes_[message.offset()];
  WireReader rest = message;
  while (const auto field = rest.next()) {
    if (field->kind != Kind::bytes) continue;
    if (field->number == node_field(kind)) {
      count_node(field->at);
      const OnnxNode node = read_onnx_node(message.inside(*field), field->at, limits_);
      list_node(message, node, scope, names);
    }
    if (kind != Container::graph) continue;
    if (field->number == 5) {
      list_initializer(message.inside(*field), field->at, scope, names);
    }
    if (field->number == 15) {
      add_sparse_tensor(message.inside(*field), scope, field->at, limits_, file_);
    }
  }
}

void OnnxGraphs::count_node(std::uint64_t at) {
  if (++nodes_ > limits_.graph_nodes) {
    malformed("limit-exceeded", fmt::format("over {} operators", limits_.graph_nodes), at);
  }
}

void OnnxGraphs::list_initializer(WireReader message, std::uint64_t at, const std::string& scope,
                                  Scope& names) {
  const OnnxTensor tensor = read_onnx_tensor(message, at, limits_);
  const std::string entry = scope + percent_escaped(tensor.name);
  if (names.contains(tensor.name)) {
    malformed("duplicate-key", fmt::format("the tensor name {} stands twice", quoted(entry)), at);
  }
  names.emplace(tensor.name, Weight{.entry = entry, .stored = tensor.name});
  if (add_onnx_tensor(tensor, entry, wire_, file_)) remember(entry);
}

// The constant a node is, and the graphs it holds.
void OnnxGraphs::list_node(const WireReader& graph, const OnnxNode& node, const std::string& scope,
                           Scope& names) {
  const std::string own = node.name.empty() ? fmt::format("node-{}", node.at) : node.name;
  for (const OnnxAttribute& attribute : node.attributes) {
    const std::string inner =
        fmt::format("{}{}.", scope, percent_escaped(fmt::format("{}.{}", own, attribute.name)));
    for (std::size_t i = 0; i < attribute.graphs.size(); ++i) {
      list(graph.inside(attribute.graphs[i]), Container::graph,
           attribute.graphs.size() == 1 ? inner : fmt::format("{}{}.", inner, i));
    }
    const bool constant = node.op == "Constant" && attribute.tensors.size() == 1 &&
                          !node.outputs.empty() && !names.contains(node.outputs.front());
    for (std::size_t i = 0; i < attribute.tensors.size(); ++i) {
      const std::string entry =
          constant ? scope + percent_escaped(node.outputs.front()) : fmt::format("{}{}", inner, i);
      if (list_constant(graph, attribute.tensors[i], entry) && constant) {
        names.emplace(node.outputs.front(), Weight{.entry = entry, .stored = node.outputs.front()});
      }
    }
    for (const WireField& field : attribute.sparse) {
      add_sparse_tensor(graph.inside(field), inner, field.at, limits_, file_);
    }
  }
}

bool OnnxGraphs::list_constant(const WireReader& graph, const WireField& field,
                               const std::string& entry) {
  const OnnxTensor tensor = read_onnx_tensor(graph.inside(field), field.at, limits_);
  if (!tensor.external && tensor.value_bytes() < smallest_constant) return false;
  if (!add_onnx_tensor(tensor, entry, wire_, file_)) return false;
  remember(entry);
  return true;
}

// The tensor added last.
void OnnxGraphs::remember(const std::string& entry) {
  Place place;
  if (!file_.external.empty() && file_.external.back().entry.name == entry) {
    place = {.list = List::external, .at = file_.external.size() - 1};
  } else if (!file_.arranged.empty() && file_.arranged.back().entry.name == entry) {
    place = {.list = List::arranged, .at = file_.arranged.size() - 1};
  } else {
    place.at = file_.tensors.size() - 1;
  }
  places_.emplace(entry, place);
  const std::size_t count = file_.tensors.size() + file_.arranged.size() + file_.external.size();
  if (count > limits_.tensors) {
    malformed("limit-exceeded", fmt::format("over {} tensors", limits_.tensors));
  }
}

const TensorEntry& OnnxGraphs::entry_at(Place place) const {
  switch (place.list) {
    case List::external:
      return file_.external[place.at].entry;
    case List::arranged:
      return file_.arranged[place.at].entry;
    case List::plain:
      break;
  }
  return file_.tensors[place.at];
}

void OnnxGraphs::find_uses(WireReader message, Container kind) {
  find_uses_within(message, kind, nullptr);
}

void OnnxGraphs::find_uses_within(WireReader message, Container kind, const Frame* outer) {
  const Frame frame = {.names = scopes_[message.offset()], .outer = outer};
  WireReader rest = message;
  while (const auto field = rest.next()) {
    if (!field->is(node_field(kind), Kind::bytes)) continue;
    const OnnxNode node = read_onnx_node(message.inside(*field), field->at, limits_);
    look_at(message, node, frame);
  }
}

const OnnxGraphs::Weight* OnnxGraphs::find(const Frame& frame, const std::string& name) {
  for (const Frame* at = &frame; at != nullptr; at = at->outer) {
    const auto found = at->names.find(name);
    if (found != at->names.end()) return &found->second;
  }
  return nullptr;
}

void OnnxGraphs::look_at(const WireReader& graph, const OnnxNode& node, const Frame& frame) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Weight* weight = node.inputs[i].empty() ? nullptr : find(frame, node.inputs[i]);
    if (weight == nullptr) continue;
    const std::optional<bool> swaps = i == 0 ? hands_on(node) : std::nullopt;
    if (swaps) {
      hand_on(node, *swaps, *weight, frame);
    } else {
      note(node, i, *weight);
    }
  }
  for (const OnnxAttribute& attribute : node.attributes) {
    for (const WireField& field : attribute.graphs) {
      find_uses_within(graph.inside(field), Container::graph, &frame);
    }
  }
}

void OnnxGraphs::note(const OnnxNode& node, std::size_t input, const Weight& weight) {
  const auto place = places_.find(weight.entry);
  if (place == places_.end()) return;
  const std::size_t rank = entry_at(place->second).shape.size();
  std::optional<TensorUse> use = use_of(node, input, rank);
  if (!use) return;
  if (weight.swapped && rank == 2) use->in_out = !use->in_out;
  uses_.emplace(weight.entry, Use{.stored = weight.stored, .use = *std::move(use)});
}

// The output is the same weight under another name. One that is a parameter's is listed:
// exporters store equal parameters once.
void OnnxGraphs::hand_on(const OnnxNode& node, bool swaps, const Weight& weight,
                         const Frame& frame) {
  if (node.outputs.empty() || frame.names.contains(node.outputs.front())) return;
  Weight handed = weight;
  handed.swapped = handed.swapped != swaps;
  if (node.op == "Identity" && frame.outer == nullptr && names_parameter(node.outputs.front())) {
    handed.entry = alias(weight.entry, percent_escaped(node.outputs.front()));
    handed.stored = node.outputs.front();
  }
  frame.names.emplace(node.outputs.front(), std::move(handed));
}

std::string OnnxGraphs::alias(const std::string& entry, const std::string& name) {
  const auto found = places_.find(entry);
  if (found == places_.end() || places_.contains(name)) return entry;
  const Place place = found->second;
  switch (place.list) {
    case List::external: {
      ExternalTensor copy = file_.external[place.at];
      copy.entry.name = name;
      file_.external.push_back(std::move(copy));
      break;
    }
    case List::arranged: {
      ArrangedTensor copy = file_.arranged[place.at];
      copy.entry.name = name;
      file_.arranged.push_back(std::move(copy));
      break;
    }
    case List::plain: {
      TensorEntry copy = file_.tensors[place.at];
      copy.name = name;
      file_.tensors.push_back(std::move(copy));
      break;
    }
  }
  remember(name);
  return name;
}

// A parameter that goes by its own name keeps it, and no other may take that name; one
// that two tensors would go by says nothing of either.
void OnnxGraphs::finish() {
  std::map<std::string_view, std::size_t> wanted;
  for (auto& [entry, each] : uses_) {
    if (names_parameter(each.stored)) {
      const std::string original = original_parameter(each.stored);
      each.use.parameter = percent_escaped(original.empty() ? each.stored : original);
    }
    if (each.use.parameter == entry) each.use.parameter.clear();
    if (places_.contains(each.use.parameter)) each.use.parameter.clear();
    ++wanted[each.use.parameter];
  }
  for (const auto& [entry, each] : uses_) {
    TensorUse use = each.use;
    if (wanted[use.parameter] > 1) use.parameter.clear();
    file_.uses.emplace_back(entry, std::move(use));
  }
}

}  // namespace pedigree
