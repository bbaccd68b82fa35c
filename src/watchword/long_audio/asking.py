"""A model and recordings → what it answered to them.

In comes what is asked of which model, out go its scores, saved ones if they are of the same model
and files. A room because evaluation, calibration and mining ask alike, and none of them shall run
the model twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from watchword import spotter
from watchword.bundle import Bundle
from watchword.console import Console
from watchword.decision import points_for
from watchword.long_audio import scores as answers
from watchword.long_audio.matching import TOLERANCE_S, check_tolerance
from watchword.long_audio.reference import Recording
from watchword.long_audio.scores import LongScores
from watchword.long_audio.sources import read
from watchword.stream import Runner
from watchword.units import Seconds


@dataclass(frozen=True)
class Asked:
    """What is asked of which model.

    Args:
        model: Name of a shipped model, or path of a bundle.
        recordings: Where the recordings are, as the module says.
        keywords: Separated by commas; all of the model where empty.
        tolerance_s: How long after its end a keyword may be detected.
        is_int8: Whether to use the 8-bit graphs.
        workers: Recordings heard side by side; as many as there are cores where None.
        scores: File or folder where scores are kept and looked for.
        is_trusted: Whether it is taken that no keyword occurs in recordings of which nothing tells.
    """

    model: str
    recordings: Sequence[str]
    keywords: str = ""
    tolerance_s: Seconds = TOLERANCE_S
    is_int8: bool = False
    workers: int | None = None
    scores: Path | None = None
    is_trusted: bool = False


@dataclass(frozen=True, eq=False)
class Heard:
    """A model and what it answered to recordings.

    Args:
        model: The model.
        keywords: What is listened for.
        recordings: What was heard.
        scores: What the model answered.
    """

    model: Bundle
    keywords: tuple[str, ...]
    recordings: tuple[Recording, ...]
    scores: LongScores


def hear(
    asked: Asked,
    console: Console,
    refuse: Callable[[Sequence[Recording], Sequence[str]], None] = lambda *_: None,
) -> Heard:
    """Return what a model answers to recordings, from saved scores if they are the same.

    Args:
        asked: What is asked.
        console: Where progress is shown.
        refuse: Called with recordings and keywords before minutes of work; raises if they do not
            serve.

    Raises:
        ConfigError: If the model does not know a keyword, or a name or number cannot be meant.
        DataError: If recordings are missing, cannot be read or do not serve.
        BundleError: If the model cannot be read or run.
    """
    check_tolerance(asked.tolerance_s)
    model = spotter.open_bundle(asked.model)
    keywords = wanted(asked, model)
    recordings = read(asked.recordings, model.facts.keywords)
    if asked.is_trusted:
        recordings = tuple(replace(one, may_hold=False) for one in recordings)
    refuse(recordings, keywords)
    runner = Runner(model, is_int8=asked.is_int8)
    scores = _scores(runner, recordings, asked, console)
    return Heard(model, keywords, recordings, scores)


def wanted(asked: Asked, model: Bundle) -> tuple[str, ...]:
    """Return the keywords that are listened for.

    Args:
        asked: What is asked.
        model: The model.

    Raises:
        ConfigError: If the model does not know one of them.
    """
    facts = model.facts
    named = [word.strip() for word in asked.keywords.split(",") if word.strip()]
    return tuple(points_for(named or None, facts.keywords, facts.points, facts.default_point))


def _scores(
    runner: Runner, recordings: Sequence[Recording], asked: Asked, console: Console
) -> LongScores:
    """Return the scores of recordings, saved ones if they are of the same model and files."""
    place = asked.scores
    if place is not None and (place.is_dir() or not place.suffix):
        place /= answers.FILE_NAME
    if place is not None and place.is_file():
        saved = answers.load(place)
        if saved.key == answers.key_of(runner, recordings):
            console.say(f"scores are those of {place}")
            return saved
    heard = answers.hear(
        runner,
        recordings,
        workers=asked.workers or os.cpu_count() or 1,
        told=lambda done, total: console.progress("seconds heard", done, total),
    )
    if place is not None:
        answers.save(heard, place)
    return heard
