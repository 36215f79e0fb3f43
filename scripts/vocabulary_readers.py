"""Vocabularies out of public files, read without pedigree: for scripts/make-vocabularies
and for the tests that hold the C++ readers to the same answer.

Each reader gives (kind, tokens by id as spelled, ids of added tokens, merge count);
canonical() turns spelled tokens into the bytes they stand for, as docs/formats.md says.
"""
import base64
import gzip
import hashlib
import json
import struct

SPACE = "▁".encode()
UNIT = 2**64


def byte_alphabet():
    """GPT-2's: printable Latin-1 bytes are themselves, the others U+0100 upward."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spelled, extra = {}, 0
    for byte in range(256):
        if byte in plain:
            spelled[byte] = chr(byte)
        else:
            spelled[byte] = chr(0x100 + extra)
            extra += 1
    return spelled


ALPHABET = byte_alphabet()
BYTE_OF = {character: byte for byte, character in ALPHABET.items()}


def spelled(raw):
    return "".join(ALPHABET[byte] for byte in raw).encode()


def trimmed(tokens):
    while tokens and not tokens[-1]:
        tokens.pop()
    return tokens


def by_id(pairs):
    tokens = [b""] * (max(token_id for _, token_id in pairs) + 1)
    for token, token_id in pairs:
        tokens[token_id] = tokens[token_id] or token
    return tokens


def read_gguf(data):
    """The header alone, by its specification; arrays of strings stay bytes."""
    at = 8

    def number(form):
        nonlocal at
        value = struct.unpack_from("<" + form, data, at)[0]
        at += struct.calcsize(form)
        return value

    def text():
        nonlocal at
        size = number("Q")
        at += size
        return data[at - size:at]

    def value(kind):
        forms = "BbHhIif?"
        if kind < 8:
            return number(forms[kind])
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = number("I"), number("Q")
            return [value(inner) for _ in range(count)]
        return number({10: "Q", 11: "q", 12: "d"}[kind])

    assert data[:4] == b"GGUF"
    number("Q")
    keys = {}
    for _ in range(number("Q")):
        name = text().decode()
        keys[name] = value(number("I"))
    model = keys["tokenizer.ggml.model"]
    kind = {b"bert": "WordPiece", b"t5": "Unigram"}.get(model, "BPE")
    tokens = keys["tokenizer.ggml.tokens"]
    types = keys.get("tokenizer.ggml.token_type", [1] * len(tokens))
    count = len(tokens)
    while count and (tokens[count - 1] == b"[PAD%d]" % (count - 1) or
                     types[count - 1] == 5 and tokens[count - 1].startswith(b"[PAD")):
        count -= 1
    tokens, types = tokens[:count], types[:count]
    if kind == "WordPiece":
        tokens = [token if use == 3 else
                  token[3:] if token.startswith(SPACE) else b"##" + token
                  for token, use in zip(tokens, types)]
    added = [token_id for token_id, use in enumerate(types) if use in (2, 3, 4)]
    return kind, tokens, added, len(keys.get("tokenizer.ggml.merges", []))


def read_tokenizer_json(data):
    root = json.loads(data)
    model = root["model"]
    if isinstance(model["vocab"], list):
        tokens = [piece.encode() for piece, _ in model["vocab"]]
    else:
        tokens = by_id([(token.encode("utf-8", "surrogatepass"), token_id)
                        for token, token_id in model["vocab"].items()])
    added = []
    for entry in root.get("added_tokens") or []:
        token_id = entry["id"]
        tokens += [b""] * (token_id + 1 - len(tokens))
        tokens[token_id] = tokens[token_id] or entry["content"].encode()
        added.append(token_id)
    merges = len(model.get("merges") or [])
    kind = model.get("type") or ("BPE" if merges else "WordLevel")
    return kind, tokens, sorted(set(added)), merges


def varint(data, at):
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[wire]
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def read_sentencepiece(data):
    tokens, added, kind = [], [], "Unigram"
    for number, value in fields(data):
        if number == 1:
            piece = dict(fields(value))
            use = piece.get(3, 1)
            if use in (2, 3, 4):
                added.append(len(tokens))
            tokens.append(b"" if use == 5 else piece.get(1, b""))
        elif number == 2:
            kind = {2: "BPE", 3: "WordLevel", 4: "Char"}.get(dict(fields(value)).get(3, 1),
                                                            "Unigram")
    return kind, tokens, added, 0


def read_tiktoken(data):
    pairs = []
    for line in data.splitlines():
        if line:
            token, rank = line.split(b" ")
            pairs.append((spelled(base64.b64decode(token)), int(rank)))
    return "BPE", by_id(pairs), [], 0


def read_js_tiktoken(data):
    """js-tiktoken's rank modules: "! first-rank token token ..." lines in one JSON text,
    and the special tokens beside them."""
    text = data.decode()
    root = json.loads(text[text.index("{"):text.rindex("}") + 1])
    pairs = []
    for line in root["bpe_ranks"].split("\n"):
        _, first, *tokens = line.split(" ")
        for place, token in enumerate(tokens):
            pairs.append((spelled(base64.b64decode(token)), int(first) + place))
    added = []
    for token, token_id in root["special_tokens"].items():
        pairs.append((token.encode(), token_id))
        added.append(token_id)
    return "BPE", by_id(pairs), sorted(added), 0


def read_tekken(data):
    root = json.loads(data)
    config = root["config"]
    first = config["default_num_special_tokens"]
    pairs, added = [], []
    for entry in root["vocab"]:
        if entry["rank"] < config["default_vocab_size"] - first:
            pairs.append((spelled(base64.b64decode(entry["token_bytes"])), entry["rank"] + first))
    for entry in root.get("special_tokens") or []:
        pairs.append((entry["token_str"].encode(), entry["rank"]))
        added.append(entry["rank"])
    return "BPE", by_id(pairs), sorted(added), 0


def read_clip_merges(data):
    """open_clip/tokenizer.py builds the vocabulary from its list of merges: the byte
    alphabet, the same at the end of a word, the merged pairs, two special tokens."""
    merges = gzip.decompress(data).decode().split("\n")[1:49152 - 256 - 2 + 1]
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = plain + [byte for byte in range(256) if byte not in plain]
    letters = [ALPHABET[byte] for byte in order]
    words = letters + [letter + "</w>" for letter in letters]
    words += ["".join(merge.split()) for merge in merges]
    return "BPE", [word.encode() for word in words], [], len(merges)


READERS = {
    "gguf": read_gguf,
    "tokenizer.json": read_tokenizer_json,
    "sentencepiece": read_sentencepiece,
    "tiktoken": read_tiktoken,
    "js-tiktoken": read_js_tiktoken,
    "tekken": read_tekken,
    "clip-merges": read_clip_merges,
}


def spelling_of(tokens):
    byte_level = sum(token.startswith("Ġ".encode()) for token in tokens)
    metaspace = sum(token.startswith(SPACE) for token in tokens)
    if not byte_level and not metaspace:
        return "raw"
    return "byte-level" if byte_level >= metaspace else "metaspace"


def from_byte_level(token):
    out, at = b"", 0
    while at < len(token):
        size = 2 if token[at] & 0xE0 == 0xC0 and at + 1 < len(token) else 1
        try:
            character = token[at:at + size].decode()
        except UnicodeDecodeError:
            character = ""
        byte = BYTE_OF.get(character)
        out += token[at:at + size] if byte is None else bytes([byte])
        at += size
    return out


def from_metaspace(token):
    if len(token) == 6 and token.startswith(b"<0x") and token.endswith(b">"):
        try:
            if token[3:5].upper() == token[3:5]:
                return bytes([int(token[3:5], 16)])
        except ValueError:
            pass
    return token.replace(SPACE, b" ")


def canonical(tokens):
    turn = {"byte-level": from_byte_level, "metaspace": from_metaspace}.get(spelling_of(tokens))
    return [turn(token) for token in tokens] if turn else list(tokens)


def digest(tokens):
    hashed = hashlib.sha256()
    for token in tokens:
        hashed.update(len(token).to_bytes(8, "little") + token)
    return hashed.hexdigest()


def sketch_hash(token):
    value = 0xCBF29CE484222325
    for byte in token:
        value = (value ^ byte) * 0x100000001B3 % UNIT
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor % UNIT
    return value ^ value >> 33


def describe(kind, tokens, added, sketch_size):
    """What a row of the table says about a vocabulary."""
    tokens = trimmed(canonical(tokens))
    blanked = list(tokens)
    for token_id in added:
        if token_id < len(blanked):
            blanked[token_id] = b""
    ordinary = trimmed(blanked)
    distinct = {}
    for token_id, token in enumerate(tokens):
        if token:
            distinct.setdefault(token, token_id)
    smallest = sorted((sketch_hash(token), token_id) for token, token_id in distinct.items())
    smallest = smallest[:sketch_size]
    return {
        "kind": kind,
        "tokens": len(tokens),
        "digest": digest(tokens),
        "ordinary_tokens": len(ordinary),
        "ordinary_digest": digest(ordinary),
        "distinct": len(distinct),
        "set_digest": digest(sorted(distinct)),
        "sketch": {"hashes": [f"{value:016x}" for value, _ in smallest],
                   "ids": [token_id for _, token_id in smallest]},
    }
