"""GGUF files of the models of made_models.py, as converters write them, by the official
writer (PyPI gguf). Types are quantised by llama.cpp's own library where it was built
(llama_quantiser.py); without it the package quantises the older types, and blocks of Q6_K,
Q4_K and IQ4_XS are packed here by the plainest rule that fills them."""

import gguf
import llama_quantiser
import numpy as np
from gguf import quants

from made_models import (EXPERTS, FFN, HEAD, HEADS, HIDDEN, KV_HEADS, LAYERS, VOCAB, tokens)

Type = gguf.GGMLQuantizationType
LAYER_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "block_sparse_moe.gate": "ffn_gate_inp",
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
OUTER_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm",
               "lm_head": "output", "transformer.wte": "token_embd",
               "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm"}
EXPERT_NAMES = {"w1": "ffn_gate_exps", "w2": "ffn_down_exps", "w3": "ffn_up_exps"}


def in_pairs(values, heads):
    """Rows of rotary halves to rows of rotary pairs."""
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


PAIRED = {"q_proj": HEADS, "k_proj": KV_HEADS}  # rows of how many heads converters pair
PAIRED_IN_2023 = {"q_proj": HEADS, "k_proj": HEADS}
UNPAIRED = {}


def converted(family, tensors, pairs):
    """Hugging Face names and layouts to GGUF's."""
    result, stacks = {}, {}
    for name, values in tensors.items():
        stem, ending = name.rsplit(".", 1)
        if stem in OUTER_NAMES:
            stem = OUTER_NAMES[stem]
        else:
            container = "transformer.h." if family == "gpt2" else "model.layers."
            layer, part = stem.removeprefix(container).split(".", 1)
            if ".experts." in part:
                expert, which = part.rsplit(".", 2)[1:]
                stacks.setdefault(f"blk.{layer}.{EXPERT_NAMES[which]}", {})[int(expert)] = values
                continue
            heads = pairs.get(part.rsplit(".", 1)[-1])
            if family in ("llama", "mixtral") and heads:
                values = in_pairs(values, heads)
            if family == "gpt2" and ".c_" in stem and ending == "weight":
                values = values.T
            stem = f"blk.{layer}.{LAYER_NAMES[part]}"
        if family == "gemma" and stem.endswith("norm"):
            values = values + np.float32(1)
        result[f"{stem}.{ending}"] = np.ascontiguousarray(values)
    for stem, experts in stacks.items():
        result[stem + ".weight"] = np.stack([experts[e] for e in range(EXPERTS)])
    return result


def f16_bytes(values):
    return values.astype(np.float16).view(np.uint8).reshape(len(values), -1)


def q6_k(blocks):
    """256 values in 16 runs; each run's step is a signed byte times one half float."""
    runs = blocks.reshape(len(blocks), 16, 16)
    steps = np.abs(runs).max(axis=2) / 31
    d = (steps.max(axis=1, keepdims=True) / 127).astype(np.float16).astype(np.float32)
    scales = np.clip(np.rint(steps / np.where(d == 0, 1, d)), 1, 127)
    q = np.clip(np.rint(runs / (d * scales)[..., None]), -32, 31).astype(np.int16) + 32
    q = q.astype(np.uint8).reshape(len(blocks), 2, 4, 32)
    low = np.concatenate([(q[:, :, :2] & 15) | ((q[:, :, 2:] & 15) << 4)], axis=2)
    high = q >> 4
    high = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    return np.concatenate([low.reshape(len(blocks), 128), high.reshape(len(blocks), 64),
                           scales.astype(np.int8).view(np.uint8), f16_bytes(d)], axis=1)


def q4_k(blocks):
    """256 values in 8 runs, each with a step and a minimum of six bits."""
    runs = blocks.reshape(len(blocks), 8, 32)
    low = np.minimum(runs.min(axis=2), 0)
    steps = (runs.max(axis=2) - low) / 15
    d = (steps.max(axis=1, keepdims=True) / 63).astype(np.float16).astype(np.float32)
    dmin = ((-low).max(axis=1, keepdims=True) / 63).astype(np.float16).astype(np.float32)
    scale = np.clip(np.rint(steps / d), 1, 63).astype(np.uint8)
    minimum = np.clip(np.rint(-low / dmin), 0, 63).astype(np.uint8)
    q = np.rint((runs + (dmin * minimum)[..., None]) / (d * scale)[..., None])
    q = np.clip(q, 0, 15).astype(np.uint8).reshape(len(blocks), 4, 2, 32)
    packed = np.concatenate([scale[:, :4] | (scale[:, 4:] >> 4) << 6,
                             minimum[:, :4] | (minimum[:, 4:] >> 4) << 6,
                             (scale[:, 4:] & 15) | (minimum[:, 4:] & 15) << 4], axis=1)
    return np.concatenate([f16_bytes(d), f16_bytes(dmin), packed,
                           (q[:, :, 0] | q[:, :, 1] << 4).reshape(len(blocks), 128)], axis=1)


def iq4_xs(blocks):
    """256 values in 8 runs; codes look up sixteen uneven values."""
    values = np.array(quants.IQ4_NL.kvalues, dtype=np.float32)
    runs = blocks.reshape(len(blocks), 8, 32)
    steps = np.abs(runs).max(axis=2) / 113
    d = (steps.max(axis=1, keepdims=True) / 31).astype(np.float16).astype(np.float32)
    scale = np.clip(np.rint(steps / d), 1, 31)
    q = np.abs((runs / (d * scale)[..., None])[..., None] - values).argmin(axis=-1).astype(np.uint8)
    stored = (scale + 32).astype(np.uint16)
    high = sum((stored[:, i] >> 4 & 3) << (2 * i) for i in range(8)).astype(np.uint16)
    low = (stored[:, 0::2] & 15 | (stored[:, 1::2] & 15) << 4).astype(np.uint8)
    return np.concatenate([f16_bytes(d), high.view(np.uint8).reshape(len(blocks), 2), low,
                           (q[:, :, :16] | q[:, :, 16:] << 4).reshape(len(blocks), 128)], axis=1)


PACKERS = {"Q6_K": q6_k, "Q4_K": q4_k, "IQ4_XS": iq4_xs}


def stored(values, kind):
    """The bytes of a matrix in a type, as rows."""
    if llama_quantiser.available() and kind.name in llama_quantiser.TYPES:
        return llama_quantiser.quantised(values, kind.name)
    if kind.name not in PACKERS:
        return quants.quantize(values, kind)
    packed = PACKERS[kind.name](values.reshape(-1, 256).astype(np.float32))
    return packed.reshape(*values.shape[:-1], -1)


def write_metadata(writer, family):
    writer.add_name("a made model")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    if family == "gpt2":
        writer.add_context_length(64)
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_head_count_kv(KV_HEADS)
        writer.add_context_length(2048)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
    if family == "gemma":
        writer.add_key_length(HEAD)
    if family == "mixtral":
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(2)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, "made")
    writer.add_base_model_repo_url(0, "https://huggingface.co/made/" + family)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens())
    writer.add_token_types([6] * 256 + [1] * (VOCAB - 256))


def write_gguf(family, tensors, path, kind="F32", pairs=PAIRED, big_endian=False, split=0):
    """Matrices in `kind`, everything else in F32, as converters do."""
    order = gguf.GGUFEndian.BIG if big_endian else gguf.GGUFEndian.LITTLE
    arch = "llama" if family == "mixtral" else family
    writer = gguf.GGUFWriter(path, arch, endianess=order, split_max_tensors=split)
    write_metadata(writer, family)
    for name, values in converted(family, tensors, pairs).items():
        plain = values.ndim < 2 or "gate_inp" in name or name.startswith("position")
        wanted = Type.F32 if plain else Type[kind]
        if wanted == Type.F32:
            writer.add_tensor(name, values.astype(np.float32))
        elif wanted == Type.F16:
            writer.add_tensor(name, values.astype(np.float16))
        else:
            writer.add_tensor(name, stored(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
