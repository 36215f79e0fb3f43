// SHA-256 and friends, through OpenSSL, which uses the CPU's own instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pedigree {

using Sha256Value = std::array<std::byte, 32>;

// Incremental SHA-256. Not safe for concurrent use of one object.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  // The digest of all bytes so far; the object starts again from empty.
  Sha256Value finish();

  // The same, and the object goes on.
  Sha256Value so_far() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Value sha256(std::span<const std::byte> bytes);
Sha256Value sha256(std::string_view text);

// Incremental MD5, which old lists of expected digests give: it shows damage, and nothing
// about intent. Not safe for concurrent use of one object.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;

  void update(std::span<const std::byte> bytes);

  // In hex, once; none where the machine's policy forbids MD5.
  std::optional<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Git's name for a blob: SHA-1 of "blob <size>\0" and the bytes, in hex.
std::string git_blob_sha1(std::span<const std::byte> bytes);

std::string to_hex(std::span<const std::byte> bytes);
std::optional<Sha256Value> sha256_from_hex(std::string_view hex);

// The first eight bytes, little-endian: a stable 64-bit hash.
std::uint64_t first_u64(const Sha256Value& value);

}  // namespace pedigree
