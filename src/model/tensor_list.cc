#include "model/tensor_list.h"

#include <algorithm>
#include <utility>

#include "model/manifest.h"
#include "model/manifest_json.h"

namespace pedigree {
namespace {

constexpr std::uint64_t max_list_bytes = std::uint64_t{16} << 20U;

bool is_list_name(std::string_view path) {
  return path.starts_with("tensor_names") && path.ends_with(".json");
}

const std::vector<JsonValue>* names_in(const JsonValue& root) {
  if (root.kind == JsonValue::Kind::array) return &root.items;
  const JsonValue* names = root.kind == JsonValue::Kind::object ? root.find("names") : nullptr;
  return names != nullptr && names->kind == JsonValue::Kind::array ? &names->items : nullptr;
}

}  // namespace

ListedTensors read_tensor_list(const ModelLayout& layout, std::vector<Problem>& problems) {
  const auto file = std::ranges::find_if(
      layout.files, [](const ListedFile& one) { return is_list_name(one.path); });
  if (layout.single_file || file == layout.files.end()) return {};
  const auto side = read_side_file(layout, {}, file->path, max_list_bytes, problems);
  if (!side) return {};
  const auto root = parse_side_json(side->text, side->file, problems);
  if (!root) return {};
  const std::vector<JsonValue>* items = names_in(*root);
  ListedTensors listed{.file = side->file};
  const auto is_text = [](const JsonValue& item) { return item.kind == JsonValue::Kind::string; };
  if (items == nullptr || !std::ranges::all_of(*items, is_text)) {
    problems.push_back(make_problem("json-malformed", side->file, "this is no list of names"));
    return {};
  }
  listed.names.reserve(items->size());
  for (const JsonValue& item : *items) listed.names.push_back(item.text);
  return listed;
}

}  // namespace pedigree
