// The tables of formats, element types and packings, as rows a person can read.
#include <utility>

#include "model/packings/packings.h"
#include "tasks/tasks.h"

namespace pedigree {
namespace {

Supported row_of(const Format& format) {
  const bool is_read = format.read != nullptr;
  return {.kind = "format",
          .id = std::string(format.id),
          .title = std::string(format.title),
          .state = is_read ? "read" : "recognised",
          .checked = std::string(format.checked),
          .remedy = is_read ? std::string() : std::string(format.remedy)};
}

std::string_view title_of(ElementType::Kind kind) {
  switch (kind) {
    case ElementType::Kind::floating:
      return "floats";
    case ElementType::Kind::integer:
      return "integers";
    case ElementType::Kind::boolean:
      return "truth values";
    case ElementType::Kind::complex:
      return "complex numbers";
    case ElementType::Kind::scale:
      return "scales beside quantised weights";
    case ElementType::Kind::opaque:
      return "bytes";
  }
  return {};
}

Supported row_of(const ElementType& type) {
  std::string title(title_of(type.kind));
  if (type.block != 0) title += " in blocks of " + std::to_string(type.block);
  if (type.bits != 0) title += " of " + std::to_string(type.bits) + " bits";
  return {.kind = "element-type",
          .id = std::string(type.id),
          .title = std::move(title),
          .state = type.decode != nullptr ? "read" : "recognised"};
}

Supported row_of(const Packing& packing) {
  return {.kind = "packing",
          .id = std::string(packing.id),
          .title = std::string(packing.title),
          .state = "read",
          .checked = std::string(packing.checked)};
}

// Types that stand for a packing are listed as that.
bool stands_for_packing(const ElementType& type) {
  for (const Packing* packing : known_packings()) {
    if (packing->type == type.id && type.decode == nullptr) return true;
  }
  return false;
}

}  // namespace

std::vector<Supported> supported() {
  std::vector<Supported> rows;
  rows.reserve(formats().size() + known_packings().size() + element_types().size());
  for (const Format* format : formats()) rows.push_back(row_of(*format));
  for (const Packing* packing : known_packings()) rows.push_back(row_of(*packing));
  for (const ElementType* type : element_types()) {
    if (!stands_for_packing(*type)) rows.push_back(row_of(*type));
  }
  return rows;
}

}  // namespace pedigree
