"""The types of the section ``augment``: what may be done to training clips, and how much of it.

Nothing comes in, and nothing is read here. A room beside ``settings`` because each augmentation has
a section of its own, and their order is the order in which they happen.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from watchword.fields import Count, CountOrNone, Positive, Probability, Real, Section, Share


class Chance(Section):
    """An augmentation that happens to some clips."""

    probability: Probability = 1.0


class Volume(Chance):
    """The paper's volume: a gain within plus or minus so many decibels."""

    decibels: Positive = 5.0


class ZeroSegment(Chance):
    """The paper's erasing: a stretch of zeros at a random place."""

    milliseconds: Positive = 100.0


class TimeStretch(Chance):
    """The paper's time stretch: speed changes, pitch does not."""

    slowest: Positive = 0.75
    fastest: Positive = 1.25


class PitchShift(Chance):
    """The paper's pitch shift: pitch changes, speed does not."""

    semitones: Positive = 4.0


class ShiftFraction(Chance):
    """The paper's shift, as a part of the clip."""

    fraction: Share = 0.2


class ClipPercentile(Chance):
    """The paper's clipping: the loudest percentiles are cut off."""

    lowest: Positive = 10.0
    highest: Positive = 20.0


class NoiseAt(Chance):
    """Background noise at a signal-to-noise ratio."""

    lowest_db: Real = 0.0
    highest_db: Real = 15.0


class Shift(Chance):
    """A shift in time, either way, zeros enter."""

    milliseconds: Positive = 100.0


class Resample(Chance):
    """Faster and higher, or slower and lower, like a tape."""

    fraction: Annotated[float, Strict(), Field(gt=0, lt=0.5)] = 0.15


class Reverb(Chance):
    """The sound of a room, from synthetic impulse responses."""

    rooms: Count = 64


class Gain(Chance):
    """A level, in decibels."""

    lowest_db: Real = -20.0
    highest_db: Real = 6.0


class Lowpass(Chance):
    """Nothing above 4 kHz, as in rebuilt clips and telephones."""


class BandGain(Chance):
    """Some bands louder, others softer, as another microphone would have them."""

    knots: Annotated[int, Strict(), Field(ge=2)] = 4
    spread: Positive = 0.5


class Mask(Chance):
    """SpecAugment: stretches of frames and of bands are covered."""

    time_masks: CountOrNone = 2
    frames: CountOrNone = 20
    frequency_masks: CountOrNone = 2
    bands: CountOrNone = 5


class Mixup(Chance):
    """Two clips and their classes mixed."""

    alpha: Positive = 0.2


class AugmentSettings(Section):
    """What is done to training clips, in this order; what is not named is not done."""

    resample: Resample | None = None
    time_stretch: TimeStretch | None = None
    pitch_shift: PitchShift | None = None
    shift: Shift | None = None
    shift_fraction: ShiftFraction | None = None
    random_placement: Chance | None = None
    zero_segment: ZeroSegment | None = None
    reverb: Reverb | None = None
    volume: Volume | None = None
    clip_percentile: ClipPercentile | None = None
    noise: NoiseAt | None = None
    gain: Gain | None = None
    lowpass: Lowpass | None = None
    band_gain: BandGain | None = None
    mask: Mask | None = None
    mixup: Mixup | None = None
