"""A bundle so small that its answers can be worked out by hand.

Its clip is 8 samples, a score is due every 2. The posterior of ``loud`` is the mean of the clip's
samples (feed it values from 0 to 1), that of ``_unknown_`` is what is left to 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import helper

from graphs import averaging
from watchword import bundle

CLIP, SCORE = 8, 2
LABELS = ["loud", "_unknown_"]


def facts(**changes: Any) -> dict[str, Any]:
    """What the bundle says of itself, but for format and files."""
    return {
        "name": "loud",
        "labels": LABELS,
        "timing": {
            "sample_rate_hz": 16_000,
            "clip_samples": CLIP,
            "used_samples": CLIP,
            "score_samples": SCORE,
            "lead_samples": 0,
            "warm_up_scores": CLIP // SCORE - 1,
        },
        "state": [{"input": "audio", "output": "next_audio", "shape": [CLIP - SCORE]}],
        "operating_point": {
            "default": {"threshold": 0.5, "smoothing_scores": 1, "refractory_ms": 0.0},
            "keywords": {},
            "is_calibrated": False,
        },
        "licence": "CC0-1.0",
        **changes,
    }


def graphs() -> dict[str, bytes]:
    """The two graphs."""
    answer = [
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Concat", ["p", "q"], ["pq"], axis=1),
        helper.make_node("Transpose", ["pq"], ["each"], perm=[0, 2, 1]),
    ]
    return averaging("loud", len(LABELS), CLIP, SCORE, answer)


def write(path: Path, **changes: Any) -> Path:
    """Write the bundle; ``changes`` are facts."""
    bundle.write(path, facts(**changes), graphs())
    return path
