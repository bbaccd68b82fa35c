#!/usr/bin/env python3
"""Print parameters, MACs and time of every model, and of every form of the lambda layer.

python scripts/debug_sizes.py --outputs 12 --threads 1
"""

from __future__ import annotations

import argparse

from watchword.console import Console
from watchword.errors import ConfigError, WatchwordError
from watchword.timing import time_models

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--outputs", type=int, default=12)
parser.add_argument("--frames", type=int, help="frames of a clip; each model's own, if not given")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15, help="the median of so many is printed")

if __name__ == "__main__":
    asked = parser.parse_args()
    clip = f"one clip of {asked.frames} frames" if asked.frames else "one clip"
    title = f"{clip}, {asked.threads} thread(s), eager"
    try:
        if min(asked.threads, asked.rounds) < 1:
            raise ConfigError(
                f"--threads {asked.threads} and --rounds {asked.rounds} were given, and both must "
                "be above 0: give higher numbers"
            )
        with Console() as console:
            records = time_models(
                outputs=asked.outputs,
                frames=asked.frames,
                threads=asked.threads,
                rounds=asked.rounds,
                told=lambda done, total: console.progress("timing", done, total),
            )
            rows = [  # what tells two rows apart in one column, so that all fit 80
                {
                    "model": f"{row['model']} k{row['width']:g} {row['form']}".rstrip(),
                    **{key: row[key] for key in ("parameters", "macs", "ms", "ratio")},
                }
                for row in records
            ]
            console.table(rows, title=title)
    except WatchwordError as fault:
        parser.exit(2, f"{' '.join(str(fault).split())}\n")
