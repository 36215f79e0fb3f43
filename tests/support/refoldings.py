"""Changes that leave what a decoder computes alone, and small damage; for derive_models.CHILDREN."""

import numpy as np

WRITERS = "self_attn.o_proj", "mlp.down_proj"
QKV = "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"


def sizes(model):
    config = model.config
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    return heads, groups, config.get("head_dim") or config["hidden_size"] // heads


def change(model, layer, part, function):
    name = model.layer(layer, part)
    model.tensors[name] = np.asarray(function(model.tensors[name]), np.float32)


def fold_quantiser_scales(model, rng):
    """As AWQ leaves them: into the gains and their readers, and between up and down."""
    for layer in model.layers:
        for norm, readers in zip(model.norms, (QKV, ("mlp.gate_proj", "mlp.up_proj"))):
            scale = np.exp(rng.normal(0, 0.5, model.config["hidden_size"]))
            change(model, layer, norm, lambda gain: gain / scale)
            for part in readers:
                change(model, layer, part, lambda values: values * scale)
        scale = np.exp(rng.normal(0, 0.5, model.config["intermediate_size"]))
        change(model, layer, "mlp.up_proj", lambda values: values / scale[:, None])
        change(model, layer, "mlp.down_proj", lambda values: values * scale)


def permute_heads(model, rng):
    """Key-value heads, and the query heads inside each group."""
    heads, groups, size = sizes(model)
    readers = heads // groups
    for layer in model.layers:
        order = rng.permutation(groups)[::-1]
        queries = [group * readers + i for group in order for i in rng.permutation(readers)]
        rows = lambda chosen: [head * size + i for head in chosen for i in range(size)]
        for part, chosen in zip(QKV, (queries, order, order)):
            change(model, layer, part, lambda values: values[rows(chosen)])
        change(model, layer, "self_attn.o_proj", lambda values: values[:, rows(queries)])


def mix_values(model, rng):
    """An invertible map of each head's value channels, undone by the output projection."""
    heads, groups, size = sizes(model)
    for layer in model.layers:
        maps = [np.linalg.qr(rng.standard_normal((size, size)))[0] *
                np.exp(rng.normal(0, 0.3, size)) for _ in range(groups)]
        change(model, layer, "self_attn.v_proj", lambda values: np.concatenate(
            [maps[g] @ values[g * size:(g + 1) * size] for g in range(groups)]))
        change(model, layer, "self_attn.o_proj", lambda values: np.concatenate(
            [values[:, h * size:(h + 1) * size] @ np.linalg.inv(maps[h * groups // heads])
             for h in range(heads)], 1))


def scale_queries(model, _):
    for layer in model.layers:
        change(model, layer, "self_attn.q_proj", lambda values: values * 3)
        change(model, layer, "self_attn.k_proj", lambda values: values / 3)


def flip_signs(model, rng):
    """Residual dimensions negated throughout, which a norm that only rescales lets pass."""
    sign = rng.choice([-1, 1], model.config["hidden_size"]).astype(np.float32)
    for name, values in model.tensors.items():
        if values.ndim == 2:
            writes = any(part in name for part in WRITERS)
            model.tensors[name] = values * (sign[:, None] if writes else sign)


def permute_first_neurons(model, rng):
    """The neurons of layer 0 alone."""
    order = rng.permutation(model.config["intermediate_size"])
    for part in ("mlp.gate_proj", "mlp.up_proj"):
        change(model, 0, part, lambda values: values[order])
    change(model, 0, "mlp.down_proj", lambda values: values[:, order])


def drop_a_tensor(model, _):
    del model.tensors[model.layer(1, "mlp.up_proj")]


def drop_the_embedding(model, _):
    del model.tensors["model.embed_tokens.weight"]


def drop_the_middle_layer(model, _):
    """Its number stays in the config."""
    for name in [name for name in model.tensors if ".layers.1." in name]:
        del model.tensors[name]


def change_one_value(model, _):
    model.tensors["model.layers.0.self_attn.q_proj.weight"] = (
        model.tensors["model.layers.0.self_attn.q_proj.weight"].copy())
    model.tensors["model.layers.0.self_attn.q_proj.weight"][3, 5] = 0.75

