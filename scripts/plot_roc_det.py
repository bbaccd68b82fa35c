#!/usr/bin/env python3
"""Draw ROC and DET curves of one run or several in one figure, keywords pooled.

python scripts/plot_roc_det.py REPORT [REPORT ...] [--out curves.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchword import jobs
from watchword.errors import WatchwordError

parser = argparse.ArgumentParser(description="ROC and DET curves of runs in one figure.")
parser.add_argument("reports", nargs="+", type=Path, help="report folders, or scores.npz files")
parser.add_argument("--out", type=Path, default=Path("curves.png"), help="PNG to write")

if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        print(jobs.plot("curves", arguments.reports, arguments.out))
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
