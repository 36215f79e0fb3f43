// A page of plain text: wrapped lines, labelled lines and tables, aligned by the
// columns a terminal shows and not by bytes.
//
// Everything put on the page is made safe to show here (base/text.h), so no
// caller can forget it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

enum class Style { plain, strong, faint, good, caution, bad };

struct TextColumn {
  std::string title;
  bool right_aligned = false;
  bool flexible = false;  // gives way and wraps when the table is too wide
};

struct TextRow {
  std::vector<std::string> cells;
  Style style = Style::plain;
  std::string note = {};  // a faint, wrapped line below the row
};

class TextPage {
 public:
  TextPage(unsigned width, bool colour) : width_(width < 40 ? 40 : width), colour_(colour) {}

  void heading(std::string_view text);
  void paragraph(std::string_view text, std::size_t indent = 0, Style style = Style::plain);
  // The text wraps beside the label, which takes `label_width` columns.
  void labelled(std::string_view label, std::string_view text, std::size_t label_width,
                Style label_style = Style::strong);
  void table(const std::vector<TextColumn>& columns, const std::vector<TextRow>& rows);
  void blank();
  // A command line that can be copied: words stay whole, lines end in a backslash.
  void command(std::string_view text, std::size_t indent);

  std::string take() { return std::move(text_); }

 private:
  void put(std::string_view text, Style style);
  void table_row(const std::vector<TextColumn>& columns, const std::vector<std::size_t>& widths,
                 const TextRow& row);

  std::size_t width_;
  bool colour_;
  std::string text_;
};

// Lines of at most `width` columns, broken at spaces; a longer word is cut.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

// A command line, broken between its words and never inside quotes; a longer word stays.
std::vector<std::string> wrapped_command(std::string_view command, std::size_t width);

}  // namespace pedigree
