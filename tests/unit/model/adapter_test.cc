#include "model/adapter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/adapter_targets.h"
#include "model/model.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

using Shape = std::vector<std::uint64_t>;

// Every value another, so that no two parts of a tensor are alike.
std::string bytes_of(std::uint64_t count) {
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(4 * count));
  for (std::uint64_t i = 0; i < count; ++i) {
    for (const std::uint64_t byte : {i % 251, i / 251 % 251, std::uint64_t{1}, std::uint64_t{63}}) {
      bytes += static_cast<char>(static_cast<unsigned char>(byte));
    }
  }
  return bytes;
}

class Files {
 public:
  Files& add(std::string_view name, const Shape& shape) {
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) count *= size;
    builder_.tensor(name, "F32", shape, bytes_of(count));
    return *this;
  }
  Files& config(std::string text) {
    config_ = std::move(text);
    return *this;
  }
  std::unique_ptr<Model> open(std::string_view leaf) {
    directory_.write(leaf, builder_.build());
    if (!config_.empty()) directory_.write("adapter_config.json", config_);
    auto model = open_model(directory_.path());
    REQUIRE(model.has_value());
    return std::move(*model);
  }

 private:
  ModelDirectory directory_;
  SafetensorsBuilder builder_;
  std::string config_;
};

const std::string prefix = "base_model.model.model.layers.0.self_attn.";

std::unique_ptr<Model> base_of_width(std::uint64_t width) {
  Files files;
  files.add("model.embed_tokens.weight", {32, width}).add("model.norm.weight", {width});
  for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
    files.add(std::string("model.layers.0.self_attn.") + name + ".weight", {width, width});
  }
  return files.open("model.safetensors");
}

std::unique_ptr<Model> peft_adapter(std::string config, std::string_view between = "") {
  Files files;
  for (const char* name : {"q_proj", "v_proj"}) {
    const std::string module = prefix + name;
    files.add(module + ".lora_A" + std::string(between) + ".weight", {2, 8});
    files.add(module + ".lora_B" + std::string(between) + ".weight", {8, 2});
  }
  return files.config(std::move(config)).open("adapter_model.safetensors");
}

}  // namespace

TEST_CASE("PEFT's layout gives its updates with rank, scale and roles") {
  const auto model = peft_adapter(
      R"({"peft_type":"LORA","base_model_name_or_path":"org/base","r":2,"lora_alpha":6,
          "alpha_pattern":{"v_proj":3},"target_modules":["q_proj","v_proj"]})");
  REQUIRE(model->adapter != nullptr);
  const Adapter& adapter = *model->adapter;
  CHECK(adapter.layout == "peft");
  CHECK(adapter.declared.base == "org/base");
  REQUIRE(adapter.updates.size() == 2);
  CHECK(adapter.updates[0].module == "model.layers.0.self_attn.q_proj");
  CHECK(adapter.updates[0].rank == 2);
  CHECK(adapter.updates[0].scale == 3.0);
  CHECK(adapter.updates[1].scale == 1.5);
  CHECK(adapter.updates[1].role == "attn.v");
  CHECK(adapter.updates[1].layer == 0);
  CHECK(adapter.roles == std::vector<std::string>{"attn.q", "attn.v"});
  CHECK(adapter.others == 0);
  CHECK(adapter.copies.empty());
}

TEST_CASE("rank-stabilised scales divide by the root of the rank") {
  const auto model = peft_adapter(R"({"peft_type":"LORA","r":2,"lora_alpha":2,"use_rslora":true})");
  CHECK(*model->adapter->updates[0].scale == doctest::Approx(1.41421356));
}

TEST_CASE("an alpha that only a regular expression gives is not known") {
  const auto model =
      peft_adapter(R"({"peft_type":"LORA","lora_alpha":2,"alpha_pattern":{".*layers.[01].*":4}})");
  CHECK_FALSE(model->adapter->updates[0].scale.has_value());
}

TEST_CASE("an adapter's own name may stand in its tensors' names") {
  const auto model = peft_adapter(R"({"peft_type":"LORA"})", ".default");
  REQUIRE(model->adapter->updates.size() == 2);
  CHECK(model->adapter->updates[0].module == "model.layers.0.self_attn.q_proj");
  CHECK_FALSE(model->adapter->updates[0].scale.has_value());
}

TEST_CASE("matrices that cannot be multiplied are no update") {
  Files files;
  files.add(prefix + "q_proj.lora_A.weight", {2, 8}).add(prefix + "q_proj.lora_B.weight", {8, 3});
  files.add(prefix + "v_proj.lora_A.weight", {2, 8});
  files.add(prefix + "k_proj.lora_A.weight", {0, 8}).add(prefix + "k_proj.lora_B.weight", {8, 0});
  const auto model = files.config(R"({"peft_type":"LORA"})").open("adapter_model.safetensors");
  CHECK(model->adapter->updates.empty());
  CHECK(model->adapter->others == 5);
}

TEST_CASE("flattened names find their matrices among a base's, convolutions included") {
  Files files;
  files.add("lora_unet_mid_block_conv.lora_down.weight", {2, 4, 3, 3});
  files.add("lora_unet_mid_block_conv.lora_up.weight", {8, 2, 1, 1});
  files.add("lora_unet_mid_block_attn_to_q.lora_down.weight", {2, 8});
  files.add("lora_unet_mid_block_attn_to_q.lora_up.weight", {8, 2});
  const auto model = files.open("style.safetensors");
  REQUIRE(model->adapter != nullptr);
  CHECK(model->adapter->layout == "kohya");
  Files unet;
  unet.add("mid_block.conv.weight", {8, 4, 3, 3}).add("mid_block.attn.to_q.weight", {8, 8});
  const auto base = unet.open("diffusion_pytorch_model.safetensors");
  const AdapterFit fit = fit_adapter(*model->adapter, *model, *base);
  CHECK(fit.updates == 2);
  CHECK(fit.absent + fit.misfits == 0);
}

TEST_CASE("the first matrix that does not fit is named, and one that is not there") {
  const auto model = peft_adapter(R"({"peft_type":"LORA"})");
  const auto fitting = base_of_width(8);
  CHECK(fit_adapter(*model->adapter, *model, *fitting).updates == 2);
  const auto wide = base_of_width(16);
  const AdapterFit misfit = fit_adapter(*model->adapter, *model, *wide);
  CHECK(misfit.misfits == 2);
  CHECK(misfit.first ==
        "\"model.layers.0.self_attn.q_proj\" is 16×16 there, and the adapter updates one of 8×8");
  Files other;
  const auto empty = other.add("a.weight", {8, 8}).open("model.safetensors");
  const AdapterFit absent = fit_adapter(*model->adapter, *model, *empty);
  CHECK(absent.absent == 2);
  CHECK(absent.first == "it has no \"model.layers.0.self_attn.q_proj\"");
}

TEST_CASE("whole modules that equal the base's are counted, and constants are not") {
  Files files;
  files.add(prefix + "q_proj.lora_A.weight", {2, 8}).add(prefix + "q_proj.lora_B.weight", {8, 2});
  files.add("base_model.model.model.embed_tokens.weight", {32, 8});
  const auto model = files.config(R"({"peft_type":"LORA"})").open("adapter_model.safetensors");
  const auto base = base_of_width(8);
  const AdapterFit fit = fit_adapter(*model->adapter, *model, *base);
  CHECK(fit.copies == 1);
  CHECK(fit.equal == 1);
  CHECK(fit.equal_name == "base_model.model.model.embed_tokens.weight");
}

}  // namespace pedigree
