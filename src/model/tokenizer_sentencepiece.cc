#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/byte_reader.h"
#include "base/text.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

std::uint64_t varint(ByteReader& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = in.u8();
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  malformed(code, "a number of the protobuf is longer than ten bytes", in.offset());
}

// One field of a message: number, and its value when it is a number or bytes.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::span<const std::byte> bytes = {};
  std::uint64_t offset = 0;  // of `bytes` in the file
  bool delimited = false;
};

Field next_field(ByteReader& in) {
  Field field;
  const std::uint64_t tag = varint(in);
  field.number = tag >> 3U;
  if (field.number == 0) malformed(code, "a protobuf field has the number 0", in.offset());
  switch (tag & 7U) {
    case 0:
      field.value = varint(in);
      return field;
    case 1:
      field.value = in.u64();
      return field;
    case 2: {
      const std::uint64_t size = varint(in);
      field.offset = in.offset();
      field.bytes = in.bytes(size, "a protobuf field");
      field.delimited = true;
      return field;
    }
    case 5:
      field.value = in.u32();
      return field;
    default:
      malformed(code, fmt::format("the protobuf wire type {} is unknown", tag & 7U), in.offset());
  }
}

std::string text_of(std::span<const std::byte> bytes) {
  std::string text(bytes.size(), '\0');
  std::ranges::transform(bytes, text.begin(),
                         [](std::byte byte) { return std::to_integer<char>(byte); });
  return text;
}

// ModelProto.SentencePiece: 1 piece, 2 score, 3 type; type 5 is an unused id.
std::string read_piece(const Field& message) {
  ByteReader in(message.bytes, code, message.offset);
  std::string piece;
  std::uint64_t type = 1;
  while (in.remaining() > 0) {
    const Field field = next_field(in);
    if (field.number == 1 && field.delimited) piece = text_of(field.bytes);
    if (field.number == 3 && !field.delimited) type = field.value;
  }
  return type == 5 ? std::string() : piece;
}

// ModelProto.TrainerSpec: 1 input files, 2 model prefix, 3 model type.
struct TrainerSpec {
  std::uint64_t model_type = 1;
  std::vector<std::pair<std::string_view, std::string>> traces = {};
};

TrainerSpec read_trainer_spec(const Field& message) {
  ByteReader in(message.bytes, code, message.offset);
  TrainerSpec spec;
  while (in.remaining() > 0) {
    const Field field = next_field(in);
    if (field.number == 3 && !field.delimited) spec.model_type = field.value;
    if (field.number > 2 || !field.delimited) continue;
    if (field.bytes.empty() || field.bytes.size() > 4096 || spec.traces.size() >= 64) continue;
    spec.traces.emplace_back(field.number == 1 ? "trainer_spec.input" : "trainer_spec.model_prefix",
                             percent_escaped(text_of(field.bytes)));
  }
  return spec;
}

std::string kind_name(std::uint64_t model_type) {
  switch (model_type) {
    case 2:
      return "BPE";
    case 3:
      return "WordLevel";
    case 4:
      return "Char";
    default:
      return "Unigram";
  }
}

SentencePieceReading read_model(std::span<const std::byte> bytes, std::string_view file) {
  ByteReader in(bytes, code);
  Vocabulary vocabulary;
  SentencePieceReading reading;
  TrainerSpec spec;
  while (in.remaining() > 0) {
    const Field field = next_field(in);
    if (!field.delimited) continue;
    if (field.number == 1) vocabulary.append(read_piece(field));
    if (field.number == 2) spec = read_trainer_spec(field);
  }
  reading.tokenizer = vocabulary.finish(kind_name(spec.model_type), file);
  for (auto& [key, value] : spec.traces) {
    reading.claims.push_back({.kind = Claim::Kind::other,
                              .key = std::string(key),
                              .value = std::move(value),
                              .file = std::string(file)});
  }
  return reading;
}

}  // namespace

Result<SentencePieceReading> read_sentencepiece(std::span<const std::byte> bytes,
                                                std::string_view file) {
  try {
    return read_model(bytes, file);
  } catch (Malformed& stop) {
    stop.problem.file = std::string(file);
    return std::unexpected(std::move(stop.problem));
  }
}

}  // namespace pedigree
