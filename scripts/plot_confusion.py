#!/usr/bin/env python3
"""Draw the confusion matrix of one evaluated model.

python scripts/plot_confusion.py REPORT [--out confusion.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchword import plots
from watchword.errors import WatchwordError
from watchword.scores import load_runs

parser = argparse.ArgumentParser(description="Confusion matrix of one evaluated model.")
parser.add_argument("report", type=Path, help="report folder, or scores.npz file")
parser.add_argument("--out", type=Path, default=Path("confusion.png"), help="PNG to write")

if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        ((name, scores),) = load_runs([arguments.report]).items()
        print(plots.save(plots.confusion_of_run(scores, name), arguments.out))
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
