"""Negative audio → the windows at which a model fired or nearly did: what to train against.

In come recordings with a model's scores, out goes a corpus of clips that training takes as other
words. A room because a false accept is worth more to training than a thousand windows that were
never in danger, and because no window may be taken in which any keyword of the model was said.

A window is taken where a keyword's posterior reaches ``near`` and has its highest value around; it
is the clip that this posterior was computed from.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from watchword.audio import Pcm, to_int16
from watchword.data.utterance import Split
from watchword.decision import Posteriors
from watchword.errors import ConfigError, DataError
from watchword.files import folder_written_whole
from watchword.long_audio import scores as answers
from watchword.long_audio.reference import Recording
from watchword.long_audio.scores import LongScores
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ, Samples, Seconds

LIST: Final = "mined.csv"
COLUMNS: Final = ("file", "split", "speaker", "recording", "time_s", "keyword", "posterior")
AROUND_S: Final[Seconds] = 0.5
"""So near to a keyword that is known to be said no window is taken, on either side."""
APART_S: Final[Seconds] = 0.4
LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Window:
    """A clip that fired or nearly did.

    Args:
        recording: Number of its recording.
        start_s: When the clip begins, in seconds of the recording; before 0 if it begins in the
            silence that is heard before a recording.
        time_s: When its score was due; the clip has ended then but for samples that no model heeds.
        keyword: What it was taken for.
        posterior: How surely, in [0, 1].
    """

    recording: int
    start_s: Seconds
    time_s: Seconds
    keyword: str
    posterior: float


def find(
    scores: LongScores,
    recordings: Sequence[Recording],
    keywords: Sequence[str],
    *,
    near: float = 0.3,
    apart_s: Seconds = APART_S,
) -> list[Window]:
    """Return the windows of negative audio that fired or nearly did, the surest first.

    Args:
        scores: What a model answered.
        recordings: The same recordings; those in which keywords may occur unmarked are left out.
        keywords: What counts as fired.
        near: Posterior from which a window is taken, in (0, 1].
        apart_s: Of windows nearer to each other than this, only the surest is taken.

    Raises:
        ConfigError: If a number cannot be meant.
        DataError: If keywords may occur in all recordings.
    """
    refuse_vain(recordings, near=near, apart_s=apart_s)
    columns = [scores.labels.index(keyword) for keyword in keywords]
    apart = math.ceil(round(apart_s * 1_000 / scores.timing.score_hop_ms, 6))
    found = []
    for number, recording in enumerate(recordings):
        if recording.may_hold:
            continue
        rows = scores.posteriors[number][:, columns]
        for row, column in _peaks(rows, near, apart):
            time_s = float(scores.timing.times_s(row))
            start_s = time_s - scores.timing.used_samples / SAMPLE_RATE_HZ
            sure = float(rows[row, column])
            one = Window(number, start_s, time_s, keywords[column], sure)
            if not _may_be_said(one, recording, scores.labels):
                found.append(one)
    return sorted(found, key=lambda one: -one.posterior)


def refuse_vain(
    recordings: Sequence[Recording], *, near: float, apart_s: Seconds = APART_S
) -> None:
    """Refuse what no window can come of.

    Args:
        recordings: Where windows are looked for.
        near: Posterior from which a window is taken.
        apart_s: Of windows nearer to each other than this, only the surest is taken.

    Raises:
        ConfigError: If a number cannot be meant.
        DataError: If keywords may occur in all recordings.
    """
    if not 0 < near <= 1 or not 0 <= apart_s < math.inf:
        raise ConfigError(
            f"windows from a posterior of {near:g}, {apart_s:g} s apart, were asked for, needed a "
            "posterior above 0 and at most 1 and a time from 0 on: mend them"
        )
    if all(one.may_hold for one in recordings):
        raise DataError(
            f"keywords may occur in all of {len(recordings):,} recordings, needed some in which "
            "it is known what is said: give transcripts, or say in a manifest that none occurs"
        )


def _peaks(rows: Posteriors, near: float, apart: int) -> list[tuple[int, int]]:
    """Return row and column of the highest values, those nearer than ``apart`` rows left out."""
    highest, which = rows.max(axis=1), rows.argmax(axis=1)
    is_free = highest >= near
    taken: list[int] = []
    for row in np.argsort(-highest, kind="stable").tolist():
        if is_free[row]:
            taken.append(row)
            is_free[max(0, row - apart + 1) : row + max(1, apart)] = False
    return [(row, int(which[row])) for row in taken]


def _may_be_said(window: Window, recording: Recording, labels: Sequence[str]) -> bool:
    """Tell whether a window may hold any keyword: an event or a text around it says so."""
    start_s = window.start_s - AROUND_S
    end_s = window.start_s + CLIP_SAMPLES / SAMPLE_RATE_HZ + AROUND_S
    spans = [
        *((one.start_s, one.end_s) for one in recording.events),
        *((one.start_s, one.end_s) for one in recording.said if any(map(one.counts, labels))),
    ]
    return any(first_s < end_s and last_s > start_s for first_s, last_s in spans)


def refuse_to_replace(folder: Path) -> None:
    """Raise if something other than mined clips lies where they shall be written.

    Args:
        folder: Where to.

    Raises:
        DataError: If something would be lost.
    """
    is_folder = folder.is_dir() and not folder.is_symlink()
    is_mined = is_folder and ((folder / LIST).is_file() or not any(folder.iterdir()))
    if (folder.exists() or folder.is_symlink()) and not is_mined:
        raise DataError(
            f"{folder} holds something other than mined clips, needed an absent or empty folder: "
            "name another one"
        )


def write(
    folder: Path,
    windows: Sequence[Window],
    recordings: Sequence[Recording],
    *,
    split: Split = "train",
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Write windows as a corpus of clips with a list, whole or not at all.

    Args:
        folder: Where to; absent, or clips that were mined before, which are replaced.
        windows: What to write, at least one.
        recordings: Where they are cut from.
        split: What the list says.
        told: Called with the clips written and the clips in all.

    Raises:
        DataError: If there is no window, or the folder holds something else or cannot be written.
        AudioError: If a recording cannot be read.
    """
    if not windows:
        raise DataError(
            "no window fired or nearly did, needed at least one to write: give more audio, or a "
            "lower --near"
        )
    refuse_to_replace(folder)
    by_recording: dict[int, list[int]] = {}
    for place, one in enumerate(windows):
        by_recording.setdefault(one.recording, []).append(place)
    rows: dict[int, dict[str, str]] = {}
    with folder_written_whole(folder) as below:
        for number, places in sorted(by_recording.items()):
            waveform = _whole(recordings[number])
            for place in places:
                name = f"{_folder_of(windows[place].keyword)}/{place:06}.wav"
                (below / name).parent.mkdir(exist_ok=True)
                _write_clip(below / name, clip(waveform, windows[place].start_s))
                rows[place] = _row(name, windows[place], recordings[number], split)
            told(len(rows), len(windows))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows(rows[place] for place in sorted(rows))
        (below / LIST).write_text(table.getvalue(), encoding="utf-8", newline="")


def _folder_of(keyword: str) -> str:
    """Return the folder of a keyword's clips: its name without signs that lead elsewhere."""
    return re.sub(r"\W", "-", keyword)[:LONGEST_NAME]


def _write_clip(path: Path, samples: Pcm) -> None:
    """Write a clip as a WAV file."""
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")


def _whole(recording: Recording) -> Pcm:
    """Return all samples of a recording."""
    return np.concatenate([to_int16(piece) for piece in answers.chunks(recording)])


def clip(waveform: Pcm, start_s: Seconds) -> Pcm:
    """Return the clip that begins at a time; zeros stand for what lies outside the audio.

    Args:
        waveform: A whole recording, shape ``(samples,)``.
        start_s: When the clip begins; before the audio or after its end, it is zeros in part.

    Returns:
        Shape ``(CLIP_SAMPLES,)``.
    """
    start: Samples = round(start_s * SAMPLE_RATE_HZ)
    piece = waveform[max(0, start) : max(0, start + CLIP_SAMPLES)]
    first = max(0, -start) if len(piece) else 0
    found = np.zeros(CLIP_SAMPLES, waveform.dtype)
    found[first : first + len(piece)] = piece
    return found


def _row(name: str, window: Window, recording: Recording, split: Split) -> dict[str, str]:
    """Return what the list says of a clip."""
    return {
        "file": name,
        "split": split,
        "speaker": recording.tags.get("speaker", ""),
        "recording": recording.name,
        "time_s": f"{window.time_s:.3f}",
        "keyword": window.keyword,
        "posterior": f"{window.posterior:.4f}",
    }
