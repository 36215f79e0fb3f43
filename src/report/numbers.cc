#include "report/numbers.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/problem.h"
#include "base/text.h"

namespace pedigree {
namespace {

double parsed(std::string_view text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  check(result.ec == std::errc(), "a formatted number reads back");
  return value == 0 ? 0 : value;  // no minus zero
}

}  // namespace

double on_grid(double value) {
  check(std::isfinite(value), "only finite numbers are reported");
  return parsed(fmt::format("{:.6g}", value));
}

double log10_on_grid(double value) {
  check(std::isfinite(value), "only finite numbers are reported");
  return parsed(fmt::format("{:.1f}", value));
}

std::string number_text(double value) {
  check(std::isfinite(value), "only finite numbers are reported");
  constexpr double widest_count = 1e9;
  if (std::trunc(value) == value && std::fabs(value) < widest_count) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{:.4g}", value);
}

std::string log10_text(double value) { return fmt::format("{:.1f}", log10_on_grid(value)); }

std::string percent_text(double share) {
  const double percent = on_grid(share) * 100;
  // Nothing short of all is shown as 100 %, nothing but none as 0 %.
  if (percent > 99 && percent < 100) return fmt::format("{:.1f} %", std::fmin(percent, 99.9));
  if (percent > 0 && percent < 1) return fmt::format("{:.2g} %", percent);
  return fmt::format("{:.0f} %", percent);
}

std::string count_text(std::uint64_t number) {
  constexpr std::array<std::string_view, 4> units = {"thousand", "million", "billion", "trillion"};
  return number < 10'000 ? fmt::format("{}", number) : in_thousands(number, units);
}

}  // namespace pedigree
