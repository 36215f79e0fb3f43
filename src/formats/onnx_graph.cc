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

// A name within graphs repeats those of the graphs around it, so a small file could ask for
// names without end. All of them may have this many bytes, and so many for each one stored.
constexpr std::uint64_t copied_freely = std::uint64_t{32} << 20U;
constexpr std::uint64_t copied_per_stored = 8;

std::uint64_t node_field(OnnxGraphs::Container kind) {
  return kind == OnnxGraphs::Container::graph ? 1 : 7;
}

}  // namespace

void OnnxGraphs::list(WireReader message, Container kind, const std::string& scope) {
  const auto own = scopes_.try_emplace(message.offset()).first;
  WireReader rest = message;
  while (const auto field = rest.next()) {
    if (field->kind != Kind::bytes) continue;
    if (field->number == node_field(kind)) {
      count_node(field->at);
      const OnnxNode node = read_onnx_node(message.inside(*field), field->at, limits_);
      list_node(message, node, scope, own->second);
    }
    if (kind != Container::graph) continue;
    if (field->number == 5) {
      list_initializer(message.inside(*field), field->at, scope, own->second);
    }
    if (field->number == 15) list_sparse(message.inside(*field), field->at, scope);
  }
  if (own->second.empty()) scopes_.erase(own);
}

void OnnxGraphs::count_node(std::uint64_t at) {
  if (++nodes_ > limits_.graph_nodes) {
    malformed("limit-exceeded", fmt::format("over {} operators", limits_.graph_nodes), at);
  }
}

void OnnxGraphs::count_tensors() const {
  const std::size_t count = file_.tensors.size() + file_.arranged.size() + file_.external.size();
  if (count > limits_.tensors) {
    malformed("limit-exceeded", fmt::format("over {} tensors", limits_.tensors));
  }
}

void OnnxGraphs::count_copied(std::size_t bytes, std::size_t stored, std::uint64_t at) {
  copied_ += bytes;
  stored_ += stored;
  if (copied_ > copied_freely + copied_per_stored * stored_) {
    malformed("limit-exceeded",
              fmt::format("the names of graphs within graphs come to over {}", byte_size(copied_)),
              at);
  }
}

// The name a thing of a graph goes by in the file.
std::string OnnxGraphs::named(const std::string& scope, std::string_view stored, std::uint64_t at) {
  std::string name = scope + percent_escaped(stored);
  if (name.size() > limits_.name_bytes) {
    malformed("limit-exceeded",
              fmt::format("a name with those of the graphs around it has {} bytes, over the limit "
                          "of {}",
                          name.size(), limits_.name_bytes),
              at);
  }
  count_copied(name.size(), stored.size(), at);
  return name;
}

void OnnxGraphs::list_initializer(WireReader message, std::uint64_t at, const std::string& scope,
                                  Scope& names) {
  const OnnxTensor tensor = read_onnx_tensor(message, at, limits_);
  const std::string entry = named(scope, tensor.name, at);
  const auto [own, is_new] = names.try_emplace(tensor.name);
  if (!is_new) {
    malformed("duplicate-key", fmt::format("the tensor name {} stands twice", quoted(entry)), at);
  }
  own->second.stored = own->first;
  if (add_onnx_tensor(tensor, entry, wire_, file_)) own->second.listed = remember(entry);
}

// The constant a node is, and the graphs it holds.
void OnnxGraphs::list_node(const WireReader& graph, const OnnxNode& node, const std::string& scope,
                           Scope& names) {
  const std::string own = node.name.empty() ? fmt::format("node-{}", node.at) : node.name;
  for (const OnnxAttribute& attribute : node.attributes) {
    if (attribute.graphs.empty() && attribute.tensors.empty() && attribute.sparse.empty()) continue;
    const std::string inner =
        named(scope, fmt::format("{}.{}", own, attribute.name), node.at) + ".";
    list_branches(graph, attribute, inner);
    const bool constant = node.op == "Constant" && attribute.tensors.size() == 1 &&
                          !node.outputs.empty() && !names.contains(node.outputs.front());
    for (std::size_t i = 0; i < attribute.tensors.size(); ++i) {
      const Places::value_type* const listed =
          constant ? list_constant(graph, attribute.tensors[i], scope, node.outputs.front())
                   : list_constant(graph, attribute.tensors[i], inner, std::to_string(i));
      if (listed == nullptr || !constant) continue;
      const auto output = names.try_emplace(node.outputs.front()).first;
      output->second = {.listed = listed, .stored = output->first};
    }
    for (const WireField& field : attribute.sparse) {
      list_sparse(graph.inside(field), field.at, inner);
    }
  }
}

void OnnxGraphs::list_branches(const WireReader& graph, const OnnxAttribute& attribute,
                               const std::string& inner) {
  const bool several = attribute.graphs.size() > 1;
  for (std::size_t i = 0; i < attribute.graphs.size(); ++i) {
    const WireField& field = attribute.graphs[i];
    list(graph.inside(field), Container::graph,
         several ? named(inner, std::to_string(i), field.at) + "." : inner);
  }
}

// None for a small one and for one that was left out.
const OnnxGraphs::Places::value_type* OnnxGraphs::list_constant(const WireReader& graph,
                                                                const WireField& field,
                                                                const std::string& scope,
                                                                std::string_view stored) {
  const OnnxTensor tensor = read_onnx_tensor(graph.inside(field), field.at, limits_);
  if (!tensor.external && tensor.value_bytes() < smallest_constant) return nullptr;
  const std::string entry = named(scope, stored, field.at);
  return add_onnx_tensor(tensor, entry, wire_, file_) ? remember(entry) : nullptr;
}

void OnnxGraphs::list_sparse(WireReader message, std::uint64_t at, const std::string& scope) {
  const OnnxSparseTensor sparse = read_onnx_sparse_tensor(message, at, limits_);
  add_onnx_sparse_tensor(sparse, named(scope, sparse.values.name, at), file_);
  count_tensors();
}

// The tensor added last.
const OnnxGraphs::Places::value_type* OnnxGraphs::remember(const std::string& entry) {
  Place place;
  if (!file_.external.empty() && file_.external.back().entry.name == entry) {
    place = {.list = List::external, .at = file_.external.size() - 1};
  } else if (!file_.arranged.empty() && file_.arranged.back().entry.name == entry) {
    place = {.list = List::arranged, .at = file_.arranged.size() - 1};
  } else {
    place.at = file_.tensors.size() - 1;
  }
  count_tensors();
  return &*places_.try_emplace(entry, place).first;
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
  Scope nameless;  // of weights handed on within this graph
  const auto own = scopes_.find(message.offset());
  const Frame frame = {.names = own == scopes_.end() ? nameless : own->second, .outer = outer};
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
  if (weight.listed == nullptr) return;
  const auto& [entry, place] = *weight.listed;
  const std::size_t rank = entry_at(place).shape.size();
  std::optional<TensorUse> use = use_of(node, input, rank);
  if (!use) return;
  if (weight.swapped && rank == 2) use->in_out = !use->in_out;
  uses_.try_emplace(entry, Use{.stored = weight.stored, .use = *std::move(use)});
}

// The output is the same weight under another name. One that is a parameter's is listed:
// exporters store equal parameters once.
void OnnxGraphs::hand_on(const OnnxNode& node, bool swaps, const Weight& weight,
                         const Frame& frame) {
  if (node.outputs.empty()) return;
  const auto [own, is_new] = frame.names.try_emplace(node.outputs.front(), weight);
  if (!is_new) return;
  Weight& handed = own->second;
  handed.swapped = handed.swapped != swaps;
  if (node.op == "Identity" && frame.outer == nullptr && names_parameter(own->first)) {
    handed.stored = own->first;
    if (handed.listed != nullptr) {
      handed.listed = alias(*handed.listed, percent_escaped(own->first), node.at);
    }
  }
}

const OnnxGraphs::Places::value_type* OnnxGraphs::alias(const Places::value_type& listed,
                                                        const std::string& name, std::uint64_t at) {
  if (places_.contains(name)) return &listed;
  const Place place = listed.second;
  const std::size_t rank = entry_at(place).shape.size();
  count_copied(name.size() + rank * sizeof(std::uint64_t), name.size(), at);
  switch (place.list) {
    case List::external: {
      ExternalTensor copy = file_.external[place.at];
      count_copied(copy.location.size(), 0, at);
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
  return remember(name);
}

// A parameter that goes by its own name keeps it, and no other may take that name; one
// that two tensors would go by says nothing of either.
void OnnxGraphs::finish() {
  std::map<std::string_view, std::size_t> wanted;
  for (auto& [entry, each] : uses_) {
    if (names_parameter(each.stored)) {
      const std::string original = original_parameter(each.stored);
      each.use.parameter =
          percent_escaped(original.empty() ? each.stored : std::string_view(original));
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
