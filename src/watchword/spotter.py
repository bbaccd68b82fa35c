"""Chunks of audio → detections: a bundle, its stream and its decision joined.

In comes audio as a microphone or a file gives it, out go detections as they are due. A room because
this is what a program that listens holds in its hands; everything it does is done by the rooms
below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword import audio, bundle, shipped
from watchword.bundle import Bundle
from watchword.decision import (
    Decision,
    Detection,
    OperatingPoint,
    Posteriors,
    points_for,
    tempered,
)
from watchword.stream import Runner, Waveforms
from watchword.units import SAMPLE_RATE_HZ, Seconds

DEFAULT_MODEL: Final = "commands-12"
SESSIONS_KEPT: Final = 8


def open_bundle(model: str | Path | Bundle) -> Bundle:
    """Return a model, checked.

    Args:
        model: The name of a shipped model, a path, or a bundle, which is returned.

    Raises:
        BundleError: If it is no bundle or cannot be trusted.
        CheckpointError: If it reads like a name and no shipped model is called so.
    """
    return model if isinstance(model, Bundle) else bundle.read(shipped.find_bundle(Path(model)))


def runner(model: str | Path | Bundle, *, is_int8: bool = False, threads: int = 1) -> Runner:
    """Return what runs a model; the same one for all who ask for the same file unchanged.

    Args:
        model: As ``open_bundle`` takes it.
        is_int8: Whether to use its 8-bit graphs.
        threads: Threads a call may use.

    Raises:
        BundleError: As ``open_bundle``.
        CheckpointError: As ``open_bundle``.
    """
    if isinstance(model, Bundle):
        return Runner(model, is_int8=is_int8, threads=threads)
    path = shipped.find_bundle(Path(model))
    if not os.path.isfile(path):  # a folder's files may change one by one, so it is read anew
        return Runner(bundle.read(path), is_int8=is_int8, threads=threads)
    found = path.stat()
    changed = found.st_mtime_ns, found.st_size, found.st_ino
    return _kept(path.resolve(), changed, is_int8, threads)


@lru_cache(maxsize=SESSIONS_KEPT)
def _kept(
    path: Path,
    changed: tuple[int, ...],
    is_int8: bool,  # noqa: FBT001 - a key
    threads: int,
) -> Runner:
    """Return a runner that others share; one session may serve any number of streams."""
    del changed
    return Runner(bundle.read(path), is_int8=is_int8, threads=threads)


class Spotter:
    """Listens to one stream for the keywords of a model.

    Spotters of the same file share its session, so that one more costs next to nothing.

    Args:
        model: Name of a shipped model, path of a bundle, or a bundle.
        keywords: Keywords to listen for; all of the model where not given.
        threshold: Score from which a keyword counts as heard; the bundle's where not given.
        smoothing_scores: Rows a score is made of; the bundle's where not given.
        refractory_ms: How long a keyword rests after a detection; the bundle's where not given.
        patience: In how many of those rows a score must have been reached; as the bundle has it
            where not given.
        is_int8: Whether to use the 8-bit graphs.
        threads: Threads a call may use.

    Raises:
        BundleError: If the model cannot be read or trusted.
        CheckpointError: If no shipped model has the name.
        ConfigError: If the model does not know a keyword, or a number makes no sense.
    """

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        keywords: Sequence[str] | None = None,
        *,
        threshold: float | None = None,
        smoothing_scores: int | None = None,
        refractory_ms: float | None = None,
        patience: int | None = None,
        is_int8: bool = False,
        threads: int = 1,
    ) -> None:
        self._runner = runner(model, is_int8=is_int8, threads=threads)
        facts = self._runner.facts
        keywords = [keywords] if isinstance(keywords, str) else keywords
        points = points_for(keywords, facts.keywords, facts.points, facts.default_point)
        changes = {
            "threshold": threshold,
            "smoothing_scores": smoothing_scores,
            "refractory_ms": refractory_ms,
            "patience": patience,
        }
        self.points: Mapping[str, OperatingPoint] = {
            keyword: point.changed(**changes) for keyword, point in points.items()
        }
        self.keywords = tuple(self.points)
        self._columns = [facts.labels.index(keyword) for keyword in self.keywords]
        self._decision = Decision(self.points, facts.timing.score_hop_ms)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard: what comes next is a new stream."""
        self._state = self._runner.start()
        self._memory = self._decision.start()
        self._samples = 0
        self.scores: dict[str, float] = dict.fromkeys(self.keywords, 0.0)

    @property
    def heard_s(self) -> Seconds:
        """Seconds of audio heard."""
        return self._samples / SAMPLE_RATE_HZ

    def feed(self, chunk: NDArray[Any]) -> list[Detection]:
        """Hear a chunk and return what was detected in it.

        Args:
            chunk: Audio at 16 kHz, int16 or float in [-1, 1], any number of samples, shape
                ``(samples,)``.

        Raises:
            AudioError: If it is no usable audio; the stream goes on as if it had not come.
        """
        return self.hear(chunk)[1]

    def hear(self, chunk: NDArray[Any]) -> tuple[Posteriors, list[Detection]]:
        """Hear a chunk and return all scores that were due, and what was detected.

        Args:
            chunk: As ``feed`` takes it.

        Returns:
            Scores, shape ``(scores, keywords)``, and the detections.

        Raises:
            AudioError: As ``feed``.
        """
        waveform = audio.chunk(chunk)
        scores, found = self._step(waveform)
        self._samples += len(waveform)
        return scores, found

    def finish(self) -> list[Detection]:
        """End the stream, and return what its last second still held.

        Half a second of silence is heard after it, or as much as is missing to the first score.
        Detections in it bear the time of the end. An end without audio before it holds nothing.
        What is fed next is a new stream.
        """
        return self.end()[1]

    def end(self) -> tuple[Posteriors, list[Detection]]:
        """End the stream as ``finish`` does, and return the last scores too."""
        end_s = self.heard_s
        scores, found = self._step(np.zeros(self._runner.flush_samples(self._samples), np.float32))
        self.reset()
        late = [Detection(one.keyword, min(one.time_s, end_s), one.score) for one in found]
        return scores, late

    def predict(self, chunk: NDArray[Any]) -> dict[str, float]:
        """Hear a chunk and return the latest score of each keyword, as openWakeWord does.

        Args:
            chunk: As ``feed`` takes it.

        Raises:
            AudioError: As ``feed``.
        """
        self.feed(chunk)
        return dict(self.scores)

    def _step(self, waveform: Waveforms) -> tuple[Posteriors, list[Detection]]:
        """Hear audio and return scores and detections."""
        posteriors, self._state = self._runner.step(waveform[None], self._state)
        rows = tempered(posteriors[0], self._runner.facts.temperature)[:, self._columns]
        first = self._memory.rows
        scores, fired, self._memory = self._decision.step(rows, self._memory)
        if len(scores):
            self.scores = dict(zip(self.keywords, scores[-1].tolist(), strict=True))
        found = []
        for row, column in fired:
            time_s = float(self.times_s(first + row))
            found.append(Detection(self.keywords[column], time_s, float(scores[row, column])))
        return scores, found

    def times_s(self, rows: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """Return when rows of scores are due, in seconds of the stream.

        Args:
            rows: Their numbers, from 0.
        """
        return self._runner.timing.times_s(rows)


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording.

    Args:
        keywords: Which keywords were listened for.
        detections: What was detected, in order of time.
        scores: Of each keyword at every score hop, shape ``(scores, keywords)``.
        times_s: The time of each row of scores.
        duration_s: Length of the recording.
    """

    keywords: tuple[str, ...]
    detections: tuple[Detection, ...]
    scores: Posteriors
    times_s: NDArray[np.float64]
    duration_s: Seconds


def hear(
    chunks: Iterable[NDArray[Any]],
    spotter: Spotter,
    told: Callable[[Detection], None] = lambda _one: None,
) -> Heard:
    """Return all that a spotter hears in a recording, from its first sample to its last.

    Args:
        chunks: The recording, piece by piece.
        spotter: Who listens; it is left as new, whatever happens.
        told: Called with each detection when it is made: what comes before a fault is not lost.

    Raises:
        AudioError: If a chunk is no usable audio.
    """
    spotter.reset()
    try:
        return _heard(chunks, spotter, told)
    finally:
        spotter.reset()


def _heard(
    chunks: Iterable[NDArray[Any]], spotter: Spotter, told: Callable[[Detection], None]
) -> Heard:
    """Return all that a spotter that is as new hears in a recording."""
    rows: list[Posteriors] = []
    found: list[Detection] = []
    for piece in chunks:
        scores, detections = spotter.hear(piece)
        rows.append(scores)
        for one in detections:
            told(one)
            found.append(one)
    duration_s = spotter.heard_s
    scores, detections = spotter.end()
    for one in detections:
        told(one)
    rows.append(scores)
    times_s = spotter.times_s(np.arange(sum(map(len, rows))))
    return Heard(
        spotter.keywords,
        (*found, *detections),
        np.concatenate(rows),
        np.minimum(times_s, duration_s),
        duration_s,
    )


def spot(
    recording: str | Path,
    model: str | Path | Bundle = DEFAULT_MODEL,
    keywords: Sequence[str] | None = None,
    **options: Any,
) -> list[Detection]:
    """Return what is detected in a sound file.

    Args:
        recording: A file that libsndfile reads, of any rate and channels.
        model: As ``Spotter`` takes it.
        keywords: As ``Spotter`` takes them.
        **options: The other arguments of ``Spotter``.

    Raises:
        AudioError: If the file is no usable audio.
        BundleError: As ``Spotter``.
        CheckpointError: As ``Spotter``.
        ConfigError: As ``Spotter``.
    """
    spotter = Spotter(model, keywords, **options)
    found = []
    for piece in audio.blocks(recording):
        found += spotter.feed(piece)
    return found + spotter.finish()
