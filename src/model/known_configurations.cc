#include "model/known_configurations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <memory>

#include "base/json.h"

namespace pedigree {
namespace {

constexpr std::size_t most_differences = 4;

std::string text_of(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return std::string(value == nullptr ? "" : value->as_string().value_or(""));
}

std::uint64_t count_of(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return value == nullptr ? 0 : value->as_u64().value_or(0);
}

std::optional<double> number_of(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return value == nullptr ? std::nullopt : value->as_number();
}

std::optional<bool> truth_of(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return value == nullptr ? std::nullopt : value->as_bool();
}

KnownConfiguration row_of(const JsonValue& row, const ConfigurationSource& source) {
  KnownConfiguration known{.tokens = count_of(row, "tokens"), .source = &source};
  if (const JsonValue* names = row.find("names")) {
    for (const JsonValue& name : names->items) known.names.push_back(name.text);
  }
  check(!known.names.empty(), "a configuration has no names");
  Architecture& built = known.built;
  built.norm = text_of(row, "norm");
  built.gated_mlp = truth_of(row, "gated_mlp").value_or(false);
  built.layers = count_of(row, "layers");
  built.hidden = count_of(row, "hidden");
  built.heads = count_of(row, "heads");
  built.kv_heads = count_of(row, "kv_heads");
  built.head_dim = count_of(row, "head_dim");
  built.ffn = count_of(row, "ffn");
  built.vocab = count_of(row, "vocab");
  built.experts = count_of(row, "experts");
  built.experts_used = count_of(row, "experts_used");
  built.rope_theta = number_of(row, "rope_theta");
  built.rope_scaling = text_of(row, "rope_scaling");
  built.rotary_share = number_of(row, "rotary_share");
  built.parallel_residual = truth_of(row, "parallel_residual");
  if (const std::uint64_t context = count_of(row, "context"); context > 0) built.context = context;
  return known;
}

struct Table {
  std::deque<ConfigurationSource> sources;  // rows point into it
  std::vector<KnownConfiguration> rows;
};

Table read_table() {
  Table table;
  for (const EmbeddedFile& file : embedded_configurations()) {
    const auto document = parse_json(file.text(), file.name);
    check(document.has_value(), "a table of configurations is no JSON");
    const JsonValue& root = document->root;
    check(text_of(root, "schema") == "pedigree-configurations/1", "a table of another schema");
    const JsonValue* source = root.find("source");
    const JsonValue* models = root.find("models");
    check(source != nullptr && models != nullptr, "a table without source or models");
    table.sources.push_back({.package = text_of(*source, "package"),
                             .version = text_of(*source, "version"),
                             .file = text_of(*source, "file"),
                             .sha256 = text_of(*source, "sha256")});
    for (const JsonValue& row : models->items) {
      table.rows.push_back(row_of(row, table.sources.back()));
    }
  }
  return table;
}

bool same_where_known(std::uint64_t a, std::uint64_t b) { return a == 0 || b == 0 || a == b; }

// The sizes that make one design: what is left to differ are choices within it.
bool same_design(const Architecture& built, const Architecture& known) {
  return built.layers == known.layers && built.hidden == known.hidden && built.ffn == known.ffn &&
         same_where_known(built.heads, known.heads) &&
         same_where_known(built.head_dim, known.head_dim) && built.experts == known.experts &&
         built.norm == known.norm && built.gated_mlp == known.gated_mlp;
}

std::vector<std::pair<std::string, std::string>> differences_from(const Architecture& built,
                                                                  const KnownConfiguration& known) {
  auto differences = architecture_differences(built, known.built);
  std::erase_if(differences, [&](const auto& difference) {
    // The table says nothing of these; padded rows are no other vocabulary.
    return difference.first == "tied embeddings" || difference.first == "block additions" ||
           (difference.first == "vocabulary" && built.vocab == known.tokens);
  });
  return differences;
}

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Lower case, each run of other characters one dash, dots between digits kept:
// "Meta-Llama-3.1_8B" is "llama-3.1-8b".
std::string plain_name(std::string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool point = name[i] == '.' && i > 0 && i + 1 < name.size() &&
                       std::isdigit(static_cast<unsigned char>(name[i - 1])) != 0 &&
                       std::isdigit(static_cast<unsigned char>(name[i + 1])) != 0;
    if (is_name_character(name[i]) || point) {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
    } else if (!plain.empty() && plain.back() != '-') {
      plain += '-';
    }
  }
  if (plain.ends_with('-')) plain.pop_back();
  constexpr std::string_view owner = "meta-";
  constexpr std::string_view format = "-hf";
  if (plain.starts_with(owner)) plain.erase(0, owner.size());
  if (plain.ends_with(format)) plain.erase(plain.size() - format.size());
  return plain;
}

std::string_view leaf_of_name(std::string_view name) { return name.substr(name.rfind('/') + 1); }

// Is `part` in `name` between dashes or ends?
bool names_it(std::string_view name, std::string_view part) {
  for (std::size_t at = name.find(part); at != name.npos; at = name.find(part, at + 1)) {
    const std::size_t end = at + part.size();
    const bool begins = at == 0 || name[at - 1] == '-';
    if (begins && (end == name.size() || name[end] == '-')) return true;
  }
  return false;
}

// The row that a name says, by the longest name in it.
struct NamedRow {
  const KnownConfiguration* known = nullptr;
  std::string_view by;  // the row's name
  std::size_t length = 0;
};

NamedRow row_named_by(const std::string& name) {
  NamedRow found;
  for (const KnownConfiguration& known : known_configurations()) {
    for (const std::string& each : known.names) {
      const std::string part = plain_name(leaf_of_name(each));
      if (part.size() > found.length && names_it(name, part)) {
        found = {.known = &known, .by = each, .length = part.size()};
      }
    }
  }
  return found;
}

// Tokens are added in tuning, and epsilons are not in the table.
bool is_telling(std::string_view field) { return field != "vocabulary" && field != "norm epsilon"; }

std::size_t telling(const std::vector<std::pair<std::string, std::string>>& differences) {
  return static_cast<std::size_t>(std::ranges::count_if(
      differences, [](const auto& difference) { return is_telling(difference.first); }));
}

}  // namespace

std::span<const KnownConfiguration> known_configurations() {
  static const Table table = read_table();
  return table.rows;
}

std::optional<Resemblance> resembled_configuration(const Architecture& built) {
  if (built.layers == 0 || built.hidden == 0 || built.ffn == 0) return std::nullopt;
  std::optional<Resemblance> best;
  for (const KnownConfiguration& known : known_configurations()) {
    if (!same_design(built, known.built)) continue;
    Resemblance one{.known = &known, .differences = differences_from(built, known)};
    if (one.differences.size() > most_differences) continue;
    if (!best || one.differences.size() < best->differences.size()) best = std::move(one);
  }
  return best;
}

std::optional<Problem> name_contradiction(const Architecture& built,
                                          std::span<const std::string> names) {
  for (const std::string& name : names) {
    const NamedRow said = row_named_by(plain_name(leaf_of_name(name)));
    if (said.known == nullptr || !same_design(built, said.known->built)) continue;
    const auto differences = differences_from(built, *said.known);
    const std::optional<Resemblance> other = resembled_configuration(built);
    if (telling(differences) == 0 || !other || telling(other->differences) > 0) continue;
    std::string fields;
    for (const auto& [field, values] : differences) {
      if (is_telling(field))
        fields += fmt::format("{}{} {}", fields.empty() ? "" : ", ", field, values);
    }
    return make_problem("config-name-contradicted", {},
                        fmt::format("the name \"{}\" says {}, and {}, as in {}", name, said.by,
                                    fields, other->known->names.front()));
  }
  return std::nullopt;
}

}  // namespace pedigree
