// Feeds every file below the given paths to one fuzz target, sorted by name. The
// target's law is that nothing escapes it: a crash or a sanitizer's report fails.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

void collect(const fs::path& path, std::vector<fs::path>& files) {
  std::error_code broken_link;  // some of the attacks are links that lead nowhere
  if (fs::is_regular_file(path, broken_link)) files.push_back(path);
  if (!fs::is_directory(path, broken_link)) return;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file(broken_link)) files.push_back(entry.path());
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<fs::path> files;
  for (int i = 1; i < count; ++i) {
    if (!fs::exists(arguments[i])) {
      std::fprintf(stderr, "%s is not there\n", arguments[i]);
      return 1;
    }
    collect(arguments[i], files);
  }
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const auto* data = static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data()));
    std::fprintf(stderr, "%s\n", file.c_str());
    LLVMFuzzerTestOneInput(data, bytes.size());
  }
  std::printf("%zu inputs replayed\n", files.size());
  return files.empty() ? 1 : 0;
}
