#include "base/embedded.h"
#include "tasks/tasks.h"

namespace pedigree {

std::span<const EmbeddedFile> embedded_tasks();  // written by scripts/embed.cmake

std::vector<NamedSchema> schemas() {
  std::vector<NamedSchema> list;
  for (const EmbeddedFile& file : embedded_tasks()) list.push_back({file.name, file.text()});
  return list;
}

}  // namespace pedigree
