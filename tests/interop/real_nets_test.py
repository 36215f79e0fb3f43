#!/usr/bin/env python3
"""Small nets as their authors published them, by the tool's own verdicts: what is known of
their descent is in the shared folder's notes.

usage: real_nets_test.py PEDIGREE

Without the shared folder beside the project nothing is tested, and the exit status (77) says so.
"""

import json
import pathlib
import subprocess
import sys

WEIGHTS = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "real" / "weights"
MNIST, MTCNN = "outlier-exposure-mnist/", "mtcnn/"
UNRELATED = ("inconclusive", "independent")
# Same seed, other data or loss: kin by their seed, never by descent.
SEED = ("common-origin",)
CASES = [
    (MNIST + "oe_tune_epoch_4.pt", MNIST + "baseline_epoch_9.pt", ("finetune", "common-origin")),
    (MNIST + "calib_oe_tune_epoch_4.pt", MNIST + "calib_baseline_epoch_9.pt",
     ("finetune", "common-origin")),
    (MNIST + "oe_scratch_epoch_9.pt", MNIST + "baseline_epoch_9.pt", SEED),
    (MNIST + "calib_oe_scratch_epoch_9.pt", MNIST + "calib_baseline_epoch_9.pt", SEED),
    (MNIST + "oe_scratch_epoch_9.pt", MNIST + "oe_tune_epoch_4.pt", SEED),
    (MTCNN + "facenet-pytorch__pnet.pt", MTCNN + "davidsandberg-facenet__det1.npy", ("identical",)),
    (MTCNN + "davidsandberg-facenet__det1.npy", MTCNN + "facenet-pytorch__pnet.pt", ("identical",)),
    ("silero-vad-micro/micro8k_2021-03-22.jit", "silero-vad-micro/micro_2021-02-11.jit", UNRELATED),
    ("sb3-cartpole/ppo-CartPole-v1.zip", "sb3-cartpole/a2c-CartPole-v1.zip", UNRELATED),
    ("sb3-cartpole/ppo-CartPole-v1.zip", "sb3-cartpole/trpo-CartPole-v1.zip", UNRELATED),
    ("sb3-cartpole/a2c-CartPole-v1.zip", "sb3-cartpole/trpo-CartPole-v1.zip", UNRELATED),
]


def main():
    binary = sys.argv[1]
    if not WEIGHTS.is_dir():
        print("SKIPPED: no shared folder with real nets beside the project.")
        sys.exit(77)
    failed = 0
    for suspect, base, wanted in CASES:
        run = subprocess.run([binary, "compare", WEIGHTS / suspect, WEIGHTS / base, "-o", "json",
                              "--no-progress"], capture_output=True, text=True)
        verdict = json.loads(run.stdout)["comparisons"][0]["verdict"] if run.stdout else {}
        good = run.returncode == 0 and verdict.get("relation") in wanted
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {suspect} -- {base}: {verdict.get('relation')}"
              + ("" if good else f", wanted {wanted}; exit {run.returncode} {run.stderr[-400:]}"))
    sys.exit(1 if failed else 0)


main()
