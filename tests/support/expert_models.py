"""Dense blocks turned into experts, and experts divided, dropped and averaged; for derive_models."""

import numpy as np

PROJECTIONS = {"gate": ("mlp.gate_proj", "w1"), "up": ("mlp.up_proj", "w3"),
               "down": ("mlp.down_proj", "w2")}


def expert_name(model, layer, expert, part):
    return model.layer(layer, f"block_sparse_moe.experts.{expert}.{PROJECTIONS[part][1]}")


def block_of(model, layer, expert=None):
    """A layer's feed-forward block, or one of its experts: {"gate", "up", "down"}."""
    return {part: model.tensors[model.layer(layer, dense) if expert is None
                                else expert_name(model, layer, expert, part)]
            for part, (dense, _) in PROJECTIONS.items()}


def neurons_of(block, chosen):
    return {part: v[:, chosen] if part == "down" else v[chosen] for part, v in block.items()}


def with_noise(block, share, rng):
    return {part: (v + rng.normal(0, v.std() * share, v.shape)).astype(np.float32)
            for part, v in block.items()}


def put_blocks(model, layer, blocks, rng):
    """The blocks of a layer in place of those it had: its experts, with a fresh router."""
    for name in [n for n in model.tensors if n.startswith(f"model.layers.{layer}.")
                 and (".mlp." in n or "block_sparse_moe" in n)]:
        del model.tensors[name]
    for expert, block in enumerate(blocks):
        for part, values in block.items():
            model.tensors[expert_name(model, layer, expert, part)] = values
    router = rng.normal(0, 0.02, (len(blocks), model.config["hidden_size"]))
    model.tensors[model.layer(layer, "block_sparse_moe.gate")] = router.astype(np.float32)


def with_experts(make):
    """make(blocks, rng): from a layer's blocks, one or several, those of the child's experts."""
    def alter(model, rng):
        count = model.config.get("num_local_experts")
        for layer in model.layers:
            old = ([block_of(model, layer)] if count is None
                   else [block_of(model, layer, expert) for expert in range(count)])
            blocks = make(old, rng)
            put_blocks(model, layer, blocks, rng)
        model.config.update(architectures=["MixtralForCausalLM"], model_type="mixtral",
                            num_local_experts=len(blocks), num_experts_per_tok=2,
                            intermediate_size=blocks[0]["gate"].shape[0])
    return alter


def copied(count, share):
    return with_experts(lambda old, rng: [with_noise(old[0], share, rng) for _ in range(count)])


def copied_and_redealt(count, share):
    return with_experts(lambda old, rng: [
        with_noise(neurons_of(old[0], rng.permutation(len(old[0]["gate"]))), share, rng)
        for _ in range(count)])


def split_among(count):
    """Every neuron in one expert, in no order (LLaMA-MoE)."""
    return with_experts(lambda old, rng: [neurons_of(old[0], chosen) for chosen in np.array_split(
        rng.permutation(len(old[0]["gate"])), count)])


def half_anew(count):
    """Experts of half the neurons, in no order, and half of these drawn afresh (Qwen1.5-MoE)."""
    def make(old, rng):
        blocks = []
        for _ in range(count):
            size = len(old[0]["gate"]) // 2
            block = neurons_of(old[0], rng.permutation(len(old[0]["gate"]))[:size])
            fresh = rng.permutation(size)[:size // 2]
            for part, values in block.items():
                drawn = rng.normal(0, values.std(), values.shape).astype(np.float32)
                if part == "down":
                    values[:, fresh] = drawn[:, fresh]
                else:
                    values[fresh] = drawn[fresh]
            blocks.append(block)
        return blocks
    return with_experts(make)


def take_experts(*kept, share=0.0):
    return with_experts(lambda old, rng: [with_noise(old[e], share, rng) for e in kept])


def renumber_experts(model, rng):
    with_experts(lambda old, r: [old[e] for e in r.permutation(len(old))])(model, rng)


def average_pairs(model, rng):
    with_experts(lambda old, r: [{part: (a[part] + b[part]) / 2 for part in a}
                                 for a, b in zip(old[::2], old[1::2])])(model, rng)


def average_experts(model, _):
    """One dense block a layer again, the mean of its experts."""
    count = model.config["num_local_experts"]
    for layer in model.layers:
        blocks = [block_of(model, layer, expert) for expert in range(count)]
        for name in [n for n in model.tensors if f".{layer}.block_sparse_moe" in n]:
            del model.tensors[name]
        for part, (dense, _) in PROJECTIONS.items():
            mean = np.mean([block[part] for block in blocks], 0)
            model.tensors[model.layer(layer, dense)] = mean.astype(np.float32)
    for key in ("num_local_experts", "num_experts_per_tok"):
        del model.config[key]
    model.config.update(architectures=["LlamaForCausalLM"], model_type="llama")
