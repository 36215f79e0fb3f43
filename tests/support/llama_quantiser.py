"""llama.cpp's own quantiser and decoder, called in the library that
scripts/build-ggml-quantiser makes. `available()` says whether it is there."""

import ctypes
import functools
import pathlib

import numpy as np

LIBRARY = pathlib.Path(__file__).resolve().parents[2] / "build/interop-venv/libggml-quantise.so"

# Ids of ggml's types, elements and bytes of a block.
TYPES = {"Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24),
         "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110),
         "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210),
         "IQ2_XXS": (16, 256, 66), "IQ2_XS": (17, 256, 74), "IQ3_XXS": (18, 256, 98),
         "IQ1_S": (19, 256, 50), "IQ4_NL": (20, 32, 18), "IQ3_S": (21, 256, 110),
         "IQ2_S": (22, 256, 82), "IQ4_XS": (23, 256, 136), "IQ1_M": (29, 256, 56),
         "TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17)}
NEEDS_IMPORTANCE = ("IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M")


class Traits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("elements", ctypes.c_int64),
                ("interleaved", ctypes.c_int64), ("bytes", ctypes.c_size_t),
                ("is_quantised", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                                              ctypes.c_int64)),
                ("from_float", ctypes.c_void_p)]


def available():
    return LIBRARY.exists()


@functools.cache
def library():
    made = ctypes.CDLL(str(LIBRARY))
    made.ggml_quantize_chunk.restype = ctypes.c_size_t
    made.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                                         ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
                                         ctypes.c_void_p]
    made.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    made.ggml_get_type_traits.argtypes = [ctypes.c_int]
    made.ggml_init.restype = ctypes.c_void_p

    class Parameters(ctypes.Structure):
        _fields_ = [("size", ctypes.c_size_t), ("memory", ctypes.c_void_p),
                    ("without_memory", ctypes.c_bool)]

    made.ggml_init.argtypes = [Parameters]
    made.ggml_init(Parameters(1 << 20, None, False))  # fills its table of half floats
    return made


def quantised(values, name, importance=None):
    """The stored bytes of a matrix, as rows. Types that ask for an importance of columns get
    one of equal weights where none is given."""
    number, elements, size = TYPES[name]
    values = np.ascontiguousarray(values, np.float32)
    columns = values.shape[-1]
    rows = values.size // columns
    if importance is None and name in NEEDS_IMPORTANCE:
        importance = np.ones(columns, np.float32)
    out = np.zeros((rows, columns // elements * size), np.uint8)
    weights = None if importance is None else np.ascontiguousarray(importance, np.float32)
    written = library().ggml_quantize_chunk(number, values.ctypes.data, out.ctypes.data, 0, rows,
                                            columns,
                                            None if weights is None else weights.ctypes.data)
    assert written == out.size, (name, written, out.size)
    return out.reshape(*values.shape[:-1], -1)


def decoded(stored, name):
    """What llama.cpp makes of stored rows, in F32."""
    number, elements, size = TYPES[name]
    stored = np.ascontiguousarray(stored)
    traits = library().ggml_get_type_traits(number).contents
    assert (traits.elements, traits.bytes) == (elements, size), name
    out = np.zeros(stored.size // size * elements, np.float32)
    traits.to_float(stored.ctypes.data, out.ctypes.data, out.size)
    return out.reshape(*stored.shape[:-1], -1)
