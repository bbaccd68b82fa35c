#!/usr/bin/env python3
"""Print parameters, MACs and time of every model, and of every form of the lambda layer.

python scripts/debug_sizes.py --outputs 12 --threads 1
"""

from __future__ import annotations

import argparse

from watchword.console import Console
from watchword.timing import time_models

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--outputs", type=int, default=12)
parser.add_argument("--frames", type=int, default=98)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15, help="the median of so many is printed")

if __name__ == "__main__":
    arguments = parser.parse_args()
    with Console() as console:
        console.table(
            time_models(
                outputs=arguments.outputs,
                frames=arguments.frames,
                threads=arguments.threads,
                rounds=arguments.rounds,
                told=lambda done, total: console.progress("timing", done, total),
            ),
            title=f"one clip of {arguments.frames} frames, {arguments.threads} thread(s), eager",
        )
