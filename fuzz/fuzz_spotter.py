"""Fuzz a spotter: any order of chunks, faults, resets and ends.

Each step is four bytes: what is done, how much of it, and two of the sound. Beside the spotter goes
the plain truth: the audio of the stream in one piece.
"""

from __future__ import annotations

import contextlib

import harness
import numpy as np

import bundles
from watchword import audio, bundle, spotter, stream
from watchword.decision import Detection
from watchword.errors import AudioError

STEP = 4
MOST_STEPS = 40
MODEL = bundles.write(harness.scratch().with_suffix(bundle.SUFFIX))
FAULTS = (
    np.zeros((2, 3), np.float32),
    np.zeros(3, np.int32),
    np.array([0.0, np.nan]),
    np.array([0.0, np.inf], np.float32),
    np.array([0.0, 9.0]),
    np.float32(0.0),
    None,
)


stream.FLUSH_S = 0.002  # less silence after each end, so that more is tried in the same time


class Truth:
    """What the stream was, in one piece."""

    def __init__(self, options: dict[str, float]) -> None:
        self.options, self.pieces = options, []
        self.found: list[Detection] = []

    def check(self, who: spotter.Spotter) -> None:
        """Hold what was detected piece by piece against the whole, and begin anew."""
        found = self.found + who.finish()
        other = spotter.Spotter(MODEL, **self.options)
        whole = np.concatenate([np.empty(0, np.float32), *self.pieces])
        assert found == other.feed(whole) + other.finish()
        assert all(0 < one.time_s <= len(whole) / 16_000 for one in found)
        self.pieces, self.found = [], []


def step(who: spotter.Spotter, truth: Truth, what: int, amount: int, sound: bytes) -> None:
    """Do one thing."""
    if what % 8 == 7:
        return truth.check(who)
    if what % 8 == 6:
        truth.pieces, truth.found = [], []
        return who.reset()
    if what % 8 == 5:
        with contextlib.suppress(AudioError):
            who.feed(FAULTS[amount % len(FAULTS)])
            raise AssertionError("what is no audio was heard")
        return None
    samples = np.resize(np.frombuffer(sound, np.uint8).astype(np.int16) * 128, amount)
    kind = (np.int16, np.float32, np.float64)[what % 3]
    chunk = samples if kind is np.int16 else (samples / 32_768).astype(kind)
    truth.pieces.append(audio.chunk(samples))
    truth.found += who.feed(chunk)
    assert who._state.pending.shape[1] < bundles.SCORE
    assert len(who._memory.recent) < 8
    return None


def target(data: bytes) -> None:
    """Do all steps that the bytes say."""
    smoothing, rest = (data[0] % 8 + 1, data[1] % 4) if len(data) > 1 else (1, 0)
    options = {"smoothing_scores": smoothing, "refractory_ms": rest / 4}
    who, truth = spotter.Spotter(MODEL, **options), Truth(options)
    for first in range(2, min(len(data), MOST_STEPS * STEP) - STEP + 1, STEP):
        step(who, truth, data[first], data[first + 1], data[first + 2 : first + STEP])
    truth.check(who)


if __name__ == "__main__":
    random = np.random.default_rng(0)
    harness.run(target, [random.bytes(2 + STEP * steps) for steps in (1, 5, 20)])
