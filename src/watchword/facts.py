"""What ``bundle.json`` says, as checked values: how a model is to be used.

In comes JSON from anywhere, out go facts whose types and ranges hold, or one line that says which
do not. A room because every runtime that uses a bundle relies on these numbers, and because a newer
version of them must be refused before anything is computed.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.decision import OperatingPoint
from watchword.errors import BundleError, ConfigError
from watchword.units import SAMPLE_RATE_HZ, Samples
from watchword.words import SILENCE, UNKNOWN

FORMAT: Final = 3
OLDEST: Final = 1
"""The first format knew no temperature; what it says is read as a temperature of 1."""
FIRST_WITH_PATIENCE: Final = 3
"""Scores of earlier formats are means."""
SHA256: Final = re.compile(r"[0-9a-f]{64}")
MOST_LABELS: Final = 10_000
LONGEST_SAMPLES: Final = 60 * SAMPLE_RATE_HZ
MOST_NUMBERS: Final = 10_000_000
"""Of all arrays of a stream's state together."""
LONGEST_REASON: Final = 200
"""Characters of a message that come from the file."""
MOST_SIDES: Final = 8
MOST_PARTS: Final = 1_000
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
LARGEST_COUNT: Final = 2**53
"""Beyond it, readers of JSON disagree about whole numbers."""
CHUNK, POSTERIORS = "chunk", "posteriors"
"""The graph's input and output that are no state."""
NOT_WRITTEN: Final = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories of what no line of text holds: control characters, halves, line ends."""
NO_KEYWORDS: Final = (UNKNOWN, SILENCE)


FAULTS: Final = (
    *(ValueError, KeyError, TypeError, AttributeError),  # as _facts raises them
    *(RecursionError, OverflowError),  # of JSON that is nested too deep, or has too large numbers
)


@dataclass(frozen=True)
class StoredFile:
    """What a bundle says of one of its files.

    Args:
        size: Bytes.
        sha256: Of its content, in hexadecimal.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class StatePart:
    """One array of a stream's state: zeros at the start, then what the graph returns.

    Args:
        given: Name of the graph's input.
        returned: Name of the graph's output.
        shape: Its shape without the axis of streams.
    """

    given: str
    returned: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Timing:
    """How clips and streams lie in samples, at 16 kHz.

    Args:
        clip_samples: Samples that ``clip.onnx`` takes.
        used_samples: Those of them that matter: what a score hears.
        score_samples: Samples between two scores; ``stream.onnx`` takes whole multiples.
        lead_samples: Zeros to feed before a stream, so that its scores are due on time.
        warm_up_scores: Scores to throw away at its start.
    """

    clip_samples: Samples
    used_samples: Samples
    score_samples: Samples
    lead_samples: Samples
    warm_up_scores: int

    @property
    def score_hop_ms(self) -> float:
        """Time between two scores."""
        return 1_000 * self.score_samples / SAMPLE_RATE_HZ

    @property
    def silence_samples(self) -> Samples:
        """Silence that is heard before a stream: the whole score hops in half a clip.

        So a word that begins a stream is in the middle of a clip, as one that ends it is.
        """
        return self.used_samples // 2 // self.score_samples * self.score_samples

    def times_s(self, rows: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """Return when rows of scores are due, in seconds of the stream.

        Args:
            rows: Their numbers, from 0.
        """
        first = self.used_samples - self.silence_samples
        ends = first + np.asarray(rows) * self.score_samples
        return np.asarray(ends / SAMPLE_RATE_HZ)


@dataclass(frozen=True)
class Facts:
    """What a bundle says of itself.

    Args:
        name: What the model is called.
        labels: Its outputs in order.
        timing: How clips and streams lie in samples.
        state: The arrays of a stream's state, in order.
        default_point: Operating point of keywords that have none of their own.
        points: Operating points of keywords.
        is_calibrated: Whether they were chosen on evidence; a default otherwise.
        temperature: What the logits are divided by before scores are made of posteriors.
        licence: SPDX identifier of the weights.
        files: What it says of its files, by name.
        told: All of it, as JSON has it.
    """

    name: str
    labels: tuple[str, ...]
    timing: Timing
    state: tuple[StatePart, ...]
    default_point: OperatingPoint
    points: Mapping[str, OperatingPoint]
    is_calibrated: bool
    temperature: float
    licence: str
    files: Mapping[str, StoredFile]
    told: Mapping[str, Any]

    @property
    def keywords(self) -> tuple[str, ...]:
        """Labels that are words to listen for."""
        return tuple(label for label in self.labels if label not in NO_KEYWORDS)


def parse(text: bytes, what: str) -> Facts:
    """Return the facts of a ``bundle.json``.

    Args:
        text: Its content.
        what: Whose, for messages.

    Raises:
        BundleError: If it is no JSON, of a newer version, or lacks something.
    """
    try:
        told = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
        found = told["format"]
        if _is_count(found) and found > FORMAT:
            raise BundleError(
                f"{what} has format {found}, this program reads up to format {FORMAT}: update "
                "watchword, or export the model with this version"
            )
        return _facts(told)
    except FAULTS as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise _unreadable(what, reason) from error
    except ConfigError as error:  # of an operating point
        raise _unreadable(what, str(error)) from error


def _unreadable(what: str, reason: str) -> BundleError:
    """Return the error for facts that cannot be used."""
    line = "".join(sign if sign.isprintable() else " " for sign in reason[:LONGEST_REASON])
    return BundleError(
        f"{what}: its bundle.json cannot be used ({line}), and nothing of the model can be without "
        "it: copy it again, or export the model anew"
    )


def _facts(told: Mapping[str, Any]) -> Facts:
    """Return facts of JSON values, or raise what is wrong with them."""
    if not _is_count(told["format"]) or told["format"] < OLDEST:
        raise ValueError(f"format is {told['format']!r}")
    labels = _labels(told["labels"])
    deciding = told["operating_point"]
    told_points = dict(deciding.get("keywords", {}))
    points = {key: _point(told["format"], value) for key, value in told_points.items()}
    if not {*points} <= {*labels}:
        raise ValueError("an operating point is that of no label")
    return Facts(
        name=_text(told["name"], "name"),
        labels=labels,
        timing=_timing(told["timing"]),
        state=_states(told["state"]),
        default_point=_point(told["format"], deciding["default"]),
        points=points,
        is_calibrated=deciding.get("is_calibrated", False) is True,
        temperature=_temperature(told["format"], deciding),
        licence=_text(told["licence"], "licence"),
        files={key: _file(key, value) for key, value in dict(told["files"]).items()},
        told=told,
    )


def _labels(told: object) -> tuple[str, ...]:
    """Return the labels, if they are different from each other and one is a keyword."""
    labels = tuple(_text(label, "labels") for label in _list(told, "labels"))
    if len({*labels}) != len(labels) or len(labels) > MOST_LABELS:
        raise ValueError(f"labels must be different from each other, {MOST_LABELS:,} at most")
    if not {*labels} - {*NO_KEYWORDS}:
        raise ValueError("no label is a keyword")
    return labels


def _timing(told: Mapping[str, Any]) -> Timing:
    """Return the timing, if its numbers fit together."""
    if told["sample_rate_hz"] != SAMPLE_RATE_HZ:
        raise ValueError(f"sample_rate_hz must be {SAMPLE_RATE_HZ}")
    names = ("clip_samples", "used_samples", "score_samples", "lead_samples", "warm_up_scores")
    for name in names:
        if not _is_count(told[name]) or told[name] > LONGEST_SAMPLES:
            raise ValueError(f"timing.{name} must be a whole number up to {LONGEST_SAMPLES:,}")
    timing = Timing(*(told[name] for name in names))
    heard = timing.score_samples * (timing.warm_up_scores + 1)
    is_sound = 0 < timing.score_samples <= timing.used_samples <= timing.clip_samples
    if not is_sound or heard != timing.used_samples + timing.lead_samples:
        raise ValueError("the numbers of timing do not fit together")
    return timing


def _states(told: object) -> tuple[StatePart, ...]:
    """Return the arrays of the state, if each has names of its own and they are not too large."""
    parts = tuple(_state(part) for part in _list(told, "state"))
    given = {part.given for part in parts} - {CHUNK}
    returned = {part.returned for part in parts} - {POSTERIORS}
    if not len(given) == len(returned) == len(parts) <= MOST_PARTS:
        raise ValueError("the arrays of state must have different names, and not be many")
    if sum(math.prod(part.shape) for part in parts) > MOST_NUMBERS:
        raise ValueError(f"the arrays of state hold more than {MOST_NUMBERS:,} numbers")
    return parts


def _state(told: Mapping[str, Any]) -> StatePart:
    """Return an array of the state, if it is of a shape one can mean."""
    shape = tuple(_list(told["shape"], "shape"))
    is_meant = all(_is_count(side) and side <= MOST_NUMBERS for side in shape)
    if not is_meant or len(shape) > MOST_SIDES:
        raise ValueError("the shape of a state must be whole numbers, and not many")
    return StatePart(_text(told["input"], "input"), _text(told["output"], "output"), shape)


def _point(version: int, told: Mapping[str, Any]) -> OperatingPoint:
    """Return an operating point."""
    numbers = told["threshold"], told["smoothing_scores"], told["refractory_ms"]
    is_number = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not is_number or not _is_count(numbers[1]):
        raise ValueError("an operating point is made of numbers")
    patience = told.get("patience") if version >= FIRST_WITH_PATIENCE else None
    if patience is not None and not _is_count(patience):
        raise ValueError("patience must be a whole number")
    return OperatingPoint(float(numbers[0]), numbers[1], float(numbers[2]), patience)


def _temperature(version: int, deciding: Mapping[str, Any]) -> float:
    """Return a temperature, if posteriors can be made with it."""
    told = deciding.get("temperature", 1.0) if version > OLDEST else 1.0
    if not isinstance(told, int | float) or isinstance(told, bool):
        raise TypeError("temperature must be a number")
    if not LOWEST_TEMPERATURE <= told <= HIGHEST_TEMPERATURE:
        raise ValueError(
            f"temperature must be from {LOWEST_TEMPERATURE:g} to {HIGHEST_TEMPERATURE:g}"
        )
    return float(told)


def _file(name: str, told: Mapping[str, Any]) -> StoredFile:
    """Return what is said of a file."""
    digest = _text(told["sha256"], "sha256")
    if not SHA256.fullmatch(digest) or not _is_count(told["bytes"]):
        raise ValueError(f"files.{name} must have bytes and a SHA-256")
    return StoredFile(told["bytes"], digest)


def _is_count(value: object) -> bool:
    """Tell whether a value is a whole number of at least 0, and no absurd one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT


def _text(value: object, name: str) -> str:
    """Return a value if it is text that fits a line: it will be printed."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} must be text")
    if any(unicodedata.category(sign) in NOT_WRITTEN for sign in value):
        raise ValueError(f"{name} must be text of one line")
    return value


def _list(value: object, name: str) -> list[Any]:
    """Return a value if it is a list."""
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list")
    return value


def _refuse_constant(name: str) -> None:
    """Refuse what JSON does not have."""
    raise ValueError(f"{name} is no number of JSON")
