// Numbers 0 to 42 are ggml's own; some of them were withdrawn, and stand in old
// files. The others belong to a fork (ik_llama.cpp) and are named, not decoded.
#include "formats/gguf_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pedigree {
namespace {

// The name is ElementType::id where there is one.
using Row = std::pair<std::uint32_t, std::string_view>;

constexpr std::array table = std::to_array<Row>({
    {0, "F32"},      {1, "F16"},         {2, "Q4_0"},        {3, "Q4_1"},        {4, "Q4_2"},
    {5, "Q4_3"},     {6, "Q5_0"},        {7, "Q5_1"},        {8, "Q8_0"},        {9, "Q8_1"},
    {10, "Q2_K"},    {11, "Q3_K"},       {12, "Q4_K"},       {13, "Q5_K"},       {14, "Q6_K"},
    {15, "Q8_K"},    {16, "IQ2_XXS"},    {17, "IQ2_XS"},     {18, "IQ3_XXS"},    {19, "IQ1_S"},
    {20, "IQ4_NL"},  {21, "IQ3_S"},      {22, "IQ2_S"},      {23, "IQ4_XS"},     {24, "I8"},
    {25, "I16"},     {26, "I32"},        {27, "I64"},        {28, "F64"},        {29, "IQ1_M"},
    {30, "BF16"},    {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},   {33, "Q4_0_8_8"},   {34, "TQ1_0"},
    {35, "TQ2_0"},   {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {39, "MXFP4"},
    {40, "NVFP4"},   {41, "Q1_0"},       {42, "Q2_0"},       {97, "Q8_0_X4"},    {98, "Q8_1_X4"},
    {99, "Q8_2_X4"}, {133, "Q6_0"},      {134, "IQ1_BN"},    {135, "IQ2_BN"},    {136, "Q8_K64"},
    {137, "IQ2_K"},  {138, "IQ3_K"},     {139, "IQ4_K"},     {140, "IQ5_K"},     {141, "IQ6_K"},
    {144, "IQ4_KS"}, {145, "IQ2_KS"},    {146, "IQ4_KSS"},   {152, "IQ5_KS"},    {153, "IQ2_KT"},
    {154, "IQ3_KT"}, {155, "IQ4_KT"},    {156, "IQ3_KS"},    {157, "IQ2_KL"},    {158, "IQ1_KT"},
});

}  // namespace

GgufType gguf_type(std::uint32_t id, std::endian order) {
  const auto* const row = std::ranges::find(table, id, &Row::first);
  if (row == table.end()) {
    return {.type = &opaque_type(), .name = fmt::format("ggml type {}", id)};
  }
  const ElementType* type = find_element_type(row->second);
  if (type != nullptr && order == std::endian::big) type = big_endian_type(*type);
  return {.type = type == nullptr ? &opaque_type() : type, .name = std::string(row->second)};
}

}  // namespace pedigree
