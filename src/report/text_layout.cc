#include "report/text_layout.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::size_t gap = 2;               // columns between table columns
constexpr std::size_t narrowest_column = 8;  // a flexible column never gets less
constexpr std::size_t table_indent = 2;

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::strong:
      return "\x1b[1m";
    case Style::faint:
      return "\x1b[2m";
    case Style::good:
      return "\x1b[32m";
    case Style::caution:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31m";
  }
  return "";
}

// Bytes of the code point at the front of valid UTF-8.
std::size_t point_size(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
  return size;
}

// Bytes of the longest front of `word` that fits `width` columns, one code point
// at least. Linear in what it returns.
std::size_t fitting_bytes(std::string_view word, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < word.size()) {
    const std::size_t point = point_size(word.substr(bytes));
    used += display_width(word.substr(bytes, point));
    if (bytes > 0 && used > width) break;
    bytes += point;
  }
  return bytes;
}

// Long words are paths and tensor names: rather cut behind their own joints.
std::size_t cut_at_joint(std::string_view word, std::size_t bytes) {
  const std::size_t joint = word.substr(0, bytes).find_last_of("/._-:");
  return joint != word.npos && joint >= bytes / 2 ? joint + 1 : bytes;
}

std::string padded(std::string_view text, std::size_t width, bool right_aligned) {
  const std::size_t used = display_width(text);
  const std::string fill(used < width ? width - used : 0, ' ');
  return right_aligned ? fill + std::string(text) : std::string(text) + fill;
}

void trim_right(std::string& line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
}

// The widest flexible column, and the width of the next one; none where no column can give.
struct Giving {
  std::optional<std::size_t> widest = {};
  std::size_t next = narrowest_column;
};

Giving giving_column(const std::vector<TextColumn>& columns,
                     const std::vector<std::size_t>& widths) {
  Giving giving;
  std::size_t widest = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!columns[i].flexible || widths[i] <= narrowest_column) continue;
    if (widths[i] > widest) {
      giving.next = std::max(giving.next, widest);
      widest = widths[i];
      giving.widest = i;
    } else {
      giving.next = std::max(giving.next, widths[i]);
    }
  }
  return giving;
}

// Natural widths, then flexible columns shrink until all fits: the widest gives way first,
// and no further than to the next, so that columns of one kind stay of one width.
std::vector<std::size_t> column_widths(const std::vector<TextColumn>& columns,
                                       const std::vector<TextRow>& rows, std::size_t room) {
  std::vector<std::size_t> widths(columns.size(), 0);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    widths[i] = display_width(columns[i].title);
    for (const TextRow& row : rows) {
      if (i < row.cells.size()) widths[i] = std::max(widths[i], display_width(shown(row.cells[i])));
    }
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), gap * (columns.size() - 1));
  };
  while (total() > room) {
    const Giving giving = giving_column(columns, widths);
    if (!giving.widest) break;
    std::size_t& width = widths[*giving.widest];
    width -= std::min(total() - room, std::max<std::size_t>(1, width - giving.next));
  }
  return widths;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (word.empty()) continue;
    if (used > 0 && used + 1 + display_width(word) > width) {
      lines.push_back(std::exchange(line, {}));
      used = 0;
    }
    for (std::size_t bytes = fitting_bytes(word, width); bytes < word.size();
         bytes = fitting_bytes(word, width)) {
      bytes = cut_at_joint(word, bytes);
      lines.emplace_back(word.substr(0, bytes));
      word.remove_prefix(bytes);
    }
    if (used > 0) line += ' ';
    line += word;
    used = display_width(line);
  }
  if (!line.empty() || lines.empty()) lines.push_back(line);
  return lines;
}

std::vector<std::string> wrapped_command(std::string_view command, std::size_t width) {
  std::vector<std::string> lines = {""};
  bool quoted = false;
  std::string word;
  const auto end_word = [&] {
    std::string& line = lines.back();
    // Two columns for the backslash behind the line.
    if (!line.empty() && display_width(line) + 1 + display_width(word) + 2 > width) {
      line += " \\";
      lines.emplace_back("  ");
    } else if (!line.empty()) {
      line += ' ';
    }
    lines.back() += std::exchange(word, {});
  };
  for (std::size_t i = 0; i < command.size(); ++i) {
    // A quote outside quotes may be escaped, as in 'it'\\''s'.
    if (command[i] == '\\' && !quoted && i + 1 < command.size()) {
      word += command[i++];
    } else if (command[i] == '\'') {
      quoted = !quoted;
    } else if (command[i] == ' ' && !quoted) {
      end_word();
      continue;
    }
    word += command[i];
  }
  end_word();
  return lines;
}

void TextPage::command(std::string_view text, std::size_t indent) {
  for (const std::string& line : wrapped_command(shown(text), width_ - std::min(indent, width_))) {
    text_ += std::string(indent, ' ') + line + '\n';
  }
}

void TextPage::put(std::string_view text, Style style) {
  if (!colour_ || style == Style::plain || text.empty()) {
    text_ += text;
    return;
  }
  text_ += escape_of(style);
  text_ += text;
  text_ += "\x1b[0m";
}

void TextPage::blank() { text_ += '\n'; }

void TextPage::heading(std::string_view text) {
  if (!text_.empty()) blank();
  paragraph(text, 0, Style::strong);
}

void TextPage::paragraph(std::string_view text, std::size_t indent, Style style) {
  for (const std::string& line : wrapped(shown(text), width_ - std::min(indent, width_ / 2))) {
    text_ += std::string(indent, ' ');
    put(line, style);
    text_ += '\n';
  }
}

void TextPage::labelled(std::string_view label, std::string_view text, std::size_t label_width,
                        Style label_style) {
  const std::size_t room = std::max<std::size_t>(width_ - std::min(label_width, width_), 20);
  const std::string name = shown(label);
  bool first = true;
  if (name.size() >= label_width && !name.empty()) {  // a line of its own for a long one
    put(name, label_style);
    text_ += '\n';
    first = false;
  }
  for (const std::string& line : wrapped(shown(text), room)) {
    std::string front = padded(first ? name : std::string(), label_width, false);
    put(front, label_style);
    text_ += line;
    text_ += '\n';
    first = false;
  }
}

void TextPage::table_row(const std::vector<TextColumn>& columns,
                         const std::vector<std::size_t>& widths, const TextRow& row) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string text = i < row.cells.size() ? shown(row.cells[i]) : std::string();
    cells.push_back(columns[i].flexible ? wrapped(text, widths[i]) : std::vector{text});
    height = std::max(height, cells.back().size());
  }
  for (std::size_t y = 0; y < height; ++y) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) line += std::string(gap, ' ');
      const std::string part = y < cells[i].size() ? cells[i][y] : std::string();
      line += padded(part, widths[i], columns[i].right_aligned);
    }
    trim_right(line);
    text_ += std::string(table_indent, ' ');
    put(line, row.style);
    text_ += '\n';
  }
}

void TextPage::table(const std::vector<TextColumn>& columns, const std::vector<TextRow>& rows) {
  const auto widths = column_widths(columns, rows, width_ - table_indent);
  TextRow titles{.cells = {}, .style = Style::faint};
  for (const TextColumn& column : columns) titles.cells.push_back(column.title);
  table_row(columns, widths, titles);
  for (const TextRow& row : rows) {
    table_row(columns, widths, row);
    if (!row.note.empty()) paragraph(row.note, table_indent * 2, Style::faint);
  }
}

}  // namespace pedigree
