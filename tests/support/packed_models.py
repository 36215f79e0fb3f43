"""The models of made_models.py as quantisers store them: one function for each layout, from
published descriptions of the layouts. MLX's own arithmetic is used where its package is
there; the others are packed here with the plainest rounding that fills them."""

import ctypes
import importlib.util
import json
import pathlib

import numpy as np

import made_models

try:
    import mlx.core as mlx
except ImportError:
    mlx = None


def bitsandbytes_library():
    """Its C functions for CPUs, without the Python package, which wants a large torch."""
    spec = importlib.util.find_spec("bitsandbytes")
    if spec is None or spec.origin is None:
        return None
    path = pathlib.Path(spec.origin).parent / "libbitsandbytes_cpu.so"
    return ctypes.CDLL(str(path)) if path.exists() else None


E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
NF4 = np.array([-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
                -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
                0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
                0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                0.7229568362236023, 1], np.float32)
BNB_FP4 = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3, -0.0, -0.0625, -8, -12, -4, -6, -2, -3],
                   np.float32) / 12


class Raw:
    """A tensor of a type that NumPy lacks."""

    def __init__(self, dtype, array):
        self.dtype, self.array = dtype, np.ascontiguousarray(array)


DTYPES = {"float32": "F32", "float16": "F16", "int32": "I32", "uint32": "U32", "uint8": "U8",
          "int8": "I8", "int64": "I64"}


def save(tensors, path):
    """A safetensors file, with any element type."""
    header, data, at = {}, [], 0
    for name in sorted(tensors):
        value = tensors[name]
        raw = value if isinstance(value, Raw) else Raw(DTYPES[str(value.dtype)], value)
        size = raw.array.nbytes
        header[name] = {"dtype": raw.dtype, "shape": list(raw.array.shape),
                        "data_offsets": [at, at + size]}
        data.append(raw.array.tobytes())
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))


def bit_stream(codes, bits):
    """Along the last axis, the first code in the lowest bits, in whole 32-bit words."""
    expanded = (codes[..., None].astype(np.uint32) >> np.arange(bits, dtype=np.uint32)) & 1
    flat = expanded.reshape(*codes.shape[:-1], -1).astype(np.uint8)
    spare = -flat.shape[-1] % 32
    flat = np.concatenate([flat, np.zeros((*flat.shape[:-1], spare), np.uint8)], axis=-1)
    return np.packbits(flat, axis=-1, bitorder="little").view(np.uint32)


def affine(weights, bits, group, symmetric):
    """Codes, scales and zero points for groups of each row."""
    rows, cols = weights.shape
    runs = weights.reshape(rows, cols // group, group)
    top = 2**bits - 1
    if symmetric:
        scale = np.maximum(np.abs(runs).max(axis=2), 1e-8) * 2 / top
        zero = np.full(scale.shape, 2 ** (bits - 1))
    else:
        low, high = np.minimum(runs.min(axis=2), 0), np.maximum(runs.max(axis=2), 0)
        scale = (high - low) / top
        zero = np.clip(np.rint(-low / scale), 0, top).astype(int)
    scale = scale.astype(np.float16)
    codes = np.rint(runs / scale[..., None].astype(np.float32)) + zero[..., None]
    return np.clip(codes, 0, top).astype(np.uint32).reshape(rows, cols), scale, zero


def nearest(values, table):
    return np.abs(values[..., None] - table).argmin(axis=-1).astype(np.uint8)


def nibbles(codes):
    return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)


def e4m3_table():
    codes = np.arange(256)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    size = np.where(exponent == 0, mantissa / 512, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    values = np.where(codes < 128, size, -size).astype(np.float32)
    values[[127, 255]] = np.nan
    return values


E4M3 = e4m3_table()


def to_e4m3(values):
    """Nearest code, by the sorted magnitudes."""
    sizes = E4M3[:127]
    magnitude = np.minimum(np.abs(values), 448)
    at = np.clip(np.searchsorted(sizes, magnitude), 1, 126)
    at = np.where(magnitude - sizes[at - 1] <= sizes[at] - magnitude, at - 1, at)
    return np.where(values < 0, at + 128, at).astype(np.uint8)


def gptq(weights, bits, symmetric=True, order=None, version=1, group=64):
    """Inputs in `order` share groups: what desc_act does."""
    cols = weights.shape[1]
    order = np.arange(cols) if order is None else order
    codes, scale, zero = affine(weights[:, order], bits, group, symmetric)
    index = np.empty(cols, np.int32)
    index[order] = np.arange(cols) // group
    unordered = np.empty_like(codes)
    unordered[:, order] = codes
    words = bit_stream(unordered, bits).T
    stored_zero = (zero.T - (1 if version == 1 else 0)) & (2**bits - 1)
    return {"qweight": words.view(np.int32), "qzeros": bit_stream(stored_zero, bits).view(np.int32),
            "scales": scale.T, "g_idx": index}


def gptq_layout(bits, symmetric=True, desc_act=False, version=1):
    def pack(name, weights):
        order = np.random.default_rng(7).permutation(weights.shape[1]) if desc_act else None
        return {f"{name}.{part}": value
                for part, value in gptq(weights, bits, symmetric, order, version).items()}

    return pack, {"quantization_config": {
        "quant_method": "gptq", "bits": bits, "group_size": 64, "desc_act": desc_act,
        "sym": symmetric, "checkpoint_format": "gptq_v2" if version == 2 else "gptq"}}


def awq_words(codes):
    """Eight along the last axis; nibble i holds column (0, 2, 4, 6, 1, 3, 5, 7)[i]."""
    parts = codes.reshape(*codes.shape[:-1], -1, 8)[..., [0, 2, 4, 6, 1, 3, 5, 7]]
    shifts = np.arange(0, 32, 4, dtype=np.uint32)
    return np.bitwise_or.reduce(parts.astype(np.uint32) << shifts, axis=-1).view(np.int32)


def awq_gemm(name, weights):
    codes, scale, zero = affine(weights, 4, 64, False)
    return {name + ".qweight": awq_words(np.ascontiguousarray(codes.T)),
            name + ".qzeros": awq_words(np.ascontiguousarray(zero.T)),
            name + ".scales": scale.T}


def awq_gemv(name, weights):
    codes, scale, zero = affine(weights, 4, 128, False)
    spare = [(0, 0), (0, -zero.shape[1] % 8)]
    return {name + ".qweight": bit_stream(codes, 4).view(np.int32),
            name + ".qzeros": bit_stream(np.pad(zero, spare), 4).view(np.int32),
            name + ".scales": np.pad(scale, spare)}


def fp8_scalar(name, weights):
    scale = np.float32(np.abs(weights).max() / 448)
    return {name + ".weight": Raw("F8_E4M3", to_e4m3(weights / scale)),
            name + ".weight_scale": np.array(scale)}


def fp8_channel(name, weights):
    scale = (np.abs(weights).max(axis=1, keepdims=True) / 448).astype(np.float32)
    return {name + ".weight": Raw("F8_E4M3", to_e4m3(weights / scale)),
            name + ".weight_scale": scale}


def fp8_blocks(name, weights):
    rows, cols = weights.shape
    blocks = weights.reshape(rows // 128 or 1, min(rows, 128), cols // 128, 128)
    scale = (np.abs(blocks).max(axis=(1, 3)) / 448).astype(np.float32)
    codes = to_e4m3(blocks / scale[:, None, :, None]).reshape(rows, cols)
    return {name + ".weight": Raw("F8_E4M3", codes), name + ".weight_scale_inv": scale}


def bnb_4bit(kind, table, nested):
    def pack(name, weights):
        flat = weights.reshape(-1, 64)
        absmax = np.abs(flat).max(axis=1)
        state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16",
                 "shape": list(weights.shape)}
        made = {name + ".weight.quant_map": table}
        if nested:
            offset = np.float32(absmax.mean())
            shifted = (absmax - offset).astype(np.float32)
            runs = np.pad(shifted, (0, -len(shifted) % 256)).reshape(-1, 256)
            outer = np.abs(runs).max(axis=1).astype(np.float32)
            nested_map = np.linspace(-1, 1, 256, dtype=np.float32)
            codes = nearest(runs / outer[:, None], nested_map).reshape(-1)[:len(shifted)]
            state.update(nested_blocksize=256, nested_dtype="float32",
                         nested_offset=float(offset))
            made[name + ".weight.nested_absmax"] = outer
            made[name + ".weight.nested_quant_map"] = nested_map
            made[name + ".weight.absmax"] = codes
            absmax = nested_map[codes] * np.repeat(outer, 256)[:len(codes)] + offset
        else:
            made[name + ".weight.absmax"] = absmax.astype(np.float32)
        codes = nearest(flat / absmax[:, None], table).reshape(-1)
        made[name + ".weight"] = (codes[0::2] << 4 | codes[1::2]).astype(np.uint8)[:, None]
        blob = json.dumps(state).encode()
        made[f"{name}.weight.quant_state.bitsandbytes__{kind}"] = np.frombuffer(blob, np.uint8)
        return made

    return pack, {"quantization_config": {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind,
        "bnb_4bit_use_double_quant": nested}}


def bnb_int8(name, weights):
    absmax = np.abs(weights).max(axis=1).astype(np.float32)
    return {name + ".weight": np.rint(weights * 127 / absmax[:, None]).astype(np.int8),
            name + ".SCB": absmax, name + ".weight_format": np.array(0, np.uint8)}


def ct_pack(bits, symmetric):
    def pack(name, weights):
        codes, scale, zero = affine(weights, bits, 64, symmetric)
        made = {name + ".weight_packed": bit_stream(codes, bits).view(np.int32),
                name + ".weight_scale": scale,
                name + ".weight_shape": np.array(weights.shape, np.int64)}
        if not symmetric:
            packed = bit_stream(np.ascontiguousarray(zero.T), bits)
            made[name + ".weight_zero_point"] = packed.T.view(np.int32)
        return made

    return pack, compressed("pack-quantized", bits)


def compressed(form, bits):
    return {"quantization_config": {
        "quant_method": "compressed-tensors", "format": form,
        "config_groups": {"group_0": {"weights": {"num_bits": bits, "group_size": 64}}}}}


def ct_int8(name, weights):
    scale = (np.abs(weights).max(axis=1, keepdims=True) / 127).astype(np.float32)
    return {name + ".weight": np.rint(weights / scale).astype(np.int8),
            name + ".weight_scale": scale}


def nvfp4(names, divides):
    def pack(name, weights):
        runs = weights.reshape(len(weights), -1, 16)
        peak = np.abs(runs).max(axis=2) / 6
        whole = np.float32(448 / peak.max())
        codes = to_e4m3(peak * whole)
        scale = E4M3[codes] / whole
        q = nearest(runs / np.where(scale == 0, 1, scale)[..., None], E2M1)
        made = {name + names[0]: nibbles(q.reshape(weights.shape)),
                name + names[1]: Raw("F8_E4M3", codes),
                name + names[2]: np.array([whole if divides else 1 / whole], np.float32)}
        return made

    return pack


def mx_scales(runs):
    exponent = np.floor(np.log2(np.abs(runs).max(axis=-1))) - 2
    return exponent, np.clip(exponent + 127, 0, 254).astype(np.uint8)


def ct_mxfp4(name, weights):
    runs = weights.reshape(len(weights), -1, 32)
    exponent, stored = mx_scales(runs)
    q = nearest(runs / 2.0 ** exponent[..., None], E2M1).reshape(weights.shape)
    return {name + ".weight_packed": nibbles(q), name + ".weight_scale": stored}


def mlx_layout(bits, group, mode="affine"):
    def pack(name, weights):
        parts = mlx.quantize(mlx.array(weights.astype(np.float32)), group_size=group, bits=bits,
                             mode=mode)
        return dict(zip((name + ".weight", name + ".scales", name + ".biases"),
                        (np.array(part) for part in parts)))

    return pack, {"quantization": {"group_size": group, "bits": bits, "mode": mode}}


def hqq(bits, axis):
    def pack(name, weights):
        folded = weights.reshape(-1, 64) if axis == 1 else weights.reshape(64, -1)
        top = 2**bits - 1
        low = folded.min(axis=axis, keepdims=True)
        scale = ((folded.max(axis=axis, keepdims=True) - low) / top).astype(np.float16)
        zero = (-low / scale.astype(np.float32)).astype(np.float16)
        codes = np.rint(folded / scale.astype(np.float32) + zero.astype(np.float32))
        codes = np.clip(codes, 0, top).astype(np.uint32)
        runs = {8: 1, 4: 2, 3: 10, 2: 4}[bits]
        step = -(-len(codes) // runs)
        codes = np.pad(codes, [(0, step * runs - len(codes)), (0, 0)]).reshape(runs, step, -1)
        words = sum(codes[i] << (bits * (runs - 1 - i)) for i in range(runs))
        return {name + ".W_q": words.astype(np.int32 if bits == 3 else np.uint8),
                name + ".scale": scale, name + ".zero": zero,
                name + ".shape": np.array(weights.shape, np.int64),
                name + ".nbits": np.array(bits, np.int32), name + ".axis": np.array(axis, np.int32),
                name + ".group_size": np.array(64, np.int32)}

    return pack, {"quantization_config": {"quant_method": "hqq"}}


def config(method, **rest):
    return {"quantization_config": {"quant_method": method, **rest}}


LAYOUTS = {
    "fp8-scalar": (fp8_scalar, config("fp8")),
    "fp8-channel": (fp8_channel, compressed("float-quantized", 8)),
    "fp8-blocks": (fp8_blocks, config("fp8", weight_block_size=[128, 128])),
    "gptq-2": gptq_layout(2),
    "gptq-3": gptq_layout(3, symmetric=False),
    "gptq-4": gptq_layout(4),
    "gptq-4-act": gptq_layout(4, symmetric=False, desc_act=True),
    "gptq-4-v2": gptq_layout(4, symmetric=False, version=2),
    "gptq-8": gptq_layout(8),
    "awq-gemm": (awq_gemm, config("awq", bits=4, group_size=64, version="gemm")),
    "awq-gemv": (awq_gemv, config("awq", bits=4, group_size=128, version="gemv")),
    "bnb-nf4": bnb_4bit("nf4", NF4, False),
    "bnb-nf4-nested": bnb_4bit("nf4", NF4, True),
    "bnb-fp4": bnb_4bit("fp4", BNB_FP4, True),
    "bnb-int8": (bnb_int8, config("bitsandbytes", load_in_8bit=True)),
    "ct-pack-4": ct_pack(4, True),
    "ct-pack-4-zeros": ct_pack(4, False),
    "ct-pack-3": ct_pack(3, False),
    "ct-pack-8": ct_pack(8, True),
    "ct-int8": (ct_int8, compressed("int-quantized", 8)),
    "ct-nvfp4": (nvfp4((".weight_packed", ".weight_scale", ".weight_global_scale"), True),
                 compressed("nvfp4-pack-quantized", 4)),
    "ct-mxfp4": (ct_mxfp4, compressed("mxfp4-pack-quantized", 4)),
    "modelopt-nvfp4": (nvfp4((".weight", ".weight_scale", ".weight_scale_2"), False),
                       config("modelopt")),
    "hqq-8": hqq(8, 1), "hqq-4": hqq(4, 1), "hqq-4-axis-0": hqq(4, 0), "hqq-3": hqq(3, 1),
    "hqq-2": hqq(2, 1)}
if mlx is not None:
    LAYOUTS.update({f"mlx-{bits}": mlx_layout(bits, 64) for bits in (2, 3, 4, 5, 6, 8)})
    LAYOUTS.update({"mlx-4-groups-of-32": mlx_layout(4, 32),
                    "mlx-mxfp4": mlx_layout(4, 32, "mxfp4"),
                    "mlx-mxfp8": mlx_layout(8, 32, "mxfp8"),
                    "mlx-nvfp4": mlx_layout(4, 16, "nvfp4")})


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def official_bnb(parts, kind, shape):
    """What bitsandbytes' own CPU code makes of the codes."""
    library = bitsandbytes_library()
    absmax = parts[".weight.absmax"]
    if absmax.dtype == np.uint8:
        state = json.loads(parts[f".weight.quant_state.bitsandbytes__{kind}"].tobytes())
        outer = parts[".weight.nested_absmax"]
        unpacked = np.empty(len(absmax), np.float32)
        library.cdequantize_blockwise_cpu_fp32(
            pointer(parts[".weight.nested_quant_map"]), pointer(absmax), pointer(outer),
            pointer(unpacked), ctypes.c_longlong(256), ctypes.c_longlong(len(absmax)))
        absmax = unpacked + np.float32(state["nested_offset"])
    out = np.empty(shape, np.float32)
    codes = np.ascontiguousarray(parts[".weight"].reshape(-1))
    getattr(library, f"cdequantize_blockwise_cpu_{kind}_fp32")(
        pointer(codes), pointer(np.ascontiguousarray(absmax)), pointer(out),
        ctypes.c_longlong(64), ctypes.c_longlong(shape[0]), ctypes.c_longlong(shape[1]))
    return out


def official_mlx(parts, declared):
    said = declared["quantization"]
    biases = mlx.array(parts[".biases"]) if ".biases" in parts else None
    value = mlx.dequantize(mlx.array(parts[".weight"]), mlx.array(parts[".scales"]), biases,
                           group_size=said["group_size"], bits=said["bits"], mode=said["mode"])
    return np.array(value.astype(mlx.float32))


def has_official_decoder(layout):
    if layout in ("bnb-nf4", "bnb-nf4-nested", "bnb-fp4"):
        return bitsandbytes_library() is not None
    return layout.startswith("mlx")


def is_packed(layout, name, values):
    return "_proj." in name or (layout.startswith("mlx") and values.ndim == 2)


def unpacked_by_its_maker(layout, tensors):
    """The model as the quantiser's own decoder gives it back, in F32."""
    pack, declared = LAYOUTS[layout]
    made = dict(tensors)
    for name, values in tensors.items():
        if not is_packed(layout, name, values):
            continue
        parts = {key.removeprefix("m"): part for key, part in pack("m", values).items()}
        if layout.startswith("mlx"):
            made[name] = official_mlx(parts, declared)
        else:
            made[name] = official_bnb(parts, layout.split("-")[1], values.shape)
    return made


def write_directory(layout, tensors, folder, side_file=False):
    """A Hugging Face directory whose projections are packed; MLX packs all matrices."""
    pack, declared = LAYOUTS[layout]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    stored = {}
    for name, values in tensors.items():
        if is_packed(layout, name, values):
            stored.update(pack(name.removesuffix(".weight"), values))
        else:
            stored[name] = Raw("BF16", (values.view(np.uint32) >> 16).astype(np.uint16))
    save(stored, folder / "model.safetensors")
    said = made_models.config("llama")
    if side_file:
        (folder / "quantize_config.json").write_text(
            json.dumps(declared["quantization_config"]))
    else:
        said.update(declared)
    (folder / "config.json").write_text(json.dumps(said))
    vocabulary = {token: number for number, token in enumerate(made_models.tokens())}
    (folder / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "added_tokens": [],
         "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))
    return folder
