// The chat template beside a vocabulary, as a digest. The text is a program in Jinja:
// it is hashed, and neither run nor shown.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "formats/formats.h"
#include "model/layout.h"
#include "model/tokenizer.h"

namespace pedigree {

// Line ends become "\n" and one at the end is dropped, as Jinja does before it reads on,
// so that a file of its own and a JSON text of one template agree.
ChatTemplate chat_template_of(std::string_view text, std::string_view file);

// From chat_template.jinja, chat_template.json or tokenizer_config.json, the first that
// has one; of several named ones the default.
std::optional<ChatTemplate> find_chat_template(const ModelLayout& layout, std::string_view folder,
                                               std::vector<Problem>& problems);

std::optional<ChatTemplate> header_chat_template(std::span<const HeaderField> fields,
                                                 std::string_view file);

}  // namespace pedigree
