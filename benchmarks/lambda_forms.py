"""Time of one lambda layer, forward and backward, in each of its equal forms.

    python benchmarks/lambda_forms.py --threads 1 --batch 128

The forms take turns at the sizes of LambdaResNet18's four stages; prints one JSON object a size,
with the median milliseconds of each form and its ratio to the published form in the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
from functools import partial

import torch
import turns

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

    def step(layer: TemporalLambda) -> None:
        torch.autograd.backward(layer(x).sum())

    jobs: dict[str, turns.Job] = {form: partial(step, layer) for form, layer in layers.items()}
    times = turns.take_turns(jobs, rounds, warm_up=2)
    base = times["convolve"]
    return {
        "channels": channels,
        "frames": frames,
        "ms": {form: round(1e3 * statistics.median(spent), 2) for form, spent in times.items()},
        "ratio": {
            form: round(statistics.median(turns.ratios(spent, base)), 2)
            for form, spent in times.items()
        },
    }


if __name__ == "__main__":
    main()
