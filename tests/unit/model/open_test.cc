#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "model/model.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

std::unique_ptr<Model> opened(const ModelDirectory& directory) {
  auto model = open_model(directory.path());
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(*model);
}

const Problem* find(const Model& model, std::string_view code) {
  const auto at = std::ranges::find(model.problems, code, &Problem::code);
  return at == model.problems.end() ? nullptr : &*at;
}

std::string file_format(const Model& model, std::string_view path) {
  const auto at = std::ranges::find(model.files, path, &ModelFile::path);
  return at == model.files.end() ? "absent" : at->format;
}

// Acts as nobody while it lives, so that permissions mean something to root too.
class AsNobody {
 public:
  AsNobody() : before_(::geteuid()) {
    if (before_ == 0) effective_ = ::seteuid(65534) == 0;
  }
  ~AsNobody() {
    if (before_ == 0 && ::seteuid(before_) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  bool effective() const { return effective_; }

 private:
  uid_t before_;
  bool effective_ = true;
};

}  // namespace

TEST_CASE("an empty directory is a model without weights, not a failure") {
  const ModelDirectory directory;
  const auto model = opened(directory);
  CHECK(find(*model, "no-weights") != nullptr);
  CHECK(model->tensors.empty());
  CHECK_FALSE(model->only_pointers);
}

TEST_CASE("bytes and parameters are counted from the headers") {
  ModelDirectory directory;
  SafetensorsBuilder builder;
  builder.tensor("w", "BF16", {2, 3}, std::string(12, 'x'));
  builder.tensor("ids", "I64", {2}, std::string(16, 'x'));
  directory.write("model.safetensors", builder.build());
  const auto model = opened(directory);
  CHECK(model->weight_bytes == 28);
  CHECK(model->parameters == 6);
  CHECK(model->formats == std::vector<std::string>{"safetensors"});
  CHECK(file_format(*model, "model.safetensors") == "safetensors");
}

TEST_CASE("a clone without its weights says how many bytes are missing and what they are") {
  ModelDirectory directory;
  directory.pointer("model-00001-of-00002.safetensors", 'a', 5'000'000'000)
      .pointer("model-00002-of-00002.safetensors", 'b', 3'000'000'000);
  const auto model = opened(directory);
  CHECK(model->only_pointers);
  CHECK(model->missing_bytes == 8'000'000'000);
  REQUIRE(model->files.size() == 2);
  CHECK(model->files[0].format == "lfs-pointer");
  CHECK(model->files[0].expected_sha256 == std::string(64, 'a'));
  CHECK(model->files[0].expected_from == "git-lfs pointer");
  CHECK(std::ranges::count(model->problems, "weights-not-downloaded", &Problem::code) == 1);
  CHECK(find(*model, "no-weights") == nullptr);
}

TEST_CASE("one shard that is a pointer leaves the others readable") {
  ModelDirectory directory;
  directory.sharded({{"a"}, {"b"}}).pointer("model-00002-of-00002.safetensors", 'c', 1000);
  const auto model = opened(directory);
  CHECK_FALSE(model->only_pointers);
  CHECK(model->missing_bytes == 1000);
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "weights-not-downloaded") != nullptr);
  CHECK(find(*model, "index-missing-shard") == nullptr);
}

TEST_CASE("a single pointer file is a model of which only the identity is known") {
  ModelDirectory directory;
  directory.pointer("model.safetensors", 'd', 77);
  const auto model = open_model(directory.path("model.safetensors"));
  REQUIRE(model.has_value());
  CHECK((*model)->only_pointers);
  CHECK((*model)->files[0].expected_sha256 == std::string(64, 'd'));
}

TEST_CASE("content decides where a name promises another format") {
  ModelDirectory directory;
  directory.weights("pytorch_model.bin", {"a"});
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 1);
  CHECK(file_format(*model, "pytorch_model.bin") == "safetensors");
  REQUIRE(find(*model, "format-mismatch") != nullptr);
  CHECK(find(*model, "format-mismatch")->file == "pytorch_model.bin");
}

TEST_CASE("weights under a name of no weight format are found by content") {
  ModelDirectory directory;
  directory.weights("notes.txt", {"a"});
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "format-mismatch") != nullptr);
}

TEST_CASE("a format that is recognised but not read is named and leaves no tensors") {
  ModelDirectory directory;
  directory.write("model.h5", "\x89HDF\r\n\x1a\n" + std::string(60, '\0'));
  const auto model = opened(directory);
  CHECK(model->tensors.empty());
  CHECK(model->formats == std::vector<std::string>{"hdf5"});
  CHECK(find(*model, "format-unsupported") != nullptr);
  CHECK(find(*model, "no-weights") == nullptr);
  const auto single = open_model(directory.path("model.h5"));
  REQUIRE(single.has_value());
  CHECK(find(**single, "format-unsupported") != nullptr);
}

TEST_CASE("an error page saved as weights is told, with no weights left") {
  ModelDirectory directory;
  directory.write("model.safetensors", "<!DOCTYPE html><html>gated</html>");
  const auto model = opened(directory);
  CHECK(find(*model, "not-a-weight-file") != nullptr);
  CHECK(find(*model, "no-weights") != nullptr);
}

TEST_CASE("a readable set is chosen before one that is not read") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.write("pytorch_model.bin", std::string("\x80\x02}q\0.", 6) + std::string(100, 'x'));
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 1);
  REQUIRE(find(*model, "index-stale-family") != nullptr);
  CHECK(find(*model, "index-stale-family")->file == "pytorch_model.bin");
}

TEST_CASE("components in subfolders: the largest is read and the others are told") {
  ModelDirectory directory;
  directory.weights("vae/diffusion_pytorch_model.safetensors", {"v"});
  directory.weights("unet/diffusion_pytorch_model.safetensors", {"u1", "u2"});
  directory.write("unet/config.json", R"({"_name_or_path":"org/unet"})");
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 2);
  REQUIRE(find(*model, "several-weight-folders") != nullptr);
  CHECK(find(*model, "several-weight-folders")->message.find("only unet/") != std::string::npos);
  REQUIRE_FALSE(model->claims.empty());
  CHECK(model->claims[0].file == "unet/config.json");
}

TEST_CASE("trainer left-overs are told and never taken for weights") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).weights("optimizer.bin", {"b"});
  directory.write("rng_state.pth", "x").write("trainer_state.json", "{}");
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 1);
  REQUIRE(find(*model, "training-state-present") != nullptr);
  CHECK(find(*model, "index-stale-family") == nullptr);
}

TEST_CASE("an adapter is one by its files, and its parent is a claim") {
  ModelDirectory directory;
  directory.weights("adapter_model.safetensors",
                    {"base_model.model.q.lora_A.weight", "base_model.model.q.lora_B.weight",
                     "base_model.model.lm_head.weight"});
  directory.write("adapter_config.json",
                  "{\n\"peft_type\": \"LORA\",\n\"base_model_name_or_path\": \"org/base\"\n}");
  const auto model = opened(directory);
  CHECK(model->is_adapter);
  CHECK(find(*model, "adapter-keys-in-model") == nullptr);
  CHECK(find(*model, "config-missing") == nullptr);
  const auto claim = std::ranges::find(model->claims, Claim::Kind::base_model, &Claim::kind);
  REQUIRE(claim != model->claims.end());
  CHECK(claim->value == "org/base");
  CHECK(claim->line == 3);
}

TEST_CASE("an adapter beside the model's own weights is not the model") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.weights("adapter_model.safetensors", {"x.lora_A.weight"});
  const auto model = opened(directory);
  CHECK_FALSE(model->is_adapter);
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "index-stale-family") == nullptr);
}

TEST_CASE("adapters in folders of their own say what they are, and nothing of the model") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"x"})
      .write("config.json", "{}")
      .weights("extra/adapter_model.safetensors", {"x.lora_A.weight"})
      .write("extra/adapter_config.json",
             "{\n\"base_model_name_or_path\": \"org/base\",\n\"r\": 8}")
      .write("broken/adapter_config.json", "[");
  const auto model = opened(directory);
  CHECK_FALSE(model->is_adapter);
  REQUIRE(model->claims.size() == 2);
  CHECK(model->claims[0] == Claim{.kind = Claim::Kind::other,
                                  .key = "base_model_name_or_path",
                                  .value = "org/base",
                                  .file = "extra/adapter_config.json",
                                  .line = 2});
  CHECK(model->claims[1].key == "r");
  CHECK(model->claims[1].value == "8");
  REQUIRE(find(*model, "json-malformed") != nullptr);
  CHECK(find(*model, "json-malformed")->file == "broken/adapter_config.json");
}

TEST_CASE("an adapter alone in a folder is the model, and its base is its claim") {
  ModelDirectory directory;
  directory.weights("extra/adapter_model.safetensors", {"x.lora_A.weight"})
      .write("extra/adapter_config.json", R"({"base_model_name_or_path": "org/base"})");
  const auto model = opened(directory);
  CHECK(model->is_adapter);
  REQUIRE(model->claims.size() == 1);
  CHECK(model->claims[0].kind == Claim::Kind::base_model);
}

TEST_CASE("adapter matrices left in a model are told") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"q.weight", "q.lora_A.weight", "q.lora_B.weight"});
  const auto model = opened(directory);
  CHECK_FALSE(model->is_adapter);
  REQUIRE(find(*model, "adapter-keys-in-model") != nullptr);
  CHECK(find(*model, "adapter-keys-in-model")->message ==
        "2 of 3 tensors belong to an adapter, \"q.lora_A.weight\" first");
}

TEST_CASE("a declared quantisation that no tensor shows is told") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.write("config.json", R"({"quantization_config":{"quant_method":"gptq"}})");
  CHECK(find(*opened(directory), "config-quantization-mismatch") != nullptr);
  directory.write("model.safetensors",
                  SafetensorsBuilder().tensor("q", "I32", {1}, "abcd").build());
  CHECK(find(*opened(directory), "config-quantization-mismatch") == nullptr);
}

TEST_CASE("code that loading would run is told with its place and not run") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.write("config.json", "{\n\"auto_map\": {\n\"AutoModel\": \"modeling_x.X\"}}");
  const auto model = opened(directory);
  const Problem* told = find(*model, "remote-code");
  REQUIRE(told != nullptr);
  CHECK(told->file == "config.json");
  CHECK(told->line == 3);
  CHECK(told->message.find("modeling_x.X") != std::string::npos);
}

TEST_CASE("a safetensors header's metadata are claims without a line, each once") {
  ModelDirectory directory;
  for (const char number : {'1', '2'}) {
    SafetensorsBuilder builder;
    constexpr float one = 1.0F;
    builder.f32(std::string("t") + number, {1}, std::span(&one, 1));
    builder.metadata("format", "pt").metadata("ss_sd_model_name", "base.safetensors");
    directory.write(std::string("model-0000") + number + "-of-00002.safetensors", builder.build());
  }
  const auto model = opened(directory);
  REQUIRE(model->claims.size() == 2);
  CHECK(model->claims[0].key == "format");
  CHECK(model->claims[0].line == 0);
  CHECK(model->claims[0].file == "model-00001-of-00002.safetensors");
  CHECK(model->claims[1].kind == Claim::Kind::base_model);
}

TEST_CASE("hub download records and checksum lists are expected digests") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).write("config.json", "{}");
  directory.write(".cache/huggingface/download/model.safetensors.metadata",
                  "commit\n" + std::string(64, 'e') + "\n1700000000.0\n");
  directory.write("SHA256SUMS", std::string(64, 'f') + "  config.json\n");
  const auto model = opened(directory);
  const auto weights = std::ranges::find(model->files, "model.safetensors", &ModelFile::path);
  REQUIRE(weights != model->files.end());
  CHECK(weights->expected_sha256 == std::string(64, 'e'));
  const auto config = std::ranges::find(model->files, "config.json", &ModelFile::path);
  CHECK(config->expected_sha256 == std::string(64, 'f'));
  CHECK(config->expected_from == "SHA256SUMS");
}

TEST_CASE("the tokenizer falls back to other files and says why") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.write("tokenizer.json", R"({"model":{"vocab":{"a":0,"b":0}}})");
  directory.write("vocab.txt", "x\ny\n");
  const auto model = opened(directory);
  CHECK(find(*model, "tokenizer-malformed") != nullptr);
  REQUIRE(model->tokenizer.has_value());
  CHECK(model->tokenizer->file == "vocab.txt");
}

TEST_CASE("a side file that cannot be read is left out and told") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).pointer("tokenizer.json", 'a', 9'000'000);
  directory.write("config.json", "{\"x\": \"" + std::string(17'000'000, 'x') + "\"}");
  const auto model = opened(directory);
  CHECK(std::ranges::count(model->problems, "auxiliary-file-unreadable", &Problem::code) == 2);
  CHECK(model->tensors.size() == 1);
}

TEST_CASE("files one may not read are problems, and what may be read is read") {
  ModelDirectory directory;
  directory.sharded({{"a"}, {"b"}}).write("config.json", "{}");
  namespace fs = std::filesystem;
  fs::permissions(fs::path(directory.path()).parent_path(), fs::perms(0755));
  fs::permissions(directory.path("model-00002-of-00002.safetensors"), fs::perms::none);
  fs::permissions(directory.path("config.json"), fs::perms::none);
  const AsNobody nobody;
  if (!nobody.effective()) {
    MESSAGE("SKIPPED: root could not give up its rights");
    return;
  }
  const auto model = opened(directory);
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "io-error") != nullptr);
  CHECK(find(*model, "auxiliary-file-unreadable") != nullptr);
}

TEST_CASE("a sparse file of seventy gigabytes costs no more than its header") {
  ModelDirectory directory;
  const std::uint64_t elements = 35'000'000'000;
  const std::string header = R"({"w":{"dtype":"BF16","shape":[35000,1000000],"data_offsets":[0,)" +
                             std::to_string(2 * elements) + "]}}";
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes += static_cast<char>(std::uint64_t{header.size()} >> shift & 0xFFU);
  }
  directory.write("model.safetensors", bytes + header);
  std::filesystem::resize_file(directory.path("model.safetensors"),
                               8 + header.size() + 2 * elements);
  const auto model = opened(directory);
  CHECK(model->parameters == elements);
  CHECK(model->weight_bytes == 2 * elements);
  CHECK(model->bytes_read() < 10'000);
}

TEST_CASE("more tokens than embedding rows are told, fewer are not") {
  const std::filesystem::path fixture = std::filesystem::path(PEDIGREE_FIXTURES) / "models/A";
  const auto weights = read_small_file((fixture / "model.safetensors").string(), "model");
  REQUIRE(weights.has_value());
  ModelDirectory directory;
  directory.write("model.safetensors", *weights).write("vocab.txt", "a\nb\n");
  const auto few = opened(directory);
  CHECK(few->architecture.vocab > 2);
  CHECK(find(*few, "tokenizer-vocab-mismatch") == nullptr);
  std::string tokens;
  for (std::uint64_t id = 0; id <= few->architecture.vocab; ++id)
    tokens += std::to_string(id) + "\n";
  directory.write("vocab.txt", tokens);
  CHECK(find(*opened(directory), "tokenizer-vocab-mismatch") != nullptr);
}

TEST_CASE("a canonical tensor is found by role, layer and expert") {
  Model model;
  for (const int layer : {-1, 0, 1}) {
    for (const std::string_view role : {"attn.q", "ffn.up"}) {
      CanonicalTensor tensor;
      tensor.role = role;
      tensor.layer = layer;
      model.canonical.push_back(std::move(tensor));
    }
  }
  REQUIRE(model.find("ffn.up", 1) != nullptr);
  CHECK(model.find("ffn.up", 1) == &model.canonical[5]);
  CHECK(model.find("attn.q") == &model.canonical[0]);
  CHECK(model.find("ffn.up", 2) == nullptr);
  CHECK(model.find("ffn.up", 1, 0) == nullptr);
}

}  // namespace pedigree
