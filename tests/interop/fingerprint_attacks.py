#!/usr/bin/env python3
"""Writes fixtures/attacks/fingerprint/<name>/ (a damaged fingerprint and a why.md that names the
problem it must get) and the seeds of fixtures/corpus/fingerprint/, from a minute fingerprint put
together by hand after docs/fingerprint.md.
"""

import json
import os
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ATTACKS = os.path.join(ROOT, "fixtures", "attacks", "fingerprint")
CORPUS = os.path.join(ROOT, "fixtures", "corpus", "fingerprint")
H2 = "h2/1:sha256:" + "ab" * 32


def architecture():
    texts = dict.fromkeys(("activation", "family", "family_title", "layer_template", "norm", "positions",
                           "roles_from", "runner_up", "structure"), "x")
    counts = dict.fromkeys(("experts", "ffn", "head_dim", "heads", "hidden", "kv_heads", "layers", "vocab"), 4)
    truths = dict.fromkeys(("attention_bias", "gated_mlp", "norm_plus_one", "tied_embeddings"), False)
    return {**texts, **counts, **truths, "ambiguous": [], "explained": 1, "renames": [["ln1", "norm"]],
            "rope_theta": 10000, "wrappers": []}


def content():
    block = {"cols": 1, "element_type": "F32", "expert": -1, "exponent": 14, "full_cols": 8, "full_rows": 4,
             "layer": 0, "role": "ffn.gate", "rows": 2, "steps_exponent": 14}
    tensor = {"elements": 4, "expert": -1, "fused": False, "h2": H2, "informative": True, "layer": 0,
              "name": "a", "role": "ffn.gate", "shape": [4, 8]}
    return {
        "architecture": architecture(), "blocks": [block], "detail": 0, "formats": ["safetensors"],
        "claims": [{"file": "README.md", "key": "base_model", "kind": "base_model", "line": 3, "value": "a/b"}],
        "digests": {"bag": H2, "files": [{"path": "a", "sha256": "0" * 64, "size": 1}], "named": H2, "tensors": [tensor]},
        "gains": [{"channels": 0, "element_type": "F32", "exponent": 14, "layer": 0, "role": "ffn.norm", "size": 2}],
        "moments": [{"distinct": 2, "expert": -1, "finite": True, "layer": 0, "role": "ffn.gate", "samples": 6}],
        "name": "made", "parameters": 32, "weight_bytes": 128, "schema": "pedigree-fingerprint/1",
        "responses": [{"layer": 0, "role": "ffn.gate", "units": 2}],
        "samples": [[], [0, 3, 7], [1, 2]], "scheme": "pedigree-sample/1:n64:h64:t256:r128:k1024:public",
        "tokenizer": {"kind": "BPE", "merges_digest": "", "smallest": ["00000000000000ff"], "smallest_ids": [7],
                      "tokens": 9, "vocabulary_digest": ""},
        "tokens": {"by_row": False, "hashes": ["0000000000000001", "00000000000000ff"], "rows": [5, 6]}}


def arrays():
    half = struct.pack("<e", 20000.0)
    return {"moments": ["F64", [1, 4], struct.pack("<4d", 0, 1, 2, 0.5)],
            "block.0.ffn.gate": ["F16", [2, 3], half * 6],
            "block.0.ffn.gate.low": ["F16", [2, 3], half * 6],
            "block.0.ffn.gate.steps": ["F16", [2, 3], half * 6],
            "gain.0.ffn.norm": ["F16", [2], half * 2],
            "response.0.ffn.gate": ["F16", [2, 2], half * 4],
            "response.0.ffn.gate.exponents": ["I16", [2], struct.pack("<2h", 3, -9)]}


def with_couplings(change=None, damage=None):
    """A deep part of three neurons in two layers."""
    value, tensors = content(), arrays()
    layer = {"gated": True, "layer": 0, "neurons": 1,
             "probes": [{"frequencies": 2, "offset": 0, "role": "attn.k"}, {"frequencies": 0, "offset": 0, "role": "attn.o"}]}
    found = {"layers": [layer, dict(layer, layer=1)], "pairs": [{"one": 0, "other": 1}]}
    value["deep"] = {"couplings": found, "layers": [],
                     "scheme": "pedigree-deep/2:c256:t16:a512:l8:w1024:n512:p256:b8000000:m16777216"}
    names = ["strength.%d.%s" % (i, view) for i in (0, 1) for view in ("first", "second")]
    names += ["product.0.1." + views for views in ("first-first", "first-second", "second-first")]
    for name in names:
        tensors[name] = ["F16", [3, 3], struct.pack("<e", 20000.0) * 9]
        tensors[name + ".exponents"] = ["I16", [3], struct.pack("<3h", 3, -9, 14)]
    if change:
        change(found)
    if damage:
        damage(tensors)
    return pack(canonical(value), tensors)


def with_experts(change=None, damage=None):
    """Answers of an expert, of a shared block and of a layer's own, of three neurons each."""
    value, tensors = content(), arrays()
    expert = {"expert": 5, "experts": 6, "full_neurons": 8, "gated": True, "kind": "expert", "layer": 0, "neurons": 1}
    shared = dict(expert, expert=-1, experts=0, kind="shared")
    own = {"gated": True, "layer": 1, "neurons": 1}
    blocks = [expert, shared, own]
    value["deep"] = {"couplings": {"layers": [], "pairs": []}, "layers": blocks,
                     "scheme": "pedigree-deep/3:c256:t16:a512:e8:f128:y4:x17000000:l8:w1024:n512:p256:b8000000:m16777216"}
    for name in ("answer.0.moe.5", "answer.0.moe.shared", "answer.1"):
        for view in (".first", ".second"):
            tensors[name + view] = ["F16", [3, 2], struct.pack("<e", 20000.0) * 6]
            tensors[name + view + ".exponents"] = ["I16", [3], struct.pack("<3h", 3, -9, 14)]
    if change:
        change(blocks)
    if damage:
        damage(tensors)
    return pack(canonical(value), tensors)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def pack(text, tensors):
    header, data = {"__metadata__": {"pedigree-fingerprint": text}}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def edited(change):
    value = content()
    change(value)
    return pack(canonical(value), arrays())


def put(path, new):
    def change(value):
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = new
    return edited(change)


def drop(path):
    def change(value):
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]
    return edited(change)


def array(name, dtype, shape, raw):
    tensors = arrays()
    tensors[name] = [dtype, shape, raw]
    return pack(canonical(content()), tensors)


def without_array(name):
    tensors = arrays()
    del tensors[name]
    return pack(canonical(content()), tensors)


def attacks():
    whole = canonical(content())
    infinite = struct.pack("<H", 0x7C00)
    yield "truncated", pack(whole, arrays())[:-1], "The last array ends before its bytes."
    yield "no-metadata", pack("", arrays()), "The text is empty."
    yield "other-key", pack(whole, arrays()).replace(b"pedigree-fingerprint\":\"", b"pedigree-fingerprinx\":\""), "The text lies under another key."
    yield "text-cut", pack(whole[:-40], arrays()), "The JSON ends in the middle."
    yield "text-deep", pack("[" * 20000, arrays()), "Twenty thousand open lists: nothing may recurse into them."
    yield "key-twice", pack(whole.replace('{"architecture"', '{"detail":0,"architecture"', 1), arrays()), "One key stands twice; readers disagree about which counts."
    yield "schema-unknown", put(["schema"], "pedigree-fingerprint/2"), "Another schema's fields mean other things."
    yield "schema-missing", drop(["schema"]), "A required field is missing."
    yield "number-huge", pack(whole.replace('"parameters":32', '"parameters":36893488147419103232'), arrays()), "2^65 would be rounded."
    yield "number-negative", put(["weight_bytes"], -1), "A size below zero."
    yield "number-as-text", put(["detail"], "0"), "A number spelled as text."
    yield "layer-below", put(["blocks", 0, "layer"], -2), "Layers are -1 or an index."
    yield "exponent-beyond", put(["blocks", 0, "exponent"], 100000), "A scale no float needs: shifting by it must not be tried."
    yield "sample-absent", put(["blocks", 0, "rows"], 9), "An index list that is not there."
    yield "sample-unsorted", put(["samples", 1], [3, 0, 7]), "Indices ascend."
    yield "sample-repeated", put(["samples", 1], [0, 3, 3]), "An index stands twice: one unit would count as two."
    yield "index-beyond-axis", put(["blocks", 0, "full_cols"], 7), "Column 7 of seven columns."
    yield "block-twice", edited(lambda v: v["blocks"].append(v["blocks"][0])), "Two blocks for one role."
    yield "array-missing", without_array("block.0.ffn.gate"), "A block without its array."
    yield "array-wrong-type", array("block.0.ffn.gate", "F32", [1, 3], b"\0" * 12), "F32 where F16 belongs."
    yield "array-wrong-shape", array("block.0.ffn.gate", "F16", [3, 2], b"\0" * 12), "Rows and columns exchanged."
    yield "value-infinite", array("block.0.ffn.gate", "F16", [2, 3], infinite * 6), "Infinity would spread through every sum."
    yield "gain-infinite", array("gain.0.ffn.norm", "F16", [2], infinite * 2), "An infinite gain."
    yield "moment-nan", array("moments", "F64", [1, 4], b"\xff" * 32), "Moments are numbers."
    yield "response-exponent", array("response.0.ffn.gate.exponents", "I16", [2], struct.pack("<2h", -32768, 0)), "The exponent whose magnitude 16 bits cannot hold."
    yield "gain-huge", put(["gains", 0, "size"], 2 ** 63), "An array size that must not be allocated."
    yield "hash-short", put(["tokens", "hashes"], ["01", "ff"]), "Hashes have sixteen digits."
    yield "tokens-unequal", put(["tokens", "rows"], [5]), "More hashes than rows."
    yield "sketch-unsorted", put(["tokenizer"], dict(content()["tokenizer"], smallest=["00000000000000ff"] * 2, smallest_ids=[1, 2])), "One hash twice in the sketch."
    yield "digest-short", put(["digests", "named"], "h2/1:sha256:abcd"), "A digest of two bytes."
    yield "rename-triple", put(["architecture", "renames"], [["a", "b", "c"]]), "Renames are pairs."
    yield "rename-text", put(["architecture", "renames"], ["ab"]), "A text where a pair belongs."
    yield "probes-twice", with_couplings(lambda v: v["layers"][0]["probes"].insert(0, {"frequencies": 0, "offset": 0, "role": "attn.k"})), "A matrix has a probe of all its rows and others besides."
    yield "probes-unsorted", with_couplings(lambda v: v["layers"][0]["probes"].reverse()), "Probes ascend."
    yield "probes-many", with_couplings(lambda v: v["layers"][0]["probes"][0].update(frequencies=2 ** 40)), "More frequencies than may be allocated."
    yield "probe-far", with_couplings(lambda v: v["layers"][0]["probes"][0].update(offset=2)), "A probe lies in the next layer at most."
    yield "coupled-layer-twice", with_couplings(lambda v: v["layers"][1].update(layer=0)), "One layer stands twice."
    yield "coupled-pair-absent", with_couplings(lambda v: v["pairs"][0].update(other=2)), "Products with a layer that has no neurons."
    yield "coupled-pair-reversed", with_couplings(lambda v: v["pairs"][0].update(one=1, other=0)), "The first of a pair is the earlier layer."
    yield "coupled-pair-twice", with_couplings(lambda v: v["pairs"].append(v["pairs"][0])), "One pair stands twice."
    yield "product-infinite", with_couplings(damage=lambda t: t["product.0.1.first-first"].__setitem__(2, infinite * 9)), "Infinity would spread through every view."
    yield "product-missing", with_couplings(damage=lambda t: t.pop("product.0.1.second-first")), "One of the three products is not there."
    yield "strength-wrong-shape", with_couplings(damage=lambda t: t.update({"strength.1.first": ["F16", [9], b"\0" * 18]})), "A list where neurons × probes belong."
    yield "expert-beyond", with_experts(lambda v: v[0].update(expert=6)), "The seventh of six experts."
    yield "expert-unnumbered", with_experts(lambda v: v[0].update(expert=-1)), "An expert without a number."
    yield "experts-many", with_experts(lambda v: v[0].update(experts=2 ** 40)), "More experts than any layer holds."
    yield "expert-kind", with_experts(lambda v: v[0].update(kind="router")), "A block that is neither an expert nor a shared one."
    yield "expert-uncounted", with_experts(lambda v: v[0].pop("experts")), "It is not said of how many experts this is one."
    yield "expert-twice", with_experts(lambda v: v.insert(0, dict(v[0]))), "One expert stands twice: its neurons would count as two."
    yield "expert-neurons", with_experts(lambda v: v[0].update(full_neurons=7)), "Neuron 7 of seven neurons."
    yield "expert-answers-missing", with_experts(damage=lambda t: t.pop("answer.0.moe.5.second")), "One of the two views is not there."
    yield "expert-answers-short", with_experts(damage=lambda t: t.update({"answer.0.moe.5.first": ["F16", [2, 2], b"\0" * 8]})), "Answers of two neurons where three are named."
    yield "expert-answers-nan", with_experts(damage=lambda t: t["answer.0.moe.shared.first"].__setitem__(2, struct.pack("<H", 0x7E00) * 6)), "NaN would spread through every view."
    yield "claim-line", put(["claims", 0, "line"], 2 ** 40), "A line number beyond 32 bits."


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def main():
    for name, data, why in attacks():
        folder = os.path.join(ATTACKS, name)
        write(os.path.join(folder, "model.pedigree"), data)
        write(os.path.join(folder, "why.md"), f"# {name}\n\n{why}\n\nExpected: `fingerprint-malformed`\n".encode())
        if name not in ("text-deep",):
            write(os.path.join(CORPUS, name), data)
    whole = pack(canonical(content()), arrays())
    write(os.path.join(CORPUS, "whole"), whole)
    write(os.path.join(CORPUS, "deep"), with_couplings())
    write(os.path.join(CORPUS, "experts"), with_experts())
    write(os.path.join(CORPUS, "empty"), b"")


if __name__ == "__main__":
    main()
