#!/usr/bin/env python3
"""Draw accuracy, loss and learning rate of one run or several, epoch by epoch.

python scripts/plot_training_curves.py output/google_commands/RUN [RUN ...] [--out curves.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchword import jobs
from watchword.errors import WatchwordError

parser = argparse.ArgumentParser(description="Training curves of runs in one figure.")
parser.add_argument("runs", nargs="+", type=Path, help="run folders, or metrics.jsonl files")
parser.add_argument("--out", type=Path, default=Path("training_curves.png"), help="PNG to write")

if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        print(jobs.plot("training", arguments.runs, arguments.out))
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
