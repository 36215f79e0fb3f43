#!/usr/bin/env python3
"""The same weights as safetensors and as ONNX, by the official onnx package and by
torch.onnx.export: `identical` in both directions, and `independent` of another model.

usage: onnx_test.py PEDIGREE

Needs what scripts/interop-venv installs; without it nothing is tested, and the exit status
(77) says so. Exports need Debian's python3-torch, and are skipped aloud without it.
"""

import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import interop  # noqa: E402
from interop import beside_config  # noqa: E402

interop.enter_venv()
try:
    import onnx
    import made_models
    import onnx_models
except ImportError as missing:
    interop.skip(missing)

CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


class Tool(interop.Tool):
    def both_ways(self, title, model, base, other, codes=()):
        self.same(title, model, base, "identical", codes)
        self.same(f"{title}, turned round", base, model, "identical")
        self.same(f"{title}, another model", model, other, "independent", codes)


def written_by_onnx(tool, work, tensors, base, other):
    saved = {
        "folded": (onnx_models.folded(tensors), None),
        "unfolded": (onnx_models.unfolded(tensors), None),
        "gemm": (onnx_models.gemm(tensors), None),
        "bf16": (onnx_models.folded(tensors, "BF16"), None),
        "bf16 in int32_data": (onnx_models.folded(tensors, "BF16", typed=True), None),
        "float_data": (onnx_models.unfolded(tensors, typed=True), None),
        "external": (onnx_models.folded(tensors), "one"),
        "external, a file each": (onnx_models.unfolded(tensors), "many"),
    }
    for title, (model, external) in saved.items():
        folder = onnx_models.save(model, work / title.replace(" ", "-").replace(",", ""), external)
        tool.both_ways(title, beside_config(base, folder), base, other)
    bare = onnx_models.save(onnx_models.folded(tensors), work / "bare", "one")
    tool.both_ways("one file, external data beside it", bare / "model.onnx", base, other)
    within = beside_config(base, onnx_models.save(onnx_models.within(tensors), work / "within"))
    tool.both_ways("in a branch and in constants", within, base, other)
    plain = onnx_models.save(onnx_models.nameless(tensors), work / "nameless")
    tool.both_ways("without names", plain / "model.onnx", base, other, ["architecture-unknown"])


def half_precision(tool, work, tensors, base, other):
    """F16 keeps all that these weights have beside the smallest of them."""
    import numpy as np
    halves = {name: values.astype(np.float16).astype(np.float32) for name, values in tensors.items()}
    stored = made_models.write_directory("llama", halves, work / "halves")
    for typed in (False, True):
        folder = onnx_models.save(onnx_models.folded(halves, "F16", typed), work / f"f16-{typed}")
        title = "f16 in int32_data" if typed else "f16"
        tool.both_ways(title, beside_config(base, folder), stored, other)


def gpt2(tool, work):
    tensors = made_models.gpt2(31)
    base = made_models.write_directory("gpt2", tensors, work / "gpt2")
    other = made_models.write_directory("gpt2", made_models.gpt2(32), work / "gpt2-other")
    folder = onnx_models.save(onnx_models.folded(tensors, in_out=CONV1D), work / "gpt2-onnx")
    tool.both_ways("gpt2", beside_config(base, folder), base, other)
    return base, other


def metadata(tool, model):
    report = tool.run("inspect", model)
    claims = {claim["key"]: claim["value"] for claim in report["subject"].get("claims", [])}
    tool.check("metadata are claims", claims.get("base_model") == "made/parent" and
               claims.get("producer_name") == "pytorch", claims)


def damaged(tool, work, folder):
    """What an external file lacks is told."""
    short = work / "short"
    shutil.copytree(folder, short)
    with open(short / "model.onnx_data", "r+b") as file:
        file.truncate(100_000)
    codes = {problem["code"] for problem in tool.run("inspect", short)["problems"]}
    tool.check("a truncated external file is told", "external-data-range" in codes, codes)
    (short / "model.onnx_data").unlink()
    codes = {problem["code"] for problem in tool.run("inspect", short)["problems"]}
    tool.check("a missing external file is told", "external-data-missing" in codes, codes)
    digests = tool.run("digest", folder)["subject"]["digest"]["files"]
    names = {entry["path"] for entry in digests}
    tool.check("the external file is hashed", "model.onnx_data" in names, digests)


def exported(tool, work, cases):
    if not interop.has_debian_torch():
        print("SKIPPED: torch.onnx exports; Debian's python3-torch is not there")
        return
    script = ROOT / "tests" / "support" / "torch_exports.py"
    for title, (base, other) in cases.items():
        made = {}
        for which, source in (("own", base), ("other", other)):
            folder = work / f"export-{title}-{which}"
            folder.mkdir()
            run = interop.run_debian(script, source, folder / "model.onnx")
            if run.returncode != 0:
                sys.exit(run.stderr)
            onnx.checker.check_model(str(folder / "model.onnx"))
            made[which] = beside_config(base, folder)
        tool.both_ways(f"exported {title}", made["own"], base, other)
        tool.same(f"two exports of {title}", made["own"], made["other"], "independent")
        tool.both_ways(f"exported {title}, the file alone", made["own"] / "model.onnx", base, other)


def main():
    tool = Tool(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        tensors = made_models.llama(21)
        base = made_models.write_directory("llama", tensors, work / "base")
        other = made_models.write_directory("llama", made_models.llama(22), work / "other")
        written_by_onnx(tool, work, tensors, base, other)
        half_precision(tool, work, tensors, base, other)
        metadata(tool, work / "folded")
        damaged(tool, work, work / "external")
        gpt = gpt2(tool, work)
        exported(tool, work, {"llama": (base, other), "gpt2": gpt})
    sys.exit(1 if tool.failed else 0)


if __name__ == "__main__":
    main()
