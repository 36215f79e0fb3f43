// What reads and writes the residual stream in a layer, with the gain in front
// multiplied in, and rows of embeddings for tokens two models have in common:
// what can be compared after the residual basis was changed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "compare/alignment.h"
#include "compare/assignment.h"
#include "model/model.h"

namespace pedigree {

using Indices = std::vector<std::uint64_t>;

struct Readers {  // of one layer, rows × hidden
  Matrix gate = {};
  Matrix up = {};
  Matrix down = {};       // columns of down as rows
  Matrix attention = {};  // q, k and v stacked
};

// One side's ends of neurons that stand against each other.
struct LinkedNeurons {
  const std::vector<NeuronLink>& links;
  bool of_subject = true;
};

// gate, up and down of the given neurons, and `attention_rows` rows spread over
// each of q, k and v. What a model lacks is empty.
Result<Readers> readers_of(const Model& model, int layer, const LinkedNeurons& neurons,
                           std::uint64_t attention_rows);

// Gate rows of the given neurons, up rows of plain blocks, with the gain multiplied in.
Result<Matrix> first_rows_of(const Model& model, int layer, const LinkedNeurons& neurons);

struct CommonRows {  // of the embeddings
  Indices subject = {};
  Indices base = {};
};

// Rows of tokens whose strings both tokenizers have, in the subject's order, at most
// `count`; equal row numbers where one has no tokenizer.
CommonRows common_rows(const Model& subject, const Model& base, std::size_t count);

// Embedding rows ("embed.tokens"), or the head's with the last gain multiplied in
// ("head.out"), less their mean. Empty where the model has none.
Result<Matrix> centred_token_rows(const Model& model, std::string_view role, const Indices& rows);

// At most `count` of 0 … size-1, evenly spread.
Indices spread_indices(std::uint64_t size, std::uint64_t count);

void append_rows(Matrix& to, const Matrix& rows);

}  // namespace pedigree
