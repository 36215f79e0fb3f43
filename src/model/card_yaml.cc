#include "model/card_yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

struct Refusal {
  unsigned line = 0;
  std::string message = {};
};

// Where in the document the next value stands.
struct Level {
  bool mapping = false;
  bool key_next = true;  // of a mapping
  unsigned key_line = 0;
  std::size_t index = 0;      // of a sequence
  std::string path = {};      // of the container
  std::string key = {};       // the current key of a mapping
  std::string last_key = {};  // the nearest key above
  std::set<std::string, std::less<>> keys = {};
};

class Flattener final : public YAML::EventHandler {
 public:
  Flattener(const YamlPlace& place, const YamlLimits& limits) : place_(place), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > limits_.documents) refuse(mark, "more than one document stands here");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    static_cast<void>(name);
    refuse(mark, "anchors are not read");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    static_cast<void>(anchor);
    refuse(mark, "aliases are not read");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    vet(mark, {}, anchor);
    scalar(mark, {}, true);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    vet(mark, tag, anchor);
    scalar(mark, value, false);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    static_cast<void>(style);
    open(mark, tag, anchor, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    static_cast<void>(style);
    open(mark, tag, anchor, true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) const {
    throw Refusal{.line = line(mark), .message = std::move(message)};
  }
  unsigned line(const YAML::Mark& mark) const {
    return place_.first_line + static_cast<unsigned>(std::max(mark.line, 0));
  }

  YamlDocument document;

 private:
  void vet(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) refuse(mark, "anchors are not read");
    // "?" and "!" are what plain and quoted scalars carry without being told.
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags are not read");
  }

  // The path of the value that comes next, and the key it goes by.
  std::pair<std::string, std::string> next_place() {
    if (levels_.empty()) return {};
    Level& at = levels_.back();
    if (at.mapping) {
      at.key_next = true;
      return {at.path.empty() ? at.key : at.path + "." + at.key, at.key};
    }
    return {fmt::format("{}[{}]", at.path, at.index++), at.last_key};
  }

  void note_key(const YAML::Mark& mark, const std::string& value) {
    Level& at = levels_.back();
    at.key = value;
    at.key_next = false;
    at.key_line = line(mark);
    if (levels_.size() == 1) top_ = value;
    if (at.keys.insert(value).second || document.problems.size() > 100) return;
    Problem problem = make_problem(place_.code, std::string(place_.file),
                                   fmt::format("the key \"{}\" stands twice", shown(value)));
    problem.line = line(mark);
    document.problems.push_back(std::move(problem));
  }

  void scalar(const YAML::Mark& mark, const std::string& value, bool null) {
    if (levels_.empty()) refuse(mark, "a mapping of keys to values was expected");
    if (levels_.back().mapping && levels_.back().key_next) {
      if (null) refuse(mark, "a key is missing");
      note_key(mark, value);
      return;
    }
    // An empty value is marked where the next token stands.
    const bool in_mapping = null && levels_.back().mapping;
    const unsigned where = in_mapping ? levels_.back().key_line : line(mark);
    auto [path, key] = next_place();
    document.scalars.push_back({.path = std::move(path),
                                .top = top_,
                                .key = std::move(key),
                                .value = value,
                                .null = null,
                                .line = where});
    // Paths repeat their parents, so a long key above many values would multiply.
    path_bytes_ += document.scalars.back().path.size();
    if (path_bytes_ > 16 * limits_.bytes) refuse(mark, "the keys are too long for so many values");
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool mapping) {
    vet(mark, tag, anchor);
    if (levels_.size() >= limits_.depth) {
      refuse(mark, fmt::format("values are nested over {} deep", limits_.depth));
    }
    if (levels_.empty() && !mapping) refuse(mark, "a mapping of keys to values was expected");
    if (!levels_.empty() && levels_.back().mapping && levels_.back().key_next) {
      refuse(mark, "a key must be plain text");
    }
    auto [path, key] = next_place();
    levels_.push_back({.mapping = mapping, .path = std::move(path), .last_key = std::move(key)});
  }

  void close() { levels_.pop_back(); }

  const YamlPlace& place_;
  const YamlLimits& limits_;
  std::vector<Level> levels_;
  std::string top_;
  std::size_t documents_ = 0;
  std::size_t path_bytes_ = 0;
};

// What is refused before the parser sees it. yaml-cpp takes byte 4 for the end
// of the text and recurses into brackets before it reports them.
std::optional<Refusal> refused_on_sight(std::string_view text, const YamlPlace& place,
                                        const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    return Refusal{.line = place.first_line,
                   .message = fmt::format("{} are more than the {} that are read",
                                          byte_size(text.size()), byte_size(limits.bytes))};
  }
  unsigned line = place.first_line;
  std::size_t brackets = 0;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '\n') ++line;
    if ((byte < 0x20 && letter != '\n' && letter != '\r' && letter != '\t') || byte == 0x7F) {
      return Refusal{.line = line,
                     .message = fmt::format("byte 0x{:02x} is not allowed in YAML", byte)};
    }
    if (letter == '[' || letter == '{') ++brackets;
    if ((letter == ']' || letter == '}') && brackets > 0) --brackets;
    if (brackets > 8 * limits.depth)
      return Refusal{.line = line, .message = "brackets are nested too deep"};
  }
  return std::nullopt;
}

std::optional<Refusal> refused_as_bytes(std::string_view text, const YamlPlace& place) {
  if (is_valid_utf8(text)) return std::nullopt;
  unsigned line = place.first_line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!is_valid_utf8(text.substr(0, end))) break;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
  }
  return Refusal{.line = line, .message = "the text is not valid UTF-8"};
}

Problem problem_of(const Refusal& refusal, const YamlPlace& place) {
  Problem problem = make_problem(place.code, std::string(place.file), refusal.message);
  problem.line = refusal.line;
  return problem;
}

}  // namespace

Result<YamlDocument> flatten_yaml(std::string_view text, const YamlPlace& place,
                                  const YamlLimits& limits) {
  if (auto refusal = refused_on_sight(text, place, limits)) {
    return std::unexpected(problem_of(*refusal, place));
  }
  if (auto refusal = refused_as_bytes(text, place)) {
    return std::unexpected(problem_of(*refusal, place));
  }
  Flattener flattener(place, limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(flattener)) {
    }
  } catch (const Refusal& refusal) {
    return std::unexpected(problem_of(refusal, place));
  } catch (const YAML::Exception& error) {
    // An unclosed bracket is only noticed behind the last line.
    const std::string_view body = text.substr(0, text.find_last_not_of('\n') + 1);
    const unsigned last = place.first_line + static_cast<unsigned>(std::ranges::count(body, '\n'));
    return std::unexpected(problem_of(
        {.line = std::min(flattener.line(error.mark), last), .message = error.msg}, place));
  }
  return std::move(flattener.document);
}

}  // namespace pedigree
