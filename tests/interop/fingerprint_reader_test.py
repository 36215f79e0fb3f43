#!/usr/bin/env python3
"""A second implementation of docs/fingerprint.md, written from that page alone with the standard
library, which re-reads fingerprints the tool wrote and computes their content again from the model.

usage: fingerprint_reader_test.py PEDIGREE
       fingerprint_reader_test.py --write-vectors    writes fixtures/vectors/fingerprint/
"""

import hashlib
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from stored_model import Container, Weights  # noqa: E402

MODELS = os.path.join(ROOT, "fixtures", "models")
VECTORS = os.path.join(ROOT, "fixtures", "vectors", "fingerprint")
PEDIGREE = None


# Section 1: sampling

def first_u64(data):
    return struct.unpack("<Q", hashlib.sha256(data).digest()[:8])[0]


def prefix(axis, salt=b""):
    return b"pedigree-sample/1\0" + hashlib.sha256(salt).digest() + axis.encode() + b"\0"


def index_hash(axis, index, salt=b""):
    return first_u64(prefix(axis, salt) + struct.pack("<Q", index))


def token_hash(token, salt=b""):
    return first_u64(prefix("token", salt) + token)


def sample(axis, size, count, salt=b""):
    ranked = sorted((index_hash(axis, i, salt), i) for i in range(min(size, 1048576)))
    return sorted(i for _, i in ranked[:count])


def head_sample(size, head_dim, limit):
    if head_dim == 0 or size % head_dim:
        return sample("attn-row", size, min(limit, 64))
    heads = sample("head", size // head_dim, max(1, limit // head_dim))
    return [head * head_dim + i for head in heads for i in range(min(head_dim, limit))]


def byte_alphabet():
    plain = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    others = [b for b in range(256) if b not in plain]
    table = {chr(b): b for b in plain}
    table.update({chr(0x100 + i): b for i, b in enumerate(others)})
    return table


def canonical_tokens(tokens):
    byte_level = sum(token.startswith("\u0120") for token in tokens)
    metaspace = sum(token.startswith("\u2581") for token in tokens)
    if not byte_level and not metaspace:
        return [token.encode() for token in tokens]
    if byte_level >= metaspace:
        table = byte_alphabet()
        return [b"".join(bytes([table[c]]) if c in table else c.encode() for c in token)
                for token in tokens]
    return [bytes([int(token[3:5], 16)]) if re.fullmatch("<0x[0-9A-F]{2}>", token)
            else token.replace("\u2581", " ").encode() for token in tokens]


def token_sample(tokens, below, count=256):
    smallest = {}
    for row, token in enumerate(canonical_tokens(tokens)[:below]):
        if token:
            smallest.setdefault(token_hash(token), row)
    return sorted(smallest.items())[:count]


# Sections 3, 4 and 7: numbers

def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def f16_bits(value):
    try:
        return struct.unpack("<H", struct.pack("<e", value))[0]
    except OverflowError:
        return 0x7C00 if value > 0 else 0xFC00


def f16_value(bits):
    return struct.unpack("<e", struct.pack("<H", bits))[0]


def lane_sum(terms):
    lanes = [0.0] * 8
    for i, term in enumerate(terms):
        lanes[i % 8] += term
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))


def exponent_of(values):
    largest = max((abs(v) for v in values), default=0.0)
    if largest == 0:
        return 0
    exponent = 15 - math.frexp(largest)[1]
    if f16_value(f16_bits(f32(math.ldexp(largest, exponent)))) >= 32768.0:
        exponent -= 1
    return exponent


def pack_halves(values, keep_low):
    exponent = exponent_of(values)
    whole = [f32(math.ldexp(v, exponent)) for v in values]
    high = [f16_bits(v) for v in whole]
    low = [f16_bits(f32(math.ldexp(f32(v - f16_value(h)), 11))) for v, h in zip(whole, high)]
    lost = any(f16_value(h) != v for v, h in zip(whole, high))
    return exponent, high, (low if lost and keep_low else [])


def expected_samples(role, rows, cols, weights, token_rows):
    head_dim = weights.config["hidden_size"] // weights.config["num_attention_heads"]
    def hidden(size): return sample("hidden", size, 64)
    def neuron(size): return sample("neuron", size, 64)
    def head(size): return head_sample(size, head_dim, 128)
    def token(size): return sorted(row for row in token_rows if row < size)
    axes = {"attn.q": (head, hidden), "attn.k": (head, hidden), "attn.v": (head, hidden),
            "attn.o": (hidden, head), "ffn.gate": (neuron, hidden), "ffn.up": (neuron, hidden),
            "ffn.down": (hidden, neuron), "embed.tokens": (token, hidden), "head.out": (token, hidden)}
    return axes[role][0](rows), axes[role][1](cols)


def responses(weights, layer, role, units, token_rows):
    table = [list(weights.rows("embed.tokens", -1)[row]) for row in token_rows]
    for column in range(len(table[0])):
        mean = lane_sum(row[column] for row in table) / len(table)
        for row in table:
            row[column] = f32(row[column] - mean)
    gain = weights.rows("ffn.norm", layer)[0]
    for unit in units:
        a = [f32(w * g) for w, g in zip(weights.rows(role, layer)[unit], gain)]
        yield [f32(lane_sum(x * y for x, y in zip(a, row))) for row in table]


# Section 8: the deep part

def deep_answers(weights, layer, role, units, token_rows):
    """Of a gated RMSNorm model."""
    table = [list(weights.rows("embed.tokens", -1)[row]) for row in token_rows]
    for column in range(len(table[0])):
        mean = lane_sum(row[column] for row in table) / len(table)
        for row in table:
            row[column] = f32(row[column] - mean)
    gain = weights.rows("ffn.norm", layer)[0]
    asked = [[f32(e * g) for e, g in zip(row, gain)] for row in table]
    for unit in units:
        yield [f32(lane_sum(w * t for w, t in zip(weights.rows(role, layer)[unit], row))) for row in asked]


PROBED = [("attn.k", 0), ("attn.k", 1), ("attn.k", -1), ("attn.q", 0), ("attn.v", 0), ("attn.o", 0),
          ("attn.q", 1), ("attn.v", 1), ("attn.o", 1), ("attn.q", -1), ("attn.v", -1), ("attn.o", -1),
          ("ffn.gate", 0), ("ffn.up", 0), ("ffn.down", 0), ("ffn.gate", 1), ("ffn.up", 1), ("ffn.down", 1),
          ("ffn.gate", -1), ("ffn.up", -1), ("ffn.down", -1)]


def fused(x, y, c):
    """f32(x y + c) of binary32 numbers, rounded once: the sum is first rounded to odd in binary64."""
    p = x * y  # exact
    s = p + c
    t = s - p
    lost = (p - (s - t)) + (c - t)
    if lost and not struct.unpack("<Q", struct.pack("<d", s))[0] & 1:
        s = math.nextafter(s, math.inf if lost > 0 else -math.inf)
    return f32(s)


def chain(a, b):
    c = 0.0
    for x, y in zip(a, b):
        c = fused(x, y, c)
    return c


def square_of(row):
    return lane_sum(v * v for v in row)


def residual_rows(weights, role, layer):
    """Of an RMSNorm model, in binary64."""
    table = weights.rows(role, layer)
    if role in ("attn.o", "ffn.down"):
        return [list(column) for column in zip(*table)]
    gain = weights.rows("ffn.norm" if role.startswith("ffn") else "attn.norm", layer)[0]
    return [[w * g for w, g in zip(row, gain)] for row in table]


def coupled_layers(depth, hidden):
    most = 4 if hidden > 1024 else 8
    return list(range(depth)) if depth <= most else [i * (depth - 1) // (most - 1) for i in range(most)]


def probes_of(weights, role, count):
    """{frequency, -1 for all: groups of rows}, of a model with RoPE."""
    config = weights.config
    heads = config["num_attention_heads"] if role in ("attn.q", "attn.o") else config["num_key_value_heads"]
    if role.startswith("ffn"):
        return {-1: [[i] for i in range(count)]}
    size = count // heads
    if role in ("attn.v", "attn.o"):
        return {-1: [list(range(h * size, (h + 1) * size)) for h in range(heads)]}
    return {f: [[h * size + f, h * size + size // 2 + f] for h in range(heads)] for f in range(size // 2)}


def probed_matrices(weights, layer):
    """By (offset, role): what is taken up."""
    left, found = 2 ** 24, {}
    for role, offset in PROBED:
        if not 0 <= layer + offset < weights.config["num_hidden_layers"]:
            continue
        rows = residual_rows(weights, role, layer + offset)
        if len(rows) * len(rows[0]) <= left:
            left -= len(rows) * len(rows[0])
            found[offset, role] = rows
    return found


def strength(row, rows, groups):
    single = [f32(v) for v in row]
    shared, size = 0.0, 0.0
    for group in groups:
        squares = 0.0
        for r in group:
            squares += square_of(rows[r])
        weight = 1 / squares if squares > 0 else 0.0
        for r in group:
            along = chain(single, [f32(v) for v in rows[r]])
            shared += along * along * weight
            size += square_of(rows[r]) * weight
    divisor = size * square_of(row)
    return f32(shared / divisor) if divisor > 0 else 0.0


# Section 6: digests

def digest_text(scheme, data):
    return "%s:sha256:%s" % (scheme, hashlib.sha256(data).hexdigest())


def bf16_bits(value):
    if math.isnan(value):
        return 0x7FC0
    if value == 0:
        return 0
    if math.isinf(value):
        return 0x7F80 if value > 0 else 0xFF80
    exponent = max(math.frexp(value)[1] - 8, -133)
    rounded = math.ldexp(round(math.ldexp(value, -exponent)), exponent)  # round() is to even
    try:
        bits = struct.unpack("<I", struct.pack("<f", rounded))[0] >> 16
    except OverflowError:
        bits = 0x7F80 if value > 0 else 0xFF80
    return 0 if bits == 0x8000 else bits


def value_digests(dtype, shape, raw):
    head = struct.pack("<Q", len(shape)) + b"".join(struct.pack("<Q", size) for size in shape)
    letters = {"F32": "f", "F16": "e", "F64": "d", "I8": "b", "U8": "B", "I16": "h", "U16": "H",
               "I32": "i", "U32": "I", "I64": "q", "U64": "Q", "BOOL": "B"}
    if dtype == "BF16":
        words = struct.unpack("<%dH" % (len(raw) // 2), raw)
        values = [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in words]
    else:
        size = struct.calcsize(letters[dtype])
        values = struct.unpack("<%d%s" % (len(raw) // size, letters[dtype]), raw)
    if dtype in ("F32", "F16", "BF16", "F64"):
        tag, letter = (b"F64 ", "d") if dtype == "F64" else (b"F32 ", "f")
        h2 = head + tag + struct.pack("<%d%s" % (len(values), letter), *values)
        h3 = head + b"BF16" + struct.pack("<%dH" % len(values), *map(bf16_bits, values))
    else:
        h2 = head + b"I64 " + struct.pack("<%d%s" % (len(values), "Q" if dtype == "U64" else "q"), *values)
        h3 = h2
    return digest_text("h1/1", raw), digest_text("h2/1", h2), digest_text("h3/1", h3)


def model_digest(scheme, lines):
    body = b"".join(struct.pack("<Q", len(line)) + line for line in sorted(lines))
    return digest_text(scheme, body)


# Known answers

def bits_of(values):
    return [struct.unpack("<I", struct.pack("<f", value))[0] for value in values]


def sampling_vectors():
    salts = [b"", b"secret"]
    return {
        "hashes": [{"salt": salt.hex(), "axis": axis, "index": index,
                    "hash": "%016x" % index_hash(axis, index, salt)}
                   for salt in salts for axis in ("neuron", "hidden", "head", "token-row")
                   for index in (0, 1, 63, 11007, 4294967296)],
        "tokens": [{"salt": salt.hex(), "token": token.hex(), "hash": "%016x" % token_hash(token, salt)}
                   for salt in salts for token in (b"a", b" the", b"\xff", "\u4f60".encode())],
        "samples": [{"salt": salt.hex(), "axis": axis, "size": size, "count": count,
                     "indices": sample(axis, size, count, salt)}
                    for salt in salts
                    for axis, size, count in (("neuron", 352, 64), ("hidden", 96, 64), ("hidden", 40, 64),
                                              ("head", 8, 3), ("token-row", 1000, 16), ("neuron", 0, 4))],
        "token_bytes": [{"tokens": tokens, "bytes": [token.hex() for token in canonical_tokens(tokens)]}
                        for tokens in (["\u0120the", "\u00c3\u00a9", "\u010a", "<|end|>", "\u4f60", "\u0142"],
                                       ["\u2581the", "<0x0A>", "<0xzz>", "a\u2581b", "\u00e9"],
                                       ["plain", "\u00e9"])],
    }


def half_vectors():
    rng = random.Random(7)
    cases = [[0.0, -0.0], [1.0, -2.0, 0.5], [65504.0, 2.0 ** -24], [3.0e38, 1.0], [2.0 ** -149, 2.0 ** -140],
             [32767.9, 1.0], [f32(rng.gauss(0, 0.02)) for _ in range(40)],
             [f32(rng.gauss(0, 1) * 10.0 ** rng.randint(-8, 4)) for _ in range(40)],
             [f32(1.0 + rng.random() * 2.0 ** -9) for _ in range(20)]]
    result = []
    for values in cases:
        exponent, high, low = pack_halves([f32(v) for v in values], True)
        result.append({"values": bits_of(values), "exponent": exponent, "high": high, "low": low})
    return {"halves": result}


def digest_vectors():
    rng = random.Random(11)
    noise = bytes(rng.randrange(256) for _ in range(96))
    floats = struct.pack("<12f", *[rng.gauss(0, 1) for _ in range(10)], -0.0, 1.0 + 2.0 ** -8)
    doubles = struct.pack("<6d", 1.0, -0.0, 1.0 + 2.0 ** -8 + 2.0 ** -40, 3.0e38, 1e300, math.pi)
    halves = struct.pack("<8e", *[rng.gauss(0, 1) for _ in range(8)])
    cases = [("F32", [3, 4], floats), ("F32", [12], floats), ("F64", [2, 3], doubles), ("F16", [8], halves),
             ("BF16", [2, 2], struct.pack("<4H", 0x3F80, 0x8000, 0xC001, 0x0001)), ("I8", [96], noise),
             ("U16", [48], noise), ("I32", [24], noise), ("U64", [12], noise), ("I64", [3, 4], noise),
             ("BOOL", [4], b"\0\1\1\0"), ("F32", [0], b""), ("I64", [], struct.pack("<q", -7))]
    result = []
    for dtype, shape, raw in cases:
        h1, h2, h3 = value_digests(dtype, shape, raw)
        result.append({"dtype": dtype, "shape": shape, "bytes": raw.hex(), "h1": h1, "h2": h2, "h3": h3})
    rounding = [0.0, -0.0, 1.0, 1.0 + 2.0 ** -8, 1.0 + 3 * 2.0 ** -8, 1.0 + 2.0 ** -8 + 2.0 ** -52, 3.3895e38,
                3.4e38, -1e300, 2.0 ** -133, 2.0 ** -134, 2.0 ** -134 * (1 + 2.0 ** -50), -2.0 ** -140, 1e-320]
    return {"tensors": result,
            "bf16": [{"double": struct.pack("<d", v).hex(), "bits": bf16_bits(v)} for v in rounding]}


VECTOR_FILES = {"sampling.json": sampling_vectors, "halves.json": half_vectors, "digests.json": digest_vectors}


def vector_text(make):
    return json.dumps(make(), indent=1, sort_keys=True) + "\n"


def write_vectors():
    os.makedirs(VECTORS, exist_ok=True)
    for name, make in VECTOR_FILES.items():
        with open(os.path.join(VECTORS, name), "w", encoding="utf-8") as file:
            file.write(vector_text(make))


class TheShippedVectors(unittest.TestCase):
    def test_are_what_this_implementation_computes(self):
        for name, make in VECTOR_FILES.items():
            with open(os.path.join(VECTORS, name), encoding="utf-8") as file:
                self.assertEqual(file.read(), vector_text(make), name)


def write_copy(directory, source, dtype):
    """The model once more, as F32: with noise below BF16's reach, so that second halves are needed."""
    rng = random.Random(5)
    container = Container(os.path.join(source, "model.safetensors"))
    header, data = {}, b""
    for name in container.entries:
        values = [f32(v * (1 + 2.0 ** -13 * rng.random())) for v in container.values(name)]
        raw = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": dtype, "shape": container.shape(name), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    for name in ("config.json", "tokenizer.json"):
        with open(os.path.join(source, name), "rb") as old, open(os.path.join(directory, name), "wb") as new:
            new.write(old.read())


class AFingerprintOfAModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.pairs = []
        noisy = os.path.join(cls.temporary.name, "noisy")
        os.mkdir(noisy)
        write_copy(noisy, os.path.join(MODELS, "A"), "F32")
        for directory in (os.path.join(MODELS, "A"), os.path.join(MODELS, "B"), noisy):
            path = os.path.join(cls.temporary.name, os.path.basename(directory) + ".pedigree")
            run = subprocess.run([PEDIGREE, "fingerprint", directory, "--digests", "--deep", "--to", path],
                                 capture_output=True, text=True, check=False)
            if run.returncode != 0:
                raise AssertionError("fingerprint failed: " + run.stderr + run.stdout)
            container = Container(path)
            text = container.metadata["pedigree-fingerprint"]
            cls.pairs.append((Weights(directory), container, json.loads(text), text, path))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_holds_canonical_json(self):
        for _, _, content, text, _ in self.pairs:
            self.assertEqual(text, json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
            self.assertEqual(content["schema"], "pedigree-fingerprint/1")
            self.assertEqual(content["scheme"], "pedigree-sample/1:n64:h64:t256:r128:k1024:public")
            self.assertEqual(content["detail"], 0)

    def test_is_the_same_for_any_number_of_threads(self):
        for threads in ("1", "3"):
            again = os.path.join(self.temporary.name, "again.pedigree")
            subprocess.run([PEDIGREE, "fingerprint", os.path.join(MODELS, "A"), "--digests", "--deep", "--threads", threads,
                            "--to", again], capture_output=True, check=True)
            with open(again, "rb") as one, open(self.pairs[0][4], "rb") as two:
                self.assertEqual(one.read(), two.read())

    def test_fits_its_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("SKIPPED: python3-jsonschema is not installed")
        with open(os.path.join(ROOT, "schemas", "fingerprint-1.schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        for _, _, content, _, _ in self.pairs:
            jsonschema.validate(content, schema)

    def test_samples_tokens_by_their_bytes(self):
        for weights, _, content, _, _ in self.pairs:
            expected = token_sample(weights.tokens, weights.config["vocab_size"])
            self.assertFalse(content["tokens"]["by_row"])
            self.assertEqual(content["tokens"]["rows"], [row for _, row in expected])
            self.assertEqual(content["tokens"]["hashes"], ["%016x" % hash_ for hash_, _ in expected])
            sketch = token_sample(weights.tokens, len(weights.tokens), 1024)
            self.assertEqual(content["tokenizer"]["smallest"], ["%016x" % hash_ for hash_, _ in sketch])
            self.assertEqual(content["tokenizer"]["smallest_ids"], [row for _, row in sketch])

    def test_holds_the_sampled_values_bit_for_bit(self):
        for weights, container, content, _, _ in self.pairs:
            layers = weights.config["num_hidden_layers"]
            self.assertEqual(len(content["blocks"]), 7 * layers + 2)
            for block in content["blocks"]:
                self.check_block(weights, container, content, block)

    def check_block(self, weights, container, content, block):
        role, layer = block["role"], block["layer"]
        table = weights.rows(role, layer)
        rows, cols = expected_samples(role, len(table), len(table[0]), weights, content["tokens"]["rows"])
        self.assertEqual(content["samples"][block["rows"]], rows, role)
        self.assertEqual(content["samples"][block["cols"]], cols, role)
        self.assertEqual((block["full_rows"], block["full_cols"]), (len(table), len(table[0])))
        values = [table[row][col] for row in rows for col in cols]
        wide = weights.dtype(role, layer) == "F32"
        exponent, high, low = pack_halves(values, wide)
        name = "block.%s.%s" % ("model" if layer < 0 else layer, role)
        self.assertEqual(block["exponent"], exponent)
        self.assertEqual(container.words(name, "H"), high)
        self.assertEqual(name + ".low" in container.entries, bool(low))
        if low:
            self.assertEqual(container.words(name + ".low", "H"), low)
        self.assertNotIn("steps_exponent", block)

    def test_holds_gains_and_moments(self):
        for weights, container, content, _, _ in self.pairs:
            self.assertEqual(len(content["gains"]), 2 * weights.config["num_hidden_layers"] + 1)
            for gain in content["gains"]:
                values = weights.rows(gain["role"], gain["layer"])[0]
                exponent, high, low = pack_halves(values, True)
                name = "gain.%s.%s" % ("model" if gain["layer"] < 0 else gain["layer"], gain["role"])
                self.assertEqual((gain["exponent"], container.words(name, "H")), (exponent, high))
                self.assertEqual(container.words(name + ".low", "H") if low else [], low)
            numbers = container.words("moments", "d")
            for i, moments in enumerate(content["moments"]):
                self.check_moments(weights, content, moments, numbers[4 * i:4 * i + 4])

    def check_moments(self, weights, content, moments, numbers):
        table = weights.rows(moments["role"], moments["layer"])
        rows, cols = expected_samples(moments["role"], len(table), len(table[0]), weights, content["tokens"]["rows"])
        values = [table[row][col] for row in rows for col in cols]
        mean = lane_sum(values) / len(values)
        deviation = math.sqrt(max(0.0, lane_sum(v * v for v in values) / len(values) - mean * mean))
        self.assertEqual(numbers, [mean, deviation, max(map(abs, values)), values.count(0.0) / len(values)])
        self.assertEqual((moments["samples"], moments["distinct"]), (len(values), len(set(values))))

    def test_holds_the_responses_bit_for_bit(self):
        for weights, container, content, _, _ in self.pairs:
            self.assertEqual(len(content["responses"]), 2 * weights.config["num_hidden_layers"])
            for item in content["responses"]:
                units = content["samples"][item["units"]]
                self.assertEqual(units, sample("neuron", weights.config["intermediate_size"], 64))
                name = "response.%d.%s" % (item["layer"], item["role"])
                exponents, words = container.words(name + ".exponents", "h"), container.words(name, "H")
                tokens = len(content["tokens"]["rows"])
                picked = units[::21]  # the arithmetic is slow here
                for unit, values in zip(picked, responses(weights, item["layer"], item["role"], picked,
                                                          content["tokens"]["rows"])):
                    place = units.index(unit)
                    exponent, high, _ = pack_halves(values, False)
                    self.assertEqual(exponents[place], exponent)
                    self.assertEqual(words[place * tokens:(place + 1) * tokens], high)

    def test_holds_the_deep_part_bit_for_bit(self):
        for weights, container, content, _, _ in self.pairs:
            deep = content["deep"]
            self.assertEqual(deep["scheme"],
                             "pedigree-deep/3:c256:t16:a512:e8:f128:y4:x17000000:l8:w1024:n512:p256:b8000000:m16777216")
            self.assertEqual([item["layer"] for item in deep["layers"]], list(range(weights.config["num_hidden_layers"])))
            for item in deep["layers"]:
                self.assertTrue(item["gated"])
                neurons = content["samples"][item["neurons"]]
                self.assertEqual(neurons, list(range(weights.config["intermediate_size"])))
                for view, role in (("first", "ffn.gate"), ("second", "ffn.up")):
                    name = "answer.%d.%s" % (item["layer"], view)
                    exponents, words = container.words(name + ".exponents", "h"), container.words(name, "H")
                    tokens = len(content["tokens"]["rows"])
                    picked = neurons[5::97]  # the arithmetic is slow here
                    for unit, values in zip(picked, deep_answers(weights, item["layer"], role, picked,
                                                                 content["tokens"]["rows"])):
                        exponent, high, _ = pack_halves(values, False)
                        self.assertEqual(exponents[unit], exponent)
                        self.assertEqual(words[unit * tokens:(unit + 1) * tokens], high)

    def test_holds_the_couplings_bit_for_bit(self):
        for weights, container, content, _, _ in self.pairs:
            found = content["deep"]["couplings"]
            depth = weights.config["num_hidden_layers"]
            self.assertEqual([item["layer"] for item in found["layers"]],
                             coupled_layers(depth, weights.config["hidden_size"]))
            self.assertEqual([(pair["one"], pair["other"]) for pair in found["pairs"]],
                             [(i, j) for i in range(depth) for j in range(i + 1, depth)])
            for item in found["layers"]:
                self.assertTrue(item["gated"])
                self.assertEqual(content["samples"][item["neurons"]], list(range(weights.config["intermediate_size"])))
            self.check_strengths(weights, container, found["layers"][1])
            self.check_products(weights, container, found["pairs"][-1])

    def check_strengths(self, weights, container, item):
        matrices = probed_matrices(weights, item["layer"])
        expected = []
        for offset, role in sorted(matrices):
            probes = probes_of(weights, role, len(matrices[offset, role]))
            expected.append({"frequencies": 0 if -1 in probes else len(probes), "offset": offset, "role": role})
        self.assertEqual(item["probes"], expected)
        for view, role in (("first", "ffn.gate"), ("second", "ffn.up")):
            unit = 7  # the arithmetic is slow here
            row = residual_rows(weights, role, item["layer"])[unit]
            values = [strength(row, matrices[key], groups) for key in sorted(matrices)
                      for _, groups in sorted(probes_of(weights, key[1], len(matrices[key])).items())]
            self.check_row(container, "strength.%d.%s" % (item["layer"], view), unit, values)

    def check_products(self, weights, container, pair):
        roles = {"first": "ffn.gate", "second": "ffn.up"}
        for views in ("first-first", "first-second", "second-first"):
            one, other = views.split("-")
            row = [f32(v) for v in residual_rows(weights, roles[one], pair["one"])[5]]
            values = [chain(row, [f32(v) for v in there]) for there in residual_rows(weights, roles[other], pair["other"])]
            self.check_row(container, "product.%d.%d.%s" % (pair["one"], pair["other"], views), 5, values)

    def check_row(self, container, name, place, values):
        exponent, high, _ = pack_halves(values, False)
        self.assertEqual(container.words(name + ".exponents", "h")[place], exponent)
        self.assertEqual(container.words(name, "H")[place * len(values):(place + 1) * len(values)], high)

    def test_holds_the_digests(self):
        for weights, _, content, _, _ in self.pairs:
            digests = content["digests"]
            lines, bag = [], []
            for tensor in digests["tensors"]:
                entry = weights.file.entries[tensor["name"]]
                expected = value_digests(entry["dtype"], entry["shape"], weights.file.raw(tensor["name"]))
                self.assertEqual((tensor["h1"], tensor["h2"], tensor["h3"]), expected)
                self.assertEqual(weights.name(tensor["role"], tensor["layer"]), tensor["name"])
                self.assertTrue(tensor["informative"] or "norm" in tensor["role"])
                shape = "x".join(map(str, entry["shape"]))
                lines.append(("%d:%s\t%s\t%s" % (tensor["layer"], tensor["role"], shape, tensor["h2"])).encode())
                bag.append(tensor["h2"].encode())
            self.assertEqual(len(digests["tensors"]), len(weights.file.entries))
            self.assertEqual(digests["named"], model_digest("named-h2/1", lines))
            self.assertEqual(digests["bag"], model_digest("bag-h2/1", bag))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write-vectors"]:
        write_vectors()
    elif len(sys.argv) < 2:
        sys.exit(__doc__)
    else:
        PEDIGREE = os.path.abspath(sys.argv.pop(1))
        unittest.main(verbosity=1)
