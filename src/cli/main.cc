#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/application.h"
#include "cli/terminal.h"

int main(int argc, char** argv) {
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
