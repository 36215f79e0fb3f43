// Which directory a MODEL argument means, and which files lie in it.
//
// A model is given as a directory, as a hub-cache repository (models--org--name
// with refs, snapshots and blobs), as one snapshot of it, as an index of shards, as a
// manifest of a store (layout_image.h), as a Modelfile or as one weight file. No weights
// are opened here.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/problem.h"
#include "model/claims.h"

namespace pedigree {

struct ModelLayout {
  std::string name = {};         // "Llama-2-7b-hf", "org/name" of a hub-cache repository
  bool single_file = false;      // one weight file was given: its neighbours are not looked at
  std::string given_index = {};  // relative path of the index that was given, or ""
  bool is_store = false;         // an image in a store, which has no card and no config
  std::vector<ListedFile> files = {};                // sorted by path
  std::vector<Claim> claims = {};                    // of a store's manifest, of a Modelfile
  std::map<std::string, std::string> expected = {};  // by path: SHA-256 that a manifest gives
  // Of a file given by itself: the folder its name is in, and how far links may lead.
  std::string folder = {};
  std::string confinement = {};
  std::vector<Problem> problems = {};

  const ListedFile* find(std::string_view path) const;
};

Result<ModelLayout> find_layout(const std::string& path, const std::string& revision);

// What a file beside the weights is for, from its relative path: "config",
// "card", "tokenizer", "index", "training-state", … and "other".
std::string_view side_file_kind(std::string_view path);

// May a file of this name hold weights? Its content decides in the end.
bool has_weight_name(std::string_view path);

// Folders that are models themselves ("unet/"), when the folder above them is none: it has
// neither weights nor a config or pipeline index of its own.
std::vector<std::string> models_below(const std::vector<ListedFile>& files);

std::string_view folder_of(std::string_view path);  // "unet/" of "unet/model.bin"; "" at the root
std::string_view leaf_of(std::string_view path);    // "model.bin"

}  // namespace pedigree
