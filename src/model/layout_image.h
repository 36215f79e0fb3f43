// Models kept as images: a manifest that names its layers by digest, and a folder of blobs
// (Ollama's store, OCI image layouts of model artefacts).
//
// Nothing in a manifest is a path: layers are found by their digests among the blobs of the
// store the manifest lies in, under names that say what they are for. The digests are kept
// as what the files should be; nobody has checked them yet.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/layout.h"

namespace pedigree {

// A layer or the config of an image, as its manifest lists it.
struct ImageLayer {
  std::string media_type = {};
  std::string sha256 = {};  // hex
  std::string name = {};    // confined, or ""
  std::string from = {};    // the local model a layer was taken from: a claim
  unsigned line = 0;
};
struct ImageManifest {
  std::optional<ImageLayer> config = {};
  std::vector<ImageLayer> layers = {};
};

// Does a text begin as a manifest does? Cheap, and may say yes too often.
bool may_be_image_manifest(std::string_view text);

// manifest-malformed where it is none.
Result<ImageManifest> parse_image_manifest(std::string_view text, std::string_view file);

// The model whose manifest this is. A layer whose blob is not there is a problem in the
// result; a model that runs on somebody else's machine has no weights, and claims say where.
Result<ModelLayout> layout_of_image(const std::filesystem::path& manifest);

// The manifest a directory means: of an Ollama store with one model, of an OCI layout with
// one image. None where the directory is neither, a problem that names them where there are
// several.
Result<std::optional<std::filesystem::path>> image_in(const std::filesystem::path& folder);

}  // namespace pedigree
