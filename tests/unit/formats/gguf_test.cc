#include <doctest/doctest.h>

#include <bit>
#include <filesystem>
#include <string>

#include "formats/formats.h"
#include "tests/support/fault_source.h"
#include "tests/support/gguf_builder.h"

namespace pedigree {
namespace {

constexpr std::uint32_t f32 = 0;
constexpr std::uint32_t q4_0 = 2;

std::string bytes(std::size_t count, char fill = 'w') { return std::string(count, fill); }

GgufBuilder small(std::uint32_t version = 3, bool big_endian = false) {
  GgufBuilder builder(version, big_endian);
  builder.text("general.architecture", "llama")
      .u32("llama.block_count", 2)
      .f32("llama.rope.freq_base", 10000)
      .flag("tokenizer.ggml.add_bos_token", 1)
      .texts("tokenizer.ggml.tokens", {"<s>", "a", "b"})
      .i32s("tokenizer.ggml.token_type", {3, 1, 1})
      .tensor("a", f32, {3, 2}, bytes(24))
      .tensor("b", q4_0, {2, 64}, bytes(72))
      .tensor("none", f32, {0}, "");
  return builder;
}

Result<WeightFile> read(const std::string& content) {
  return read_weights(MemorySource("m.gguf", content));
}

std::string code_of(const std::string& content) {
  const auto file = read(content);
  return file ? "read" : file.error().code;
}

// "" when the reader's laws hold for this content, whatever it is.
std::string broken_law(const std::string& content) {
  const auto file = read(content);
  if (!file) {
    if (find_problem_kind(file.error().code) == nullptr) return "unknown code";
    if (file.error().offset && *file.error().offset > content.size()) return "offset outside";
    return file.error().message.empty() ? "no message" : "";
  }
  std::uint64_t end = 0;
  for (const TensorEntry& tensor : file->tensors) {
    if (tensor.extent.begin < end || tensor.extent.begin > tensor.extent.end) return "overlap";
    if (tensor.extent.end > content.size()) return "extent outside the file";
    end = tensor.extent.end;
    if (tensor.type != &opaque_type() &&
        tensor.type->bytes_of(tensor.element_count()) != tensor.extent.size()) {
      return "size";
    }
  }
  return "";
}

}  // namespace

TEST_CASE("all versions and both byte orders tell the same") {
  for (const auto& [version, big] :
       {std::pair(1U, false), std::pair(2U, false), std::pair(3U, false), std::pair(3U, true)}) {
    CAPTURE(version);
    const auto file = read(small(version, big).build());
    REQUIRE_MESSAGE(file.has_value(), file.error().message);
    CHECK(file->format == "gguf");
    CHECK(file->problems.empty());
    REQUIRE(file->tensors.size() == 3);
    CHECK(file->tensors[0].name == "a");
    CHECK(file->tensors[0].shape == std::vector<std::uint64_t>{3, 2});
    CHECK(file->tensors[1].type_name == "Q4_0");
    CHECK(file->tensors[1].extent.size() == 72);
    CHECK(file->tensors[1].extent.begin % 32 == 0);
    REQUIRE(file->fields.size() == 6);
    CHECK(std::get<std::string>(file->fields[0].value) == "llama");
    CHECK(std::get<std::int64_t>(file->fields[1].value) == 2);
    CHECK(std::get<double>(file->fields[2].value) == 10000);
    CHECK(std::get<bool>(file->fields[3].value));
    CHECK(std::get<std::vector<std::string>>(file->fields[4].value).size() == 3);
    CHECK(std::get<std::vector<double>>(file->fields[5].value) == std::vector<double>{3, 1, 1});
  }
}

TEST_CASE("numbers of a big-endian file come out as those of a little-endian one") {
  const GgufBuilder big(3, true);
  std::string floats;
  for (const float value : {1.5F, -2.0F}) {
    floats += big.number(std::bit_cast<std::uint32_t>(value), 4);
  }
  std::string block = big.number(0x3C00, 2) + std::string("\x9F\x08", 2) + bytes(14, '\x88');
  const std::string content =
      GgufBuilder(3, true).tensor("f", f32, {2}, floats).tensor("q", q4_0, {32}, block).build();
  const auto file = read(content);
  REQUIRE(file.has_value());
  const auto values = [&](const TensorEntry& entry) {
    std::vector<float> out(static_cast<std::size_t>(entry.element_count()));
    entry.type->decode(
        std::as_bytes(std::span(content)).subspan(entry.extent.begin, entry.extent.size()), out);
    return out;
  };
  CHECK(values(file->tensors[0]) == std::vector<float>{1.5F, -2.0F});
  CHECK(values(file->tensors[1])[0] == 7);
  CHECK(values(file->tensors[1])[16] == 1);
  CHECK(values(file->tensors[1])[17] == -8);
}

TEST_CASE("a file cut off at any byte, or with any bit flipped, ends in a value") {
  const std::string whole = small().build();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    if (const std::string law = broken_law(part); !law.empty()) FAIL(law << " at " << size);
    CHECK_FALSE(read(part).has_value());
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    if (const std::string law = broken_law(flipped); !law.empty()) FAIL(law << " at bit " << bit);
  }
}

TEST_CASE("offsets must be aligned, in the file, and end to end") {
  const auto with = [](std::uint64_t offset) {
    return small().tensor("z", f32, {8}, bytes(32)).with_offset(offset).build();
  };
  CHECK(code_of(with(128)) == "read");
  CHECK(code_of(with(120)) == "gguf-offsets");
  CHECK(code_of(with(96)) == "gguf-offsets");
  CHECK(code_of(with(160)) == "gguf-offsets");
  CHECK(code_of(with(UINT64_MAX - 31)) == "gguf-offsets");
  CHECK(code_of(small().alignment(48).build()) == "gguf-metadata");
  CHECK(code_of(GgufBuilder().alignment(128).tensor("a", f32, {1}, "abcd").build()) == "read");
}

TEST_CASE("what does not belong into metadata is refused") {
  CHECK(code_of(small().text("general.architecture", "x").build()) == "duplicate-key");
  CHECK(code_of(small().text("", "x").build()) == "gguf-metadata");
  CHECK(code_of(small().flag("f", 2).build()) == "gguf-metadata");
  CHECK(code_of(small().raw("t", 13, "").build()) == "gguf-metadata");
  const GgufBuilder help;
  std::string nested = help.number(4, 4) + help.count(0);
  for (int depth = 0; depth < 3; ++depth) nested = help.number(9, 4) + help.count(1) + nested;
  CHECK(code_of(small().raw("deep", 9, nested).build()) == "read");
  nested = help.number(9, 4) + help.count(1) + nested;
  CHECK(code_of(small().raw("deep", 9, nested).build()) == "gguf-metadata");
  CHECK(code_of(small().raw("l", 9, help.number(0, 4) + help.count(UINT64_MAX)).build()) ==
        "gguf-header");
  CHECK(code_of(small().raw("s", 8, help.count(std::uint64_t{1} << 63U)).build()) == "gguf-header");
}

TEST_CASE("tensors that cannot be are refused") {
  CHECK(code_of(small().tensor("a", f32, {1}, "abcd").build()) == "duplicate-key");
  CHECK(code_of(small().tensor("q", q4_0, {2, 16}, bytes(18)).build()) == "gguf-tensor");
  CHECK(code_of(small().tensor("q", f32, {1, 1, 1, 1, 1}, "abcd").build()) == "gguf-tensor");
  CHECK(code_of(small().tensor("q", f32, {std::uint64_t{1} << 62U, 8}, "").build()) ==
        "gguf-tensor");
  CHECK(code_of(small().counts(UINT64_MAX, 6).build()) == "limit-exceeded");
  CHECK(code_of(small().counts(9'000'000, 6).build()) == "gguf-header");
  CHECK(code_of(GgufBuilder(4).build()) == "gguf-header");
}

TEST_CASE("types nobody knows are named and take what lies before the next tensor") {
  const auto file = read(GgufBuilder()
                             .tensor("x", 137, {256}, bytes(76))
                             .tensor("y", f32, {1}, "abcd")
                             .tensor("z", 250, {7}, bytes(5))
                             .build());
  REQUIRE(file.has_value());
  CHECK(file->tensors[0].type_name == "IQ2_K");
  CHECK(file->tensors[0].type == &opaque_type());
  CHECK(file->tensors[0].extent.size() == 96);
  CHECK(file->tensors[2].type_name == "ggml type 250");
  CHECK(file->tensors[2].extent.size() == 5);
  REQUIRE(file->problems.size() == 2);
  CHECK(file->problems[0].code == "unsupported-encoding");
}

TEST_CASE("bytes behind the last tensor are told, its padding is not") {
  const auto padded =
      read(GgufBuilder().tensor("a", f32, {3}, bytes(12)).trailing(bytes(20, '\0')).build());
  REQUIRE(padded.has_value());
  CHECK(padded->problems.empty());
  const auto file = read(small().trailing(bytes(64)).build());
  REQUIRE(file.has_value());
  REQUIRE(file->problems.size() == 1);
  CHECK(file->problems[0].code == "gguf-trailing-bytes");
}

TEST_CASE("a file that went through a text program is recognised") {
  std::string replaced;
  for (const char byte : small().build()) {
    replaced += static_cast<unsigned char>(byte) < 0x80 ? std::string(1, byte) : "\xEF\xBF\xBD";
  }
  std::string with_number = replaced;
  with_number.replace(with_number.find("llama.rope.freq_base") + 24, 4, "\xEF\xBF\xBD\x40\x1C\x46");
  CHECK(code_of(with_number) == "gguf-damaged-as-text");
  std::string returned;
  for (const char byte : small().text("a\nb", "c\nd\n").build()) {
    returned += byte == '\n' ? std::string("\r\n") : std::string(1, byte);
  }
  CHECK(code_of(returned) == "gguf-damaged-as-text");
}

TEST_CASE("listing a large file reads its header and nothing else") {
  constexpr std::uint64_t data = 10'000'000'000;
  GgufBuilder builder;
  builder.tensor("big", f32, {data / 4}, "");
  std::string head = builder.build();
  const SparseSource sparse("big.gguf", head, head.size() + data);
  const FaultSource counted(sparse, FaultSource::never);
  const auto file = read_weights(counted);
  REQUIRE(file.has_value());
  CHECK(file->tensors[0].extent.size() == data);
  CHECK(counted.bytes_read() <= 4096 + 65'536);
}

TEST_CASE("whichever read fails, the problem is the source's own") {
  const MemorySource whole("m.gguf", small().build());
  const FaultSource counted(whole, FaultSource::never);
  REQUIRE(read_weights(counted).has_value());
  for (std::uint64_t nth = 0; nth < counted.reads(); ++nth) {
    const auto failed = read_weights(FaultSource(whole, nth, FaultSource::Fault::fails));
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == "io-error");
  }
}

TEST_CASE("real vocabularies read, and the damaged one is told what it is") {
  const std::string folder = PEDIGREE_SHARED "/real/gguf-vocab/";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: no " << folder);
    return;
  }
  for (const std::string name :
       {"ggml-vocab-bert-bge.gguf", "ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf"}) {
    const auto source = open_file(folder + name, name);
    REQUIRE(source.has_value());
    const auto file = read_weights(**source);
    REQUIRE_MESSAGE(file.has_value(), file.error().message);
    CHECK(file->tensors.empty());
    CHECK(file->fields.size() >= 20);
    CHECK(file->problems.empty());
  }
  const auto source = open_file(folder + "corrupt-crlf-phi-3.gguf", "corrupt.gguf");
  REQUIRE(source.has_value());
  const auto file = read_weights(**source);
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().code == "gguf-damaged-as-text");
}

}  // namespace pedigree
