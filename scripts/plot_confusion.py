#!/usr/bin/env python3
"""Draw the confusion matrix of one evaluated model.

python scripts/plot_confusion.py REPORT [--out confusion.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchword import jobs
from watchword.errors import WatchwordError

parser = argparse.ArgumentParser(description="Confusion matrix of one evaluated model.")
parser.add_argument("report", type=Path, help="report folder, or scores.npz file")
parser.add_argument("--out", type=Path, default=Path("confusion.png"), help="PNG to write")

if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        print(jobs.plot("confusion", [arguments.report], arguments.out))
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
