// Names and bounds that the container's writer and reader share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fingerprint/ffn_place.h"

namespace pedigree::container {

constexpr std::string_view schema = "pedigree-fingerprint/1";
constexpr std::string_view metadata_key = "pedigree-fingerprint";

constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t most_claims = 256;
constexpr std::uint64_t most_listed_tensors = 16'384;  // of digests
constexpr std::size_t longest_text = 512;
constexpr std::size_t longest_template = 4096;
constexpr std::uint64_t most_frequencies = 65'536;
constexpr std::uint64_t most_experts = std::uint64_t{1} << 20U;  // of a layer
constexpr std::string_view expert_kind = "expert";               // of a block with answers
constexpr std::string_view shared_kind = "shared";
constexpr int widest_exponent = 200;  // beyond what any float needs

// "3.ffn.gate", "model.embed.tokens", "3.moe.gate.7".
std::string subject_name(std::string_view role, int layer, int expert);
inline std::string block_name(std::string_view subject) { return "block." + std::string(subject); }
inline std::string response_name(std::string_view subject) {
  return "response." + std::string(subject);
}
// "answer.3.first"; of an expert "answer.3.moe.7.first", of a shared one
// "answer.3.moe.shared.first".
std::string answer_name(const FfnPlace& place, std::string_view view);
inline std::string strength_name(int layer, std::string_view view) {
  return "strength." + std::to_string(layer) + '.' + std::string(view);
}
inline std::string product_name(int one, int other, std::string_view views) {
  return "product." + std::to_string(one) + '.' + std::to_string(other) + '.' + std::string(views);
}
inline std::string gain_name(std::string_view subject) { return "gain." + std::string(subject); }

}  // namespace pedigree::container
