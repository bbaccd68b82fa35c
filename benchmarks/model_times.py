"""Parameters, multiplications and time of every model, in one process on one thread, as JSON lines.

    python benchmarks/model_times.py --rounds 30

Models take turns, so that a noisy machine slows all of them; the ratio of a model's time to that of
lambda_resnet18 in the same round is what counts, and its median is printed beside the median time.
"""

from __future__ import annotations

import argparse
import json

from watchword.timing import time_models

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--outputs", type=int, default=12)
parser.add_argument("--frames", type=int, help="frames of a clip; each model's own, if not given")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15)

if __name__ == "__main__":
    for record in time_models(**vars(parser.parse_args())):
        print(json.dumps(record))
