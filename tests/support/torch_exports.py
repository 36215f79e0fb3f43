#!/usr/bin/python3
"""torch.onnx.export of a made LLaMA or GPT-2 directory (made_models.py).

usage: torch_exports.py DIRECTORY FILE.onnx

Debian's python3-torch exports; the modules are those of the models' own code, as far as their
weights are concerned.
"""

import json
import math
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stored_model import Container  # noqa: E402


class RMSNorm(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def linear(rows, cols):
    return torch.nn.Linear(rows, cols, bias=False)


class Attention(torch.nn.Module):
    def __init__(self, hidden, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, hidden // heads
        self.q_proj = linear(hidden, hidden)
        self.k_proj = linear(hidden, kv_heads * self.size)
        self.v_proj = linear(hidden, kv_heads * self.size)
        self.o_proj = linear(hidden, hidden)
        frequencies = 1 / (10000 ** (torch.arange(0, self.size, 2).float() / self.size))
        angles = torch.outer(torch.arange(64).float(), frequencies)
        angles = torch.cat([angles, angles], -1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def heads_of(self, x, heads):
        return x.view(x.shape[0], x.shape[1], heads, self.size).transpose(1, 2)

    def rotated(self, x):
        length = x.shape[2]
        first, second = x.chunk(2, -1)
        return x * self.cos[:length] + torch.cat([-second, first], -1) * self.sin[:length]

    def forward(self, x):
        q = self.rotated(self.heads_of(self.q_proj(x), self.heads))
        k = self.rotated(self.heads_of(self.k_proj(x), self.kv_heads))
        v = self.heads_of(self.v_proj(x), self.kv_heads)
        k = k.repeat_interleave(self.heads // self.kv_heads, 1)
        v = v.repeat_interleave(self.heads // self.kv_heads, 1)
        weights = (q @ k.transpose(2, 3) / math.sqrt(self.size)).softmax(-1)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(x.shape))


class MLP(torch.nn.Module):
    def __init__(self, hidden, ffn):
        super().__init__()
        self.gate_proj, self.up_proj = linear(hidden, ffn), linear(hidden, ffn)
        self.down_proj = linear(ffn, hidden)

    def forward(self, x):
        return self.down_proj(torch.nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config["hidden_size"]
        self.self_attn = Attention(hidden, config["num_attention_heads"],
                                   config["num_key_value_heads"])
        self.mlp = MLP(hidden, config["intermediate_size"])
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(hidden), RMSNorm(hidden)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaModel(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = torch.nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = torch.nn.ModuleList(
            [LlamaLayer(config) for _ in range(config["num_hidden_layers"])])
        self.norm = RMSNorm(config["hidden_size"])

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Llama(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.model = LlamaModel(config)
        self.lm_head = linear(config["hidden_size"], config["vocab_size"])

    def forward(self, ids):
        return self.lm_head(self.model(ids))


class Conv1D(torch.nn.Module):
    """GPT-2's own: the weight lies as [in, out]."""

    def __init__(self, rows, cols):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(rows, cols))
        self.bias = torch.nn.Parameter(torch.zeros(cols))

    def forward(self, x):
        flat = torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight)
        return flat.view(x.shape[0], x.shape[1], -1)


class GPT2Attention(torch.nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.c_attn, self.c_proj = Conv1D(hidden, 3 * hidden), Conv1D(hidden, hidden)

    def forward(self, x):
        q, k, v = (part.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
                   for part in self.c_attn(x).split(x.shape[-1], dim=2))
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.c_proj((weights @ v).transpose(1, 2).reshape(x.shape))


class GPT2MLP(torch.nn.Module):
    def __init__(self, hidden, ffn):
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(hidden, ffn), Conv1D(ffn, hidden)

    def forward(self, x):
        return self.c_proj(torch.nn.functional.gelu(self.c_fc(x)))


class GPT2Layer(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config["n_embd"]
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(hidden), torch.nn.LayerNorm(hidden)
        self.attn = GPT2Attention(hidden, config["n_head"])
        self.mlp = GPT2MLP(hidden, config["n_inner"])

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2Model(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = torch.nn.Embedding(config["vocab_size"], config["n_embd"])
        self.wpe = torch.nn.Embedding(config["n_positions"], config["n_embd"])
        self.h = torch.nn.ModuleList([GPT2Layer(config) for _ in range(config["n_layer"])])
        self.ln_f = torch.nn.LayerNorm(config["n_embd"])

    def forward(self, ids):
        # Positions that depend on the input: of constant ones only the rows used would be kept.
        x = self.wte(ids) + self.wpe(torch.cumsum(torch.ones_like(ids), 1) - 1)
        for layer in self.h:
            x = layer(x)
        return self.ln_f(x)


class GPT2(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transformer = GPT2Model(config)

    def forward(self, ids):
        return self.transformer(ids) @ self.transformer.wte.weight.t()


def state_of(folder):
    file = Container(folder / "model.safetensors")
    return {name: torch.frombuffer(bytearray(file.raw(name)), dtype=torch.float32)
            .reshape(file.shape(name)).clone() for name in file.entries}


def main():
    folder = pathlib.Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    model = {"llama": Llama, "gpt2": GPT2}[config["model_type"]](config).eval()
    model.load_state_dict(state_of(folder))
    torch.onnx.export(model, (torch.zeros(1, 8, dtype=torch.long),), sys.argv[2],
                      input_names=["ids"], opset_version=13)


if __name__ == "__main__":
    main()
