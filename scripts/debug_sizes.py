#!/usr/bin/env python3
"""Print parameters, multiply-accumulates and FLOPs of every model, by one counter.

python scripts/debug_sizes.py --outputs 12
"""

from __future__ import annotations

import argparse

from watchword import models
from watchword.console import Console
from watchword.errors import WatchwordError

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--outputs", type=int, default=12)
parser.add_argument("--frames", type=int, help="frames of a clip; each model's own, if not given")

if __name__ == "__main__":
    asked = parser.parse_args()
    rows = []
    try:
        for name, row in models.MODELS.items():
            frames = asked.frames or row.frames
            network = models.create(name, classes=asked.outputs, frames=frames)
            size = models.measure_size(network, mels=row.mels, frames=frames)
            bands = f"{row.mels} × {frames}"
            counts = {"parameters": size.parameters, "macs": size.macs, "flops": 2 * size.macs}
            rows.append({"model": name, "bands × frames": bands, **counts})
        with Console() as console:
            console.table(rows, title=f"one clip, {asked.outputs} outputs")
    except WatchwordError as fault:
        parser.exit(2, f"{' '.join(str(fault).split())}\n")
