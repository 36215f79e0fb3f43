"""A safetensors file and a LLaMA directory, read with the standard library alone."""

import json
import os
import struct


class Container:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + size])
        self.metadata = header.pop("__metadata__", {})
        self.entries = header
        self.data = data[8 + size:]

    def raw(self, name):
        begin, end = self.entries[name]["data_offsets"]
        return self.data[begin:end]

    def shape(self, name):
        return self.entries[name]["shape"]

    def words(self, name, letter):
        raw = self.raw(name)
        return list(struct.unpack("<%d%s" % (len(raw) // struct.calcsize(letter), letter), raw))

    def values(self, name):
        dtype = self.entries[name]["dtype"]
        if dtype == "BF16":
            return [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in self.words(name, "H")]
        return self.words(name, {"F32": "f", "F16": "e"}[dtype])


class Weights:
    """A LLaMA directory of one file, by canonical role."""

    PARTS = {"attn.q": "self_attn.q_proj", "attn.k": "self_attn.k_proj", "attn.v": "self_attn.v_proj",
             "attn.o": "self_attn.o_proj", "ffn.gate": "mlp.gate_proj", "ffn.up": "mlp.up_proj",
             "ffn.down": "mlp.down_proj", "attn.norm": "input_layernorm",
             "ffn.norm": "post_attention_layernorm"}
    OUTER = {"embed.tokens": "model.embed_tokens", "head.out": "lm_head", "head.norm": "model.norm"}

    def __init__(self, directory):
        self.file = Container(os.path.join(directory, "model.safetensors"))
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        with open(os.path.join(directory, "tokenizer.json"), encoding="utf-8") as file:
            tokenizer = json.load(file)
        ids = dict(tokenizer["model"]["vocab"])
        ids.update({added["content"]: added["id"] for added in tokenizer["added_tokens"]})
        self.tokens = [""] * (max(ids.values()) + 1)
        for token, number in ids.items():
            self.tokens[number] = token
        self.cache = {}

    def name(self, role, layer):
        if layer < 0:
            return self.OUTER[role] + ".weight"
        name = "model.layers.%d.%s.weight" % (layer, self.PARTS[role])
        yi = name.replace("input_layernorm", "ln1").replace("post_attention_layernorm", "ln2")
        return name if name in self.file.entries else yi

    def rows(self, role, layer):
        name = self.name(role, layer)
        if name not in self.cache:
            values = self.file.values(name)
            width = self.file.shape(name)[-1]
            self.cache[name] = [values[i:i + width] for i in range(0, len(values), width)]
        return self.cache[name]

    def dtype(self, role, layer):
        return self.file.entries[self.name(role, layer)]["dtype"]
