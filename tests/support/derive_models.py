"""Builds, with numpy alone, the children of fixtures/models that need no training.

A child is a row of CHILDREN: the stored parent, the alterations in order, the element type it is
saved in. Every alteration but the quantiser and the prunings leaves the function of the model as it
was. `build(name, out)` writes a model directory; `python3 derive_models.py OUT` writes them all.
"""

import collections
import json
import pathlib
import struct
import sys

import numpy as np

import refoldings
from expert_models import (average_experts, average_pairs, copied, copied_and_redealt, half_anew,
                           renumber_experts, split_among, take_experts)

MODELS = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "models"


def bf16_bits(values):
    """Rounds to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


class Model:
    """Names to float32 arrays in file order, with what lies beside them."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        blob = (folder / "model.safetensors").read_bytes()
        size, = struct.unpack_from("<Q", blob)
        self.tensors = collections.OrderedDict()
        for name, entry in json.loads(blob[8:8 + size]).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            bits = np.frombuffer(blob[8 + size + begin:8 + size + end], "<u2")
            values = (bits.astype(np.uint32) << 16).view(np.float32)
            self.tensors[name] = values.reshape(entry["shape"])
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = json.loads((folder / "tokenizer.json").read_text())

    def save(self, folder, element_type="BF16"):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True)
        encode = {"BF16": bf16_bits, "F16": lambda v: v.astype("<f2"),
                  "F32": lambda v: v.astype("<f4")}[element_type]
        header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
        for name, values in self.tensors.items():
            blob = encode(values).tobytes()
            header[name] = {"dtype": element_type, "shape": list(values.shape),
                            "data_offsets": [offset, offset + len(blob)]}
            offset += len(blob)
            blobs.append(blob)
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text +
                                                   b"".join(blobs))
        (folder / "config.json").write_text(json.dumps(self.config, indent=2))
        if self.tokenizer is not None:
            (folder / "tokenizer.json").write_text(json.dumps(self.tokenizer, ensure_ascii=False))

    def layer(self, index, part):
        return f"model.layers.{index}.{part}.weight"

    @property
    def layers(self):
        return range(self.config["num_hidden_layers"])

    @property
    def norms(self):
        if self.config["model_type"] == "Yi":
            return "ln1", "ln2"
        return "input_layernorm", "post_attention_layernorm"


READERS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("mlp.gate_proj",
                                                                         "mlp.up_proj", ".w1", ".w3",
                                                                         "block_sparse_moe.gate")
WRITERS = "self_attn.o_proj", "mlp.down_proj", ".w2"


def neurons_selected(model, layer, chosen):
    for part in ("mlp.gate_proj", "mlp.up_proj"):
        name = model.layer(layer, part)
        model.tensors[name] = model.tensors[name][chosen]
    name = model.layer(layer, "mlp.down_proj")
    model.tensors[name] = model.tensors[name][:, chosen]


def permute_neurons(model, rng):
    for layer in model.layers:
        neurons_selected(model, layer, rng.permutation(model.config["intermediate_size"]))


def scale_neurons(model, rng):
    """up times c, down over c, some of the c negative."""
    for layer in model.layers:
        size = model.config["intermediate_size"]
        factor = (np.exp(rng.normal(0, 0.7, size)) * rng.choice([-1, 1], size)).astype(np.float32)
        up, down = model.layer(layer, "mlp.up_proj"), model.layer(layer, "mlp.down_proj")
        model.tensors[up] = model.tensors[up] * factor[:, None]
        model.tensors[down] = model.tensors[down] / factor[None]


def permute_residual(model, rng):
    """One permutation of the hidden dimensions everywhere, gains with them."""
    order = rng.permutation(model.config["hidden_size"])
    for name, values in model.tensors.items():
        writes = any(part in name for part in WRITERS)
        model.tensors[name] = values[order] if values.ndim == 1 or writes else values[:, order]


def fold_gains(model, _=None):
    """Norm gains multiplied into the matrices that read what they scale."""
    ones = np.ones(model.config["hidden_size"], np.float32)
    for layer in model.layers:
        for norm, readers in zip(model.norms, READERS):
            gain = model.tensors[model.layer(layer, norm)]
            for name in model.tensors:
                if name.startswith(f"model.layers.{layer}.") and any(
                        name.endswith(f"{part}.weight") for part in readers):
                    model.tensors[name] = model.tensors[name] * gain
            model.tensors[model.layer(layer, norm)] = ones
    model.tensors["lm_head.weight"] *= model.tensors["model.norm.weight"]
    model.tensors["model.norm.weight"] = ones


def rotate_residual(model, rng):
    """A random orthogonal basis for the residual stream, which needs folded gains."""
    fold_gains(model)
    width = model.config["hidden_size"]
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0].astype(np.float32)
    for name, values in model.tensors.items():
        if values.ndim == 2:
            writes = any(part in name for part in WRITERS)
            model.tensors[name] = turn @ values if writes else values @ turn.T


PART_ORDER = ("embed_tokens", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
              "down_proj", "input_layernorm", "ln1", "post_attention_layernorm", "ln2")


def place_in_model(name):
    """Orders names as a PyTorch model lists its parameters; files are sorted by name."""
    parts = name.split(".")
    if "layers" in parts:
        return 1, int(parts[parts.index("layers") + 1]), PART_ORDER.index(parts[-2])
    return {"embed_tokens": 0, "norm": 2, "lm_head": 3}[parts[-2]], 0, 0


def rename(model, _):
    """Names that say nothing, in the model's own order; no tokenizer to help."""
    names = sorted(model.tensors, key=place_in_model)
    model.tensors = collections.OrderedDict(
        (f"t{i:03d}", model.tensors[name]) for i, name in enumerate(names))
    model.config.update(architectures=["OwnModel"], model_type="own")
    model.tokenizer = None


def take_layers(*kept):
    def alter(model, _):
        taken = collections.OrderedDict(
            (name, v) for name, v in model.tensors.items() if ".layers." not in name)
        for new, old in enumerate(kept):
            for name, values in model.tensors.items():
                if f".layers.{old}." in name:
                    taken[name.replace(f".layers.{old}.", f".layers.{new}.")] = values
        model.tensors = taken
        model.config["num_hidden_layers"] = len(kept)
    return alter


def insert_copies(after):
    """A copy behind every such layer that adds nothing yet (o and down are zero)."""
    def alter(model, _):
        count = model.config["num_hidden_layers"]
        kept = [layer for old in range(count) for layer in ([old, old] if old in after else [old])]
        take_layers(*kept)(model, None)
        for new, old in enumerate(kept):
            if new > 0 and kept[new - 1] == old:
                for part in ("self_attn.o_proj", "mlp.down_proj"):
                    name = model.layer(new, part)
                    model.tensors[name] = np.zeros_like(model.tensors[name])
    return alter


def prune_neurons(share):
    """Keeps, in order, the neurons with the largest up and down norms."""
    def alter(model, _):
        count = int(model.config["intermediate_size"] * share)
        for layer in model.layers:
            up = np.linalg.norm(model.tensors[model.layer(layer, "mlp.up_proj")], axis=1)
            down = np.linalg.norm(model.tensors[model.layer(layer, "mlp.down_proj")], axis=0)
            neurons_selected(model, layer, np.sort(np.argsort(-up * down)[:count]))
        model.config["intermediate_size"] = count
    return alter


def prune_hidden(count):
    """Keeps, in order, the residual dimensions that are read the most."""
    def alter(model, _):
        size = sum((values.astype(float) ** 2).sum(0) for name, values in model.tensors.items()
                   if values.ndim == 2 and not any(part in name for part in WRITERS))
        kept = np.sort(np.argsort(-size)[:count])
        model.config["head_dim"] = head_size(model)
        for name, values in model.tensors.items():
            writes = any(part in name for part in WRITERS)
            model.tensors[name] = values[kept] if values.ndim == 1 or writes else values[:, kept]
        model.config["hidden_size"] = count
    return alter


def head_size(model):
    config = model.config
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def keep_groups(*groups):
    """Keeps these key-value heads and the query heads that read them."""
    def alter(model, _):
        size = head_size(model)
        readers = model.config["num_attention_heads"] // model.config["num_key_value_heads"]
        queries = [group * readers + i for group in groups for i in range(readers)]
        rows = {"q_proj": queries, "k_proj": groups, "v_proj": groups}
        for layer in model.layers:
            for part, heads in rows.items():
                name = model.layer(layer, f"self_attn.{part}")
                chosen = [head * size + i for head in heads for i in range(size)]
                model.tensors[name] = model.tensors[name][chosen]
            name = model.layer(layer, "self_attn.o_proj")
            chosen = [head * size + i for head in queries for i in range(size)]
            model.tensors[name] = model.tensors[name][:, chosen]
        model.config.update(head_dim=size, num_attention_heads=len(queries),
                            num_key_value_heads=len(groups))
    return alter


def add_noise(share):
    """Gaussian numbers, `share` of each matrix's own deviation."""
    def alter(model, rng):
        for name, values in model.tensors.items():
            if values.ndim == 2:
                noise = rng.normal(0, values.std() * share, values.shape)
                model.tensors[name] = (values + noise).astype(np.float32)
    return alter


def mix_into(other, share):
    """`share` of this model and the rest of another, gains of the other."""
    def alter(model, _):
        rest = Model(MODELS / other).tensors
        for name, values in model.tensors.items():
            mixed = share * values + (1 - share) * rest[name]
            model.tensors[name] = rest[name] if values.ndim == 1 else mixed.astype(np.float32)
    return alter


def add_low_rank(ranks, share):
    """A product of random factors in each of these parts, `share` of its norm."""
    def alter(model, rng):
        for layer in model.layers:
            for part, rank in ranks.items():
                name = model.layer(layer, part)
                values = model.tensors[name]
                update = (rng.standard_normal((values.shape[0], rank)) @
                          rng.standard_normal((rank, values.shape[1])))
                update *= share * np.linalg.norm(values) / np.linalg.norm(update)
                model.tensors[name] = (values + update).astype(np.float32)
    return alter


def embeddings_of(other):
    def alter(model, _):
        name = "model.embed_tokens.weight"
        model.tensors[name] = Model(MODELS / other).tensors[name]
    return alter


def trim_vocabulary(count):
    """Keeps `count` tokens from everywhere, in order, under new ids."""
    def alter(model, rng):
        kept = np.sort(rng.permutation(model.config["vocab_size"])[:count])
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            model.tensors[name] = model.tensors[name][kept]
        tokens = {row: token for token, row in model.tokenizer["model"]["vocab"].items()}
        model.tokenizer["model"]["vocab"] = {tokens[int(old)]: new for new, old in enumerate(kept)}
        model.config["vocab_size"] = count
    return alter


def replace_vocabulary(count):
    """Other tokens, fresh embeddings and head, the inherited body."""
    def alter(model, rng):
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            shape = (count, model.tensors[name].shape[1])
            model.tensors[name] = rng.normal(0, 0.04, shape).astype(np.float32)
        model.tokenizer["model"]["vocab"] = {f"<own_{row}>": row for row in range(count)}
        model.config["vocab_size"] = count
    return alter


def replace_embeddings(model, rng):
    """The same tokens with other embeddings and another head; not what a model survives unharmed."""
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        shape = model.tensors[name].shape
        model.tensors[name] = rng.normal(0, 0.04, shape).astype(np.float32)


def extend_vocabulary(rows):
    def alter(model, rng):
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            old = model.tensors[name]
            fresh = old.mean(0) + rng.normal(0, 0.02, (rows, old.shape[1]))
            model.tensors[name] = np.concatenate([old, fresh.astype(np.float32)])
        first = model.config["vocab_size"]
        model.config["vocab_size"] = first + rows
        for row in range(rows):
            model.tokenizer["model"]["vocab"][f"<extra_{row}>"] = first + row
    return alter


def round_to_four_bits(model, _):
    """Symmetric blocks of 32 along rows, a step of a seventh of the largest value."""
    for name, values in model.tensors.items():
        if values.ndim == 2:
            blocks = values.reshape(-1, 32)
            step = np.abs(blocks).max(1, keepdims=True) / 7 + 1e-12
            codes = np.round(blocks / step).clip(-8, 7)
            model.tensors[name] = (codes * step).reshape(values.shape).astype(np.float32)


MOE = [copied(4, 0.1)]
MOE8 = [copied(8, 0.15)]

CHILDREN = {
    "A-f16": ("A", [], "F16"),
    "A-f32": ("A", [], "F32"),
    "A-renamed": ("A", [rename], "BF16"),
    "A-ft-renamed-f32": ("A-ft", [rename], "F32"),
    "A-permuted": ("A", [permute_neurons], "BF16"),
    "A-scaled": ("A", [scale_neurons], "F32"),
    "A-ft-residual-permuted": ("A-ft", [permute_neurons, permute_residual], "BF16"),
    "A-ft-rotated": ("A-ft", [permute_neurons, rotate_residual], "BF16"),
    "A-ft-depth-pruned": ("A-ft", [take_layers(0, 2)], "BF16"),
    "A-ft-upscaled": ("A-ft", [take_layers(0, 1, 2, 1, 2)], "BF16"),
    "A-ft-width-pruned": ("A-ft", [prune_neurons(0.625)], "BF16"),
    "A-ft-vocab-extended": ("A-ft", [extend_vocabulary(64)], "BF16"),
    "A-ft-hidden-pruned": ("A-ft", [prune_hidden(36)], "BF16"),
    "A-ft-heads-pruned": ("A-ft", [keep_groups(1)], "BF16"),
    "A-ft-narrowed": ("A-ft", [prune_hidden(36), prune_neurons(0.625), keep_groups(0),
                               take_layers(0, 2), add_noise(0.2)], "BF16"),
    "B-hidden-pruned": ("B", [prune_hidden(36)], "BF16"),
    "A-trace-in-C": ("A", [mix_into("C", 0.05)], "BF16"),
    "A-noise": ("A", [add_noise(0.02)], "BF16"),
    "A-lora-patterned": ("A", [add_low_rank({"self_attn.q_proj": 8, "self_attn.o_proj": 8,
                                             "mlp.up_proj": 4, "mlp.down_proj": 4}, 0.06)],
                         "BF16"),
    "A-vocab-trimmed": ("A", [trim_vocabulary(300)], "BF16"),
    "A-vocab-replaced": ("A", [replace_vocabulary(700)], "BF16"),
    "A-q4": ("A", [round_to_four_bits], "F16"),
    "A-ft-q4": ("A-ft", [round_to_four_bits], "F16"),
    "A-cpt-combo": ("A-cpt", [permute_neurons, rotate_residual, round_to_four_bits], "F16"),
    "B-rotated": ("B", [permute_neurons, rotate_residual], "BF16"),
    "B-f32": ("B", [], "F32"),
    "E-rotated": ("E", [permute_neurons, rotate_residual], "BF16"),
    "A-ft-unanchored": ("A-ft", [permute_neurons, rotate_residual, replace_embeddings], "BF16"),
    "A-cpt-unanchored": ("A-cpt", [permute_neurons, rotate_residual, replace_embeddings], "F16"),
    "A-ft-pruned-unanchored": ("A-ft", [take_layers(0, 2), permute_neurons, rotate_residual,
                                        replace_embeddings], "BF16"),
    "A-ft-other-tokens-rotated": ("A-ft", [permute_neurons, rotate_residual,
                                           replace_vocabulary(700)], "BF16"),
    "C-unanchored": ("C", [permute_neurons, rotate_residual, replace_embeddings], "BF16"),
    "A-ft-moe": ("A-ft", MOE, "BF16"),
    "A-ft-moe-redealt": ("A-ft", [copied_and_redealt(4, 0.05)], "BF16"),
    "A-ft-moe-split": ("A-ft", [split_among(4)], "BF16"),
    "A-ft-moe-half-anew": ("A-ft", [half_anew(8)], "BF16"),
    "A-ft-moe-rotated": ("A-ft", [*MOE, rotate_residual], "BF16"),
    "A-ft-moe-split-rotated": ("A-ft", [split_among(2), rotate_residual], "BF16"),
    "A-ft-moe8": ("A-ft", MOE8, "BF16"),
    "A-ft-moe8-renumbered": ("A-ft-moe8", [renumber_experts], "BF16"),
    "A-ft-moe8-fewer": ("A-ft-moe8", [take_experts(1, 3, 4, 6, share=0.02)], "BF16"),
    "A-ft-moe8-averaged": ("A-ft-moe8", [average_pairs], "BF16"),
    "A-ft-moe8-dense": ("A-ft-moe8", [average_experts], "BF16"),
    "A-ft-moe8-q4": ("A-ft-moe8", [round_to_four_bits], "F16"),
    "C-moe": ("C", MOE, "BF16"),
    "C-moe-split": ("C", [split_among(4)], "BF16"),
    "E-moe": ("E", MOE, "BF16"),
    "A-ft-scales-folded": ("A-ft", [refoldings.fold_quantiser_scales], "BF16"),
    "A-ft-heads-permuted": ("A-ft", [refoldings.permute_heads], "BF16"),
    "A-ft-values-mixed": ("A-ft", [refoldings.mix_values], "BF16"),
    "A-ft-queries-scaled": ("A-ft", [refoldings.scale_queries], "BF16"),
    "A-ft-signs-flipped": ("A-ft", [refoldings.flip_signs], "BF16"),
    "A-ft-one-layer-permuted": ("A-ft", [refoldings.permute_first_neurons], "BF16"),
    "A-layers-swapped": ("A", [take_layers(1, 0, 2)], "BF16"),
    "A-without-a-tensor": ("A", [refoldings.drop_a_tensor], "BF16"),
    "A-without-embedding": ("A", [refoldings.drop_the_embedding], "BF16"),
    "A-without-a-layer": ("A", [refoldings.drop_the_middle_layer], "BF16"),
    "A-one-value": ("A", [refoldings.change_one_value], "BF16"),
    "A-expanded": ("A", [insert_copies((1, 2))], "BF16"),
    "A-each-twice": ("A", [take_layers(0, 0, 1, 1, 2, 2)], "BF16"),
    "A-twice": ("A", [take_layers(0, 1, 2, 0, 1, 2)], "BF16"),
    "A-interleaved": ("A", [take_layers(0, 1, 0, 2, 1, 2)], "BF16"),
    "C-embeddings-of-A": ("C", [embeddings_of("A")], "BF16"),
}


def build(name, out):
    """Writes child `name` to OUT/name and returns the path; stored models are where they are."""
    if name not in CHILDREN:
        return MODELS / name
    folder = pathlib.Path(out) / name
    if not folder.exists():
        parent, alterations, element_type = CHILDREN[name]
        model = Model(build(parent, out))
        rng = np.random.default_rng(sum(name.encode()))
        for alter in alterations:
            alter(model, rng)
        model.save(folder, element_type)
    return folder


if __name__ == "__main__":
    for child in CHILDREN:
        print(build(child, sys.argv[1]))
