#include "base/text.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>

namespace pedigree {

using namespace std::string_view_literals;

TEST_CASE("UTF-8 is judged by the standard's rules") {
  for (const std::string_view good : {""sv, "plain"sv, "é重\xF0\x9F\x98\x80"sv, "\0"sv}) {
    CHECK(is_valid_utf8(good));
  }
  for (const std::string_view bad :
       {"\xFF"sv, "\xC0\x80"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xE9\x87"sv, "a\x80"sv}) {
    CHECK_FALSE(is_valid_utf8(bad));
  }
}

TEST_CASE("bad bytes become percent escapes and good text stays") {
  CHECK(percent_escaped("a\xFFz") == "a%FFz");
  CHECK(percent_escaped("\xE9\x87") == "%E9%87");
  CHECK(percent_escaped("\xC0\x80重") == "%C0%80重");
  CHECK(percent_escaped("100%") == "100%");
  CHECK(is_valid_utf8(percent_escaped("\xED\xA0\x80\xF0\x9F")));
}

TEST_CASE("text shown to a person carries no control, escape or direction override") {
  CHECK(shown("plain 重 \xF0\x9F\x98\x80") == "plain 重 \xF0\x9F\x98\x80");
  CHECK(shown("a\nb\tc\rd") == "a\\nb\\tc\\x0dd");
  CHECK(shown("\x1b[31mred") == "\\x1b[31mred");
  CHECK(shown("\0"sv) == "\\x00");
  CHECK(shown("\x7F") == "\\x7f");
  CHECK(shown("a\xE2\x80\xAE"
              "b") == "a\\u{202e}b");           // right-to-left override
  CHECK(shown("\xC2\x9B") == "\\u{9b}");        // one-character CSI
  CHECK(shown("\xE2\x80\xA8") == "\\u{2028}");  // line separator
  CHECK(shown("\xEE\x80\x80") == "\\u{e000}");  // private use
  CHECK(shown("\xFF") == "\\xff");
}

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("重み") == 4);
  CHECK(display_width("e\xCC\x81") == 1);  // combining accent
}

TEST_CASE("the nearest word is found within a third of its letters and no further") {
  constexpr std::string_view verbs[] = {"audit", "inspect", "fingerprint", "compare", "digest"};
  CHECK(nearest_word("comapre", verbs) == "compare");
  CHECK(nearest_word("audt", verbs) == "audit");
  CHECK(nearest_word("fingerprnt", verbs) == "fingerprint");
  CHECK(nearest_word("inspects", verbs) == "inspect");
  CHECK(nearest_word("zebra", verbs).empty());
  CHECK(nearest_word("", verbs).empty());
  CHECK(nearest_word("x", {}).empty());
}

TEST_CASE("sizes are told in powers of a thousand with three digits") {
  CHECK(byte_size(0) == "0 bytes");
  CHECK(byte_size(512) == "512 bytes");
  CHECK(byte_size(999) == "999 bytes");
  CHECK(byte_size(1000) == "1.00 kB");
  CHECK(byte_size(64'000'000) == "64.0 MB");
  CHECK(byte_size(13'476'839'424) == "13.5 GB");
  CHECK(byte_size(999'600) == "1.00 MB");
  CHECK(byte_size(std::numeric_limits<std::uint64_t>::max()) == "18447 PB");
}

TEST_CASE("a whole number is all of a text, within its type") {
  CHECK(whole_number<std::uint64_t>("18446744073709551615") == UINT64_MAX);
  CHECK(whole_number<std::uint64_t>("007") == 7);
  CHECK(whole_number<std::int64_t>("-9223372036854775808") == INT64_MIN);
  for (const std::string_view bad : {""sv, "-"sv, "-1"sv, "+1"sv, " 1"sv, "1 "sv, "1.0"sv, "1e3"sv,
                                     "0x10"sv, "1\0"sv, "18446744073709551616"sv}) {
    CHECK_FALSE(whole_number<std::uint64_t>(bad));
  }
  CHECK_FALSE(whole_number<std::int64_t>("9223372036854775808"));
  CHECK(whole_number<std::uint64_t>("00fF", 16) == 255);
  CHECK_FALSE(whole_number<std::uint64_t>("0xff", 16));
}

TEST_CASE("numbers are told in the largest unit they reach, and rounding reaches the next") {
  constexpr std::array<std::string_view, 2> units = {"thousand", "million"};
  CHECK(in_thousands(0, units) == "0.00 thousand");
  CHECK(in_thousands(9'994, units) == "9.99 thousand");
  CHECK(in_thousands(9'996, units) == "10.0 thousand");
  CHECK(in_thousands(99'960, units) == "100 thousand");
  CHECK(in_thousands(999'499, units) == "999 thousand");
  CHECK(in_thousands(999'500, units) == "1.00 million");
  CHECK(in_thousands(7'000'000'000, units) == "7000 million");
}

}  // namespace pedigree
