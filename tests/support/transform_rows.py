"""The table of transforms, once: for each row how a model is stored plainly and how it is stored
otherwise, and what the tool has to call the difference.

Families' layouts come from atlas_models.py, GGUF's from atlas_gguf.py; nets are stored as their
frameworks save them (torch_nets.py). `GGUF` is False where the official writer is missing."""

import pathlib
import sys

import atlas_models as atlas
import interop
import numpy as np

try:
    import atlas_gguf
    GGUF = True
except ImportError:
    GGUF = False

FAMILIES = {family["id"]: family for family in atlas.families()}


class Row:
    """One way to store a model otherwise."""

    def __init__(self, transform, title, plain, other, relation="identical", names=None):
        self.transform, self.title = transform, title
        self.plain, self.other = plain, other  # (values, folder) to a path
        self.relation = relation
        self.names = [transform] if names is None else names

    def values(self, seed):
        return self.plain.values(seed)


class Layout:
    """A family's tensors, as its own code stores them."""

    def __init__(self, family, change=None, tied=False):
        self.family, self.change = FAMILIES[family], change
        self.tensors = [tensor for tensor in atlas.tensors_of(self.family, False)
                        if not (tied and tensor.entry.get("role") == "head.out")]

    def values(self, seed):
        return atlas.canonical_values(self.tensors, seed)

    def store(self, values, path):
        stored = atlas.own_layout(self.tensors, values)
        if self.change:
            stored = self.change(stored)
        return atlas.write_directory(self.family, stored, path)


class Gguf(Layout):
    """The same as a converter writes it; `change` sees names and stored values."""

    def __init__(self, family, change=None, tied=False, fuse_kv_b=False):
        super().__init__(family, change, tied)
        self.fuse_kv_b = fuse_kv_b
        self.architecture = self.family["gguf"]["architectures"][0]

    def store(self, values, path):
        stored, _ = atlas_gguf.converted(self.family, self.tensors, values, self.architecture,
                                         self.fuse_kv_b)
        if self.change:
            stored = self.change(stored)
        return atlas_gguf.write(self.family, stored, self.architecture, path.with_suffix(".gguf"))


def renamed(stored, change):
    return {change(name): values for name, values in stored.items()}


def swapped_experts(stored):
    """Ollama's convert/convert_mixtral.go: w2 as up, w3 as down."""
    names = {"ffn_up_exps": "ffn_down_exps", "ffn_down_exps": "ffn_up_exps"}
    swap = lambda name: next((name.replace(a, b) for a, b in names.items() if a in name), name)
    return renamed(stored, swap)


def mispaired_keys(stored):
    """Keys paired by the number of query heads, as converters of 2023 did."""
    made = dict(stored)
    for name, values in stored.items():
        if ".attn_k." in name:
            kv = atlas_gguf.KV_HEADS
            halves = values.reshape(kv, values.shape[0] // kv // 2, 2, -1).swapaxes(1, 2)
            made[name] = atlas_gguf.in_pairs(halves.reshape(values.shape), atlas_gguf.HEADS)
    return made


def flat_heads(stored):
    """Heads' matrices as forks of llama.cpp write them, without an axis of their own."""
    return {name: values.reshape(-1, values.shape[-1]) if values.ndim == 3 and "_b." in name
            else values for name, values in stored.items()}


def stored_fused_too(stored):
    """Forks keep the fused matrix beside the two it was split into."""
    made = flat_heads(stored)
    for name in [name for name in stored if "attn_k_b." in name]:
        keys, values = stored[name].swapaxes(1, 2), stored[name.replace("attn_k_b", "attn_v_b")]
        fused = np.concatenate([keys, values], axis=1)
        made[name.replace("attn_k_b", "attn_kv_b")] = fused.reshape(-1, fused.shape[-1])
    return made


def repeated_head(stored):
    """The head that tied models do without, as a copy of their embedding."""
    return {**stored, "lm_head.weight": stored["model.embed_tokens.weight"]}


def padded_rows(stored):
    """Rows for no token behind the others, as resize_token_embeddings adds them."""
    made = dict(stored)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        rows = stored[name]
        made[name] = np.concatenate([rows, np.repeat(rows.mean(0, keepdims=True), 24, 0)])
    return made


def rows():
    """The table."""
    table = [
        Row("rope-permute", "heads' rows in pairs, in Meta's own files",
            Layout("llama"), Layout("llama_meta"), names=["rope-permute", "rename"]),
        Row("split-concat", "q, k, v and gate, up fused", Layout("llama"), Layout("phi3")),
        Row("split-group-interleave", "a key and a value behind the queries that share them",
            Layout("llama"), Layout("internlm2"), names=["split-group-interleave", "rename"]),
        Row("drop-duplicate", "a tied head stored all the same",
            Layout("gemma", tied=True), Layout("gemma", repeated_head, tied=True)),
        Row("row-pad", "rows for no token behind the others",
            Layout("llama"), Layout("llama", padded_rows), "vocab-extended", names=[]),
    ]
    return table + (gguf_rows() if GGUF else [])


def gguf_rows():
    def pair(transform, family, title, tied=False):
        return Row(transform, title, Layout(family, tied=tied), Gguf(family, tied=tied))

    return [
        pair("rope-permute", "llama", "heads' rows in pairs, fewer heads of keys"),
        Row("legacy-permute", "keys paired by a wrong number of heads", Layout("llama"),
            Gguf("llama", mispaired_keys)),
        pair("transpose", "gpt2", "Conv1D's [in, out]"),
        pair("split-concat", "baichuan", "thirds of W_pack"),
        pair("split-concat", "granitemoe", "gate and up of experts in one stack"),
        pair("split-head-interleave", "gpt_neox", "q, k, v of each head in turn"),
        pair("split-head-interleave", "bloom", "q, k, v of each head in turn, with biases"),
        pair("split-group-interleave", "falcon_new", "a key and a value behind their queries"),
        pair("split-gate-up-interleave", "gpt_oss", "rows of gate and up in turn, with biases"),
        pair("stack-experts", "mixtral", "experts in one tensor"),
        pair("stack-experts", "qwen3_moe", "experts in one tensor"),
        Row("swap-up-down", "experts' up and down under each other's names",
            Layout("mixtral"), Gguf("mixtral", swapped_experts)),
        pair("norm-plus-one", "gemma", "gains stored plus one", tied=True),
        pair("norm-plus-one", "gemma2", "gains stored plus one", tied=True),
        pair("norm-plus-one", "gemma3", "gains stored plus one"),
        pair("norm-plus-one", "nemotron", "gains stored plus one"),
        pair("split-mla-kv", "deepseek_v2", "keys of each head turned round"),
        Row("split-mla-kv", "the same without an axis for heads", Layout("deepseek_v2"),
            Gguf("deepseek_v2", flat_heads)),
        Row("split-mla-kv", "fused, as older converters and Ollama's write it",
            Layout("deepseek_v2"), Gguf("deepseek_v2", fuse_kv_b=True), names=["stack-experts"]),
        Row("split-mla-kv", "fused and split in one file", Layout("deepseek_v2"),
            Gguf("deepseek_v2", stored_fused_too), names=["stack-experts"]),
    ]


class NetRow:
    """A net's files: plain, stored otherwise, and another seed's stored so."""

    def __init__(self, transform, title, plain, other, stranger):
        self.transform, self.title = transform, title
        self.plain, self.other, self.stranger = plain, other, stranger
        self.relation, self.names = "identical", [transform]


def net_rows(folder):
    """Rows of nets, written by Debian's python3-torch."""
    made = {seed: pathlib.Path(folder) / f"nets-{seed}" for seed in (1, 2)}
    for seed, place in made.items():
        run = interop.run_debian(pathlib.Path(__file__).with_name("torch_nets.py"), place, seed)
        if run.returncode != 0:
            sys.exit(run.stderr)

    def row(transform, title, plain, other):
        return NetRow(transform, title, made[1] / plain, made[1] / other, made[2] / other)

    return [
        row("bn-fold", "torch.onnx.export, convolutions and depthwise ones", "norms.pt",
            "exported.onnx"),
        row("bn-fold", "torch.nn.utils.fusion, transposed convolutions and a dense layer",
            "decoder.pt", "fused.pt"),
        row("weight-norm", "torch.nn.utils.weight_norm", "plain.pt", "hooked.pt"),
        row("weight-norm", "under the parametrisation's names", "plain.pt", "parametrised.pt"),
    ]
