#include "model/chat_template.h"

#include <string>

#include "base/digest.h"
#include "base/json.h"
#include "model/gguf_header.h"
#include "model/manifest.h"

namespace pedigree {
namespace {

constexpr std::uint64_t longest_template = std::uint64_t{16} << 20U;

// A text, or a list of {"name", "template"}, of which the default counts.
std::optional<std::string_view> default_template(const JsonValue& value) {
  if (const auto text = value.as_string()) return text;
  for (const JsonValue& item : value.items) {
    const JsonValue* name = item.find("name");
    const JsonValue* text = item.find("template");
    if (name == nullptr || text == nullptr || name->as_string() != "default") continue;
    return text->as_string();
  }
  return std::nullopt;
}

std::optional<ChatTemplate> from_json(const SideText& side) {
  const auto document = parse_json(side.text, side.file);
  if (!document) return std::nullopt;
  const JsonValue* value = document->root.find("chat_template");
  if (value == nullptr) return std::nullopt;
  const auto text = default_template(*value);
  if (!text || text->empty()) return std::nullopt;
  return chat_template_of(*text, side.file);
}

}  // namespace

ChatTemplate chat_template_of(std::string_view text, std::string_view file) {
  std::string read;
  read.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      read += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      read += '\n';
    }
  }
  if (read.ends_with('\n')) read.pop_back();
  return {.digest = to_hex(sha256(read)), .file = std::string(file), .bytes = read.size()};
}

std::optional<ChatTemplate> find_chat_template(const ModelLayout& layout, std::string_view folder,
                                               std::vector<Problem>& problems) {
  const auto side = [&](std::string_view leaf) {
    return read_side_file(layout, folder, leaf, longest_template, problems);
  };
  if (const auto jinja = side("chat_template.jinja"); jinja && !jinja->text.empty()) {
    return chat_template_of(jinja->text, jinja->file);
  }
  if (const auto json = side("chat_template.json")) {
    if (auto found = from_json(*json)) return found;
  }
  // Read for its claims as well, which is where its problems are told.
  std::vector<Problem> told_elsewhere;
  const auto config =
      read_side_file(layout, folder, "tokenizer_config.json", longest_template, told_elsewhere);
  return config ? from_json(*config) : std::nullopt;
}

std::optional<ChatTemplate> header_chat_template(std::span<const HeaderField> fields,
                                                 std::string_view file) {
  const auto* text = header_value<std::string>(fields, "tokenizer.chat_template");
  if (text == nullptr || text->empty()) return std::nullopt;
  return chat_template_of(*text, file);
}

}  // namespace pedigree
