#!/usr/bin/env python3
"""Draw the DET curves of one run or several in one figure, keywords pooled.

python scripts/plot_det.py REPORT [REPORT ...] [--out det.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchword import plots
from watchword.errors import WatchwordError
from watchword.scores import load_runs

parser = argparse.ArgumentParser(description="DET curves of runs in one figure.")
parser.add_argument("reports", nargs="+", type=Path, help="report folders, or scores.npz files")
parser.add_argument("--out", type=Path, default=Path("det.png"), help="PNG to write")

if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        runs = load_runs(arguments.reports)
        first = next(iter(runs.values()))
        title = f"DET, task {first.task}, {first.split}, keywords pooled"
        figure = plots.det(plots.curves_of_runs(runs), title=title)
        print(plots.save(figure, arguments.out))
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
