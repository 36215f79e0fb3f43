#!/usr/bin/python3
"""Adapters: what they are, which bases they fit, and whether a child is base + adapter.

usage: adapters_test.py PEDIGREE

Files are written in PEFT's documented layout (adapter_config.json beside
adapter_model.safetensors), in kohya's and in llama.cpp's names; peft itself is too large to be
installed here, so merging is done by numpy as PEFT documents it: W + (alpha/r)·B·A, summed in
F32 and rounded once. Skips, and says so, where numpy is missing.
"""

import json
import pathlib
import shutil
import sys
import tempfile

try:
    import numpy
except ImportError as missing:
    print(f"SKIPPED: {missing}; python3-numpy makes the adapters merged here")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stored_model import Container  # noqa: E402
from torch_files_test import MODEL, OTHER, SIDE_FILES, Tool  # noqa: E402

RANK, ALPHA, LAYERS = 4, 8.0, 3
STRANGER = MODEL.parent / "C"  # of the same shapes
CONFIG = json.loads((MODEL / "config.json").read_text())


def floats(folder=MODEL):
    file = Container(folder / "model.safetensors")
    tensors = {}
    for name, entry in file.entries.items():
        words = numpy.frombuffer(bytearray(file.raw(name)), dtype="<u2").astype("<u4") << 16
        tensors[name] = words.view("<f4").reshape(entry["shape"]).copy()
    return tensors


def bf16(values):
    """Rounded to nearest, ties to even."""
    words = numpy.ascontiguousarray(values, dtype="<f4").view("<u4")
    return ((words + 0x7FFF + ((words >> 16) & 1)) >> 16).astype("<u2")


def save(path, tensors, dtype="BF16"):
    header, data, at = {}, b"", 0
    for name, values in tensors.items():
        raw = bf16(values).tobytes() if dtype == "BF16" else values.astype("<f4").tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def lora(seed, modules=("self_attn.q_proj", "self_attn.v_proj"), base=None):
    """module -> (A, B), as large as a trained adapter's product."""
    generator = numpy.random.default_rng(seed)
    tensors = base or floats()
    pairs = {}
    for layer in range(LAYERS):
        for module in modules:
            name = f"model.layers.{layer}.{module}"
            out, into = tensors[name + ".weight"].shape
            pairs[name] = (generator.normal(0, 0.05, (RANK, into)).astype("f4"),
                           generator.normal(0, 0.05, (out, RANK)).astype("f4"))
    return pairs


def adapter(folder, name, pairs, layout="peft", extra=None, **config):
    target = pathlib.Path(folder) / name
    target.mkdir()
    tensors = {}
    for module, (a, b) in pairs.items():
        if layout == "peft":
            tensors[f"base_model.model.{module}.lora_A.weight"] = a
            tensors[f"base_model.model.{module}.lora_B.weight"] = b
        else:
            flat = "lora_te_" + module.replace(".", "_")
            tensors[flat + ".lora_down.weight"] = a
            tensors[flat + ".lora_up.weight"] = b
            tensors[flat + ".alpha"] = numpy.array(ALPHA, dtype="f4")
    tensors.update(extra or {})
    if layout == "peft":
        save(target / "adapter_model.safetensors", tensors, "F32")
        (target / "adapter_config.json").write_text(json.dumps(
            {"peft_type": "LORA", "base_model_name_or_path": "example/A", "r": RANK,
             "lora_alpha": ALPHA, "target_modules": ["q_proj", "v_proj"], **config}))
    else:
        save(target / "style.safetensors", tensors, "F32")
    return target


def merged(folder, name, pairs, factor=1.0, only=None, tensors=None, dtype="BF16"):
    target = pathlib.Path(folder) / name
    target.mkdir()
    for side in SIDE_FILES:
        shutil.copy(MODEL / side, target)
    tensors = dict(tensors or floats())
    for module, (a, b) in pairs.items():
        if only is None or only(module):
            delta = (ALPHA / RANK) * factor * (b.astype("f8") @ a.astype("f8"))
            tensors[module + ".weight"] = (tensors[module + ".weight"] + delta).astype("f4")
    save(target / "model.safetensors", tensors, dtype)
    return target


def forged(rank):
    """What separates a stranger from the base, in so many rows of each matrix: all of them where
    the rank is a matrix's own."""
    mine, stranger = floats(), floats(STRANGER)
    pairs = {}
    for name, values in mine.items():
        module = name.removesuffix(".weight")
        if ".layers." not in name or values.ndim != 2:
            continue
        rows = numpy.linspace(0, len(values) - 1, min(rank, len(values))).astype(int)
        up = numpy.zeros((len(values), len(rows)), dtype="f4")
        up[rows, numpy.arange(len(rows))] = 1
        pairs[module] = ((stranger[name] - values)[rows] * (RANK / ALPHA), up)
    return pairs


class Checks:
    def __init__(self, tool, folder):
        self.tool, self.folder = tool, folder

    def joint(self, *arguments):
        return self.tool.run("compare", *arguments).get("joint")

    def explained(self, title, joint, factor=1.0, **wanted):
        told = joint or {}
        right = (told.get("relation") == "lora-merge" and told.get("lora", {}).get("rank") == RANK and
                 abs(told["parents"][0]["weight"] - factor) < 0.02 * abs(factor) and
                 all(told.get(key) == value for key, value in wanted.items()))
        self.tool.check(f"{title}: {told.get('summary')}", right, told and {
            key: told[key] for key in told if key != "parts"})

    def alone(self, peft):
        about = self.tool.run("inspect", peft)["subject"]["adapter_details"]
        self.tool.check("inspect says what it is", about == {
            "type": "LORA", "layout": "peft", "base": "example/A", "rank": RANK, "declared_rank": RANK,
            "alpha": ALPHA, "target_modules": ["q_proj", "v_proj"], "updates": 2 * LAYERS,
            "roles": ["attn.q", "attn.v"]}, about)
        report = self.tool.run("compare", peft, MODEL)
        verdict = report["comparisons"][0]["verdict"]
        self.tool.check("beside its base it is inconclusive and compatible",
                        verdict["relation"] == "inconclusive" and verdict["derived"] == "inconclusive"
                        and "compatible with" in verdict["summary"]
                        and "holds no base weights" in verdict["summary"], verdict)

    def misfit(self):
        wide = {name: numpy.zeros((60, 40), "f4") for name in floats()}
        wrong = adapter(self.folder, "wide", lora(5, base=wide))
        comparison = self.tool.run("compare", wrong, MODEL)["comparisons"][0]
        codes = [problem["code"] for problem in comparison["problems"]]
        self.tool.check("the first matrix that does not fit is named",
                        codes == ["lineage-adapter-base-mismatch"] and
                        "model.layers.0.self_attn.q_proj" in comparison["problems"][0]["message"],
                        comparison)

    def copies(self):
        head = floats()["lm_head.weight"]
        copy = adapter(self.folder, "copy", lora(6), modules_to_save=["lm_head"])
        tensors = {f"base_model.model.{module}.lora_{side}.weight": values
                   for module, pair in lora(6).items() for side, values in zip("AB", pair)}
        tensors["base_model.model.lm_head.weight"] = head
        save(copy / "adapter_model.safetensors", tensors, "BF16")
        verdict = self.tool.run("compare", copy, MODEL)["comparisons"][0]["verdict"]
        self.tool.check("a saved module that holds the base's values is told",
                        verdict["relation"] == "inconclusive" and "lm_head.weight" in verdict["summary"],
                        verdict)
        verdict = self.tool.run("compare", copy, OTHER)["comparisons"][0]["verdict"]
        self.tool.check("and nothing of the kind is told beside another base",
                        "lm_head.weight" not in verdict["summary"], verdict)


def main():
    tool = Tool(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(tool, folder)
        pairs, others = lora(1), lora(2)
        peft, wrong = adapter(folder, "lora", pairs), adapter(folder, "other-lora", others)
        kohya = adapter(folder, "kohya", pairs, layout="kohya")
        child = merged(folder, "child", pairs)
        checks.alone(peft)
        checks.misfit()
        checks.copies()
        fine = {"within_rounding": True, "direction": "base-is-parent"}
        checks.explained("merged", checks.joint(child, MODEL, peft), **fine)
        checks.explained("merged, adapter first", checks.joint(child, peft, MODEL), **fine)
        checks.explained("merged, in kohya's names", checks.joint(child, MODEL, kohya), **fine)
        joint = checks.joint(MODEL, child, peft)
        checks.explained("the other way round", joint, factor=-1.0, within_rounding=True,
                         direction="subject-is-parent")
        tool.check("and the sentence turns round with it",
                   joint["summary"].startswith("child is A with the adapter lora merged into it: all 6"),
                   joint["summary"])
        wide = merged(folder, "child-f32", pairs, dtype="F32")
        checks.explained("merged and stored in F32", checks.joint(wide, MODEL, peft), **fine)
        half = merged(folder, "half", pairs, factor=0.5)
        checks.explained("merged at half strength", checks.joint(half, MODEL, peft), factor=0.5, **fine)
        partly = merged(folder, "partly", pairs, only=lambda module: ".0." not in module)
        joint = checks.joint(partly, MODEL, peft)
        checks.explained("merged in two layers of three", joint, **fine)
        tool.check("and the matrices left out are counted", "2 matrices that it updates kept" in joint["summary"],
                   joint["summary"])
        stabilised = adapter(folder, "rslora", pairs, use_rslora=True)
        checks.explained("a file that asks for another scale", checks.joint(child, MODEL, stabilised),
                         factor=0.5, **fine)
        joint = checks.joint(child, MODEL, wrong)
        tool.check("another adapter explains nothing", joint and joint["relation"] == "inconclusive"
                   and joint["parents"] == [], joint)
        both = dict(pairs)
        twice = {name: value + (ALPHA / RANK) * (others[name[:-7]][1] @ others[name[:-7]][0])
                 if name[:-7] in others else value for name, value in floats().items()}
        two = merged(folder, "two", both, tensors=twice)
        joint = checks.joint(two, MODEL, peft, wrong)
        checks.explained("two adapters merged one upon the other", joint, **fine)
        tool.check("and both have their factor", [round(parent["weight"], 2) for parent in joint["parents"]]
                   == [1.0, 1.0], joint["parents"])
        joint = checks.joint(two, MODEL, peft)
        tool.check("one of the two alone is not enough", joint["relation"] == "inconclusive", joint)
        joint = checks.joint(child, OTHER, peft)
        tool.check("nor is the adapter with another base", joint is None or
                   joint["relation"] == "inconclusive", joint)
        for rank in (16, 128):
            made = adapter(folder, f"forged-{rank}", forged(rank))
            joint = checks.joint(STRANGER, MODEL, made)
            tool.check(f"an adapter of rank {rank} made to fit a stranger explains nothing",
                       joint is None or (joint["relation"] == "inconclusive" and joint["parents"] == []),
                       joint)
    return 1 if tool.failed else 0


if __name__ == "__main__":
    sys.exit(main())
