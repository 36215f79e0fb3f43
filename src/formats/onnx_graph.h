// The weights of an ONNX graph and of the graphs within it, and what its operators say
// of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/wire.h"
#include "formats/formats.h"
#include "formats/onnx_node.h"

namespace pedigree {

// Two passes over the same messages, since operators stand before the weights they read:
// the first lists weights, the second looks at who reads them. Neither keeps operators.
class OnnxGraphs {
 public:
  enum class Container { graph, function };

  OnnxGraphs(WireFile& wire, const Limits& limits, WeightFile& file)
      : wire_(wire), limits_(limits), file_(file) {}

  // Names of weights begin with `scope`, which is "" for the model's own graph.
  void list(WireReader message, Container kind, const std::string& scope);
  // After everything was listed; `message` is one that list() was given.
  void find_uses(WireReader message, Container kind);
  // Hands the uses over.
  void finish();

 private:
  // In which list of the file a tensor stands, and where.
  enum class List { plain, arranged, external };
  struct Place {
    List list = List::plain;
    std::size_t at = 0;
  };
  using Places = std::unordered_map<std::string, Place>;  // by name of the tensor
  // What a name within a graph stands for. Any number of operators may hand a weight on, so
  // names are not copied: the keys of Places and Scope stay where they are.
  struct Weight {
    const Places::value_type* listed = nullptr;  // none for one that was left out
    std::string_view stored = {};                // its name without the graphs it lies in
    bool swapped = false;                        // with its axes the other way round
  };
  using Scope = std::unordered_map<std::string, Weight>;
  struct Frame {
    Scope& names;
    const Frame* outer = nullptr;
  };

  void count_node(std::uint64_t at);
  void count_tensors() const;
  void count_copied(std::size_t bytes, std::size_t stored, std::uint64_t at);
  std::string named(const std::string& scope, std::string_view stored, std::uint64_t at);
  void list_initializer(WireReader message, std::uint64_t at, const std::string& scope,
                        Scope& names);
  void list_node(const WireReader& graph, const OnnxNode& node, const std::string& scope,
                 Scope& names);
  void list_branches(const WireReader& graph, const OnnxAttribute& attribute,
                     const std::string& inner);
  const Places::value_type* list_constant(const WireReader& graph, const WireField& field,
                                          const std::string& scope, std::string_view stored);
  void list_sparse(WireReader message, std::uint64_t at, const std::string& scope);
  void find_uses_within(WireReader message, Container kind, const Frame* outer);
  void look_at(const WireReader& graph, const OnnxNode& node, const Frame& frame);
  void note(const OnnxNode& node, std::size_t input, const Weight& weight);
  void hand_on(const OnnxNode& node, bool swaps, const Weight& weight, const Frame& frame);
  const Places::value_type* alias(const Places::value_type& listed, const std::string& name,
                                  std::uint64_t at);
  static const Weight* find(const Frame& frame, const std::string& name);
  const Places::value_type* remember(const std::string& entry);
  const TensorEntry& entry_at(Place place) const;

  WireFile& wire_;
  const Limits& limits_;
  WeightFile& file_;
  std::uint64_t nodes_ = 0;
  std::uint64_t copied_ = 0;               // bytes of names as listed
  std::uint64_t stored_ = 0;               // bytes of the same names as stored
  std::map<std::uint64_t, Scope> scopes_;  // by where a message begins; those with names
  Places places_;
  struct Use {
    std::string_view stored = {};
    TensorUse use = {};
  };
  std::map<std::string_view, Use> uses_;  // by name of tensor
};

}  // namespace pedigree
