#include "model/families.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/json.h"
#include "model/config_sizes.h"

namespace pedigree {

namespace {

constexpr std::array<std::pair<std::string_view, Symbol>, 37> symbol_names = {{
    {"hidden", Symbol::hidden},
    {"other_hidden", Symbol::other_hidden},
    {"embed", Symbol::embed},
    {"projection", Symbol::projection},
    {"vocab", Symbol::vocab},
    {"head_rows", Symbol::head_rows},
    {"positions", Symbol::positions},
    {"other_positions", Symbol::other_positions},
    {"types", Symbol::types},
    {"buckets", Symbol::buckets},
    {"head_dim", Symbol::head_dim},
    {"heads", Symbol::heads},
    {"kv_heads", Symbol::kv_heads},
    {"q", Symbol::q},
    {"kv", Symbol::kv},
    {"values", Symbol::values},
    {"plain_keys", Symbol::plain_keys},
    {"q_rank", Symbol::q_rank},
    {"kv_rank", Symbol::kv_rank},
    {"kv_in", Symbol::kv_in},
    {"ffn", Symbol::ffn},
    {"experts", Symbol::experts},
    {"shared_ffn", Symbol::shared_ffn},
    {"inner", Symbol::inner},
    {"state", Symbol::state},
    {"dt_rank", Symbol::dt_rank},
    {"channels", Symbol::channels},
    {"keys", Symbol::keys},
    {"ssm_heads", Symbol::ssm_heads},
    {"mix_rank", Symbol::mix_rank},
    {"decay_rank", Symbol::decay_rank},
    {"rate_rank", Symbol::rate_rank},
    {"gate_rank", Symbol::gate_rank},
    {"value_rank", Symbol::value_rank},
    {"kernel", Symbol::kernel},
    {"inputs", Symbol::inputs},
    {"patch", Symbol::patch},
}};

// Families are few and small; what is wrong with one is thrown to parse_family.
class FamilyReader {
 public:
  explicit FamilyReader(const JsonValue& root) : root_(root) {}

  Family read() const {
    allow_only(root_, {"schema", "id", "title", "structure", "reference", "tied", "norm_plus_one",
                       "rope_theta", "model_types", "layer_path", "before", "layer", "after",
                       "ignorable", "layer_ignorable", "stacks", "gguf", "config", "when"});
    if (text(root_, "schema") != "pedigree-architecture/1") fail("schema is not ours");
    Family family = {.id = text(root_, "id"),
                     .title = text(root_, "title"),
                     .structure = text(root_, "structure"),
                     .reference = flag(root_, "reference"),
                     .tied = flag(root_, "tied"),
                     .norm_plus_one = flag(root_, "norm_plus_one"),
                     .rope_theta = number(root_, "rope_theta"),
                     .model_types = texts("model_types"),
                     .layer_path = text(root_, "layer_path")};
    family.ignorable = texts("ignorable");
    add_tensors(family, root_, "before");
    add_stack(family, root_, 0);
    if (root_.find("stacks") != nullptr) add_stacks(family);
    add_tensors(family, root_, "after");
    if (const JsonValue* gguf = root_.find("gguf")) add_gguf(family, *gguf);
    if (root_.find("config") != nullptr) add_config_sizes(family);
    if (root_.find("when") != nullptr) family.when = text_pairs(root_, "when");
    return family;
  }

 private:
  [[noreturn]] static void fail(std::string message) {
    malformed("json-malformed", std::move(message));
  }

  static void allow_only(const JsonValue& object, std::initializer_list<std::string_view> keys) {
    if (object.kind != JsonValue::Kind::object) fail("an object was expected");
    for (const auto& [key, value] : object.members) {
      if (std::ranges::find(keys, std::string_view(key)) == keys.end()) {
        fail("unknown key " + key);
      }
    }
  }

  static const JsonValue& member(const JsonValue& object, std::string_view key,
                                 JsonValue::Kind kind) {
    const JsonValue* value = object.find(key);
    if (value == nullptr || value->kind != kind) {
      fail("no " + std::string(key) + " of the right kind");
    }
    return *value;
  }

  static std::string text(const JsonValue& object, std::string_view key) {
    std::string value = member(object, key, JsonValue::Kind::string).text;
    if (value.empty()) fail("empty " + std::string(key));
    return value;
  }

  static bool flag(const JsonValue& object, std::string_view key) {
    return object.find(key) != nullptr && member(object, key, JsonValue::Kind::boolean).boolean;
  }

  static std::optional<double> number(const JsonValue& object, std::string_view key) {
    const JsonValue* value = object.find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->as_number()) fail(std::string(key) + " is not a number");
    return value->as_number();
  }

  std::vector<std::string> texts(std::string_view key) const { return texts_of(root_, key); }

  static std::vector<std::string> texts_of(const JsonValue& object, std::string_view key) {
    std::vector<std::string> result;
    for (const JsonValue& item : member(object, key, JsonValue::Kind::array).items) {
      if (item.kind != JsonValue::Kind::string) fail(std::string(key) + " holds no texts");
      result.push_back(item.text);
    }
    return result;
  }

  // One run of layers; the numbers of a second go on behind those of the first.
  static void add_stack(Family& family, const JsonValue& object, int stack) {
    const std::string path = text(object, "layer_path");
    if (!path.ends_with("{L}.")) fail("layer_path does not end in {L}.");
    add_tensors(family, object, "layer", path, stack);
    for (const std::string& name : texts_of(object, "layer_ignorable")) {
      family.ignorable.push_back(path + name);
    }
  }

  void add_stacks(Family& family) const {
    int stack = 0;
    for (const JsonValue& item : member(root_, "stacks", JsonValue::Kind::array).items) {
      allow_only(item, {"layer_path", "layer", "layer_ignorable"});
      add_stack(family, item, ++stack);
    }
  }

  void add_config_sizes(Family& family) const {
    const JsonValue& config = member(root_, "config", JsonValue::Kind::object);
    for (const auto& [size, rules] : config.members) {
      const std::optional<Symbol> symbol = find_symbol(size);
      if (!symbol) fail("unknown size " + size);
      for (const std::string& rule : texts_of(config, size)) {
        const std::string fault = rule_fault(rule);
        if (!fault.empty()) fail(fmt::format("the rule \"{}\" {}", rule, fault));
        if (rule.contains("@" + size)) fail(fmt::format("the rule \"{}\" asks for itself", rule));
        family.config_sizes.emplace_back(*symbol, rule);
      }
    }
  }

  static void add_gguf(Family& family, const JsonValue& gguf) {
    allow_only(gguf, {"architectures", "pairs_heads", "splits", "names"});
    family.gguf_architectures = texts_of(gguf, "architectures");
    family.gguf_pairs_heads = flag(gguf, "pairs_heads");
    if (gguf.find("splits") != nullptr) family.gguf_splits = texts_of(gguf, "splits");
    if (gguf.find("names") != nullptr) family.gguf_names = text_pairs(gguf, "names");
  }

  static std::vector<std::pair<std::string, std::string>> text_pairs(const JsonValue& object,
                                                                     std::string_view key) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& [name, value] : member(object, key, JsonValue::Kind::object).members) {
      if (value.kind != JsonValue::Kind::string) fail(std::string(key) + " holds no texts");
      pairs.emplace_back(name, value.text);
    }
    return pairs;
  }

  static SizeTerm term(std::string_view text) {
    SizeTerm result;
    if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), result.coefficient);
      if (error != std::errc() || result.coefficient == 0) fail("bad factor in a shape");
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
      if (text.empty()) {
        result.symbol = Symbol::one;
        return result;
      }
    }
    const std::optional<Symbol> symbol = find_symbol(text);
    if (!symbol) fail("unknown size " + std::string(text));
    result.symbol = *symbol;
    return result;
  }

  static SizeFormula formula(std::string_view text) {
    SizeFormula result;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('+', begin), text.size());
      result.push_back(term(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    return result;
  }

  static void add_parts(FamilyTensor& tensor, const JsonValue& parts) {
    for (const JsonValue& part : parts.items) {
      allow_only(part, {"role", "rows"});
      tensor.parts.push_back({.role = text(part, "role"), .rows = formula(text(part, "rows"))});
    }
    if (tensor.parts.size() < 2) fail(tensor.name + " is fused from fewer than two parts");
  }

  static Turns turns(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, Turns>, 3> known = {
        {{"heads", Turns::heads}, {"kv_heads", Turns::kv_heads}, {"rows", Turns::rows}}};
    const auto at = std::ranges::find(known, name, &decltype(known)::value_type::first);
    if (at == known.end()) fail("unknown turns " + std::string(name));
    return at->second;
  }

  static void add_shape(FamilyTensor& tensor, const JsonValue& shape) {
    for (const JsonValue& size : shape.items) {
      if (size.kind != JsonValue::Kind::string) fail("a shape holds no text");
      tensor.shape.push_back(formula(size.text));
    }
    if (tensor.shape.empty() || tensor.shape.size() > 5) fail("a shape of rank 1 to 5 is needed");
    const SizeFormula& first = tensor.shape.front();
    tensor.stacked = !tensor.per_expert && tensor.shape.size() > 1 && first.size() == 1 &&
                     first.front().symbol == Symbol::experts && tensor.role != "moe.router";
    const auto ones = std::ranges::count_if(tensor.shape, is_one);
    const std::size_t rank =
        tensor.shape.size() - static_cast<std::size_t>(ones) - (tensor.stacked ? 1 : 0);
    if (tensor.stacked && rank > 2) fail("only matrices of experts are stacked");
    if (tensor.flat && (!tensor.stacked || rank != 2)) fail("only stacked matrices can be flat");
    if (tensor.transpose && rank != 2) fail("only a matrix can be transposed");
  }

  static void add_tensors(Family& family, const JsonValue& object, std::string_view section,
                          const std::string& path = {}, int stack = 0) {
    for (const JsonValue& item : member(object, section, JsonValue::Kind::array).items) {
      allow_only(item, {"name", "role", "parts", "turns", "shape", "flat", "transpose", "optional",
                        "paired"});
      FamilyTensor tensor = {.name = path + text(item, "name"),
                             .transpose = flag(item, "transpose"),
                             .optional = flag(item, "optional"),
                             .in_layer = !path.empty(),
                             .flat = flag(item, "flat"),
                             .paired = flag(item, "paired"),
                             .stack = stack};
      tensor.per_expert = tensor.name.contains(".{E}.");
      const JsonValue* parts = item.find("parts");
      if ((parts == nullptr) == (item.find("role") == nullptr)) fail("a role or parts, not both");
      if (parts == nullptr) {
        tensor.role = text(item, "role");
      } else {
        add_parts(tensor, member(item, "parts", JsonValue::Kind::array));
        if (item.find("turns") != nullptr) tensor.turns = turns(text(item, "turns"));
      }
      add_shape(tensor, member(item, "shape", JsonValue::Kind::array));
      family.tensors.push_back(std::move(tensor));
    }
  }

  const JsonValue& root_;
};

std::vector<Family> embedded_families() {
  std::vector<Family> result;
  for (const EmbeddedFile& file : embedded_model()) {
    Result<Family> family = parse_family(file.text(), file.name);
    check(family.has_value(), family ? "" : family.error().message);
    check(family->id == file.name, "a family file is not named for its id");
    result.push_back(*std::move(family));
  }
  std::ranges::sort(result, {}, &Family::id);
  return result;
}

}  // namespace

std::optional<Symbol> find_symbol(std::string_view name) {
  for (const auto& [known, symbol] : symbol_names) {
    if (known == name) return symbol;
  }
  return std::nullopt;
}

bool varies_by_layer(Symbol symbol) {
  switch (symbol) {
    case Symbol::one:
    case Symbol::hidden:
    case Symbol::other_hidden:
    case Symbol::embed:
    case Symbol::projection:
    case Symbol::vocab:
    case Symbol::head_rows:
    case Symbol::positions:
    case Symbol::other_positions:
    case Symbol::types:
    case Symbol::buckets:
    case Symbol::head_dim:
    case Symbol::heads:
    case Symbol::kv_heads:
    case Symbol::head_keys:
    case Symbol::kernel:
    case Symbol::inputs:
    case Symbol::patch:
      return false;
    case Symbol::q:
    case Symbol::kv:
    case Symbol::values:
    case Symbol::plain_keys:
    case Symbol::q_rank:
    case Symbol::kv_rank:
    case Symbol::kv_in:
    case Symbol::head_ranks:
    case Symbol::ffn:
    case Symbol::experts:
    case Symbol::shared_ffn:
    case Symbol::inner:
    case Symbol::state:
    case Symbol::dt_rank:
    case Symbol::channels:
    case Symbol::keys:
    case Symbol::ssm_heads:
    case Symbol::mix_rank:
    case Symbol::decay_rank:
    case Symbol::rate_rank:
    case Symbol::gate_rank:
    case Symbol::value_rank:
      return true;
  }
  return false;
}

bool is_one(const SizeFormula& size) {
  return size.size() == 1 && size.front().symbol == Symbol::one && size.front().coefficient == 1;
}

const FamilyTensor* Family::find_role(std::string_view role) const {
  const auto found = std::ranges::find(tensors, role, &FamilyTensor::role);
  return found == tensors.end() ? nullptr : &*found;
}

Result<Family> parse_family(std::string_view text, std::string_view file) {
  const Result<JsonDocument> document = parse_json(text, file);
  if (!document) return std::unexpected(document.error());
  if (!document->problems.empty()) return std::unexpected(document->problems.front());
  try {
    return FamilyReader(document->root).read();
  } catch (const Malformed& malformed) {
    Problem problem = malformed.problem;
    problem.file = file;
    return std::unexpected(std::move(problem));
  }
}

std::span<const Family> families() {
  static const std::vector<Family> all = embedded_families();
  return all;
}

std::span<const Family> graph_families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> result(families().begin(), families().end());
    for (Family& family : result) {
      for (FamilyTensor& tensor : family.tensors) {
        if (std::exchange(tensor.transpose, false))
          std::swap(tensor.shape.back(), tensor.shape[tensor.shape.size() - 2]);
      }
    }
    return result;
  }();
  return all;
}

const Family* reference_family(std::string_view structure) {
  const std::span<const Family> all = families();
  const auto found = std::ranges::find_if(
      all, [&](const Family& family) { return family.reference && family.structure == structure; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace pedigree
