#include "compare/layer_looks.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pedigree {
namespace {

constexpr std::array neuron_list = {LookOf{.look = Look::gate},
                                    LookOf{.look = Look::up, .up_to_sign = true},
                                    LookOf{.look = Look::down, .up_to_sign = true}};
constexpr std::array attention_list = {LookOf{.look = Look::queries}, LookOf{.look = Look::keys},
                                       LookOf{.look = Look::values}, LookOf{.look = Look::output}};
constexpr std::array value_list = {LookOf{.look = Look::value_heads, .up_to_sign = true}};
constexpr std::array response_list = {LookOf{.look = Look::gate_responses},
                                      LookOf{.look = Look::up_responses, .up_to_sign = true}};

std::string_view role_of(Look look) {
  switch (look) {
    case Look::gate:
    case Look::gate_responses:
      return "ffn.gate";
    case Look::up:
    case Look::up_responses:
      return "ffn.up";
    case Look::down:
      return "ffn.down";
    case Look::queries:
      return "attn.q";
    case Look::keys:
      return "attn.k";
    case Look::values:
    case Look::value_heads:
      return "attn.v";
    case Look::output:
      return "attn.o";
  }
  return {};
}

bool is_response(Look look) { return look == Look::gate_responses || look == Look::up_responses; }

bool units_are_columns(Look look) {
  return look == Look::down || look == Look::queries || look == Look::keys || look == Look::values;
}

// A braced list would copy the matrix.
std::vector<Matrix> one_part(Matrix&& part) {
  std::vector<Matrix> parts;
  parts.push_back(std::move(part));
  return parts;
}

std::vector<Matrix> head_parts(const Block& block, const SharedPlaces& rows,
                               const SharedPlaces& cols, std::uint64_t head) {
  std::vector<Matrix> parts;
  if (head == 0) return parts;
  const std::span places(rows.subject);
  for (std::size_t i = 0; i < places.size();) {
    const std::uint64_t number = block.rows[places[i]] / head;
    std::size_t end = i;
    while (end < places.size() && block.rows[places[end]] / head == number) ++end;
    parts.push_back(part_of(block, places.subspan(i, end - i), cols.subject));
    i = end;
  }
  return parts;
}

std::vector<Matrix> block_parts(Look look, const Fingerprint& mine, int layer,
                                const Fingerprint& other, int other_layer) {
  const Block* a = mine.block(role_of(look), layer);
  const Block* b = other.block(role_of(look), other_layer);
  if (a == nullptr || b == nullptr) return {};
  const auto rows = shared_places(a->rows, b->rows);
  const auto cols = shared_places(a->cols, b->cols);
  if (cols.subject.size() < fewest_units) return {};
  if (look == Look::value_heads) {
    if (mine.architecture.head_dim != other.architecture.head_dim) return {};
    return head_parts(*a, rows, cols, mine.architecture.head_dim);
  }
  if (rows.subject.size() < fewest_units) return {};
  return one_part(part_of(*a, rows.subject, cols.subject, units_are_columns(look)));
}

std::vector<Matrix> response_parts(Look look, const Fingerprint& mine, int layer,
                                   const Fingerprint& other, int other_layer) {
  const CommonTokens tokens = common_tokens(mine, other);
  const Responses* a = mine.response(role_of(look), layer);
  const Responses* b = other.response(role_of(look), other_layer);
  if (a == nullptr || b == nullptr || tokens.subject_places.size() < fewest_shared) return {};
  const auto units = shared_places(a->units, b->units);
  if (units.subject.size() < fewest_units) return {};
  Matrix part(units.subject.size(), tokens.subject_places.size());
  for (std::size_t i = 0; i < part.rows; ++i) {
    const std::size_t row = units.subject[i] * mine.tokens.size();
    for (std::size_t j = 0; j < part.cols; ++j) {
      part.at(i, j) = static_cast<double>(a->values[row + tokens.subject_places[j]]);
    }
  }
  return one_part(std::move(part));
}

}  // namespace

std::span<const LookOf> neuron_looks() { return neuron_list; }
std::span<const LookOf> attention_looks() { return attention_list; }
std::span<const LookOf> value_looks() { return value_list; }
std::span<const LookOf> response_looks() { return response_list; }

std::vector<Matrix> looked_at(Look look, const Fingerprint& mine, int layer,
                              const Fingerprint& other, int other_layer) {
  return is_response(look) ? response_parts(look, mine, layer, other, other_layer)
                           : block_parts(look, mine, layer, other, other_layer);
}

int first_layer_with(Look look, const Fingerprint& mine) {
  const auto role = role_of(look);
  const auto has = [&](const auto& item) { return item.layer >= 0 && item.role == role; };
  if (is_response(look)) {
    const auto at = std::ranges::find_if(mine.responses, has);
    return at == mine.responses.end() ? -1 : at->layer;
  }
  const auto at = std::ranges::find_if(
      mine.blocks, [&](const Block& block) { return block.expert < 0 && has(block); });
  return at == mine.blocks.end() ? -1 : at->layer;
}

bool sampled_alike(Look look, const Fingerprint& mine, int layer, int other_layer) {
  if (is_response(look)) {
    const Responses* a = mine.response(role_of(look), layer);
    const Responses* b = mine.response(role_of(look), other_layer);
    return a != nullptr && b != nullptr && a->units == b->units;
  }
  const Block* a = mine.block(role_of(look), layer);
  const Block* b = mine.block(role_of(look), other_layer);
  return a != nullptr && b != nullptr && a->rows == b->rows && a->cols == b->cols;
}

}  // namespace pedigree
