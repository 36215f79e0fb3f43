#include "tests/support/torch_builder.h"

#include <cstring>
#include <span>

#include "formats/inflate.h"

namespace pedigree {
namespace {

using namespace std::string_literals;

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFFU);
  return text;
}

}  // namespace

namespace made_pickle {

std::string name(std::string_view module, std::string_view item) {
  return "c" + std::string(module) + "\n" + std::string(item) + "\n";
}

std::string text(std::string_view value) {
  return "X" + little_endian(value.size(), 4) + std::string(value);
}

std::string number(std::int64_t value) {
  if (value >= 0 && value < 256) return "K"s + static_cast<char>(value);
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}

std::string row(const std::vector<std::string>& items) {
  std::string body = "(";
  for (const std::string& item : items) body += item;
  return body + "t";
}

std::string call(const std::string& callee, const std::vector<std::string>& arguments) {
  return callee + row(arguments) + "R";
}

std::string mapping(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string body = "}(";
  for (const auto& [key, value] : items) body += text(key) + value;
  return body + "u";
}

std::string storage(std::string_view key, std::int64_t elements, std::string_view kind) {
  return row({text("storage"), name("torch", kind), text(key), text("cpu"), number(elements)}) +
         "Q";
}

std::string tensor(const std::string& held, std::int64_t first,
                   const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides) {
  const auto numbers = [](const std::vector<std::int64_t>& values) {
    std::vector<std::string> items;
    for (const std::int64_t value : values) items.push_back(number(value));
    return row(items);
  };
  return call(name("torch._utils", "_rebuild_tensor_v2"),
              {held, number(first), numbers(sizes), numbers(strides), "\x89",
               call(name("collections", "OrderedDict"), {})});
}

std::string whole(const std::string& body, char protocol) {
  return "\x80"s + protocol + body + ".";
}

}  // namespace made_pickle

std::string made_zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string file;
  std::string directory;
  for (const auto& [name, content] : members) {
    const std::string common = "\x14\0\0\0\0\0\0\0\0\0"s +
                               little_endian(crc32_of(std::as_bytes(std::span(content))), 4) +
                               little_endian(content.size(), 4) + little_endian(content.size(), 4) +
                               little_endian(name.size(), 2) + "\0\0"s;
    directory +=
        "PK\x01\x02\x14\0"s + common + std::string(10, '\0') + little_endian(file.size(), 4) + name;
    file += "PK\x03\x04" + common + name + content;
  }
  const std::string count = little_endian(members.size(), 2);
  return file + directory + "PK\x05\x06\0\0\0\0"s + count + count +
         little_endian(directory.size(), 4) + little_endian(file.size(), 4) + "\0\0"s;
}

std::string made_torch_zip(const std::string& pickle, const std::vector<std::string>& storages) {
  std::vector<std::pair<std::string, std::string>> members = {{"archive/data.pkl", pickle}};
  for (std::size_t i = 0; i < storages.size(); ++i) {
    members.emplace_back("archive/data/" + std::to_string(i), storages[i]);
  }
  members.emplace_back("archive/version", "3\n");
  return made_zip(members);
}

std::string made_torch_legacy(const std::string& pickle,
                              const std::vector<std::pair<std::uint64_t, std::string>>& storages) {
  using namespace made_pickle;
  std::string keys = "](";
  std::string data;
  for (std::size_t i = 0; i < storages.size(); ++i) {
    keys += text(std::to_string(i));
    data += little_endian(storages[i].first, 8) + storages[i].second;
  }
  return whole("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + whole(number(1001)) +
         whole(mapping({{"little_endian", "\x88"}})) + pickle + whole(keys + "e") + data;
}

std::string made_floats(const std::vector<float>& values) {
  std::string text(values.size() * sizeof(float), '\0');
  std::memcpy(text.data(), values.data(), text.size());
  return text;
}

}  // namespace pedigree
