// Reads the headers of the weight files that make up the model.
#pragma once

#include <string>
#include <vector>

#include "model/layout.h"
#include "model/metadata_architecture.h"
#include "model/model.h"

namespace pedigree {

struct WeightsOutcome {
  std::string folder = {};               // where the weights lie: "unet/", "" at the root
  bool any_file = false;                 // some file holds weights or stands for them
  bool adapter_file = false;             // its name is that of an adapter
  std::vector<HeaderField> header = {};  // of the first file with a typed header
  std::string header_file = {};          // its relative path
  ListedTensors listed = {};             // by the first index, whether they are there or not
};

// Fills shards, tensors, files, formats, sizes, the headers' claims, and the
// problems of all these.
WeightsOutcome add_weights(const ModelLayout& layout, const Limits& limits, Model& model);

}  // namespace pedigree
