#!/usr/bin/python3
"""The same weights from PyTorch's and NumPy's own writers: identical in every container.

usage: torch_files_test.py PEDIGREE

Debian's python3-torch writes the files. Skips, and says so, where it is missing.
"""

import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError as missing:
    print(f"SKIPPED: {missing}; Debian's python3-torch and python3-numpy write the files read here")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from interop import Tool  # noqa: E402
from stored_model import Container  # noqa: E402

MODEL = ROOT / "fixtures" / "models" / "A"
OTHER = ROOT / "fixtures" / "models" / "B"
SIDE_FILES = ("config.json", "tokenizer.json")


def weights(folder=MODEL):
    """The model's tensors as PyTorch has them."""
    file = Container(folder / "model.safetensors")
    tensors = {}
    for name, entry in file.entries.items():
        assert entry["dtype"] == "BF16", entry
        words = numpy.frombuffer(bytearray(file.raw(name)), dtype=numpy.int16)
        tensors[name] = torch.from_numpy(words.copy()).view(torch.bfloat16).reshape(entry["shape"])
    return tensors


def directory(folder, name):
    target = pathlib.Path(folder) / name
    target.mkdir()
    for side in SIDE_FILES:
        shutil.copy(MODEL / side, target)
    return target


def in_one_storage(tensors):
    """Views of one buffer, back to back, as some checkpoints keep a whole file."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors.values()])
    views, at = {}, 0
    for name, tensor in tensors.items():
        views[name] = flat[at:at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    return views


def turned(tensors):
    """Every matrix a transposed view of its transpose."""
    return {name: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor
            for name, tensor in tensors.items()}


def whole_models(tool, folder):
    tensors = weights()
    base = directory(folder, "safetensors")
    shutil.copy(MODEL / "model.safetensors", base)
    saved = {
        "zip": (lambda path: torch.save(tensors, path), ()),
        "legacy": (lambda path: torch.save(tensors, path, _use_new_zipfile_serialization=False), ()),
        "protocol-4": (lambda path: torch.save(tensors, path, pickle_protocol=4), ()),
        "parameters": (lambda path: torch.save(
            {name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()}, path), ()),
        "one-storage": (lambda path: torch.save(in_one_storage(tensors), path), ()),
        "turned": (lambda path: torch.save(turned(tensors), path), ()),
        "turned-legacy": (lambda path: torch.save(turned(tensors), path,
                                                  _use_new_zipfile_serialization=False), ()),
        "checkpoint": (lambda path: torch.save(
            {"model": tensors, "epoch": 3,
             "optimizer": {"state": {0: {"exp_avg": torch.ones(7)}}, "param_groups": []}}, path),
            ("training-state-present",)),
    }
    for name, (save, codes) in saved.items():
        model = directory(folder, name)
        save(model / "pytorch_model.bin")
        tool.same(name, model, base, codes=codes)
        if name in ("zip", "legacy", "turned"):
            tool.same(f"{name} against another model", model, OTHER, "independent", codes=codes)
    shards(tool, folder, tensors, base)
    tool.same("legacy against zip", pathlib.Path(folder) / "legacy", pathlib.Path(folder) / "zip")


def shards(tool, folder, tensors, base):
    model = directory(folder, "shards")
    names = list(tensors)
    parts = [names[::2], names[1::2]]
    index = {"metadata": {"total_size": sum(2 * t.numel() for t in tensors.values())}, "weight_map": {}}
    for number, part in enumerate(parts, 1):
        file = f"pytorch_model-{number:05d}-of-00002.bin"
        torch.save({name: tensors[name] for name in part}, model / file)
        index["weight_map"].update(dict.fromkeys(part, file))
    (model / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    tool.same("shards", model, base)


def arrays(tool, folder):
    """NumPy has no BF16, so all containers hold F32 here."""
    tensors = {name: tensor.float() for name, tensor in weights().items()}
    base = directory(folder, "f32")
    torch.save(tensors, base / "pytorch_model.bin")
    stored = {name: tensor.numpy() for name, tensor in tensors.items()}
    for name, save in {"npz": numpy.savez, "npz-compressed": numpy.savez_compressed}.items():
        model = directory(folder, name)
        save(model / "model.npz", **stored)
        tool.same(name, model, base, codes=("config-weights-mismatch",))
    for name, change in {"fortran": numpy.asfortranarray, "big-endian": lambda a: a.astype(">f4")}.items():
        model = directory(folder, name)
        numpy.savez(model / "model.npz", **{key: change(value) for key, value in stored.items()})
        tool.same(name, model, base, codes=("config-weights-mismatch",))


PARTS = {"self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk",
         "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
         "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2",
         "mlp.up_proj": "feed_forward.w3", "input_layernorm": "attention_norm",
         "post_attention_layernorm": "ffn_norm", "embed_tokens": "tok_embeddings",
         "lm_head": "output"}
BY_COLUMNS = ("wo", "w2", "tok_embeddings")


def meta_name(name):
    name = name.removeprefix("model.")
    for part, meta in PARTS.items():
        name = name.replace(part, meta)
    return name


def consolidated(tool, folder):
    """One file, and the shares of two; of Llama 3's too, whose embedding is cut by rows."""
    tensors = {meta_name(name): tensor for name, tensor in weights().items()}
    base = pathlib.Path(folder) / "meta-1"
    base.mkdir()
    torch.save(tensors, base / "consolidated.00.pth")
    for generation, by_columns in {"llama-2": BY_COLUMNS, "llama-3": BY_COLUMNS[:2]}.items():
        model = pathlib.Path(folder) / f"meta-2-{generation}"
        model.mkdir()
        for share in (0, 1):
            part = {name: tensor if tensor.dim() == 1 else torch.chunk(
                tensor, 2, 1 if name.split(".")[-2] in by_columns else 0)[share].clone()
                for name, tensor in tensors.items()}
            torch.save(part, model / f"consolidated.{share:02d}.pth")
        tool.same(f"{generation} shares", model, base)


def digest(data):
    return "h1/1:sha256:" + hashlib.sha256(data).hexdigest()


def odd_tensors(tool, folder):
    """Each tensor's bytes, as PyTorch itself puts them in order."""
    torch.manual_seed(1)
    base = torch.randn(6, 5, 4)
    tensors = {
        "plain": base, "permuted": base.permute(2, 0, 1), "sliced": base[1:5:2, ::2], "row": base[2],
        "repeated": base[0, 0, 0].expand(3, 2), "scalar": torch.tensor(7.0), "empty": torch.zeros(3, 0),
        "channels": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "half": base.half(), "double": base.double(), "long": torch.arange(9), "bool": base > 0,
        "byte": torch.arange(200, dtype=torch.uint8), "complex": torch.randn(4, dtype=torch.complex64),
    }
    for name, new in {"odd": True, "odd-legacy": False}.items():
        path = pathlib.Path(folder) / f"{name}.pt"
        torch.save(tensors, path, _use_new_zipfile_serialization=new)
        report = tool.run("digest", path)
        found = {tensor["name"]: tensor for tensor in report["subject"]["digest"]["tensors"]}
        for key, tensor in tensors.items():
            wanted = digest(tensor.contiguous().numpy().tobytes())
            got = found.get(key, {}).get("h1")
            tool.check(f"{name}: the bytes of {key}", got == wanted, f"{got}, wanted {wanted}")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


def modules(tool, folder):
    net = Net().eval()
    script = pathlib.Path(folder) / "script.pt"
    torch.jit.script(net).save(str(script))
    pickled = pathlib.Path(folder) / "module.pt"
    torch.save(net, pickled)
    state = pathlib.Path(folder) / "state.pt"
    torch.save(net.state_dict(), state)
    wanted = sorted((name, list(tensor.shape)) for name, tensor in net.state_dict().items())
    for path, codes in ((state, set()), (script, set()), (pickled, {"pickle-global"})):
        report = tool.run("inspect", path, "--tensors")
        found = sorted((t["name"], t["shape"]) for t in report["subject"]["tensors"])
        told = {problem["code"] for problem in report.get("problems", [])} - {"architecture-unknown"}
        tool.check(f"{path.name}: names and shapes", found == wanted, found)
        tool.check(f"{path.name}: problems {sorted(codes)}", told == codes, report.get("problems"))


def main():
    tool = Tool(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        whole_models(tool, folder)
        arrays(tool, folder)
        consolidated(tool, folder)
        odd_tensors(tool, folder)
        modules(tool, folder)
    print(f"{tool.failed} failed")
    sys.exit(1 if tool.failed else 0)


if __name__ == "__main__":
    main()
