"""ONNX models of made weights, written by the official package: what exporters do to names,
transpositions, types and places. Every weight is read by the operator that would read it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "BF16": TensorProto.BFLOAT16}


def bits_of(values, kind):
    if kind == "F16":
        return np.ascontiguousarray(values, dtype=np.float16).view(np.uint16)
    return (np.ascontiguousarray(values, dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16)


def tensor(name, values, kind="F32", typed=False):
    """`typed` puts the values into float_data or int32_data in place of raw_data."""
    result = TensorProto(name=name, data_type=TYPES[kind], dims=values.shape)
    if kind == "F32" and typed:
        result.float_data.extend(np.ravel(values).tolist())
    elif kind == "F32":
        result.raw_data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    elif typed:
        result.int32_data.extend(np.ravel(bits_of(values, kind)).tolist())
    else:
        result.raw_data = bits_of(values, kind).astype("<u2").tobytes()
    return result


def is_linear(name, values):
    return values.ndim == 2 and not name.endswith(("embed_tokens.weight", "wte.weight", "wpe.weight"))


class Graph:
    def __init__(self, kind="F32", typed=False):
        self.kind, self.typed = kind, typed
        self.nodes, self.weights, self.count = [], [], 100

    def add(self, op, inputs, path, **attributes):
        output = f"{path}/{op}_output_0"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{path}/{op}", **attributes))
        return output

    def weight(self, name, values):
        self.weights.append(tensor(name, values, self.kind, self.typed))
        return name

    def invented(self, op):
        self.count += 1
        return f"onnx::{op}_{self.count}"

    def model(self, producer="pytorch"):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "main_graph", [x], [], initializer=self.weights)
        model = helper.make_model(graph, producer_name=producer,
                                  opset_imports=[helper.make_opsetid("", 17)])
        model.metadata_props.add(key="base_model", value="made/parent")
        return model


def path_of(name):
    module = name.rsplit(".", 1)[0]
    return "/" + module.replace("layers.", "layers#").replace("h.", "h#").replace(".", "/").replace("#", ".")


def folded(tensors, kind="F32", typed=False, in_out=()):
    """As torch.onnx.export leaves it: linear weights transposed and renamed. Those that end in
    one of `in_out` lie as [in, out] already and keep their names (GPT-2's Conv1D)."""
    graph = Graph(kind, typed)
    for name, values in tensors.items():
        path = path_of(name)
        if not is_linear(name, values):
            op = "Gather" if values.ndim == 2 else "Mul" if name.endswith("weight") else "Add"
            inputs = [graph.weight(name, values), "x"]
            graph.add(op, inputs if op == "Gather" else inputs[::-1], path)
        elif name.endswith(tuple(in_out)) and in_out:
            graph.add("Gemm", ["x", graph.weight(name, values)], path)
        else:
            stored = graph.weight(graph.invented("MatMul"), values.T)
            graph.add("MatMul", ["x", stored], path)
    return graph.model()


def unfolded(tensors, kind="F32", typed=False):
    """As newer exporters leave it: own names, and an operator that transposes."""
    graph = Graph(kind, typed)
    for name, values in tensors.items():
        path = path_of(name)
        stored = graph.weight(name, values)
        if is_linear(name, values):
            turned = graph.add("Transpose", [stored], path, perm=[1, 0])
            graph.add("MatMul", ["x", turned], path)
        else:
            graph.add("Gather" if values.ndim == 2 else "Mul", [stored, "x"], path)
    return graph.model()


def gemm(tensors):
    """Gemm with transB, by its own names; and every name taken from outputs alone."""
    graph = Graph()
    for name, values in tensors.items():
        path = path_of(name)
        if is_linear(name, values):
            graph.add("Gemm", ["x", graph.weight(graph.invented("Gemm"), values)], path, transB=1)
        else:
            graph.add("Gather" if values.ndim == 2 else "Mul", [graph.weight(name, values), "x"], path)
    for node in graph.nodes:
        node.name = ""
    return graph.model("another exporter")


def nameless(tensors):
    """Nothing says which module a weight is of: numbers for names."""
    graph = Graph()
    for number, (name, values) in enumerate(tensors.items()):
        turned = is_linear(name, values)
        stored = graph.weight(str(number), values.T if turned else values)
        op = "MatMul" if turned else "Gather" if values.ndim == 2 else "Mul"
        inputs = ["x", stored] if turned else [stored, "x"]
        graph.nodes.append(helper.make_node(op, inputs, [f"out{number}"], name=f"{op}_{number}"))
    return graph.model("keras")


def within(tensors):
    """The weights of the first half lie in a branch of an If, the others in constants."""
    inner, outer = Graph(), Graph()
    half = len(tensors) // 2
    for number, (name, values) in enumerate(tensors.items()):
        graph = inner if number < half else outer
        if number < half:
            stored = graph.weight(name, values)
        else:
            stored = name
            graph.nodes.append(helper.make_node(
                "Constant", [], [name], value=numpy_helper.from_array(values.astype(np.float32))))
        path = path_of(name)
        if is_linear(name, values):
            turned = graph.add("Transpose", [stored], path, perm=[1, 0])
            graph.add("MatMul", ["x", turned], path)
        else:
            graph.add("Gather" if values.ndim == 2 else "Mul", [stored, "x"], path)
    branch = helper.make_graph(inner.nodes, "branch", [], [], initializer=inner.weights)
    outer.nodes.append(helper.make_node("If", ["x"], ["y"], name="choice", then_branch=branch,
                                        else_branch=helper.make_graph([], "empty", [], [])))
    return outer.model()


def save(model, folder, external=None):
    """`external`: None, "one" file, or "many"."""
    folder.mkdir(parents=True, exist_ok=True)
    if external is None:
        onnx.save_model(model, str(folder / "model.onnx"))
        return folder
    onnx.save_model(model, str(folder / "model.onnx"), save_as_external_data=True,
                    all_tensors_to_one_file=external == "one", size_threshold=64,
                    location="model.onnx_data" if external == "one" else None)
    return folder
