"""Names for quantities, so that a signature says what it counts in.

A room because every other room speaks these words; nothing is computed here.
"""

from __future__ import annotations

from typing import Final

Seconds = float
Hz = int
Decibels = float
Samples = int
Frames = int

SAMPLE_RATE_HZ: Final[Hz] = 16_000
CLIP_SAMPLES: Final[Samples] = 16_000
