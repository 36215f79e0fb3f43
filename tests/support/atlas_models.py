"""Small models of every family file in src/model/architectures, in every layout it has.

The files are read here without the program's help, and the layouts are built from what the
transforms mean, so that what the program makes of them can be held against the values."""

import hashlib
import json
import pathlib
import re
import struct

import numpy as np
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS, HEADS, KV_HEADS, EXPERTS = 2, 4, 2, 2
SIZES = {"hidden": 64, "other_hidden": 48, "embed": 64, "projection": 40, "vocab": 320,
         "head_rows": 320, "positions": 24, "other_positions": 20, "types": 2, "buckets": 8,
         "head_dim": 16, "heads": HEADS, "kv_heads": KV_HEADS, "q": 64, "kv": 32, "values": 48,
         "plain_keys": 40, "q_rank": 28, "kv_rank": 24, "kv_in": 30, "ffn": 96,
         "experts": EXPERTS, "shared_ffn": 80,
         "inner": 88, "state": 10, "dt_rank": 6, "channels": 108, "keys": 52, "ssm_heads": 8,
         "mix_rank": 9, "decay_rank": 14, "rate_rank": 11, "gate_rank": 22, "value_rank": 15,
         "kernel": 3, "inputs": 5, "patch": 4}


def families():
    files = sorted((ROOT / "src" / "model" / "architectures").glob("*.json"))
    return [json.loads(path.read_text()) for path in files]


def size(formula):
    total = 0
    for term in formula.split("+"):
        digits = len(term) - len(term.lstrip("0123456789"))
        factor, symbol = int(term[:digits] or 1), term[digits:]
        total += factor * SIZES[symbol] if symbol else factor
    return total


class Tensor:
    """One entry of a family file, in one layer of one stack."""

    def __init__(self, entry, path, stack, number):
        self.entry, self.number = entry, number
        self.layer = -1 if path is None else stack * LAYERS + number
        self.pattern = (path or "") + entry["name"]
        self.parts = [(p["role"], size(p["rows"])) for p in entry.get("parts", [])]
        self.shape = [size(s) for s in entry["shape"]]
        self.stacked = (entry["shape"][0] == "experts" and len(entry["shape"]) > 1
                        and entry.get("role") != "moe.router")
        self.each = "{E}" in self.pattern
        self.experts = list(range(EXPERTS)) if self.stacked or self.each else [-1]
        self.transposed = entry.get("transpose", False)
        self.turns = entry.get("turns")

    def name(self, expert=0):
        return self.pattern.replace("{L}", str(self.number)).replace("{E}", str(expert))

    def axes(self):
        """The canonical shape of one expert's whole: [out, in] or [out]."""
        sizes = [n for n, s in zip(self.shape, self.entry["shape"]) if s != "1"] or [1]
        sizes = sizes[1:] if self.stacked else sizes
        if len(sizes) > 2:  # of a kernel each output channel is a row
            sizes = [sizes[0], int(np.prod(sizes[1:]))]
        return sizes[::-1] if self.transposed else sizes

    def roles(self):
        out, *rest = self.axes()
        return [(role, [rows, *rest]) for role, rows in self.parts] or [
            (self.entry["role"], [out, *rest])]


def tensors_of(family, optional):
    stacks = [(family["layer_path"], family["layer"])]
    stacks += [(s["layer_path"], s["layer"]) for s in family.get("stacks", [])]
    outer = [Tensor(e, None, 0, 0) for e in family["before"] + family["after"]]
    inner = [Tensor(e, path, stack, number) for stack, (path, entries) in enumerate(stacks)
             for number in range(LAYERS) for e in entries]
    return [t for t in outer + inner if optional or not t.entry.get("optional")
            or t.entry.get("role") == "head.out"]


def bf16(values):
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def canonical_values(tensors, seed):
    """{(role, layer, expert): values}; gains lie on a grid that one can be added to exactly."""
    rng = np.random.default_rng(seed)
    values = {}
    for tensor in tensors:
        for expert in tensor.experts:
            for role, shape in tensor.roles():
                made = 0.05 * rng.standard_normal(shape)
                grid = role.endswith("norm")
                values[role, tensor.layer, expert] = (
                    np.round(made * 1024).astype(np.float32) / 256 + 0.0 if grid else bf16(made))
    return values


def taking_turns(parts, turns):
    """Parts in runs, one of each in turn along the out axis."""
    if turns is None:
        return np.concatenate(parts)
    times = {"heads": HEADS, "kv_heads": KV_HEADS, "rows": len(parts[0])}[turns]
    runs = [p.reshape(times, len(p) // times, *p.shape[1:]) for p in parts]
    return np.concatenate(runs, axis=1).reshape(-1, *parts[0].shape[1:])


def in_pairs(values, heads):
    """Rows of rotary halves to rows of rotary pairs."""
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def paired_rows(tensor, values):
    """Rows of q and k as the family stores them."""
    if not tensor.entry.get("paired"):
        return values
    return in_pairs(values, HEADS if tensor.entry["role"].startswith("attn.q") else KV_HEADS)


def own_layout(tensors, values):
    """{name: stored values} as the family's own code saves them."""
    stored = {}
    for tensor in tensors:
        whole = {}
        for expert in tensor.experts:
            parts = [values[role, tensor.layer, expert] for role, _ in tensor.roles()]
            one = taking_turns(parts, tensor.turns) if tensor.parts else paired_rows(tensor, parts[0])
            whole[expert] = one.T if tensor.transposed else one
        if tensor.each:
            stored.update({tensor.name(e): v for e, v in whole.items()})
        else:
            one = np.stack(list(whole.values())) if tensor.stacked else whole[-1]
            flat = [int(np.prod(tensor.shape[:2])), *tensor.shape[2:]]
            stored[tensor.name()] = one.reshape(flat if tensor.entry.get("flat") else tensor.shape)
    return {name: np.ascontiguousarray(v) for name, v in stored.items()}


def h2(values):
    """The digest of canonical values, as docs/fingerprint.md says."""
    shape = values.shape if values.ndim < 2 or values.shape[1] != 1 else values.shape[:1]
    head = struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + b"F32 "
    return "h2/1:sha256:" + hashlib.sha256(head + values.astype("<f4").tobytes()).hexdigest()


def has_key_heads(family):
    """Are there fewer heads of keys than of queries?"""
    return re.search(r'["+0-9](kv|kv_heads)["+]', json.dumps(family)) is not None


def config(family):
    encoder = family["structure"].startswith("encoder-decoder")
    made = {"model_type": family["model_types"][0], "hidden_size": SIZES["hidden"],
            "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
            "vocab_size": SIZES["vocab"],
            "intermediate_size": SIZES["ffn"] * (2 if family["id"] == "qwen" else 1)}
    text = json.dumps(family)
    if has_key_heads(family):
        made["num_key_value_heads"] = KV_HEADS
    if '"experts"' in text:
        made["num_experts"] = EXPERTS
    if encoder:
        made["decoder_layers"] = LAYERS
    if family["structure"].startswith("denoiser"):
        made["num_single_layers"] = LAYERS
    return made


def write_directory(family, stored, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(family)))
    return folder
