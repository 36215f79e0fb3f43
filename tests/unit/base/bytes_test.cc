#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/digest.h"
#include "base/source.h"
#include "tests/support/fault_source.h"

namespace pedigree {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

template <class Action>
Problem thrown_by(Action action) {
  try {
    action();
  } catch (const Malformed& stop) {
    return stop.problem;
  }
  return {};
}

}  // namespace

TEST_CASE("a byte reader walks little-endian numbers and knows where it is in the file") {
  ByteReader in(bytes_of(std::string_view("\x01\x02\0\0\0\x03\0\0\0\0\0\0\x80rest", 17)),
                "fingerprint-malformed", 100);
  CHECK(in.u8() == 1);
  CHECK(in.u32() == 2);
  CHECK(in.offset() == 105);
  CHECK(in.u64() == 0x8000000000000003);
  CHECK(in.remaining() == 4);
  CHECK(to_hex(in.bytes(4, "the rest")) == "72657374");
  CHECK(in.remaining() == 0);
}

TEST_CASE("bytes that are not there are malformed at the place they were asked for") {
  ByteReader in(bytes_of("abc"), "fingerprint-malformed", 10);
  in.u8();
  const Problem problem = thrown_by([&] { in.u32(); });
  CHECK(problem.code == "fingerprint-malformed");
  CHECK(problem.offset == 11);
  CHECK(problem.message == "a u32 needs 4 bytes and 2 are left");
  CHECK(in.remaining() == 2);
  CHECK(thrown_by([&] { in.bytes(~std::uint64_t{0}, "everything"); }).offset == 11);
}

TEST_CASE("a count over its limit is malformed before it drives anything") {
  const std::string eight(8, '\x01');
  ByteReader in(bytes_of(eight), "fingerprint-malformed");
  CHECK(thrown_by([&] { in.count(10, "tensors"); }).message ==
        "tensors is 72340172838076673, over the limit of 10");
}

TEST_CASE("sums and products that overflow are malformed") {
  constexpr std::uint64_t most = ~std::uint64_t{0};
  CHECK(checked_add(most - 1, 1, "limit-exceeded") == most);
  CHECK(thrown_by([] { checked_add(most, 1, "limit-exceeded"); }).code == "limit-exceeded");
  CHECK(checked_multiply(1ULL << 32U, (1ULL << 32U) - 1, "limit-exceeded") == 0xFFFFFFFF00000000);
  CHECK(thrown_by([] { checked_multiply(1ULL << 32U, 1ULL << 32U, "limit-exceeded"); }).code ==
        "limit-exceeded");
}

TEST_CASE("SHA-256 gives the known answers of FIPS 180-2") {
  CHECK(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  CHECK(to_hex(hash.finish()) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  hash.update("abc");  // a finished hash starts again from empty
  CHECK(hash.finish() == sha256("abc"));
}

TEST_CASE("git names the empty blob and a known line as git does") {
  CHECK(git_blob_sha1({}) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  CHECK(git_blob_sha1(bytes_of("hello world\n")) == "3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
}

TEST_CASE("hex digests are read back in either case and nothing else is") {
  const Sha256Value value = sha256("abc");
  CHECK(sha256_from_hex(to_hex(value)) == value);
  CHECK(sha256_from_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD") ==
        value);
  CHECK_FALSE(sha256_from_hex(std::string(63, '0')).has_value());
  CHECK_FALSE(sha256_from_hex(std::string(64, 'g')).has_value());
  CHECK(first_u64(value) == 0xeacf018fbf1678ba);
}

TEST_CASE("a fault source fails its n-th read only, and a sparse one is zero behind its head") {
  const MemorySource memory("m", "0123456789");
  const FaultSource faulty(memory, 1, FaultSource::Fault::shortens);
  std::vector<std::byte> out(4);
  CHECK_FALSE(faulty.read_at(0, out).has_value());
  CHECK(faulty.read_at(2, out)->code == "io-short-read");
  CHECK(out[0] == std::byte{'2'});
  CHECK_FALSE(faulty.read_at(0, out).has_value());
  CHECK(faulty.reads() == 3);
  const SparseSource sparse("s", "ab", 1ULL << 40U);
  CHECK_FALSE(sparse.read_at(1, out).has_value());
  CHECK(to_hex(out) == "62000000");
  CHECK(sparse.read_at((1ULL << 40U) - 3, out)->code == "io-short-read");
}

}  // namespace pedigree
