// The members of a zip archive, as its two directories agree on them.
//
// A zip says everything twice: in a header before each member and in the central
// directory at the end. Tools believe one or the other, so a file in which they
// differ shows two faces; here it is refused. So are members that overlap, stand
// twice, are encrypted, or have names that lead outside.
//
// Nothing is extracted: a member is a place in the file. Costs two small reads a
// member. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "base/source.h"
#include "formats/limits.h"
#include "tensor/tensor.h"

namespace pedigree {

struct ZipMember {
  std::string name = {};        // valid UTF-8; bad bytes percent-escaped
  Extent data = {};             // as stored
  bool deflated = false;        // else the bytes stand as they are
  std::uint64_t size = 0;       // unpacked
  std::uint32_t crc = 0;        // of the unpacked bytes
  std::uint64_t header = 0;     // where the local header begins
  bool has_descriptor = false;  // sizes and CRC stand behind the data once more
};

struct ZipDirectory {
  std::vector<ZipMember> members = {};  // by place in the file
  std::vector<Problem> problems = {};   // without file

  const ZipMember* find(std::string_view name) const;  // null when there is none
};

// Throws Malformed: zip-malformed, zip-differential, zip-encoding, path-escape,
// limit-exceeded.
ZipDirectory read_zip_directory(const Source& source, const Limits& limits);

// The unpacked bytes of a member that is small by nature. Throws Malformed when
// it has more than `limit` bytes or they do not have the member's CRC.
std::string read_zip_member(const Source& source, const ZipMember& member, std::uint64_t limit);

}  // namespace pedigree
