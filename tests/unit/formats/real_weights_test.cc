// Files that people published, where the shared folder is at hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "formats/formats.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

bool has_material() {
  if (fs::is_directory(fs::path(PEDIGREE_SHARED) / "real/weights")) return true;
  MESSAGE("SKIPPED: the shared folder has no real/weights");
  return false;
}

class Opened {
 public:
  explicit Opened(const std::string& name) {
    auto source = open_file((fs::path(PEDIGREE_SHARED) / "real/weights" / name).string(), name);
    REQUIRE_MESSAGE(source.has_value(), name);
    source_ = std::move(*source);
    auto file = read_weights(*source_);
    REQUIRE_MESSAGE(file.has_value(), file.error().message);
    file_ = std::move(*file);
    arranged_ = arranged_source(*source_, file_.arranged);
  }

  const WeightFile& file() const { return file_; }
  std::size_t tensors() const { return file_.tensors.size() + file_.arranged.size(); }

  std::vector<float> values(std::string_view name) const {
    const auto plain = std::ranges::find(file_.tensors, name, &TensorEntry::name);
    if (plain != file_.tensors.end()) return read(*source_, *plain);
    const auto turned = std::ranges::find_if(
        file_.arranged, [&](const ArrangedTensor& tensor) { return tensor.entry.name == name; });
    REQUIRE_MESSAGE(turned != file_.arranged.end(), std::string(name));
    return read(*arranged_, turned->entry);
  }

  std::size_t count(std::string_view code) const {
    return static_cast<std::size_t>(std::ranges::count(file_.problems, code, &Problem::code));
  }

 private:
  static std::vector<float> read(const Source& source, const TensorEntry& entry) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(entry.extent.size()));
    REQUIRE_FALSE(source.read_at(entry.extent.begin, bytes).has_value());
    std::vector<float> values(static_cast<std::size_t>(entry.element_count()));
    entry.type->decode(bytes, values);
    return values;
  }

  std::unique_ptr<Source> source_;
  std::unique_ptr<Source> arranged_;
  WeightFile file_;
};

// [height, width, in, out] to [out, in, width, height], as the port to PyTorch did.
std::vector<float> turned(const std::vector<float>& kernel, std::size_t side, std::size_t in,
                          std::size_t out) {
  std::vector<float> result;
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < in; ++i) {
      for (std::size_t w = 0; w < side; ++w) {
        for (std::size_t h = 0; h < side; ++h) {
          result.push_back(kernel[((h * side + w) * in + i) * out + o]);
        }
      }
    }
  }
  return result;
}

}  // namespace

TEST_CASE("one net as a PyTorch file and as an array of objects has the same values") {
  if (!has_material()) return;
  const Opened torch("mtcnn/facenet-pytorch__pnet.pt");
  const Opened numpy("mtcnn/davidsandberg-facenet__det1.npy");
  CHECK(torch.tensors() == 13);
  CHECK(numpy.tensors() == 13);
  CHECK(torch.file().problems.empty());
  CHECK(numpy.file().problems.empty());
  CHECK(torch.values("conv1.bias") == numpy.values("conv1.biases"));
  CHECK(torch.values("prelu3.weight") == numpy.values("PReLU3.alpha"));
  CHECK(torch.values("conv1.weight") == turned(numpy.values("conv1.weights"), 3, 3, 10));
  CHECK(torch.values("conv3.weight") == turned(numpy.values("conv3.weights"), 3, 16, 32));
}

TEST_CASE("published checkpoints, scripts and agents are read without a complaint") {
  if (!has_material()) return;
  const Opened mnist("outlier-exposure-mnist/baseline_epoch_9.pt");
  CHECK(mnist.tensors() == 8);
  CHECK(mnist.values("fc1.weight").size() == 16000);
  CHECK(mnist.file().problems.empty());
  for (const char* name : {"micro_2021-02-11.jit", "micro8k_2021-03-22.jit"}) {
    const Opened script(std::string("silero-vad-micro/") + name);
    CHECK(script.file().format == "torch-zip");
    CHECK(script.tensors() >= 56);
    CHECK(script.count("pickle-global") == 0);
    CHECK_FALSE(script.values("encoder.0.0.dw_conv.0.weight").empty());
  }
  for (const char* name : {"a2c", "ppo", "trpo"}) {
    const Opened agent(std::string("sb3-cartpole/") + name + "-CartPole-v1.zip");
    CHECK(agent.file().format == "zip");
    CHECK(agent.tensors() == 12);
    CHECK(agent.values("mlp_extractor.policy_net.2.weight").size() == 4096);
    CHECK(agent.count("training-state-present") == 1);
  }
}

}  // namespace pedigree
