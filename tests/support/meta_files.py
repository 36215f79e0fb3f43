"""LLaMA in Meta's own files, by PyTorch: names, the row order of q and k, and the shares that
Meta's parallel layers cut."""

import hashlib
import json
import pathlib

import torch

NAMES = {"self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk",
         "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
         "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2",
         "mlp.up_proj": "feed_forward.w3", "input_layernorm": "attention_norm",
         "post_attention_layernorm": "ffn_norm"}
WHOLE = {"model.embed_tokens.weight": "tok_embeddings.weight", "model.norm.weight": "norm.weight",
         "lm_head.weight": "output.weight"}


def paired(tensor, heads):
    """The inverse of permute() in transformers' convert_llama_weights_to_hf.py."""
    rows, columns = tensor.shape
    return tensor.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def renamed(tensors, params):
    """Hugging Face's names and order of rows to Meta's."""
    meta = {}
    for name, tensor in tensors.items():
        if name in WHOLE:
            meta[WHOLE[name]] = tensor.clone()
            continue
        _, _, layer, rest = name.split(".", 3)
        module = rest.removesuffix(".weight")
        if module == "self_attn.q_proj":
            tensor = paired(tensor, params["n_heads"])
        if module == "self_attn.k_proj":
            tensor = paired(tensor, params["n_kv_heads"])
        meta[f"layers.{layer}.{NAMES[module]}.weight"] = tensor.clone()
    head = params["dim"] // params["n_heads"]
    meta["rope.freqs"] = 1.0 / (10000.0 ** (torch.arange(0, head, 2).float() / head))
    return meta


def share(name, tensor, number, count, kv_heads, embedding_axis):
    """What one of `count` files holds of a tensor."""
    part = name.split(".")[-2]
    if part in ("wk", "wv") and count > kv_heads:
        return tensor.chunk(kv_heads, 0)[number // (count // kv_heads)].clone()
    if part in ("wq", "wk", "wv", "w1", "w3", "output"):
        return tensor.chunk(count, 0)[number].clone()
    if part in ("wo", "w2"):
        return tensor.chunk(count, 1)[number].clone()
    if part == "tok_embeddings":
        return tensor.chunk(count, embedding_axis)[number].clone()
    return tensor


def write(target, meta, params, count, embedding_axis=1, with_params=True):
    target = pathlib.Path(target)
    target.mkdir()
    for number in range(count):
        torch.save({key: share(key, tensor, number, count, params["n_kv_heads"], embedding_axis)
                    for key, tensor in meta.items()}, target / f"consolidated.{number:02d}.pth")
    if with_params:
        (target / "params.json").write_text(json.dumps(params))
    lines = [f"{hashlib.md5(file.read_bytes()).hexdigest()}  {file.name}\n"
             for file in sorted(target.iterdir())]
    (target / "checklist.chk").write_text("".join(lines))
    return target
