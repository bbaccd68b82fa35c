"""Time of one lambda layer, forward and backward, in each of its equal forms.

    python benchmarks/lambda_forms.py --threads 1 --batch 128

The forms take turns at the sizes of LambdaResNet18's four stages; prints one JSON object a size,
with the median milliseconds of each form and its ratio to the published form in the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from watchword.memory import keep_freed_memory
from watchword.models import FORMS, TemporalLambda

SIZES = ((24, 48), (36, 24), (48, 12), (60, 6))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    for channels, frames in SIZES:
        print(json.dumps(measure(channels, frames, arguments.batch, arguments.rounds)))


def measure(channels: int, frames: int, batch: int, rounds: int) -> dict[str, object]:
    """Return the median milliseconds of each form, and its ratio to the published one."""
    layers = {form: TemporalLambda(channels, form=form) for form in FORMS}
    x = torch.randn(batch, channels, frames, requires_grad=True)
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    for turn in range(rounds + 2):
        for form, layer in layers.items():
            started = time.perf_counter()
            layer(x).sum().backward()
            if turn > 1:  # the first rounds warm up
                times[form].append(time.perf_counter() - started)
    base = times["convolve"]
    return {
        "channels": channels,
        "frames": frames,
        "ms": {form: round(1e3 * statistics.median(spent), 2) for form, spent in times.items()},
        "ratio": {
            form: round(statistics.median(a / b for a, b in zip(spent, base, strict=True)), 2)
            for form, spent in times.items()
        },
    }


if __name__ == "__main__":
    main()
