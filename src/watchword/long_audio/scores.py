"""Recordings → posteriors at every score hop, kept in one file.

In comes a bundle and recordings, out go the posteriors of all its labels, and the detections that
an operating point makes of them. A room because scores are saved first and every number is computed
from them: a new threshold never needs the model again. A detection here is what a ``Spotter`` that
hears the recording from its start to its end detects: to the last bit if it hears the same
``chunks``, and but for the rounding of sums in whatever others.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watchword import audio
from watchword.audio import Waveform
from watchword.decision import Decision, Detection, OperatingPoint, Posteriors, tempered
from watchword.errors import AudioError, DataError
from watchword.facts import Timing
from watchword.files import written_whole
from watchword.long_audio.reference import Recording
from watchword.stream import Runner
from watchword.units import SAMPLE_RATE_HZ, Samples, Seconds

FILE_NAME: Final = "stream-scores.npz"
BLOCK_S: Final[Seconds] = 20.0
_TIMES: Final = ("clip_samples", "used_samples", "score_samples", "lead_samples", "warm_up_scores")
_DAMAGE: Final = (
    *(OSError, ValueError, KeyError, IndexError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True, eq=False)
class LongScores:
    """What a model answered all along some recordings.

    Args:
        key: What was heard by which model, as ``key_of`` tells it.
        labels: Names of the columns.
        timing: When rows are due.
        names: Names of the recordings.
        samples: Length of each recording, shape ``(recordings,)``.
        posteriors: Rows of each recording, shape ``(rows, labels)``.
    """

    key: str
    labels: tuple[str, ...]
    timing: Timing
    names: tuple[str, ...]
    samples: NDArray[np.int64]
    posteriors: tuple[Posteriors, ...]

    def times_s(self, recording: int) -> NDArray[np.float64]:
        """Return the time of each row of a recording, in seconds; none is after its end.

        Args:
            recording: Its number.
        """
        due = self.timing.times_s(np.arange(len(self.posteriors[recording])))
        return np.asarray(np.minimum(due, self.samples[recording] / SAMPLE_RATE_HZ))


def key_of(runner: Runner, recordings: Sequence[Recording]) -> str:
    """Return what tells whether scores are those of a model and of some recordings.

    Args:
        runner: The model.
        recordings: Recordings, whose files are looked at and not read.

    Returns:
        SHA-256 over the graph, its labels and timing, the silence before a stream, and names, sizes
        and times of the files, in hexadecimal.

    Raises:
        AudioError: If a file is not there.
    """
    times = [getattr(runner.timing, name) for name in (*_TIMES, "silence_samples")]
    about = runner.digest, runner.facts.labels, times
    digest = hashlib.sha256(json.dumps(about).encode())
    for one in recordings:
        for file in one.files:
            try:
                found = file.stat()
            except OSError as fault:
                raise AudioError(
                    f"{file} cannot be looked at ({fault.strerror}), needed a sound file: check "
                    "the name and who may read it"
                ) from fault
            digest.update(f"{one.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def hear(
    runner: Runner,
    recordings: Sequence[Recording],
    *,
    workers: int = 1,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> LongScores:
    """Return the scores of recordings.

    Args:
        runner: The model.
        recordings: What to hear.
        workers: Recordings heard side by side.
        told: Called with the seconds heard and those in all.

    Raises:
        AudioError: If a file is no usable audio.
        BundleError: If the model cannot be run.
    """
    key = key_of(runner, recordings)
    runner.prepare()
    total, heard = round(sum(one.duration_s for one in recordings)), 0.0
    found: list[tuple[Samples, Posteriors]] = []
    with ThreadPoolExecutor(workers) as pool:
        for one, answer in zip(
            recordings, pool.map(lambda one: _hear_one(runner, one), recordings), strict=True
        ):
            found.append(answer)
            heard += one.duration_s
            told(min(round(heard), total), total)
    return LongScores(
        key,
        runner.facts.labels,
        runner.timing,
        tuple(one.name for one in recordings),
        np.array([samples for samples, _ in found], np.int64),
        tuple(posteriors for _, posteriors in found),
    )


def _hear_one(runner: Runner, recording: Recording) -> tuple[Samples, Posteriors]:
    """Return the length of a recording and its rows of posteriors, to the end of its flush."""
    state, rows, samples = runner.start(), [], 0
    for piece in chunks(recording):
        posteriors, state = runner.step(piece[None], state)
        rows.append(posteriors[0])
        samples += len(piece)
    rest = np.zeros((1, runner.flush_samples(samples)), np.float32)
    posteriors, _ = runner.step(rest, state)
    return samples, np.concatenate([*rows, posteriors[0]])


def chunks(recording: Recording, block_s: Seconds = BLOCK_S) -> Iterator[Waveform]:
    """Yield the audio of a recording, file after file.

    Args:
        recording: The recording.
        block_s: Length of a piece at most.

    Raises:
        AudioError: If a file is no usable audio.
    """
    for file in recording.files:
        yield from audio.blocks(file, block_s)


def detections(
    scores: LongScores, points: Mapping[str, OperatingPoint], temperature: float = 1.0
) -> list[list[Detection]]:
    """Return the detections in each recording, in order of time.

    Args:
        scores: What a model answered.
        points: Keywords that are listened for, with their operating points.
        temperature: As the bundle has it.

    Raises:
        ConfigError: If there is no keyword.
        ValueError: If a keyword is no label of the scores.
    """
    decision = Decision(points, scores.timing.score_hop_ms)
    columns = [scores.labels.index(keyword) for keyword in points]
    found = []
    for number, posteriors in enumerate(scores.posteriors):
        times_s = scores.times_s(number)
        rows = tempered(posteriors, temperature)[:, columns]
        smoothed, fired, _ = decision.step(rows, decision.start())
        found.append(
            [
                Detection(
                    decision.keywords[column], float(times_s[row]), float(smoothed[row, column])
                )
                for row, column in fired
            ]
        )
    return found


def save(scores: LongScores, path: Path) -> None:
    """Write scores into one ``.npz`` file, whole or not at all.

    Args:
        scores: The scores.
        path: Where to.

    Raises:
        DataError: If the file cannot be written.
    """
    about = {
        "key": scores.key,
        "labels": scores.labels,
        "names": scores.names,
        "timing": {name: getattr(scores.timing, name) for name in _TIMES},
    }
    with written_whole(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            about=np.array(json.dumps(about)),
            samples=scores.samples,
            rows=np.array([len(rows) for rows in scores.posteriors]),
            posteriors=np.concatenate(scores.posteriors),
        )


def load(path: Path) -> LongScores:
    """Read scores that ``save`` wrote; nothing is unpickled.

    Args:
        path: The file.

    Raises:
        DataError: If the file is missing, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            samples, rows, posteriors = (
                archive[name] for name in ("samples", "rows", "posteriors")
            )
        parts = tuple(np.split(posteriors.astype(np.float32), np.cumsum(rows)[:-1]))
        labels, names = tuple(about["labels"]), tuple(about["names"])
        is_whole = len(posteriors) == rows.sum() and posteriors.shape[1] == len(labels)
        if not len(names) == len(samples) == len(parts) or not is_whole:
            raise ValueError("its parts do not belong to each other")
        timing = Timing(**about["timing"])
        return LongScores(about["key"], labels, timing, names, samples, parts)
    except _DAMAGE as fault:
        raise DataError(
            f"{path} cannot be read as scores of recordings ({fault}); needed is a whole "
            f"{FILE_NAME} as evaluation writes it: remove it, and evaluate again"
        ) from fault
