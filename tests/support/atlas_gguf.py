"""The models of atlas_models.py as GGUF files: names from the official package's own map of
tensor names, layouts by what llama.cpp's converter does to a family."""

import gguf
import numpy as np

from atlas_models import HEADS, KV_HEADS, LAYERS, SIZES, has_key_heads, in_pairs

ARCHITECTURES = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
KIND = gguf.MODEL_TENSOR
PARTS = {"attn.q": KIND.ATTN_Q, "attn.k": KIND.ATTN_K, "attn.v": KIND.ATTN_V,
         "ffn.gate": KIND.FFN_GATE, "ffn.up": KIND.FFN_UP, "moe.gate": KIND.FFN_GATE_EXP,
         "moe.up": KIND.FFN_UP_EXP, "moe.shared.gate": KIND.FFN_GATE_SHEXP,
         "moe.shared.up": KIND.FFN_UP_SHEXP, "attn.k_b": KIND.ATTN_K_B, "attn.v_b": KIND.ATTN_V_B}
# What converters rename before they look a name up.
ALIASES = {"e_score_correction_bias": "e_score_correction.bias", "gate_up_proj_bias": "x",
           "self_attn.sinks": "self_attn.sinks.weight", "mlp.experts.down_proj": "mlp.experts.down_proj.weight",
           "mlp.experts.down_proj_bias": "mlp.experts.down_proj.bias",
           "feed_forward.experts.down_proj": "feed_forward.experts.down_proj.weight",
           **{f"experts.mlp.{w}": f"experts.mlp.{w}.weight" for w in ("w1", "v1", "w2")}}


class Names:
    blocks = dict(gguf.TensorNameMap.block_mappings_cfg)

    def __init__(self, architecture):
        # The package changes the table that all its maps share.
        gguf.TensorNameMap.block_mappings_cfg = dict(self.blocks)
        self.map = gguf.get_tensor_name_map(ARCHITECTURES[architecture], LAYERS)

    def of(self, tensor):
        """The name with its ending, or None where the map has none."""
        name = tensor.name().replace(".experts.0.", ".experts.")
        for ours, theirs in ALIASES.items():
            if name.endswith(ours):
                name = name.removesuffix(ours) + theirs
        return self.looked_up(name)

    def looked_up(self, name):
        stem, _, ending = name.rpartition(".")
        known = self.map.get_name(stem)
        wrappers = ("bert.", "roberta.", "distilbert.", "transformer.", "model.")
        for wrapper in wrappers:
            if known is None and stem.startswith(wrapper):
                known = self.map.get_name(stem.removeprefix(wrapper))
        return None if known is None else f"{known}.{ending}"

    @staticmethod
    def of_part(role, tensor):
        bias = role.endswith(".bias")
        kind = PARTS[role.removesuffix(".bias")]
        return gguf.TENSOR_NAMES[kind].format(bid=tensor.number) + (".bias" if bias else ".weight")


def converted_role(family, role, values):
    paired = {"attn.q": HEADS, "attn.k": KV_HEADS, "attn.q.bias": HEADS, "attn.k.bias": KV_HEADS}
    if family["gguf"].get("pairs_heads") and role in paired:
        if values.shape[0] == SIZES["hidden"]:
            return in_pairs(values, HEADS)
        return in_pairs(values, paired[role])
    if family.get("norm_plus_one") and role.endswith("norm"):
        return values + np.float32(1)
    return values


def by_head(role, values):
    """What makes keys or values of compressed ones, a matrix of each head: conversion/deepseek.py."""
    heads = values.reshape(HEADS, -1, values.shape[1])
    return heads.swapaxes(1, 2) if role == "attn.k_b" else heads


def fused_by_head(parts):
    """kv_b as the model's own code and older files have it."""
    width = parts[0].shape[1]
    heads = [part.reshape(HEADS, -1, width) for part in parts]
    return np.concatenate(heads, axis=1).reshape(-1, width)


def converted(family, tensors, values, architecture, fuse_kv_b=False):
    """({name: stored values}, the canonical keys they hold)"""
    names, stored, held = Names(architecture), {}, []
    splits = family["gguf"].get("splits", [])
    for tensor in tensors:
        roles = [role for role, _ in tensor.roles()]
        fused = "+".join(role.removesuffix(".bias") for role in roles)
        if fused == "attn.k_b+attn.v_b":
            keys = [(role, tensor.layer, -1) for role in roles]
            parts = [values[key] for key in keys]
            held += keys
            made = {None: fused_by_head(parts)} if fuse_kv_b else {
                role: by_head(role, part) for role, part in zip(roles, parts)}
            stored.update({names.of(tensor) if role is None else names.of_part(role, tensor): part
                           for role, part in made.items()})
            continue
        groups = [[role] for role in roles] if fused in splits else [roles]
        for group in groups:
            apart = len(group) < len(roles)
            name = names.of_part(group[0], tensor) if apart else names.of(tensor)
            if name is None:
                continue
            whole = []
            for expert in tensor.experts:
                keys = [(role, tensor.layer, expert) for role in group]
                made = [converted_role(family, key[0], values[key]) for key in keys]
                whole.append(np.concatenate(made))
                held += keys
            stored[name] = np.stack(whole) if len(whole) > 1 else whole[0]
    return stored, held


def write(family, stored, architecture, path):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(SIZES["hidden"])
    writer.add_feed_forward_length(SIZES["ffn"])
    writer.add_head_count(HEADS)
    writer.add_vocab_size(SIZES["vocab"])
    if any(name.endswith("attn_k_b.weight") for name in stored):
        writer.add_head_count_kv(1)  # the compressed keys, as converters of 2025 count them
    elif has_key_heads(family):
        writer.add_head_count_kv(KV_HEADS)
    if "moe." in str(family["layer"]):
        writer.add_expert_count(SIZES["experts"])
    for name, values in stored.items():
        writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
