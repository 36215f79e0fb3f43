#include "base/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <utility>

#include "base/problem.h"

namespace pedigree {
namespace {

const EVP_MD* fetched_sha256() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  check(algorithm != nullptr, "OpenSSL offers no SHA-256");
  return algorithm;
}

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

Sha256Value finished(EVP_MD_CTX* context) {
  std::array<unsigned char, 32> raw = {};
  unsigned size = 0;
  check(EVP_DigestFinal_ex(context, raw.data(), &size) == 1 && size == raw.size(),
        "SHA-256 could not be finished");
  Sha256Value value = {};
  for (std::size_t i = 0; i < raw.size(); ++i) value[i] = std::byte{raw[i]};
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

struct Sha256::State {
  Context context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  state_->context.reset(EVP_MD_CTX_new());
  check(EVP_DigestInit_ex2(state_->context.get(), fetched_sha256(), nullptr) == 1,
        "SHA-256 could not be started");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1,
        "SHA-256 could not be updated");
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

Sha256Value Sha256::finish() {
  const Sha256Value value = finished(state_->context.get());
  check(EVP_DigestInit_ex2(state_->context.get(), fetched_sha256(), nullptr) == 1,
        "SHA-256 could not be restarted");
  return value;
}

Sha256Value Sha256::so_far() const {
  const Context copy(EVP_MD_CTX_new());
  check(EVP_MD_CTX_copy_ex(copy.get(), state_->context.get()) == 1, "SHA-256 could not be copied");
  return finished(copy.get());
}

Sha256Value sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Sha256Value sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

struct Md5::State {
  Context context;
  bool usable = false;
};

Md5::Md5() : state_(std::make_unique<State>()) {
  state_->context.reset(EVP_MD_CTX_new());
  state_->usable = EVP_DigestInit_ex(state_->context.get(), EVP_md5(), nullptr) == 1;
}
Md5::~Md5() = default;
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;

void Md5::update(std::span<const std::byte> bytes) {
  if (!state_->usable) return;
  check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1,
        "MD5 could not be updated");
}

std::optional<std::string> Md5::finish() {
  if (!std::exchange(state_->usable, false)) return std::nullopt;
  std::array<unsigned char, 16> raw = {};
  unsigned size = 0;
  check(EVP_DigestFinal_ex(state_->context.get(), raw.data(), &size) == 1, "MD5 failed");
  return to_hex(std::as_bytes(std::span(raw)));
}

std::string git_blob_sha1(std::span<const std::byte> bytes) {
  const std::string head = fmt::format("blob {}", bytes.size());
  const Context context(EVP_MD_CTX_new());
  std::array<unsigned char, 20> raw = {};
  unsigned size = 0;
  const bool done = EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), raw.data(), &size) == 1;
  check(done, "SHA-1 failed");
  return to_hex(std::as_bytes(std::span(raw)));
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4U];
    text += digits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

std::optional<Sha256Value> sha256_from_hex(std::string_view hex) {
  Sha256Value value = {};
  if (hex.size() != value.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    value[i] = static_cast<std::byte>(high * 16 + low);
  }
  return value;
}

std::uint64_t first_u64(const Sha256Value& value) {
  std::uint64_t number = 0;
  for (std::size_t i = 8; i-- > 0;)
    number = number << 8U | std::to_integer<std::uint64_t>(value[i]);
  return number;
}

}  // namespace pedigree
