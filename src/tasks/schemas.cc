#include "tasks/schemas.h"

#include "tasks/tasks.h"

namespace pedigree {

std::vector<NamedSchema> schemas() {
  std::vector<NamedSchema> list;
  for (const EmbeddedFile& file : embedded_tasks()) {
    list.push_back({.name = file.name, .text = file.text()});
  }
  return list;
}

}  // namespace pedigree
