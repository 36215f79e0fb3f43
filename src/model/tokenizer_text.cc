#include <algorithm>
#include <utility>

#include "base/text.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_spelling.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

// Calls `line(text, offset)` for every line, without its ending; a last line
// that is empty is none.
template <class Each>
void for_each_line(std::string_view text, const Each& each) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    each(line, at);
    at = end + 1;
  }
}

template <class Read>
Result<Tokenizer> guarded(NamedText source, const Read& read) {
  try {
    return read();
  } catch (Malformed& stop) {
    return std::unexpected(tokenizer_problem(stop.problem, source));
  }
}

}  // namespace

Result<Tokenizer> read_vocab_txt(NamedText vocab) {
  return guarded(vocab, [&] {
    Vocabulary vocabulary;
    for_each_line(vocab.text, [&](std::string_view line, std::size_t offset) {
      if (line.size() > 4096) malformed(code, "a line is too long for a token", offset);
      vocabulary.append(std::string(line));
    });
    return vocabulary.finish("WordPiece", vocab.file);
  });
}

Result<Tokenizer> read_tiktoken(NamedText ranks) {
  return guarded(ranks, [&] {
    Vocabulary vocabulary;
    for_each_line(ranks.text, [&](std::string_view line, std::size_t offset) {
      if (line.empty()) return;
      const std::size_t space = line.find(' ');
      if (space == line.npos || space == 0) malformed(code, "a line is not token and rank", offset);
      const auto rank = whole_number<std::uint64_t>(line.substr(space + 1));
      if (!rank) malformed(code, "a rank is not a whole number", offset);
      vocabulary.add(spelled_token(line.substr(0, space), offset), *rank, offset);
    });
    return vocabulary.finish("BPE", ranks.file);
  });
}

}  // namespace pedigree
