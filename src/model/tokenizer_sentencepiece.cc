#include <utility>

#include "base/source.h"
#include "base/text.h"
#include "base/wire.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

using Kind = WireField::Kind;

constexpr std::uint64_t longest_text = std::uint64_t{64} << 20U;  // files are capped below it

// ModelProto.SentencePiece: 1 piece, 2 score, 3 type; type 5 is an unused id, 2 to 4 are
// the unknown, control and user-defined ones, which tokenizer.json lists as added.
struct Piece {
  std::string text = {};
  bool is_added = false;
};

Piece read_piece(WireReader in) {
  Piece piece;
  std::uint64_t type = 1;
  while (const auto field = in.next()) {
    if (field->is(1, Kind::bytes)) piece.text = in.text(*field, longest_text, "a piece");
    if (field->is(3, Kind::number)) type = field->value;
  }
  if (type == 5) piece.text.clear();
  piece.is_added = type >= 2 && type <= 4;
  return piece;
}

// ModelProto.TrainerSpec: 1 input files, 2 model prefix, 3 model type.
struct TrainerSpec {
  std::uint64_t model_type = 1;
  std::vector<std::pair<std::string_view, std::string>> traces = {};
};

TrainerSpec read_trainer_spec(WireReader in) {
  constexpr std::uint64_t longest_trace = 4096;
  TrainerSpec spec;
  while (const auto field = in.next()) {
    if (field->is(3, Kind::number)) spec.model_type = field->value;
    if (field->number > 2 || field->kind != Kind::bytes) continue;
    if (field->size() == 0 || field->size() > longest_trace || spec.traces.size() >= 64) continue;
    spec.traces.emplace_back(
        field->number == 1 ? "trainer_spec.input" : "trainer_spec.model_prefix",
        percent_escaped(in.text(*field, longest_trace, "a trace of training")));
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
  const MemorySource source(std::string(file), std::vector<std::byte>(bytes.begin(), bytes.end()));
  WireFile wire(source, code);
  WireReader in(wire);
  Vocabulary vocabulary;
  SentencePieceReading reading;
  TrainerSpec spec;
  while (const auto field = in.next()) {
    if (field->is(1, Kind::bytes)) {
      Piece piece = read_piece(in.inside(*field));
      if (piece.is_added) vocabulary.add_added(piece.text, vocabulary.size(), 0);
      vocabulary.append(std::move(piece.text));
    }
    if (field->is(2, Kind::bytes)) spec = read_trainer_spec(in.inside(*field));
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
