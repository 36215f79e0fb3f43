"""Small models made with numpy, as Hugging Face directories: what the interop tests convert."""

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, VOCAB = 256, 512, 3, 8, 4, 320
HEAD = HIDDEN // HEADS
EXPERTS = 4


def bf16(values):
    """Rounded to what BF16 can hold, as float32."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


class Maker:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def matrix(self, rows, cols):
        return bf16(self.rng.standard_normal((rows, cols)) * 0.05)

    def vector(self, size, centre):
        return bf16(centre + 0.1 * self.rng.standard_normal(size))


def llama(seed, norm=1.0):
    make = Maker(seed)
    tensors = {"model.embed_tokens.weight": make.matrix(VOCAB, HIDDEN)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        tensors[at + "self_attn.q_proj.weight"] = make.matrix(HIDDEN, HIDDEN)
        tensors[at + "self_attn.k_proj.weight"] = make.matrix(KV_HEADS * HEAD, HIDDEN)
        tensors[at + "self_attn.v_proj.weight"] = make.matrix(KV_HEADS * HEAD, HIDDEN)
        tensors[at + "self_attn.o_proj.weight"] = make.matrix(HIDDEN, HIDDEN)
        tensors[at + "mlp.gate_proj.weight"] = make.matrix(FFN, HIDDEN)
        tensors[at + "mlp.up_proj.weight"] = make.matrix(FFN, HIDDEN)
        tensors[at + "mlp.down_proj.weight"] = make.matrix(HIDDEN, FFN)
        tensors[at + "input_layernorm.weight"] = make.vector(HIDDEN, norm)
        tensors[at + "post_attention_layernorm.weight"] = make.vector(HIDDEN, norm)
    tensors["model.norm.weight"] = make.vector(HIDDEN, norm)
    tensors["lm_head.weight"] = make.matrix(VOCAB, HIDDEN)
    return tensors


def gemma(seed):
    tensors = llama(seed, norm=0.0)
    del tensors["lm_head.weight"]
    return tensors


def mixtral(seed):
    make = Maker(seed + 1000)
    tensors = {name: values for name, values in llama(seed).items() if ".mlp." not in name}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}.block_sparse_moe."
        tensors[at + "gate.weight"] = make.matrix(EXPERTS, HIDDEN)
        for expert in range(EXPERTS):
            tensors[f"{at}experts.{expert}.w1.weight"] = make.matrix(FFN, HIDDEN)
            tensors[f"{at}experts.{expert}.w2.weight"] = make.matrix(HIDDEN, FFN)
            tensors[f"{at}experts.{expert}.w3.weight"] = make.matrix(FFN, HIDDEN)
    return tensors


def gpt2(seed):
    make = Maker(seed)
    tensors = {"transformer.wte.weight": make.matrix(VOCAB, HIDDEN),
               "transformer.wpe.weight": make.matrix(64, HIDDEN)}
    for layer in range(LAYERS):
        at = f"transformer.h.{layer}."
        for norm in ("ln_1", "ln_2"):
            tensors[at + norm + ".weight"] = make.vector(HIDDEN, 1.0)
            tensors[at + norm + ".bias"] = make.vector(HIDDEN, 0.0)
        for name, rows, cols in (("attn.c_attn", HIDDEN, 3 * HIDDEN),
                                 ("attn.c_proj", HIDDEN, HIDDEN),
                                 ("mlp.c_fc", HIDDEN, FFN), ("mlp.c_proj", FFN, HIDDEN)):
            tensors[at + name + ".weight"] = make.matrix(rows, cols)
            tensors[at + name + ".bias"] = make.vector(cols, 0.0)
    tensors["transformer.ln_f.weight"] = make.vector(HIDDEN, 1.0)
    tensors["transformer.ln_f.bias"] = make.vector(HIDDEN, 0.0)
    return tensors


MAKERS = {"llama": llama, "gemma": gemma, "mixtral": mixtral, "gpt2": gpt2}


def config(family):
    if family == "gpt2":
        return {"model_type": "gpt2", "n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS,
                "n_inner": FFN, "vocab_size": VOCAB, "n_positions": 64,
                "layer_norm_epsilon": 1e-5}
    made = {"model_type": family, "hidden_size": HIDDEN, "intermediate_size": FFN,
            "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS, "vocab_size": VOCAB, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 2048, "rope_theta": 10000.0}
    if family == "mixtral":
        made.update(num_local_experts=EXPERTS, num_experts_per_tok=2)
    if family == "gemma":
        made["head_dim"] = HEAD
    return made


def tokens():
    """The 256 bytes and a few words."""
    return [f"<0x{byte:02X}>" for byte in range(256)] + [f"▁word{i}" for i in range(VOCAB - 256)]


def write_directory(family, tensors, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()},
              folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(family)))
    vocabulary = {token: number for number, token in enumerate(tokens())}
    (folder / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "added_tokens": [],
         "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))
    return folder
