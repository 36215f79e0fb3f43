#include "report/json_parts.h"
#include "report/numbers.h"

namespace pedigree {
namespace {

const char* how_name(VocabularyMatch::How how) {
  switch (how) {
    case VocabularyMatch::How::identical:
      return "identical";
    case VocabularyMatch::How::extended:
      return "extended";
    case VocabularyMatch::How::ordinary:
      return "respecialed";
    case VocabularyMatch::How::reordered:
      return "reordered";
    case VocabularyMatch::How::resembling:
      return "resembling";
  }
  return "";
}

OrderedJson json_match(const VocabularyMatch& match) {
  OrderedJson out;
  out["id"] = json_text(match.id);
  out["name"] = json_text(match.name);
  out["how"] = how_name(match.how);
  out["tokens"] = match.tokens;
  if (match.how == VocabularyMatch::How::extended) out["added"] = match.added;
  if (match.how == VocabularyMatch::How::resembling) {
    out["resemblance"] = json_number(match.resemblance);
    out["standard_error"] = json_number(match.error);
    out["same_ids"] = json_number(match.same_ids);
  }
  return out;
}

}  // namespace

OrderedJson json_tokenizer(const Tokenizer& tokenizer) {
  OrderedJson out;
  put_text(out, "kind", tokenizer.kind);
  put_text(out, "file", tokenizer.file);
  out["tokens"] = tokenizer.tokens.size();
  out["added"] = tokenizer.added.size();
  out["merges"] = tokenizer.merges;
  put_text(out, "vocabulary_digest", tokenizer.vocabulary_digest);
  put_text(out, "bytes_digest", tokenizer.bytes_digest);
  put_text(out, "merges_digest", tokenizer.merges_digest);
  for (const VocabularyMatch& match : tokenizer.known) out["known"].push_back(json_match(match));
  if (tokenizer.chat_template) {
    OrderedJson chat;
    chat["sha256"] = json_text(tokenizer.chat_template->digest);
    put_text(chat, "file", tokenizer.chat_template->file);
    chat["bytes"] = tokenizer.chat_template->bytes;
    out["chat_template"] = std::move(chat);
  }
  return out;
}

OrderedJson json_tokenizers(const TokenizerRelation& relation) {
  OrderedJson out;
  out["relation"] = json_text(relation.relation);
  out["subject_tokens"] = relation.subject_tokens;
  out["base_tokens"] = relation.base_tokens;
  out["common"] = relation.common;
  out["smaller"] = relation.smaller;
  out["same_ids"] = relation.same_ids;
  if (relation.appended > 0) {
    out["appended"] = {{"first_id", relation.first_appended},
                       {"count", relation.appended},
                       {"tokens", json_texts(relation.shown_tokens)}};
  }
  if (!relation.changed_ids.empty()) out["changed_ids"] = relation.changed_ids;
  put_text(out, "merges", relation.merges);
  put_text(out, "special_tokens", relation.special_tokens);
  put_text(out, "chat_template", relation.chat_template);
  return out;
}

}  // namespace pedigree
