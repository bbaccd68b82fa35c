"""A bundle of two keywords for long recordings, whose answers can be worked out by hand.

Its clip is a second, a score is due every tenth of one. The posterior of ``loud`` is the mean of
the clip's samples where that is above 0, that of ``low`` is minus the mean where it is below, and
that of ``_unknown_`` is what is left to 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from onnx import helper

from graphs import averaging
from watchword import bundle

RATE, SCORE = 16_000, 1_600
LABELS = ["loud", "low", "_unknown_"]
POINT = {"threshold": 0.5, "smoothing_scores": 1, "refractory_ms": 500.0}
Burst = tuple[float, float, float]


def facts(**changes: Any) -> dict[str, Any]:
    """What the bundle says of itself, but for format and files."""
    return {
        "name": "loud-low",
        "labels": LABELS,
        "timing": {
            "sample_rate_hz": RATE,
            "clip_samples": RATE,
            "used_samples": RATE,
            "score_samples": SCORE,
            "lead_samples": 0,
            "warm_up_scores": RATE // SCORE - 1,
        },
        "state": [{"input": "audio", "output": "next_audio", "shape": [RATE - SCORE]}],
        "operating_point": {"default": POINT, "keywords": {}, "is_calibrated": False},
        "licence": "CC0-1.0",
        **changes,
    }


def write(path: Path, **changes: Any) -> Path:
    """Write the bundle; ``changes`` are facts."""
    answer = [
        helper.make_node("Relu", ["p"], ["high"]),
        helper.make_node("Neg", ["p"], ["minus"]),
        helper.make_node("Relu", ["minus"], ["deep"]),
        helper.make_node("Sub", ["one", "high"], ["less"]),
        helper.make_node("Sub", ["less", "deep"], ["left"]),
        helper.make_node("Concat", ["high", "deep", "left"], ["together"], axis=1),
        helper.make_node("Transpose", ["together"], ["each"], perm=[0, 2, 1]),
    ]
    bundle.write(path, facts(**changes), averaging("loud-low", len(LABELS), RATE, SCORE, answer))
    return path


def sound(lasts_s: float, *bursts: Burst) -> NDArray[np.float64]:
    """A waveform of zeros but for bursts, each with start, length and height."""
    waveform = np.zeros(round(lasts_s * RATE))
    for start_s, length_s, height in bursts:
        waveform[round(start_s * RATE) : round((start_s + length_s) * RATE)] = height
    return waveform


def record(path: Path, lasts_s: float, *bursts: Burst) -> Path:
    """Write such a waveform."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(lasts_s, *bursts), RATE, subtype="PCM_16")
    return path


def manifest(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    """Write a manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def event(keyword: str, start_s: float, end_s: float) -> dict[str, Any]:
    """An event as a manifest has it."""
    return {"keyword": keyword, "start_s": start_s, "end_s": end_s}


def said_often(folder: Path, times: int = 20) -> Path:
    """A recording in which each keyword is said so often, loudly, and its manifest."""
    bursts, events = [], []
    for number in range(2 * times):
        start_s = 2.0 + 3 * number
        height = 0.9 if number % 2 else -0.9
        bursts.append((start_s, 0.8, height))
        events.append(event("loud" if number % 2 else "low", start_s, start_s + 0.8))
    record(folder / "said.wav", 6.0 * times + 4, *bursts)
    return manifest(folder / "manifest.jsonl", [{"audio": "said.wav", "events": events}]).parent


def never_said(folder: Path, lasts_s: float = 180.0) -> Path:
    """A recording in which nothing is said and two bursts are nearly loud, and its manifest."""
    record(folder / "noise.flac", lasts_s, (20.0, 0.8, 0.5), (60.0, 0.7, -0.5))
    return manifest(folder / "manifest.jsonl", [{"audio": "noise.flac", "events": []}]).parent
