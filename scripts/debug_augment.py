#!/usr/bin/env python3
"""Draw every augmentation, before and after, on a word that espeak-ng says.

python scripts/debug_augment.py [--out docs/img]
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from watchword import audio, augment, canvas
from watchword.data import espeak
from watchword.errors import WatchwordError
from watchword.features import DEFAULT, LogMel
from watchword.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

parser = argparse.ArgumentParser(description="Pictures of every augmentation.")
parser.add_argument("--out", type=Path, default=Path("docs/img"), help="folder for the pictures")

CLIP_SAMPLES = 16_000


def say(text: str, start: int) -> Tensor:
    """Return a second in which a word is said from sample ``start`` on, ``(1, samples)``."""
    manner = {"accent": "en-us", "voice": "m3", "pitch": 45, "pitch_range": 60}
    saying = espeak.Saying(text, words_per_minute=130, **manner)
    recorded = espeak.speak([saying], seed=1)[0][:, None]  # one channel
    spoken = audio.conform(recorded, espeak.ESPEAK_RATE_HZ)
    loud = np.flatnonzero(np.abs(spoken) > 0.01)
    spoken = 0.6 * spoken[loud[0] : loud[-1]][: CLIP_SAMPLES - start] / np.abs(spoken).max()
    clip = np.zeros((1, CLIP_SAMPLES), np.float32)
    clip[0, start : start + len(spoken)] = spoken
    return torch.from_numpy(clip)


def drawn(step: augment.Augmentation, **choice: float) -> tuple[augment.Augmentation, dict]:
    """Return an augmentation with the draws to show, the others as they come."""
    draws = augment.as_tensors(step.draw(np.random.default_rng(4), batch=1))
    chosen = {k: torch.full_like(draws[k], v) for k, v in choice.items()}
    return step, {**draws, **chosen}


def waveform_examples() -> dict[str, tuple[str, tuple[augment.Augmentation, dict]]]:
    """Return a picture's name, its title and what it shows."""
    generator = torch.Generator().manual_seed(0)
    pool = torch.randn(40_000, generator=generator).cumsum(0)
    pool = pool - pool.roll(40)  # a rumble
    rooms = augment.synthetic_rooms(1, 5, decay_s=(0.5, 0.5), direct_db=(0, 0))
    return {
        "shift": ("moved by 100 ms", drawn(augment.Shift(), offset=1_600)),
        "shift_fraction": ("moved by −20 %", drawn(augment.ShiftFraction(), fraction=-0.2)),
        "resample": ("speed 0.85", drawn(augment.Resample(), place=0.999)),
        "random_placement": ("placed anew", drawn(augment.RandomPlacement(), place=0.9)),
        "zero_segment": ("100 ms silenced", drawn(augment.ZeroSegment(), place=0.42)),
        "time_stretch": ("speed 1.25, same pitch", drawn(augment.TimeStretch(), speed=1.25)),
        "pitch_shift": ("4 semitones up, same tempo", drawn(augment.PitchShift(), place=0.999)),
        "gain": ("−12 dB", drawn(augment.Gain(), gain_db=-12)),
        "volume": ("+5 dB", drawn(augment.Volume(), gain_db=5)),
        "noise": ("noise at 5 dB SNR", drawn(augment.Noise(pool=pool), snr_db=5)),
        "clip_percentile": ("clipped at 10 and 90 %", drawn(augment.ClipPercentile(), percent=10)),
        "lowpass4k": ("nothing above 4 kHz", drawn(augment.Lowpass4k())),
        "reverb": ("in a room of 0.5 s", drawn(augment.Reverb(rooms=rooms))),
    }


def feature_examples() -> dict[str, tuple[str, tuple[augment.Augmentation, dict]]]:
    """Return the same for what happens to features."""
    mixup = {"chosen": torch.tensor([True, True]), "weight": torch.tensor([0.6, 0.6])}
    return {
        "spec_augment": ("two masks each way", drawn(augment.SpecAugment())),
        "mixup": ("0.6 × this + 0.4 × another", (augment.Mixup(), mixup)),
    }


def draw_pair(before: tuple[Tensor, ...], after: tuple[Tensor, ...], title: str, to: Path) -> None:
    """Draw waveform, if there is one, and features of a clip, before and after."""
    rows = len(before)
    sizes = {"nrows": rows, "ncols": 2, "sharex": True, "sharey": "row"}
    heights = {"gridspec_kw": {"height_ratios": [1, 1.6][-rows:]}}
    figure, panels = canvas.sheet(6.4, 1.1 + 0.9 * rows, **sizes, **heights)
    for column, (name, arrays) in enumerate((("before", before), (title, after))):
        image = panels[2 * (rows - 1) + column]
        image.imshow(
            arrays[-1], origin="lower", aspect="auto", cmap="Greys", extent=(0, 1, 0, 40),
            vmin=-14, vmax=5, interpolation="nearest",
        )  # fmt: skip
        canvas.caption(image, "", "time (s)", "mel band" if column == 0 else "")
        if rows == 2:
            time_s = np.arange(CLIP_SAMPLES) / CLIP_SAMPLES
            panels[column].plot(time_s, arrays[0], color=canvas.INK, linewidth=0.4)
            canvas.caption(panels[column], "", "", "amplitude" if column == 0 else "")
        panels[column].set_title(name, loc="left", fontsize=canvas.FONT_POINTS)
    save_small(figure, to)


def save_small(figure: Figure, to: Path) -> None:
    """Write a figure in 32 greys, a third of its size in colour."""
    from PIL import Image  # comes with matplotlib

    drawing, picture = io.BytesIO(), io.BytesIO()
    figure.savefig(drawing, format="png", dpi=canvas.DOTS_PER_INCH)
    Image.open(drawing).convert("L").quantize(32).save(picture, format="png", optimize=True)
    write_whole(to, picture.getvalue())
    print(to)


def main(folder: Path) -> None:
    """Draw every picture of docs/augmentation.md."""
    front_end = LogMel(**DEFAULT)
    clip, other = say("seven", 3_500), say("left", 6_000)
    features = front_end(torch.cat([clip, other]))
    for name, (title, (step, draws)) in waveform_examples().items():
        changed = step.apply(clip, draws)
        after = (changed[0], front_end(changed)[0])
        draw_pair((clip[0], features[0]), after, title, folder / f"augment_{name}.png")
    for name, (title, (step, draws)) in feature_examples().items():
        batch = features if name == "mixup" else features[:1]
        changed = step.apply(batch, draws)
        draw_pair((features[0],), (changed[0],), title, folder / f"augment_{name}.png")


if __name__ == "__main__":
    try:
        main(parser.parse_args().out)
    except WatchwordError as fault:
        parser.exit(2, f"{fault}\n")
