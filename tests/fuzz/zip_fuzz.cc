// The laws of the zip reader over any bytes: members lie in the file, one after the
// other, each under a name of its own, or there is a reason why not.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "formats/zip_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pedigree;
  const auto bytes = std::as_bytes(std::span(data, size));
  const MemorySource source("fuzzed", std::vector<std::byte>(bytes.begin(), bytes.end()));
  try {
    const ZipDirectory zip = read_zip_directory(source, {});
    std::set<std::string> names;
    std::uint64_t end = 0;
    for (const ZipMember& member : zip.members) {
      check(names.insert(member.name).second, "two members of one name");
      check(end <= member.header && member.header < member.data.begin, "an overlap");
      check(member.data.begin <= member.data.end && member.data.end <= size, "an extent");
      end = member.data.end;
      try {
        check(read_zip_member(source, member, 1U << 20U).size() == member.size, "another size");
      } catch (const Malformed& damaged) {
        check(find_problem_kind(damaged.problem.code) != nullptr, "an unknown code");
      }
    }
  } catch (const Malformed& refused) {
    check(find_problem_kind(refused.problem.code) != nullptr, "an unknown code");
    check(!refused.problem.offset || *refused.problem.offset <= size, "an offset");
  }
  return 0;
}
