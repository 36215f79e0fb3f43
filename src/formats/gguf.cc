// GGUF: magic, version, counts, typed metadata, tensor entries, padding, data.
//
//  1. "GGUF", u32 version (1 to 3), count of tensors, count of metadata entries;
//     counts and lengths have 32 bits in version 1 and 64 after it.
//  2. each metadata entry: key, u32 type, value (gguf_metadata.h).
//  3. each tensor: name, u32 rank, dimensions innermost first, u32 type, u64 offset
//     from where data begin.
//  4. data begin at the next multiple of general.alignment (32 unless said), and so
//     does each tensor; nothing but padding lies between them.
//
// A file of the other byte order does not say so, but its version has nothing in
// the low half.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "formats/gguf_metadata.h"
#include "formats/gguf_types.h"
#include "formats/header_stream.h"
#include "formats/known_formats.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view magic = "GGUF";
constexpr std::uint64_t longest_name = 4096;
constexpr std::uint32_t most_dimensions = 4;
constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 20U;
constexpr std::uint64_t default_alignment = 32;

bool recognises(std::span<const std::byte> head, std::uint64_t) {
  const auto expected = std::as_bytes(std::span(magic));
  return head.size() >= magic.size() && std::ranges::equal(head.first(magic.size()), expected);
}

// Throws when two names are equal, at the place of the second.
void check_unique(std::size_t count, std::string_view what,
                  const std::function<const std::string&(std::size_t)>& name_of,
                  const std::function<std::uint64_t(std::size_t)>& place_of) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int difference = name_of(a).compare(name_of(b));
    return difference == 0 ? a < b : difference < 0;
  });
  const auto twin = std::ranges::adjacent_find(
      order, [&](std::size_t a, std::size_t b) { return name_of(a) == name_of(b); });
  if (twin == order.end()) return;
  const std::size_t second = *std::next(twin);
  malformed("duplicate-key", fmt::format("the {} {} stands twice", what, quoted(name_of(second))),
            place_of(second));
}

// `text` as a name: valid UTF-8, with a warning where it was not.
std::string as_name(std::string text, std::uint64_t at, WeightFile& file) {
  if (is_valid_utf8(text)) return text;
  constexpr std::size_t most_told = 20;
  std::string name = percent_escaped(text);
  if (file.problems.size() >= most_told) return name;
  file.problems.push_back(
      make_problem("name-not-utf8", {}, fmt::format("{} was not valid UTF-8", quoted(name)), at));
  return name;
}

class GgufFile {
 public:
  GgufFile(const Source& source, const Limits& limits)
      : source_(source), limits_(limits), in_(source, limits.gguf_header_bytes, "gguf-header") {}

  WeightFile read() {
    in_.skip(magic.size(), "the magic");
    read_version();
    GgufReader reader(in_, version_, limits_);
    const std::uint64_t at = in_.offset();
    const std::uint64_t tensors = reader.count("the count of tensors");
    const std::uint64_t entries = reader.count("the count of metadata entries");
    check_counts(tensors, entries, at);
    for (std::uint64_t i = 0; i < entries; ++i) read_field(reader);
    check_unique(
        file_.fields.size(), "metadata key",
        [&](std::size_t i) -> const std::string& { return file_.fields[i].key; },
        [&](std::size_t i) { return file_.fields[i].offset; });
    read_alignment();
    for (std::uint64_t i = 0; i < tensors; ++i) read_tensor(reader);
    check_unique(
        file_.tensors.size(), "tensor name",
        [&](std::size_t i) -> const std::string& { return file_.tensors[i].name; },
        [&](std::size_t i) { return places_[i]; });
    place_tensors();
    return std::move(file_);
  }

 private:
  void read_version() {
    const std::uint64_t at = in_.offset();
    version_ = in_.number<std::uint32_t>("the version");
    if ((version_ & 0xFFFFU) == 0) {
      in_.set_order(order_ = std::endian::big);
      version_ = std::byteswap(version_);
    }
    if (version_ < 1 || version_ > 3) {
      malformed("gguf-header", fmt::format("the version is {}; 1 to 3 are known", version_), at);
    }
  }

  // The least an entry takes, held against what is there, before anything is made room for.
  void check_counts(std::uint64_t tensors, std::uint64_t entries, std::uint64_t at) const {
    if (tensors > limits_.tensors || entries > limits_.gguf_entries) {
      malformed("limit-exceeded",
                fmt::format("{} tensors and {} metadata entries are claimed; {} and {} are read",
                            tensors, entries, limits_.tensors, limits_.gguf_entries),
                at);
    }
    constexpr std::uint64_t least_entry = 10;
    constexpr std::uint64_t least_tensor = 20;
    if (tensors * least_tensor + entries * least_entry > in_.remaining()) {
      malformed("gguf-header",
                fmt::format("{} tensors and {} metadata entries cannot lie in the {} bytes that "
                            "follow",
                            tensors, entries, in_.remaining()),
                at);
    }
  }

  void read_field(GgufReader& reader) {
    HeaderField field = reader.field();
    field.key = as_name(std::move(field.key), field.offset, file_);
    if (auto* text = std::get_if<std::string>(&field.value)) {
      *text = percent_escaped(*text);
    }
    file_.fields.push_back(std::move(field));
  }

  void read_alignment() {
    const auto found =
        std::ranges::find(file_.fields, std::string_view("general.alignment"), &HeaderField::key);
    if (found == file_.fields.end()) return;
    const auto* value = std::get_if<std::int64_t>(&found->value);
    const std::uint64_t alignment =
        value == nullptr || *value < 0 ? 0 : static_cast<std::uint64_t>(*value);
    if (!std::has_single_bit(alignment) || alignment > largest_alignment) {
      malformed("gguf-metadata", "general.alignment is no power of two up to 2^20", found->offset);
    }
    alignment_ = alignment;
  }

  void read_tensor(GgufReader& reader) {
    const std::uint64_t at = in_.offset();
    TensorEntry entry;
    entry.name = as_name(reader.text(longest_name, "a tensor's name"), at, file_);
    const auto rank = in_.number<std::uint32_t>("a tensor's rank");
    if (rank > most_dimensions) {
      malformed("gguf-tensor",
                fmt::format("{} has {} dimensions, over the format's {}", quoted(entry.name), rank,
                            most_dimensions),
                at);
    }
    for (std::uint32_t i = 0; i < rank; ++i) entry.shape.push_back(reader.count("a dimension"));
    std::ranges::reverse(entry.shape);
    GgufType type = gguf_type(in_.number<std::uint32_t>("a tensor's type"), order_);
    entry.type = type.type;
    entry.type_name = std::move(type.name);
    entry.extent.begin = in_.number<std::uint64_t>("a tensor's offset");
    entry.extent.end = sum_of(entry.extent.begin, bytes_of(entry, at), at);
    file_.tensors.push_back(std::move(entry));
    places_.push_back(at);
  }

  // By shape and type; 0 for types nobody knows, whose end the next tensor tells.
  static std::uint64_t bytes_of(const TensorEntry& entry, std::uint64_t at) {
    std::uint64_t elements = 1;
    for (const std::uint64_t size : entry.shape) {
      if (size >= std::uint64_t{1} << 63U || __builtin_mul_overflow(elements, size, &elements)) {
        malformed("gguf-tensor",
                  fmt::format("the dimensions of {} multiply beyond 64 bits", quoted(entry.name)),
                  at);
      }
    }
    if (entry.type->run() == 0) return 0;
    const std::uint64_t row = entry.shape.empty() ? 1 : entry.shape.back();
    const auto bytes = entry.type->bytes_of(elements);
    if (row % entry.type->run() != 0 || !bytes) {
      malformed("gguf-tensor",
                fmt::format("rows of {} elements in {} are no whole blocks of {}, or too many", row,
                            quoted(entry.name), entry.type_name),
                at);
    }
    return *bytes;
  }

  // Throws, naming the entry at `at`, when the sum is beyond 64 bits.
  static std::uint64_t sum_of(std::uint64_t a, std::uint64_t b, std::uint64_t at) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
      malformed("gguf-offsets", "a tensor's place is beyond 64 bits", at);
    }
    return sum;
  }

  std::uint64_t aligned(std::uint64_t offset) const {
    return sum_of(offset, alignment_ - 1, source_.size()) / alignment_ * alignment_;
  }

  // Offsets relative to the data become places in the file, in order, end to end.
  void place_tensors() {
    const std::uint64_t begin = aligned(in_.offset());
    sort_by_offset();
    std::uint64_t expected = begin;
    for (std::size_t i = 0; i < file_.tensors.size(); ++i) {
      TensorEntry& entry = file_.tensors[i];
      entry.extent.begin = sum_of(entry.extent.begin, begin, places_[i]);
      entry.extent.end = sum_of(entry.extent.end, begin, places_[i]);
      const bool known = entry.type->run() != 0;
      if (!known) entry.extent.end = end_of_unknown(i, begin);
      check_place(entry, expected, places_[i]);
      expected = known ? aligned(entry.extent.end) : entry.extent.end;
    }
    report_rest(file_.tensors.empty() ? in_.offset() : file_.tensors.back().extent.end);
    report_unknown_types();
  }

  void check_place(const TensorEntry& entry, std::uint64_t expected, std::uint64_t at) const {
    if (entry.extent.end > source_.size() || entry.extent.begin > entry.extent.end) {
      malformed("gguf-offsets",
                fmt::format("{} ends at byte {} of a file of {}: it is truncated or the offsets "
                            "are wrong",
                            quoted(entry.name), entry.extent.end, source_.size()),
                at);
    }
    if (entry.extent.begin % alignment_ != 0) {
      malformed("gguf-offsets",
                fmt::format("{} begins at byte {}, which is no multiple of {}", quoted(entry.name),
                            entry.extent.begin, alignment_),
                at);
    }
    if (entry.extent.begin < expected) {
      malformed("gguf-offsets",
                fmt::format("{} begins inside the data of the tensor before", quoted(entry.name)),
                at);
    }
    if (entry.extent.begin > expected) {
      malformed("gguf-offsets",
                fmt::format("{} bytes before {} belong to no tensor", entry.extent.begin - expected,
                            quoted(entry.name)),
                at);
    }
  }

  // Where the next tensor begins, or the file ends.
  std::uint64_t end_of_unknown(std::size_t i, std::uint64_t begin) const {
    if (i + 1 == file_.tensors.size()) return source_.size();
    return sum_of(file_.tensors[i + 1].extent.begin, begin, places_[i + 1]);
  }

  // By begin, then end, then by position in the header; places_ along with them.
  void sort_by_offset() {
    std::vector<std::size_t> order(file_.tensors.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {}, [&](std::size_t i) {
      const Extent& extent = file_.tensors[i].extent;
      return std::tuple(extent.begin, extent.end, i);
    });
    std::vector<TensorEntry> tensors;
    std::vector<std::uint64_t> places;
    tensors.reserve(order.size());
    places.reserve(order.size());
    for (const std::size_t i : order) {
      tensors.push_back(std::move(file_.tensors[i]));
      places.push_back(places_[i]);
    }
    file_.tensors = std::move(tensors);
    places_ = std::move(places);
  }

  void report_rest(std::uint64_t end) {
    if (source_.size() <= aligned(end)) return;
    file_.problems.push_back(
        make_problem("gguf-trailing-bytes", {},
                     fmt::format("{} bytes follow the last tensor", source_.size() - end), end));
  }

  // One warning a type, however many tensors have it.
  void report_unknown_types() {
    constexpr std::size_t most = 20;
    std::map<std::string_view, std::pair<const TensorEntry*, std::size_t>> unknown;
    for (const TensorEntry& entry : file_.tensors) {
      if (entry.type != &opaque_type()) continue;
      auto& [first, users] = unknown[entry.type_name];
      if (users++ == 0) first = &entry;
    }
    std::size_t told = 0;
    for (const auto& [name, use] : unknown) {
      if (told++ == most) return;
      file_.problems.push_back(
          make_problem("unsupported-encoding", {},
                       fmt::format("{} tensors, {} first, are stored as {}, which is not decoded",
                                   use.second, quoted(use.first->name), name),
                       use.first->extent.begin));
    }
  }

  const Source& source_;
  const Limits& limits_;
  HeaderStream in_;
  std::uint32_t version_ = 0;
  std::endian order_ = std::endian::little;
  std::uint64_t alignment_ = default_alignment;
  std::vector<std::uint64_t> places_;  // of the tensors' entries in the header
  WeightFile file_ = {.format = gguf_format.id};
};

// A program that takes files for text leaves valid UTF-8, with a replacement
// character for every byte that was none, or no line feed without a carriage return.
std::string_view damage_of(std::string_view head) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  // The last character may be cut.
  for (std::size_t cut = 0; cut < 4 && cut < head.size(); ++cut) {
    const std::string_view part = head.substr(0, head.size() - cut);
    if (!is_valid_utf8(part) || part.find(replacement) == part.npos) continue;
    return "bytes that are no text were replaced by U+FFFD";
  }
  std::size_t feeds = 0;
  std::size_t returns = 0;
  for (std::size_t at = head.find('\n'); at != head.npos; at = head.find('\n', at + 1)) {
    ++feeds;
    if (head[at - 1] == '\r') ++returns;
  }
  constexpr std::size_t enough = 2;
  return feeds >= enough && feeds == returns ? "every line feed follows a carriage return" : "";
}

WeightFile read(const Source& source, const Limits& limits) {
  try {
    return GgufFile(source, limits).read();
  } catch (const Malformed& stop) {
    if (stop.problem.code.starts_with("io-")) throw;
    constexpr std::uint64_t looked_at = std::uint64_t{64} << 10U;
    const std::string head =
        read_text(source, {.begin = 0, .end = std::min(source.size(), looked_at)});
    const std::string_view damage = damage_of(head);
    if (damage.empty()) throw;
    malformed("gguf-damaged-as-text",
              fmt::format("{} in the first {}; then {}", damage, byte_size(head.size()),
                          stop.problem.message),
              stop.problem.offset);
  }
}

}  // namespace

constinit const Format gguf_format = {.id = "gguf",
                                      .title = "GGUF",
                                      .recognises = recognises,
                                      .read = read,
                                      .checked = "files and values of the gguf package 0.19"};

}  // namespace pedigree
