#include "formats/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/files.h"
#include "base/text.h"
#include "formats/inflate.h"
#include "formats/source_text.h"
#include "formats/zip_end.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "zip-malformed";
constexpr std::string_view differs = "zip-differential";
constexpr std::uint32_t central_magic = 0x02014b50;
constexpr std::uint32_t local_magic = 0x04034b50;
constexpr std::uint32_t descriptor_magic = 0x08074b50;
constexpr std::uint64_t local_bytes = 30;
constexpr std::uint32_t ones = 0xFFFFFFFF;  // the value stands in the zip64 field
constexpr unsigned descriptor_flag = 0x8;
constexpr unsigned encrypted_flags = 0x1 | 0x40 | 0x2000;
constexpr unsigned patched_flag = 0x20;

// What either header says of a member.
struct Header {
  std::string raw_name = {};
  unsigned flags = 0;
  unsigned method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0;
  std::uint64_t unpacked = 0;
  std::uint64_t local = 0;  // offset of the local header
};

std::string text_of(std::span<const std::byte> bytes) {
  std::string text(bytes.size(), '\0');
  std::ranges::transform(bytes, text.begin(),
                         [](std::byte byte) { return std::to_integer<char>(byte); });
  return text;
}

// Takes from the zip64 field, in its order, the values that stand there.
void read_extra(std::span<const std::byte> extra, std::uint64_t at, bool central, Header& header) {
  ByteReader fields(extra, code, at);
  while (fields.remaining() >= 4) {
    const unsigned id = fields.u16();
    const auto body = fields.bytes(fields.u16(), "an extra field");
    if (id != 1) continue;
    ByteReader values(body, code, fields.offset() - body.size());
    if (header.unpacked == ones) header.unpacked = values.u64();
    if (header.packed == ones) header.packed = values.u64();
    if (central && header.local == ones) header.local = values.u64();
    return;
  }
}

Header read_central(ByteReader& reader) {
  const std::uint64_t at = reader.offset();
  if (reader.u32() != central_magic) malformed(code, "a directory entry has no magic", at);
  Header header;
  reader.bytes(4, "versions");
  header.flags = reader.u16();
  header.method = reader.u16();
  reader.bytes(4, "time and date");
  header.crc = reader.u32();
  header.packed = reader.u32();
  header.unpacked = reader.u32();
  const std::uint64_t name = reader.u16();
  const std::uint64_t extra = reader.u16();
  const std::uint64_t comment = reader.u16();
  reader.bytes(8, "disk and attributes");
  header.local = reader.u32();
  header.raw_name = text_of(reader.bytes(name, "a name"));
  const std::uint64_t extra_at = reader.offset();
  read_extra(reader.bytes(extra, "extra fields"), extra_at, true, header);
  reader.bytes(comment, "a comment");
  return header;
}

struct Local {
  Header header = {};
  std::uint64_t data = 0;  // where the member's bytes begin
};

Local read_local(const Source& source, const Header& central) {
  constexpr std::uint64_t usual_extra = 256;
  const std::uint64_t at = central.local;
  const auto upto = [&](std::uint64_t bytes) {
    return Extent{.begin = at, .end = at + std::min(source.size() - at, bytes)};
  };
  if (at > source.size()) {
    malformed(code, "a member begins beyond the end of the file", source.size());
  }
  std::string text = read_text(source, upto(local_bytes + central.raw_name.size() + usual_extra));
  ByteReader reader(std::as_bytes(std::span(text)), code, at);
  if (reader.u32() != local_magic) malformed(code, "a member has no header", at);
  Local local;
  reader.bytes(2, "a version");
  local.header.flags = reader.u16();
  local.header.method = reader.u16();
  reader.bytes(4, "time and date");
  local.header.crc = reader.u32();
  local.header.packed = reader.u32();
  local.header.unpacked = reader.u32();
  const std::uint64_t name = reader.u16();
  const std::uint64_t extra = reader.u16();
  local.data = at + local_bytes + name + extra;
  if (text.size() < local_bytes + name + extra) text = read_text(source, upto(local.data - at));
  ByteReader rest(std::as_bytes(std::span(text)), code, at);
  rest.bytes(local_bytes, "a header");
  local.header.raw_name = text_of(rest.bytes(name, "a name"));
  const std::uint64_t extra_at = rest.offset();
  read_extra(rest.bytes(extra, "extra fields"), extra_at, false, local.header);
  return local;
}

// Behind the data of a member whose local header was written before they were known.
bool is_deferred(const Header& local, std::uint64_t value) {
  return (local.flags & descriptor_flag) != 0 && (value == 0 || value == ones);
}

void hold_alike(const Header& central, const Header& local) {
  const auto refuse = [&](std::string_view what) {
    malformed(differs,
              fmt::format("the two headers of {} differ in {}",
                          quoted(percent_escaped(central.raw_name)), what),
              central.local);
  };
  const auto same = [&](std::uint64_t ours, std::uint64_t theirs) {
    return ours == theirs || is_deferred(local, theirs);
  };
  if (local.raw_name != central.raw_name) refuse("their names");
  if (local.method != central.method) refuse("their compression methods");
  if (local.flags != central.flags) refuse("their flags");
  if (!same(central.crc, local.crc)) refuse("their checksums");
  if (!same(central.packed, local.packed)) refuse("their packed sizes");
  if (!same(central.unpacked, local.unpacked)) refuse("their sizes");
}

void check_encoding(const Header& header) {
  const std::string name = quoted(percent_escaped(header.raw_name));
  if ((header.flags & encrypted_flags) != 0) {
    malformed("zip-encoding", fmt::format("{} is encrypted", name), header.local);
  }
  if ((header.flags & patched_flag) != 0) {
    malformed("zip-encoding", fmt::format("{} is a patch of another file", name), header.local);
  }
  if (header.method != 0 && header.method != 8) {
    malformed("zip-encoding",
              fmt::format("{} is packed by method {}, which is not read", name, header.method),
              header.local);
  }
}

class DirectoryReader {
 public:
  DirectoryReader(const Source& source, const Limits& limits) : source_(source), limits_(limits) {}

  ZipDirectory read() {
    end_ = read_zip_end(source_);
    read_members();
    std::ranges::sort(directory_.members, {}, &ZipMember::header);
    check_names();
    check_places();
    return std::move(directory_);
  }

 private:
  void read_members() {
    if (end_.members > limits_.archive_members || end_.directory.size() > limits_.header_bytes) {
      malformed("limit-exceeded",
                fmt::format("the archive's directory has {} members in {} bytes", end_.members,
                            end_.directory.size()),
                end_.directory.begin);
    }
    const std::string text = read_text(source_, end_.directory);
    ByteReader reader(std::as_bytes(std::span(text)), code, end_.directory.begin);
    while (reader.remaining() > 0) {
      if (directory_.members.size() == end_.members) break;
      add(read_central(reader));
    }
    if (reader.remaining() > 0 || directory_.members.size() != end_.members) {
      malformed(differs,
                fmt::format("the directory does not hold the {} members its end record counts",
                            end_.members),
                end_.directory.begin);
    }
  }

  void add(const Header& central) {
    const Local local = read_local(source_, central);
    hold_alike(central, local.header);
    check_encoding(central);
    ZipMember member = {
        .name = percent_escaped(central.raw_name),
        .data = {.begin = local.data, .end = checked_add(local.data, central.packed, code)},
        .deflated = central.method == 8,
        .size = central.unpacked,
        .crc = central.crc,
        .header = central.local,
        .has_descriptor = (central.flags & descriptor_flag) != 0};
    if (member.data.end > end_.directory.begin) {
      malformed(code, fmt::format("{} ends behind the directory's begin", quoted(member.name)),
                central.local);
    }
    if (!member.deflated && member.size != member.data.size()) {
      malformed(differs,
                fmt::format("{} is stored as it is and has two sizes", quoted(member.name)),
                central.local);
    }
    // No deflate stream unpacks to over 1032 times its size.
    if (member.deflated && member.size / 1032 > member.data.size()) {
      malformed(code, fmt::format("{} cannot unpack to its size", quoted(member.name)),
                central.local);
    }
    check_name(member, central.raw_name);
    directory_.members.push_back(std::move(member));
  }

  void check_name(const ZipMember& member, std::string_view raw_name) {
    std::string_view name = raw_name;
    if (name.ends_with('/')) name.remove_suffix(1);
    if (!is_confined_name(name)) {
      malformed("path-escape", fmt::format("the member name {} leads outside", quoted(member.name)),
                member.header);
    }
    if (is_valid_utf8(raw_name)) return;
    directory_.problems.push_back(make_problem(
        "name-not-utf8", {},
        fmt::format("the member {} is named in other bytes", quoted(member.name)), member.header));
  }

  void check_names() const {
    std::vector<const ZipMember*> order;
    order.reserve(directory_.members.size());
    for (const ZipMember& member : directory_.members) order.push_back(&member);
    std::ranges::sort(order, [](const ZipMember* a, const ZipMember* b) {
      return std::pair<std::string_view, std::uint64_t>(a->name, a->header) <
             std::pair<std::string_view, std::uint64_t>(b->name, b->header);
    });
    const auto twin = std::ranges::adjacent_find(
        order, [](const ZipMember* a, const ZipMember* b) { return a->name == b->name; });
    if (twin == order.end()) return;
    const ZipMember& second = **std::next(twin);
    malformed(differs, fmt::format("the member {} stands twice", quoted(second.name)),
              second.header);
  }

  // Members fill the file from its first byte to the directory, in order.
  void check_places() {
    std::uint64_t expected = 0;
    const std::vector<ZipMember>& members = directory_.members;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (members[i].header < expected) {
        malformed(differs, fmt::format("{} overlaps the member before it", quoted(members[i].name)),
                  members[i].header);
      }
      if (members[i].header > expected) tell_hidden(expected, members[i].header);
      const std::uint64_t next =
          i + 1 < members.size() ? members[i + 1].header : end_.directory.begin;
      expected = members[i].data.end;
      if (members[i].has_descriptor && next >= expected)
        expected = descriptor_end(members[i], next);
    }
    if (expected > end_.directory.begin) {
      malformed(differs, "a member overlaps the directory", expected);
    }
    if (expected < end_.directory.begin) tell_hidden(expected, end_.directory.begin);
  }

  void tell_hidden(std::uint64_t begin, std::uint64_t end) {
    if (begin == 0) {
      malformed(differs, fmt::format("{} bytes stand before the first member", end), 0);
    }
    directory_.problems.push_back(make_problem(
        "zip-hidden-bytes", {},
        fmt::format("{} bytes between the members belong to none", end - begin), begin));
  }

  // [magic] CRC, packed size, size; the sizes take four or eight bytes. The room
  // up to the next header tells which.
  std::uint64_t descriptor_end(const ZipMember& member, std::uint64_t next) const {
    const std::uint64_t at = member.data.end;
    const std::string text =
        read_text(source_, {.begin = at, .end = at + std::min<std::uint64_t>(next - at, 24)});
    for (const std::uint64_t size : {24U, 20U, 16U, 12U}) {
      if (size > text.size()) continue;
      ByteReader reader(std::as_bytes(std::span(text)).first(size), code, at);
      if (size % 8 == 0 && reader.u32() != descriptor_magic) continue;
      const bool wide = size >= 20;
      const std::uint32_t crc = reader.u32();
      const std::uint64_t packed = wide ? reader.u64() : reader.u32();
      const std::uint64_t unpacked = wide ? reader.u64() : reader.u32();
      if (crc == member.crc && packed == member.data.size() && unpacked == member.size) {
        return at + size;
      }
    }
    malformed(differs,
              fmt::format("the descriptor behind {} does not say what the directory says",
                          quoted(member.name)),
              at);
  }

  const Source& source_;
  const Limits& limits_;
  ZipEnd end_;
  ZipDirectory directory_;
};

}  // namespace

const ZipMember* ZipDirectory::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &ZipMember::name);
  return found == members.end() ? nullptr : &*found;
}

ZipDirectory read_zip_directory(const Source& source, const Limits& limits) {
  return DirectoryReader(source, limits).read();
}

std::string read_zip_member(const Source& source, const ZipMember& member, std::uint64_t limit) {
  if (member.size > limit) {
    malformed("limit-exceeded",
              fmt::format("{} has {} bytes, over the limit of {}", quoted(member.name), member.size,
                          limit),
              member.header);
  }
  std::string text;
  if (member.deflated) {
    text.resize(static_cast<std::size_t>(member.size));
    InflateStream stream(source, member.data);
    if (auto problem = stream.read(std::as_writable_bytes(std::span(text)))) {
      throw Malformed{std::move(*problem)};
    }
    if (!stream.at_end()) {
      malformed(differs, fmt::format("{} unpacks to more than its size", quoted(member.name)),
                member.header);
    }
  } else {
    text = read_text(source, member.data);
  }
  if (crc32_of(std::as_bytes(std::span(text))) != member.crc) {
    malformed(differs, fmt::format("the checksum of {} is wrong", quoted(member.name)),
              member.header);
  }
  return text;
}

}  // namespace pedigree
