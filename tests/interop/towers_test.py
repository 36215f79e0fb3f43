#!/usr/bin/env python3
"""One checkpoint, several models: each tower has a verdict of its own.

usage: towers_test.py PEDIGREE

A language model and CLIP's vision tower are put under the prefixes that LLaVA and its kin
use, in each spelling, and compared with where they come from and with strangers.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import interop

try:
    import atlas_models
    import numpy as np
    from safetensors.numpy import save_file
except ImportError as missing:
    interop.enter_venv()
    interop.skip(missing)

FAMILIES = {family["id"]: family for family in atlas_models.families()}
# Where the language model, the vision tower and the projector stand.
SPELLINGS = {
    "before 4.52": ("language_model.", "vision_tower.", "multi_modal_projector."),
    "since 4.52": ("model.language_model.", "model.vision_tower.", "model.multi_modal_projector."),
    "LLaVA's own": ("", "model.vision_tower.vision_tower.", "model.mm_projector."),
    "MiniCPM's": ("llm.", "vpm.", "resampler."),
}


def small(name, seed):
    family = FAMILIES[name]
    tensors = atlas_models.tensors_of(family, False)
    return family, atlas_models.own_layout(tensors, atlas_models.canonical_values(tensors, seed))


def directory(name, seed, folder):
    family, stored = small(name, seed)
    return atlas_models.write_directory(family, stored, folder)


def joined(spelling, language_seed, vision_seed, folder):
    language, vision, projector = SPELLINGS[spelling]
    family, text = small("llama", language_seed)
    _, clip = small("clip", vision_seed)
    stored = {}
    for name, values in text.items():
        # Newer checkpoints leave the inner "model." out, and the head outside.
        inner = name.removeprefix("model.") if language == "model.language_model." else name
        stored[("" if inner.startswith("lm_head") and "model." in language else language) + inner
               if language != "language_model." else language + name] = values
    for name, values in clip.items():
        if name.startswith("vision_model."):
            inner = name.removeprefix("vision_model.") if spelling != "LLaVA's own" else name
            stored[vision + inner] = values
    rng = np.random.default_rng(7)
    stored[projector + "linear_1.weight"] = rng.standard_normal((64, 48)).astype(np.float32)
    folder = pathlib.Path(folder)
    folder.mkdir()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    vision_config = {"model_type": "clip_vision_model", "hidden_size": 48, "num_hidden_layers": 2,
                     "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96}
    (folder / "config.json").write_text(json.dumps(
        {"model_type": "llava", "text_config": atlas_models.config(family),
         "vision_config": vision_config}))
    return folder


def report(binary, *arguments):
    run = subprocess.run([binary, *map(str, arguments), "-o", "json", "--no-progress"],
                         capture_output=True, text=True)
    if not run.stdout:
        sys.exit(f"{arguments}: exit status {run.returncode}\n{run.stderr[-2000:]}")
    return json.loads(run.stdout)


def verdicts(told):
    return {c["subject"]["name"].split("/")[-1]: (c["verdict"], c["base"]["name"])
            for c in told["comparisons"]}


class Test:
    def __init__(self):
        self.failed = 0

    def tell(self, what, good, found=""):
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}" + ("" if good else f": {found}"))


def main():
    binary = sys.argv[1]
    test = Test()
    with tempfile.TemporaryDirectory() as made:
        made = pathlib.Path(made)
        language = directory("llama", 1, made / "language")
        clip = directory("clip", 2, made / "clip")
        stranger = directory("llama", 11, made / "stranger")
        other_clip = directory("clip", 12, made / "other-clip")
        for number, spelling in enumerate(SPELLINGS):
            llava = joined(spelling, 1, 2, made / f"llava-{number}")
            listed = [c["name"] for c in report(binary, "inspect", llava).get("components", [])]
            test.tell(f"{spelling}: inspect lists the towers",
                      listed == ["language_model", "projector", "vision_tower"], listed)
            found = verdicts(report(binary, "compare", llava, language))
            test.tell(f"{spelling}: the language model is found",
                      found["language_model"][0]["relation"] == "identical", found)
            test.tell(f"{spelling}: the vision tower is not held against a language model",
                      found["vision_tower"][0]["derived"] == "inconclusive", found)
            found = verdicts(report(binary, "compare", llava, clip))
            test.tell(f"{spelling}: the vision tower is CLIP's",
                      found["vision_tower"][0]["relation"] == "identical"
                      and found["vision_tower"][1] == "clip/vision_tower", found)
            for base in (stranger, other_clip):
                found = verdicts(report(binary, "compare", llava, base))
                test.tell(f"{spelling}: nothing comes from {base.name}",
                          all(v["derived"] != "yes" for v, _ in found.values()), found)
            part = report(binary, "compare", f"{llava}::vision_tower", f"{clip}::vision_tower")
            test.tell(f"{spelling}: a part can be named",
                      part["comparisons"][0]["verdict"]["relation"] == "identical", part)
        one = joined("before 4.52", 1, 2, made / "one")
        other = joined("since 4.52", 1, 12, made / "other")
        found = verdicts(report(binary, "compare", one, other))
        test.tell("two checkpoints share the tower that they share, and no other",
                  found["language_model"][0]["relation"] == "identical"
                  and found["vision_tower"][0]["derived"] != "yes", found)
        repository = made / "models--org--llava"
        snapshot = repository / "snapshots" / ("0" * 40)
        snapshot.parent.mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0" * 40)
        shutil.copytree(one, snapshot)
        cached = report(binary, "audit", repository, "--against", clip)
        test.tell("a hub cache's towers are found",
                  verdicts(cached)["vision_tower"][0]["relation"] == "identical", verdicts(cached))
        test.tell("a tower is not asked for the card of the whole, nor for its origin",
                  [f["rule"] for f in cached["findings"]
                   if f["rule"] in ("card-missing", "lineage-unknown-origin")] == [],
                  cached["findings"])
        run = subprocess.run([binary, "inspect", f"{one}::ear"], capture_output=True, text=True)
        test.tell("a part that is not there is refused with those that are",
                  run.returncode == 2 and "vision_tower" in run.stderr + run.stdout,
                  run.stderr + run.stdout)
    sys.exit(1 if test.failed else 0)


main()
