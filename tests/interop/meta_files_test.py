#!/usr/bin/python3
"""LLaMA in Meta's own files: identical to the Hugging Face form it was converted from.

usage: meta_files_test.py PEDIGREE

The rows of q and k are permuted as the published conversion script does, and matrices are cut
as Meta's parallel layers do. Debian's python3-torch writes the files. Skips, and says so, where
it is missing.
"""

import json
import pathlib
import shutil
import sys
import tempfile

try:
    import numpy  # noqa: F401
    import torch
except ImportError as missing:
    print(f"SKIPPED: {missing}; Debian's python3-torch and python3-numpy write the files read here")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))
sys.path.insert(0, str(ROOT / "tests" / "support"))
import meta_files  # noqa: E402
from torch_files_test import MODEL, OTHER, Tool, weights  # noqa: E402

CONFIG = json.loads((MODEL / "config.json").read_text())
HEADS, KV_HEADS = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
# 2/3 of 4·48 is 128; rounded up to a multiple of 64.
PARAMS = {"dim": 48, "multiple_of": 64, "n_heads": HEADS, "n_kv_heads": KV_HEADS, "n_layers": 3,
          "norm_eps": 1e-05, "vocab_size": -1}


def write(folder, name, tensors, count, embedding_axis=1, params=True):
    return meta_files.write(pathlib.Path(folder) / name, tensors, PARAMS, count, embedding_axis, params)


def checklist(tool, model):
    report = tool.run("digest", model)
    sources = {check["file"]: (check["source"], check["state"]) for check in report["checks"]}
    tool.check("every file stands in checklist.chk and matches it",
               sources == {file: ("checklist.chk", "match") for file in
                           ("consolidated.00.pth", "consolidated.01.pth", "params.json")}, sources)
    report = tool.run("digest", model, "--verify", model / "checklist.chk")
    tool.check("checklist.chk can be given as a list",
               {check["state"] for check in report["checks"]} == {"match"}, report["checks"])
    (model / "params.json").write_text((model / "params.json").read_text() + "\n")
    report = tool.run("digest", model)
    tool.check("a changed file is told",
               [finding["rule"] for finding in report["findings"]] == ["digest-mismatch"],
               report["findings"])


def main():
    tool = Tool(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        tensors = meta_files.renamed(weights(), PARAMS)
        made = {
            "one-file": write(folder, "one-file", tensors, 1),
            "two-files": write(folder, "two-files", tensors, 2),
            "two-files-llama3": write(folder, "two-files-llama3", tensors, 2, embedding_axis=0),
            "four-files": write(folder, "four-files", tensors, 4),
            "no-params": write(folder, "no-params", tensors, 2, params=False),
        }
        for name, model in made.items():
            tool.same(name, model, MODEL)
            tool.same(f"{name}, the other way round", MODEL, model)
            tool.same(f"{name} against another model", model, OTHER, "independent")
            verdict = tool.run("compare", OTHER, model)["comparisons"][0]["verdict"]
            tool.check(f"another model against {name}", verdict["relation"] == "independent", verdict)
        tool.same("one file against four", made["one-file"], made["four-files"])
        about = tool.run("inspect", made["four-files"])["subject"]["architecture"]
        told = {key: about.get(key) for key in ("family", "layers", "hidden", "heads", "kv_heads", "ffn")}
        tool.check("params.json and shares say the shape",
                   told == {"family": "llama_meta", "layers": 3, "hidden": 48, "heads": HEADS,
                            "kv_heads": KV_HEADS, "ffn": 128}, told)
        checklist(tool, made["two-files"])
        alone = pathlib.Path(folder) / "alone.pth"
        shutil.copy(made["one-file"] / "consolidated.00.pth", alone)
        tool.same("one file without anything beside it", alone, MODEL)
    return 1 if tool.failed else 0


if __name__ == "__main__":
    sys.exit(main())
