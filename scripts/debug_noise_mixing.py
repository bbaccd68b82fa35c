#!/usr/bin/env python3
"""Mix noise into a clip as training does; write both as WAV and draw them.

python scripts/debug_noise_mixing.py CLIP NOISE [--snr 5] [--out noise_mixing]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from watchword import audio, canvas, pictures
from watchword.augment import Augment, Noise, as_tensors
from watchword.errors import WatchwordError

parser = argparse.ArgumentParser(description="Noise at a signal-to-noise ratio, seen and heard.")
parser.add_argument("clip", type=Path, help="audio file with a word")
parser.add_argument("noise", type=Path, help="audio file with noise, at least as long")
parser.add_argument("--snr", type=float, default=5.0, help="signal-to-noise ratio in dB")
parser.add_argument("--seed", type=int, default=0, help="decides which stretch of noise is taken")
parser.add_argument("--out", type=Path, default=Path("noise_mixing"), help="folder to write to")


def main(arguments: argparse.Namespace) -> None:
    """Write ``clean.wav``, ``noisy.wav`` and ``mixing.png``, and print what was measured."""
    clean, noise = (torch.from_numpy(audio.read(p)[0]) for p in (arguments.clip, arguments.noise))
    mixer = Augment([Noise(pool=noise, snr_db=(arguments.snr, arguments.snr))])
    draws = mixer.draw(np.random.default_rng(arguments.seed), batch=1)
    mixed = mixer.apply(clean[None], as_tensors(draws))[0]
    added = mixed - clean
    # of digital silence there is no ratio; the mixture is then the noise alone
    ratio_db = 10 * torch.log10(clean.square().mean() / added.square().mean()).item()
    arguments.out.mkdir(parents=True, exist_ok=True)
    audio.write(arguments.out / "clean.wav", clean.numpy())
    audio.write(arguments.out / "noisy.wav", mixed.numpy())
    figure = pictures.noise_mixing(clean.numpy(), added.numpy(), mixed.numpy(), snr_db=ratio_db)
    canvas.save(figure, arguments.out / "mixing.png")
    print(f"asked for {arguments.snr:.1f} dB, measured {ratio_db:.1f} dB over {len(clean)} samples")
    print(arguments.out)


if __name__ == "__main__":
    try:
        main(parser.parse_args())
    except (WatchwordError, OSError) as fault:
        parser.exit(2, f"{fault}\n")
