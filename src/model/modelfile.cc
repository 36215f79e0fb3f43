#include "model/modelfile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::size_t most_entries = 10'000;
constexpr std::string_view quotes = "\"\"\"";

constexpr std::array<std::string_view, 9> commands = {"from",    "adapter",   "template",
                                                      "system",  "parameter", "message",
                                                      "license", "renderer",  "parser"};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  Result<std::vector<ModelfileEntry>> parse() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    while (!rest_.empty()) {
      const std::string_view line = trimmed(next_line());
      if (line.empty() || line.front() == '#') continue;
      if (auto problem = instruction(line)) return std::unexpected(std::move(*problem));
    }
    if (std::ranges::find(entries_, "from", &ModelfileEntry::command) == entries_.end()) {
      return std::unexpected(malformed_at(0, "there is no FROM"));
    }
    return std::move(entries_);
  }

 private:
  std::string_view next_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    return line;
  }

  Problem malformed_at(unsigned line, std::string message) const {
    Problem problem = make_problem("modelfile-malformed", std::string(file_), std::move(message));
    problem.line = line;
    return problem;
  }

  std::optional<Problem> instruction(std::string_view line) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    ModelfileEntry entry{.command = ascii_lowered(line.substr(0, end)), .line = line_};
    if (std::ranges::find(commands, std::string_view(entry.command)) == commands.end()) {
      return malformed_at(line_, "this line begins with no instruction of a Modelfile");
    }
    if (entries_.size() == most_entries) return malformed_at(line_, "there are too many lines");
    const std::string_view value = trimmed(line.substr(end));
    if (value.empty()) return malformed_at(line_, "this instruction has no value");
    const std::size_t quote = value.find(quotes);
    // A role stands in front of a message's text.
    const bool multiline = quote == 0 || (quote != value.npos && entry.command == "message");
    if (multiline) {
      if (auto problem = quoted(value, quote, entry)) return problem;
    } else {
      entry.value = std::string(unquoted(value));
    }
    entries_.push_back(std::move(entry));
    return std::nullopt;
  }

  static std::string_view unquoted(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      return value.substr(1, value.size() - 2);
    }
    return value;
  }

  std::optional<Problem> quoted(std::string_view value, std::size_t quote, ModelfileEntry& entry) {
    entry.value = std::string(value.substr(0, quote));
    const std::string_view first = value.substr(quote + quotes.size());
    const std::size_t end = first.find(quotes);
    if (end != first.npos) {
      entry.value += first.substr(0, end);
      return std::nullopt;
    }
    entry.value += first;
    while (!rest_.empty()) {
      const std::string_view line = next_line();
      const std::size_t close = line.find(quotes);
      entry.value += '\n';
      entry.value += line.substr(0, close);
      if (close != line.npos) return std::nullopt;
    }
    return malformed_at(entry.line, "the quote that begins here is never closed");
  }

  std::string_view rest_;
  std::string_view file_;
  unsigned line_ = 0;
  std::vector<ModelfileEntry> entries_;
};

}  // namespace

Result<std::vector<ModelfileEntry>> parse_modelfile(std::string_view text, std::string_view file) {
  if (!is_valid_utf8(text)) {
    return std::unexpected(
        make_problem("modelfile-malformed", std::string(file), "the text is not UTF-8"));
  }
  return Parser(text, file).parse();
}

}  // namespace pedigree
