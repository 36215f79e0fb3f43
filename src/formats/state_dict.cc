#include "formats/state_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using Kind = PickleNode::Kind;

// What training keeps beside the weights, by the key it stands under.
constexpr std::array<std::string_view, 20> training_keys = {"optimizer",
                                                            "optimizer_state_dict",
                                                            "optimizer_states",
                                                            "optimizers",
                                                            "optim",
                                                            "optim_state",
                                                            "lr_scheduler",
                                                            "lr_schedulers",
                                                            "scheduler",
                                                            "scheduler_state_dict",
                                                            "scaler",
                                                            "grad_scaler",
                                                            "amp",
                                                            "rng_state",
                                                            "rng_states",
                                                            "random_states",
                                                            "cuda_rng_state",
                                                            "callbacks",
                                                            "loops",
                                                            "optimizer_state"};

// What a checkpoint keeps its weights under, the likeliest first.
constexpr std::array<std::string_view, 11> weight_keys = {
    "state_dict", "model", "module",     "model_state_dict", "ema",    "generator",
    "params",     "net",   "params_ema", "network",          "weights"};

template <std::size_t N>
std::size_t place_in(const std::array<std::string_view, N>& keys, std::string_view key) {
  return static_cast<std::size_t>(std::ranges::find(keys, key) - keys.begin());
}

// The items of a module that its state_dict() looks through.
bool is_module_part(std::string_view key) {
  return key == "_parameters" || key == "_buffers" || key == "_modules";
}

std::string key_text(const PickleTree& tree, PickleRef key) {
  if (tree.is(key, Kind::text) || tree.is(key, Kind::bytes)) return percent_escaped(tree.text(key));
  if (tree.is(key, Kind::integer)) return std::to_string(tree.at(key).number);
  return fmt::format("key-{}", key);
}

// What stands last in the state of a NumPy array: its bytes, or a list of objects.
PickleRef array_content(const PickleTree& tree, PickleRef ref) {
  const auto state = tree.items(tree.at(ref).state);
  return state.size() < 4 ? no_pickle_ref : state.back();
}

bool is_array_of_objects(const PickleTree& tree, PickleRef ref) {
  return tree.is(array_content(tree, ref), Kind::list);
}

bool is_storage(const PickleTree& tree, PickleRef ref) {
  if (!tree.is(ref, Kind::persistent)) return false;
  const auto id = tree.items(tree.at(ref).first);
  return id.size() >= 5 && tree.text(id[0]) == "storage";
}

class Walk {
 public:
  Walk(const PickleTree& tree, const Limits& limits)
      : tree_(tree),
        limits_(limits),
        most_visits_(
            std::min<std::uint64_t>(limits.pickle_operations, 10'000 + 16 * tree.node_count())) {}

  std::vector<NamedNode> below(PickleRef root) {
    found_.clear();
    path_.clear();
    visit(root, 0);
    return std::move(found_);
  }

 private:
  void visit(PickleRef ref, std::uint64_t depth) {
    count(depth);
    if (is_pickled_tensor(tree_, ref)) return emit(ref);
    if (ref >= tree_.node_count()) return;
    switch (tree_.at(ref).kind) {
      case Kind::dict:
        return visit_dict(ref, depth, false);
      case Kind::list:
      case Kind::tuple:
      case Kind::set:
        return visit_list(ref, depth);
      case Kind::call:
      case Kind::object:
        return visit_object(ref, depth);
      case Kind::none:
      case Kind::boolean:
      case Kind::integer:
      case Kind::big_integer:
      case Kind::real:
      case Kind::text:
      case Kind::bytes:
      case Kind::global:
      case Kind::persistent:
        return;
    }
  }

  void count(std::uint64_t depth) {
    if (depth > limits_.nesting) {
      malformed("limit-exceeded",
                fmt::format("the pickle's objects are nested over {} deep", limits_.nesting));
    }
    if (++visits_ > most_visits_) {
      malformed("limit-exceeded", "the pickle's objects share each other beyond reason");
    }
  }

  void emit(PickleRef ref) {
    if (path_.size() > limits_.name_bytes) {
      malformed("limit-exceeded", fmt::format("a tensor name has {} bytes, over the limit of {}",
                                              path_.size(), limits_.name_bytes));
    }
    name_bytes_ += path_.size() + sizeof(NamedNode);
    if (name_bytes_ > 4 * limits_.header_bytes || found_.size() >= limits_.tensors) {
      malformed("limit-exceeded", "the pickle's objects hold too many tensors");
    }
    found_.push_back({.name = path_.empty() ? "tensor" : path_, .ref = ref});
  }

  void visit_under(std::string_view key, PickleRef ref, std::uint64_t depth) {
    const std::size_t length = path_.size();
    if (length > 0) path_ += '.';
    path_ += key;
    visit(ref, depth + 1);
    path_.resize(length);
  }

  void visit_dict(PickleRef ref, std::uint64_t depth, bool module) {
    const auto items = tree_.items(ref);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const std::string key = key_text(tree_, items[i]);
      if (module && is_module_part(key)) {
        visit(items[i + 1], depth + 1);
      } else {
        visit_under(key, items[i + 1], depth);
      }
    }
  }

  void visit_list(PickleRef ref, std::uint64_t depth) {
    const auto items = tree_.items(ref);
    for (std::size_t i = 0; i < items.size(); ++i) {
      visit_under(std::to_string(i), items[i], depth);
    }
  }

  // A module, an array of objects, or what a function would make of its arguments.
  void visit_object(PickleRef ref, std::uint64_t depth) {
    const PickleNode& node = tree_.at(ref);
    if (tree_.meaning(ref) == PickleName::numpy_reconstruct) {
      const PickleRef content = array_content(tree_, ref);
      const auto objects = tree_.items(content);
      if (objects.size() == 1) return visit(objects[0], depth + 1);
      if (!objects.empty()) visit_list(content, depth + 1);
      return;
    }
    for (const PickleRef argument : tree_.items(node.second)) visit(argument, depth + 1);
    if (!tree_.items(ref).empty()) visit_dict(ref, depth, false);
    if (tree_.is(node.state, Kind::dict)) {
      visit_dict(node.state, depth, true);
    } else if (node.state != no_pickle_ref) {
      visit(node.state, depth + 1);
    }
  }

  const PickleTree& tree_;
  const Limits& limits_;
  std::uint64_t most_visits_;  // shared parts are walked as often as they are named
  std::string path_;
  std::vector<NamedNode> found_;
  std::uint64_t visits_ = 0;
  std::uint64_t name_bytes_ = 0;
};

// One key of a dictionary and the tensors below it.
struct Section {
  std::string key = {};
  PickleRef ref = no_pickle_ref;
  std::vector<NamedNode> tensors = {};  // named from here
  bool is_tensor = false;

  bool is_training() const { return place_in(training_keys, key) < training_keys.size(); }
};

std::vector<Section> sections_of(const PickleTree& tree, PickleRef dict, Walk& walk) {
  std::vector<Section> sections;
  const auto items = tree.items(dict);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    Section section = {.key = key_text(tree, items[i]), .ref = items[i + 1]};
    section.is_tensor = is_pickled_tensor(tree, section.ref);
    section.tensors = walk.below(section.ref);
    if (!section.tensors.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

std::string listed(const std::vector<const Section*>& sections) {
  std::vector<std::string> texts;
  for (const Section* section : sections) {
    texts.push_back(fmt::format("{} ({} tensors)", quoted(section->key), section->tensors.size()));
    if (texts.size() == 8) break;
  }
  return fmt::format("{}{}", fmt::join(texts, ", "), sections.size() > 8 ? ", …" : "");
}

void tell_training(std::vector<Section>& sections, StateDict& result) {
  std::vector<const Section*> left_out;
  for (const Section& section : sections) {
    if (section.is_training()) left_out.push_back(&section);
  }
  if (left_out.empty() || left_out.size() == sections.size()) return;
  result.problems.push_back(make_problem(
      "training-state-present", {},
      fmt::format("the checkpoint's {} are no weights and were left out", listed(left_out))));
  std::erase_if(sections, [](const Section& section) { return section.is_training(); });
}

void take_all(std::vector<Section>& sections, StateDict& result) {
  for (Section& section : sections) {
    for (NamedNode& node : section.tensors) {
      if (section.is_tensor) {
        node.name = section.key;
      } else {
        node.name = section.key + "." + node.name;
      }
      result.tensors.push_back(std::move(node));
    }
  }
}

// The section known to hold weights, when these do not stand here themselves.
const Section* wrapped_weights(const std::vector<Section>& sections) {
  if (std::ranges::any_of(sections, &Section::is_tensor)) return nullptr;
  const auto likeliest = std::ranges::min_element(
      sections, {}, [](const Section& section) { return place_in(weight_keys, section.key); });
  if (likeliest == sections.end()) return nullptr;
  return place_in(weight_keys, likeliest->key) < weight_keys.size() ? &*likeliest : nullptr;
}

}  // namespace

bool is_pickled_tensor(const PickleTree& tree, PickleRef ref) {
  if (is_storage(tree, ref)) return true;
  if (!tree.is(ref, Kind::call)) return false;
  const PickleName meaning = tree.meaning(ref);
  if (meaning == PickleName::numpy_reconstruct) {
    return array_content(tree, ref) != no_pickle_ref && !is_array_of_objects(tree, ref);
  }
  using enum PickleName;
  constexpr std::array makers = {tensor,        tensor_v3,         tensor_of_type, quantized_tensor,
                                 unread_tensor, tensor_from_array, parameter};
  return std::ranges::find(makers, meaning) != makers.end();
}

StateDict find_state_dict(const PickleTree& tree, PickleRef root, const Limits& limits) {
  StateDict result;
  Walk walk(tree, limits);
  for (std::uint64_t level = 0; level < limits.nesting; ++level) {
    // An array that holds one object is how numpy.save keeps a dictionary.
    if (tree.is(root, Kind::call) && tree.meaning(root) == PickleName::numpy_reconstruct) {
      const auto objects = tree.items(array_content(tree, root));
      if (objects.size() == 1) root = objects[0];
    }
    if (!tree.is(root, Kind::dict)) break;
    std::vector<Section> sections = sections_of(tree, root, walk);
    tell_training(sections, result);
    const Section* weights = wrapped_weights(sections);
    if (weights == nullptr) {
      take_all(sections, result);
      return result;
    }
    std::vector<const Section*> others;
    for (const Section& section : sections) {
      if (&section != weights) others.push_back(&section);
    }
    if (!others.empty()) {
      result.problems.push_back(
          make_problem("state-dict-choice", {},
                       fmt::format("{} was read, {} not", quoted(weights->key), listed(others))));
    }
    root = weights->ref;
  }
  result.tensors = walk.below(root);
  return result;
}

}  // namespace pedigree
