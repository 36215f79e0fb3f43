#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/application.h"
#include "cli/terminal.h"

namespace {

// Matrices of a few hundred KB come and go by the thousand. Taken from the kernel one by
// one, each is given empty pages again: a quarter of the time of a compare.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  try {
    pedigree::install_signal_handlers();
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return pedigree::run_application(words, [](const char* name) { return std::getenv(name); });
  } catch (const std::bad_alloc&) {
    std::fputs("pedigree: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pedigree: internal error: %s\n", error.what());
  }
  return 2;
}
