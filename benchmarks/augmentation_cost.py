"""Milliseconds a clip that each augmentation and the front end cost, as a Markdown table.

    python benchmarks/augmentation_cost.py --threads 1

Batches of one-second clips, each augmentation applied to every clip; they take turns, and the
median and range over the rounds are printed, with the ratio to ``LogMel`` in the same round.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import numpy as np
import torch
import turns

from watchword import augment
from watchword.features import DEFAULT, LogMel
from watchword.memory import keep_freed_memory
from watchword.units import CLIP_SAMPLES


def steps(batch: int) -> dict[str, turns.Job]:
    """Return what is timed, by name."""
    waveforms = 0.1 * torch.randn(batch, CLIP_SAMPLES)
    ear = LogMel(**DEFAULT)
    features, pool = ear(waveforms), 0.1 * torch.randn(20 * CLIP_SAMPLES)
    rooms = augment.synthetic_rooms(64, 0)
    on_waveforms = [
        *(augment.Shift(), augment.Resample(), augment.ZeroSegment(), augment.RandomPlacement()),
        *(augment.TimeStretch(), augment.PitchShift(), augment.Gain(), augment.Noise(pool=pool)),
        *(augment.ClipPercentile(), augment.Lowpass4k(), augment.Reverb(rooms=rooms)),
    ]
    jobs: dict[str, turns.Job] = {"LogMel": partial(ear, waveforms)}
    pairs = [(step, waveforms) for step in on_waveforms]
    pairs += [(augment.SpecAugment(), features), (augment.Mixup(), features)]
    for step, x in pairs:
        draws = augment.as_tensors(step.draw(np.random.default_rng(0), batch), x.device)
        jobs[type(step).__name__] = partial(step.apply, x, draws)
    return jobs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    jobs = steps(asked.batch)
    seconds = turns.take_turns(jobs, asked.rounds, warm_up=2)
    times = {name: [1e3 * one / asked.batch for one in spent] for name, spent in seconds.items()}
    print("| step | ms a clip, median (range) | ratio to LogMel |\n|---|---|---|")
    for name, spent in times.items():
        ratio = statistics.median(turns.ratios(spent, times["LogMel"]))
        span = f"{min(spent):.3f}–{max(spent):.3f}"
        print(f"| {name} | {statistics.median(spent):.3f} ({span}) | {ratio:.2f} |")


if __name__ == "__main__":
    main()
