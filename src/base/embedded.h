// Data files compiled into the binary: schemas and architecture tables.
//
// scripts/embed.cmake writes one embedded_<room>() per room that owns *.json
// files; a header of the room declares it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace pedigree {

struct EmbeddedFile {
  const char* name;  // file name without ".json"
  const unsigned char* data;
  std::size_t size;

  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
};

}  // namespace pedigree
