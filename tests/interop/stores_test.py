#!/usr/bin/python3
"""Models in stores: Ollama's manifests and blobs, OCI layouts, Modelfiles, Diffusers pipelines.

usage: stores_test.py PEDIGREE

Ollama and Docker are no Python packages: their layouts are made by hand here, as their source
and documentation describe them. Skips, and says so, where numpy is missing.
"""

import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
except ImportError as missing:
    print(f"SKIPPED: {missing}; python3-numpy makes the GGUF files stored here")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from adapters_test import floats, lora  # noqa: E402
from torch_files_test import MODEL, OTHER, Tool  # noqa: E402

CONFIG = json.loads((MODEL / "config.json").read_text())
HEADS, KV_HEADS, LAYERS = (CONFIG[key] for key in (
    "num_attention_heads", "num_key_value_heads", "num_hidden_layers"))
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm"}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def paired(values, heads):
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def field(key, value):
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<II", 4, value)


def gguf(tensors, fields):
    """Version 3, all of F32."""
    infos, data = b"", b""
    for name, values in tensors.items():
        infos += text(name) + struct.pack("<I", values.ndim)
        infos += b"".join(struct.pack("<Q", size) for size in reversed(values.shape))
        infos += struct.pack("<IQ", 0, len(data))
        data += values.astype("<f4").tobytes()
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    head += b"".join(field(*item) for item in fields.items()) + infos
    return head + b"\0" * (-len(head) % 32) + data


def gguf_name(module):
    if module in WHOLE:
        return WHOLE[module]
    _, _, layer, rest = module.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}"


def in_gguf_order(module, values):
    if module.endswith("q_proj"):
        return paired(values, HEADS)
    return paired(values, KV_HEADS) if module.endswith("k_proj") else values


def model_gguf(folder=MODEL):
    tensors = {}
    for name, values in floats(folder).items():
        module = name.removesuffix(".weight")
        tensors[gguf_name(module) + ".weight"] = in_gguf_order(module, values)
    fields = {"general.architecture": "llama", "llama.block_count": LAYERS,
              "llama.embedding_length": CONFIG["hidden_size"],
              "llama.feed_forward_length": CONFIG["intermediate_size"],
              "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": KV_HEADS,
              "llama.attention.layer_norm_rms_epsilon": 1e-5}
    return gguf(tensors, fields)


def adapter_gguf(pairs):
    """As convert_lora_to_gguf.py writes one: rows of B in the order of the model's."""
    tensors = {}
    for module, (a, b) in pairs.items():
        tensors[gguf_name(module) + ".weight.lora_a"] = a
        tensors[gguf_name(module) + ".weight.lora_b"] = in_gguf_order(module, b)
    return gguf(tensors, {"general.architecture": "llama", "general.type": "adapter",
                          "adapter.type": "lora", "adapter.lora.alpha": 8.0})


class Store:
    """~/.ollama/models."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "blobs").mkdir(parents=True)

    def blob(self, kind, data, **more):
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs" / f"sha256-{digest}").write_bytes(data)
        return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}",
                "size": len(data), **more}

    def manifest(self, name, layers, **config):
        described = self.blob("config", json.dumps(
            {"model_format": "gguf", "model_family": "llama", "file_type": "F32", **config}).encode())
        described["mediaType"] = "application/vnd.docker.container.image.v1+json"
        path = self.folder / "manifests" / "registry.ollama.ai" / "library" / name / "latest"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": described, "layers": layers}))
        return path


def codes(report):
    return sorted({problem["code"] for problem in report.get("problems", [])})


def status(tool, *arguments):
    run = subprocess.run([tool.binary, *map(str, arguments), "--no-progress"], capture_output=True,
                         text=True)
    return run.returncode, run.stdout + run.stderr


def ollama(tool, folder):
    store = Store(folder / "ollama")
    weights = store.blob("model", model_gguf(), **{"from": "llama3:8b"})
    side = [store.blob("template", b"{{ .Prompt }}"), store.blob("license", b"Apache License 2.0"),
            store.blob("params", b'{"stop":["</s>"]}')]
    path = store.manifest("tiny", [weights, *side])
    tool.same("an Ollama manifest", path, MODEL)
    tool.same("an Ollama manifest against another model", path, OTHER, "independent")
    tool.same("a store that holds one model", store.folder, MODEL)
    subject = tool.run("inspect", path)["subject"]
    tool.check("it is called by its name", subject["name"] == "tiny:latest", subject["name"])
    claims = {(claim["kind"], claim["key"]): claim["value"] for claim in subject["claims"]}
    tool.check("where a layer was taken from is a claim",
               claims.get(("base-model", "layers.from")) == "llama3:8b", claims)
    report = tool.run("digest", path)
    states = {check["file"]: check["state"] for check in report["checks"]}
    tool.check("blobs are held against their names",
               states == {"model.gguf": "match", "template": "match", "license": "match",
                          "params": "match", "image-config": "match"}, states)
    tuned = store.manifest("tuned", [weights, store.blob("adapter", adapter_gguf(lora(1)))])
    tool.same("a model with an adapter layer is its model", tuned, MODEL)
    report = tool.run("audit", path, "--against", MODEL, "--digests")
    tool.check("audit --digests checks them too",
               {check["state"] for check in report.get("checks", [])} == {"match"}, report.get("checks"))
    cloud = store.manifest("cloud", [side[1]], remote_host="https://example.com", remote_model="big")
    code, told = status(tool, "inspect", cloud)
    tool.check("a stub of a model elsewhere: exit 3 and a sentence",
               code == 3 and "this model runs at https://example.com" in told, (code, told))
    several = tool.run("inspect", store.folder)
    tool.check("a store of several models asks for one",
               "name a manifest" in several["problems"][0]["message"], several["problems"])
    blob = store.folder / "blobs" / ("sha256-" + weights["digest"][7:])
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    report = tool.run("digest", path)
    tool.check("a blob that is not what its name says is told",
               [finding["rule"] for finding in report["findings"]] == ["digest-mismatch"],
               report["findings"])
    blob.unlink()
    report = tool.run("inspect", path)
    tool.check("a missing blob is told", "image-blob-missing" in codes(report), codes(report))


def image_layout(tool, folder):
    target = folder / "oci"
    (target / "blobs" / "sha256").mkdir(parents=True)

    def blob(data, media, **more):
        digest = hashlib.sha256(data).hexdigest()
        (target / "blobs" / "sha256" / digest).write_bytes(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data), **more}

    layers = [blob((MODEL / name).read_bytes(), "application/vnd.cncf.model.weight.v1.raw",
                   annotations={"org.cncf.model.filepath": name})
              for name in ("model.safetensors", "config.json", "tokenizer.json")]
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(b"{}", "application/vnd.cncf.model.config.v1+json"), "layers": layers}
    index = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    (target / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    tool.same("an OCI layout", target, MODEL)


def modelfile(tool, folder):
    target = folder / "made"
    target.mkdir()
    (target / "weights.gguf").write_bytes(model_gguf())
    (target / "Modelfile").write_text('FROM ./weights.gguf\nSYSTEM """A\ntest."""\nLICENSE mit\n')
    tool.same("a Modelfile beside its weights", target / "Modelfile", MODEL)
    (folder / "outside.gguf").write_bytes(model_gguf())
    for source in ("../outside.gguf", str(folder / "outside.gguf"), "llama3:8b", "./Modelfile"):
        (target / "Modelfile").write_text(f"FROM {source}\n")
        report = tool.run("inspect", target / "Modelfile")
        tool.check(f"FROM {source} is not followed", codes(report) == ["not-a-model"], report["problems"])
    (target / "Modelfile").write_text("FROM llama3:8b\nADAPTER ./tuned.gguf\n")
    claims = {(claim["kind"], claim["key"]): claim["value"]
              for claim in tool.run("inspect", target)["subject"]["claims"]}
    tool.check("FROM is a claim of the folder's model", claims.get(("base-model", "from")) == "llama3:8b",
               claims)


def adapters_in_gguf(tool, folder):
    base, lone = folder / "base.gguf", folder / "adapter.gguf"
    base.write_bytes(model_gguf())
    pairs = lora(1)
    lone.write_bytes(adapter_gguf(pairs))
    about = tool.run("inspect", lone)["subject"]["adapter_details"]
    tool.check("a GGUF adapter is one", about["layout"] == "gguf" and about["alpha"] == 8
               and about["roles"] == ["attn.q", "attn.v"], about)
    tensors = floats()
    for module, (a, b) in pairs.items():
        tensors[module + ".weight"] = tensors[module + ".weight"] + 2 * (b @ a)
    child = folder / "child.gguf"
    fields = {"general.architecture": "llama", "llama.block_count": LAYERS,
              "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": KV_HEADS}
    child.write_bytes(gguf({gguf_name(name.removesuffix(".weight")) + ".weight":
                            in_gguf_order(name.removesuffix(".weight"), values)
                            for name, values in tensors.items()}, fields))
    for title, whole in (("a GGUF base", base), ("the base as safetensors", MODEL)):
        joint = tool.run("compare", child, whole, lone).get("joint") or {}
        tool.check(f"a merged GGUF adapter on {title}: {joint.get('summary')}",
                   joint.get("relation") == "lora-merge" and joint.get("within_rounding") is True, joint)


def pipeline(folder, name, unet, text_encoder):
    target = folder / name
    for part, model in (("unet", unet), ("text_encoder", text_encoder)):
        shutil.copytree(model, target / part)
    (target / "scheduler").mkdir()
    (target / "scheduler" / "scheduler_config.json").write_text("{}")
    (target / "model_index.json").write_text(json.dumps({
        "_class_name": "ExamplePipeline", "_diffusers_version": "0.30.0",
        "scheduler": ["diffusers", "DDIMScheduler"], "safety_checker": [None, None],
        "text_encoder": ["transformers", "CLIPTextModel"], "unet": ["diffusers", "UNet2DConditionModel"]}))
    return target


def components(tool, folder):
    one = pipeline(folder, "one", MODEL, OTHER)
    two = pipeline(folder, "two", OTHER, OTHER)
    report = tool.run("inspect", one)
    tool.check("components are listed", [part["name"] for part in report["components"]] ==
               ["text_encoder", "unet"], report.get("components"))
    report = tool.run("compare", one, two)
    verdicts = {(pair["subject"]["name"], pair["base"]["name"]): pair["verdict"]["relation"]
                for pair in report["comparisons"]}
    tool.check("each has its own verdict", verdicts == {
        ("one/text_encoder", "two/text_encoder"): "identical", ("one/unet", "two/unet"): "independent"},
        verdicts)
    report = tool.run("audit", one, "--against", MODEL)
    verdicts = {pair["subject"]["name"]: pair["verdict"]["relation"] for pair in report["comparisons"]}
    tool.check("a plain base meets every component",
               verdicts == {"one/text_encoder": "independent", "one/unet": "identical"}, verdicts)
    renamed = json.loads((two / "model_index.json").read_text())
    renamed["transformer"] = renamed.pop("unet")
    (two / "model_index.json").write_text(json.dumps(renamed))
    (two / "unet").rename(two / "transformer")
    names = {pair["base"]["name"] for pair in tool.run("compare", one, two)["comparisons"]}
    tool.check("else they are matched by class", names == {"two/text_encoder", "two/transformer"}, names)
    models = folder / "models"
    for name, model in (("a", MODEL), ("b", OTHER)):
        shutil.copytree(model, models / name)
    report = tool.run("inspect", models)
    tool.check("a folder of models is listed", [part["name"] for part in report["components"]] == ["a", "b"],
               report)
    cache = folder / "cache"
    for name, model in (("models--x--a", MODEL), ("models--x--b", OTHER)):
        shutil.copytree(model, cache / name / "snapshots" / "0123")
        (cache / name / "refs").mkdir()
        (cache / name / "refs" / "main").write_text("0123")
    report = tool.run("inspect", cache)
    tool.check("a cache of repositories is listed", [part["name"] for part in report["components"]] ==
               ["x/a", "x/b"], report)


def main():
    tool = Tool(sys.argv[1])
    for part in (ollama, image_layout, modelfile, adapters_in_gguf, components):
        with tempfile.TemporaryDirectory() as folder:
            part(tool, pathlib.Path(folder))
    return 1 if tool.failed else 0


if __name__ == "__main__":
    sys.exit(main())
