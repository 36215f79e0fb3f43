#include "cli/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace pedigree {
namespace {

constexpr unsigned most_threads = 1024;

struct Key {
  std::string_view name;
  bool is_flag = false;
};

constexpr std::array keys = {
    Key{.name = "output"},
    Key{.name = "fail-on"},
    Key{.name = "strict", .is_flag = true},
    Key{.name = "threads"},
    Key{.name = "quiet", .is_flag = true},
    Key{.name = "verbose", .is_flag = true},
    Key{.name = "no-progress", .is_flag = true},
    Key{.name = "color"},
    Key{.name = "deterministic", .is_flag = true},
};

using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

std::unexpected<UsageError> usage(std::string message) {
  return std::unexpected(UsageError{std::move(message)});
}

std::string environment_name(std::string_view key) {
  std::string name = "PEDIGREE_";
  for (const char c : key) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return name;
}

bool is_true(std::string_view text) { return !text.empty() && text != "0" && text != "false"; }

// "" when fine.
std::string take_member(Values& values, const std::string& name, const JsonValue& value) {
  const auto key = std::ranges::find(keys, name, &Key::name);
  if (key == keys.end()) {
    std::vector<std::string_view> known(keys.size());
    std::ranges::transform(keys, known.begin(), &Key::name);
    return fmt::format("unknown key '{}'{}", shown(name), suggestion(name, known));
  }
  auto& slot = values[name];
  if (key->is_flag) {
    const auto truth = value.as_bool();
    if (!truth) return fmt::format("'{}' must be true or false", name);
    if (*truth) slot.emplace_back("1");
    return {};
  }
  if (const auto text = value.as_string()) {
    slot.emplace_back(*text);
  } else if (const auto number = value.as_u64(); number && name == "threads") {
    slot.push_back(fmt::format("{}", *number));
  } else if (value.kind == JsonValue::Kind::array && name == "output") {
    for (const JsonValue& item : value.items) {
      const auto item_text = item.as_string();
      if (!item_text) return "'output' must be a list of strings";
      slot.emplace_back(*item_text);
    }
  } else {
    return fmt::format("'{}' has a value of the wrong kind", name);
  }
  return {};
}

std::expected<Values, UsageError> read_config(const std::string& path) {
  const auto text = read_small_file(path, path);
  if (!text) return usage(fmt::format("{}: {}", shown(path), text.error().message));
  const auto document = parse_json(*text, path);
  if (!document) return usage(fmt::format("{}: {}", shown(path), document.error().message));
  if (document->root.kind != JsonValue::Kind::object) {
    return usage(fmt::format("{}: the configuration is not a JSON object", shown(path)));
  }
  Values values;
  for (const auto& [name, value] : document->root.members) {
    const std::string complaint = take_member(values, name, value);
    if (!complaint.empty()) return usage(fmt::format("{}: {}", shown(path), complaint));
  }
  return values;
}

// The named file, or pedigree.json in the user's configuration folder. Nothing
// is picked up from the working directory: it may be the model under audit, and
// a model must not set how it is judged.
std::string config_path(const Arguments& arguments, const Environment& environment) {
  if (arguments.has("config")) return arguments.value("config");
  if (const char* named = environment("PEDIGREE_CONFIG"); named != nullptr && *named != '\0') {
    return named;
  }
  std::filesystem::path folder;
  if (const char* xdg = environment("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0') {
    folder = xdg;
  } else if (const char* home = environment("HOME"); home != nullptr && *home != '\0') {
    folder = std::filesystem::path(home) / ".config";
  } else {
    return {};
  }
  const auto path = folder / "pedigree" / "pedigree.json";
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) ? path.string() : std::string();
}

std::expected<Values, UsageError> gathered(const Arguments& arguments,
                                           const Environment& environment) {
  Values values;
  if (const std::string path = config_path(arguments, environment); !path.empty()) {
    auto read = read_config(path);
    if (!read) return read;
    values = std::move(*read);
  }
  for (const Key& key : keys) {
    const std::string name(key.name);
    if (const char* text = environment(environment_name(key.name).c_str())) {
      if (key.is_flag && is_true(text)) values[name] = {"1"};
      if (key.is_flag && !is_true(text)) values.erase(name);
      if (!key.is_flag && *text != '\0') values[name] = {text};
    }
    if (arguments.has(key.name)) values[name] = arguments.values(key.name);
  }
  return values;
}

std::expected<OutputTarget, UsageError> target_from(std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view id = text.substr(0, equals);
  const Reporter* reporter = find_reporter(id);
  if (reporter == nullptr) {
    std::vector<std::string_view> known;
    for (const Reporter* each : reporters()) known.push_back(each->id);
    return usage(fmt::format("unknown output format '{}'{}", shown(id), suggestion(id, known)));
  }
  if (reporter->render == nullptr) {
    return usage(fmt::format("the output format '{}' is not available in this version", id));
  }
  std::string path(equals == text.size() ? "-" : text.substr(equals + 1));
  if (path.empty()) return usage(fmt::format("'{}' names no file", shown(text)));
  return OutputTarget{.reporter = reporter, .path = std::move(path)};
}

std::expected<std::vector<OutputTarget>, UsageError> outputs_from(const Values& values) {
  std::vector<OutputTarget> targets;
  const auto found = values.find("output");
  if (found == values.end())
    return std::vector{OutputTarget{.reporter = find_reporter("text"), .path = "-"}};
  for (const std::string& text : found->second) {
    auto target = target_from(text);
    if (!target) return std::unexpected(target.error());
    if (std::ranges::find(targets, target->path, &OutputTarget::path) != targets.end()) {
      return usage(target->path == "-"
                       ? "two reports would go to stdout; name a file for one: -o FORMAT=FILE"
                       : fmt::format("two reports would go to {}", shown(target->path)));
    }
    targets.push_back(std::move(*target));
  }
  return targets;
}

// "" when fine.
std::string take_level(Settings& settings, std::string_view text) {
  constexpr std::array<std::string_view, 4> known = {"none", "note", "warning", "error"};
  if (text == "none") {
    settings.fail_on.reset();
    return {};
  }
  for (const Severity level : {Severity::note, Severity::warning, Severity::error}) {
    if (severity_name(level) != text) continue;
    settings.fail_on = level;
    return {};
  }
  return fmt::format("'{}' is no level: none, note, warning or error{}", shown(text),
                     suggestion(text, known));
}

std::string take_colour(Settings& settings, std::string_view text) {
  if (text == "auto") settings.colour = ColourChoice::automatic;
  if (text == "always") settings.colour = ColourChoice::always;
  if (text == "never") settings.colour = ColourChoice::never;
  const bool known = text == "auto" || text == "always" || text == "never";
  return known ? std::string()
               : fmt::format("--color takes auto, always or never, not '{}'", shown(text));
}

std::string take_epoch(Settings& settings, const Environment& environment) {
  const char* text = environment("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return {};
  constexpr std::int64_t last_second = 253'402'300'799;  // of the year 9999
  settings.source_date_epoch = whole_number<std::int64_t>(text);
  const bool good = settings.source_date_epoch && *settings.source_date_epoch >= 0 &&
                    *settings.source_date_epoch <= last_second;
  return good ? std::string() : "SOURCE_DATE_EPOCH is not a number of seconds";
}

}  // namespace

std::expected<Settings, UsageError> settings_from(const Arguments& arguments,
                                                  const Environment& environment) {
  const auto values = gathered(arguments, environment);
  if (!values) return std::unexpected(values.error());
  const auto text = [&](std::string_view key) -> std::optional<std::string> {
    const auto found = values->find(key);
    if (found == values->end() || found->second.empty()) return std::nullopt;
    return found->second.back();
  };
  Settings settings;
  auto outputs = outputs_from(*values);
  if (!outputs) return std::unexpected(outputs.error());
  settings.outputs = std::move(*outputs);
  settings.strict = text("strict").has_value();
  settings.quiet = text("quiet").has_value();
  settings.verbose = text("verbose").has_value();
  settings.progress = !text("no-progress").has_value();
  settings.deterministic = text("deterministic").has_value();
  std::string complaint;
  if (const auto level = text("fail-on")) complaint = take_level(settings, *level);
  if (const auto colour = text("color"); colour && complaint.empty()) {
    complaint = take_colour(settings, *colour);
  }
  if (const auto threads = text("threads"); threads && complaint.empty()) {
    const auto number = whole_number<unsigned>(*threads);
    if (!number || *number > most_threads) {
      complaint = fmt::format("'{}' is no number of threads", shown(*threads));
    }
    settings.threads = number.value_or(0);
  }
  if (complaint.empty()) complaint = take_epoch(settings, environment);
  if (!complaint.empty()) return usage(std::move(complaint));
  return settings;
}

}  // namespace pedigree
