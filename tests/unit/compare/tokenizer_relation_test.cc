#include "compare/tokenizer_relation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/vocabulary_sketch.h"

namespace pedigree {
namespace {

Tokenizer of(std::vector<std::string> tokens, std::vector<std::uint32_t> added = {}) {
  Tokenizer tokenizer;
  tokenizer.kind = "BPE";
  tokenizer.spelling = "raw";
  tokenizer.tokens = std::move(tokens);
  tokenizer.added_ids = std::move(added);
  return tokenizer;
}

Tokenizer with_merges(std::vector<std::uint64_t> merges) {
  Tokenizer tokenizer = of({"a", "b"});
  for (const std::uint64_t merge : merges) tokenizer.merges_digest += std::to_string(merge) + " ";
  tokenizer.merge_hashes = std::move(merges);
  return tokenizer;
}

std::string relation(const Tokenizer& subject, const Tokenizer& base) {
  return relate_tokenizers(subject, base).relation;
}

std::string answer(const Tokenizer& subject, const Tokenizer& base) {
  return tokenizer_relation_answer(relate_tokenizers(subject, base));
}

std::vector<std::string> numbered(int first, int count) {
  std::vector<std::string> tokens(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    tokens[static_cast<std::size_t>(i)] = "t" + std::to_string(first + i);
  }
  return tokens;
}

}  // namespace

TEST_CASE("the same tokens under the same ids are one vocabulary, however they are spelled") {
  Tokenizer metaspace =
      of({"\xE2\x96\x81"
          "a",
          "<0x41>"});
  metaspace.spelling = "metaspace";
  Tokenizer byte_level =
      of({"\xC4\xA0"
          "a",
          "A"});
  byte_level.spelling = "byte-level";
  CHECK(relation(metaspace, byte_level) == "identical");
  CHECK(answer(metaspace, byte_level) == "yes");
}

TEST_CASE("an id that one file leaves unspelled fits anything") {
  CHECK(relation(of({"", "a", "b", "c"}), of({"<s>", "a", "b", "c"})) == "identical");
  CHECK(relation(of({"a", "b", "c", "", ""}), of({"a", "b", "c"})) == "identical");
  // but two lists that spell other ids agree in nothing
  CHECK(relation(of({"", "", "", "a"}), of({"b", "c", "d", ""})) == "retrained");
}

TEST_CASE("appended tokens are counted and the first of them shown") {
  const auto it = relate_tokenizers(of({"a", "b", "<pad>", "\xFF", "c", "d", "e"}), of({"a", "b"}));
  CHECK(it.relation == "extended");
  CHECK(it.first_appended == 2);
  CHECK(it.appended == 5);
  CHECK(it.shown_tokens == std::vector<std::string>{"<pad>", "%FF", "c", "d"});
  CHECK(tokenizer_relation_in_words(it) ==
        "The subject's is the base's, extended by 5 tokens, ids 2 to 6: <pad>, %FF, c, d, ….");
  const auto back = relate_tokenizers(of({"a", "b"}), of({"a", "b", "<pad>"}));
  CHECK(back.relation == "truncated");
  CHECK(tokenizer_relation_in_words(back) ==
        "The subject's is the base's without its last 1 token, id 2: <pad>.");
  CHECK(tokenizer_relation_answer(back) == "yes");
}

TEST_CASE("a reserved id put to new use is a change of special tokens alone") {
  const Tokenizer base = of({"a", "b", "c", "<reserved>"}, {3});
  const auto it = relate_tokenizers(of({"a", "b", "c", "<|im_start|>"}, {3}), base);
  CHECK(it.relation == "respecialed");
  CHECK(it.changed_ids == std::vector<std::uint64_t>{3});
  CHECK(it.special_tokens == "different");
  CHECK(tokenizer_relation_answer(it) == "yes");
  CHECK(relate_tokenizers(base, base).special_tokens == "equal");
}

TEST_CASE("the same tokens under other ids are reordered, some of them a subset") {
  CHECK(relation(of({"a", "b", "c"}), of({"b", "c", "a"})) == "reordered");
  CHECK(relation(of({"c", "a"}), of({"a", "b", "c"})) == "subset");
  CHECK(relation(of({"a", "b", "c"}), of({"c", "a"})) == "superset");
  CHECK(answer(of({"a", "b", "c"}), of({"b", "c", "a"})) == "no");
}

TEST_CASE("vocabularies with little in common are retrained, or of different kinds") {
  const Tokenizer one = of(numbered(0, 100));
  Tokenizer other = of(numbered(60, 100));
  CHECK(relation(one, other) == "retrained");
  CHECK(relate_tokenizers(one, other).common == 40);
  CHECK(answer(one, other) == "no");
  other.kind = "Unigram";
  CHECK(relation(one, other) == "different");
  auto most = numbered(0, 95);
  most.push_back("x");
  most.push_back("y");
  CHECK(relation(of(most), one) == "overlapping");
  CHECK(answer(of(most), one) == "inconclusive");
}

TEST_CASE("merges are equal, the other's beginning, or different") {
  const auto merges = [](std::vector<std::uint64_t> mine, std::vector<std::uint64_t> theirs) {
    return relate_tokenizers(with_merges(std::move(mine)), with_merges(std::move(theirs))).merges;
  };
  CHECK(merges({1, 2}, {1, 2}) == "equal");
  CHECK(merges({1, 2, 3}, {1, 2}) == "extended");
  CHECK(merges({1, 2}, {1, 2, 3}) == "truncated");
  CHECK(merges({2, 1}, {1, 2}) == "different");
  CHECK(merges({}, {1, 2}).empty());
}

TEST_CASE("chat templates are compared by their digests") {
  Tokenizer one = of({"a"});
  Tokenizer other = of({"a"});
  CHECK(relate_tokenizers(one, other).chat_template.empty());
  one.chat_template = ChatTemplate{.digest = "1", .file = "x", .bytes = 1};
  CHECK(relate_tokenizers(one, other).chat_template == "subject-only");
  CHECK(relate_tokenizers(other, one).chat_template == "base-only");
  other.chat_template = ChatTemplate{.digest = "2", .file = "x", .bytes = 1};
  CHECK(relate_tokenizers(one, other).chat_template == "different");
}

TEST_CASE("known names stand behind the relation") {
  Tokenizer one = of({"a"});
  Tokenizer other = of({"a"});
  CHECK(names_in_words(one, other).empty());
  other.known = {{.how = VocabularyMatch::How::identical, .name = "LLaMA", .tokens = 32'000}};
  CHECK(names_in_words(one, other) == " The base's is LLaMA's (32000 tokens).");
  one.known = other.known;
  CHECK(names_in_words(one, other) == " Both are LLaMA's (32000 tokens).");
  one.known = {{.how = VocabularyMatch::How::resembling, .name = "LLaMA", .resemblance = 0.6}};
  CHECK(names_in_words(one, other) == " The base's is LLaMA's (32000 tokens).");
}

TEST_CASE("empty vocabularies are related without a fault") {
  CHECK(relate_tokenizers(of({}), of({})).relation == "identical");
  CHECK(relate_tokenizers(of({"", ""}), of({"a"})).relation == "truncated");
}

}  // namespace pedigree
