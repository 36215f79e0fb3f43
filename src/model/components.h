// One MODEL argument, several models: a pipeline of components, a folder of models, a cache
// of repositories (decision 18).
//
// Each component is a model of its own, with a parent of its own: pipelines share text
// encoders and autoencoders with many others. What is opened is a component's folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/problem.h"

namespace pedigree {

struct Component {
  std::string name = {};     // "unet"; "org/name" of a repository
  std::string path = {};     // to open it
  std::string library = {};  // "diffusers", as the pipeline's index says
  std::string type = {};     // its class there: "UNet2DConditionModel"
};

struct Components {
  enum class Kind { pipeline, towers, folders, repositories };
  Kind kind = Kind::pipeline;
  std::string name = {};
  std::vector<Component> components = {};  // with weights, by name
  std::vector<std::string> others = {};    // named by a pipeline's index, without weights here
  std::vector<Problem> problems = {};      // of the index; links out of the folder (symlink-escape)
};

// None where the path is no pipeline. Reads its index and lists its components' folders.
std::optional<Components> find_pipeline(const std::string& path);

// A checkpoint that holds several models under prefixes (towers.h): their paths are
// "path::vision_tower", their types the kind of structure, "decoder". Reads headers, of
// directories only where the config speaks of more than one model.
std::optional<Components> find_towers(const std::string& path);

// A pipeline, a checkpoint of several models, or else what is listed of a folder. None where the
// path is one model, or nothing that can be listed: opening it will say.
std::optional<Components> find_components(const std::string& path);

}  // namespace pedigree
