"""Folders of noise and of rooms: recordings without words, by split, and the seconds cut from them.

In comes a folder, out go the recordings of one split as 16-bit samples; from noise further the
places at which a second can be cut. It is a room because these folders are no corpora: nothing in
them is a class, and what a split may hear of them must be decided as strictly as for speech.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watchword import audio
from watchword.audio import AUDIO_SUFFIXES, Pcm
from watchword.data.layouts import columns, find_lists, listed_utterances
from watchword.data.reader import in_order
from watchword.data.utterance import Split
from watchword.errors import DataError
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ, Samples, Seconds

HOP_SAMPLES: Final[Samples] = 1_600
"""Seconds begin at multiples of a tenth of a second."""
QUIETEST_SHARE: Final = 1e-3
"""What a second must hold of its recording's mean power: many recordings are padded with zeros."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """The recordings of one split of a folder.

    Attributes:
        folder: Name of the folder.
        names: Paths below it, sorted.
        waveforms: The first channel of each at 16 kHz, 16-bit samples, shape ``(samples,)``.
        is_listed: Whether a CSV file says which split hears them; else all of them are here.
    """

    folder: str
    names: tuple[str, ...]
    waveforms: tuple[Pcm, ...]
    is_listed: bool

    @property
    def seconds(self) -> Seconds:
        """Length of all recordings together."""
        return sum(map(len, self.waveforms)) / SAMPLE_RATE_HZ

    @property
    def fingerprint(self) -> str:
        """SHA-256 over names and samples, in hexadecimal."""
        digest = hashlib.sha256()
        for name, waveform in zip(self.names, self.waveforms, strict=True):
            digest.update(f"{name}\t{len(waveform)}\n".encode("utf-8", "surrogateescape"))
            digest.update(waveform.tobytes())
        return digest.hexdigest()


def read_recordings(
    folder: Path, split: Split, *, told: Callable[[int, int], None] = lambda _done, _all: None
) -> Recordings:
    """Return the recordings of a folder that a split may hear.

    A CSV file with the columns ``file`` and ``split`` (or files named like splits) says which they
    are; a folder without one is used whole, with all folders in it.

    Args:
        folder: The folder.
        split: The split.
        told: Called with the recordings read and the recordings in all.

    Raises:
        DataError: If the folder is missing, holds no audio, or its list names none of the split.
        AudioError: If a recording is no usable audio.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the folder that holds the recordings")
    lists = find_lists(folder)
    names = _listed(folder, lists, split) if lists else _everything(folder)

    def read(name: str) -> Pcm:
        samples, rate_hz = audio.decode(folder / name)
        # the mean of two microphones is what neither of them heard
        one = audio.conform(samples[:, :1], rate_hz, what=str(folder / name))
        return audio.to_int16(one)

    waveforms = []
    sized = ((name, _size(folder / name)) for name in names)
    for waveform in in_order(read, sized, workers=min(8, os.cpu_count() or 1)):
        waveforms.append(waveform)
        told(len(waveforms), len(names))
    return Recordings(folder.resolve().name, tuple(names), tuple(waveforms), bool(lists))


def _listed(folder: Path, lists: Sequence[Path], split: Split) -> list[str]:
    """Return the names that lists give to a split, sorted."""
    listed = listed_utterances(folder, lists)
    names = sorted(one.name for one in listed if one.split == split)
    if not names:
        counts = Counter(one.split for one in listed)
        found = ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts))
        raise DataError(
            f"{folder}: {', '.join(path.name for path in lists)} lists no {split} recording, "
            f"found {found or 'none'}, needed some that only {split} hears: choose another "
            "--split, or a folder without a list, which is used whole"
        )
    return names


def _everything(folder: Path) -> list[str]:
    """Return the names of all audio files of a folder that has no list, sorted."""
    for table in sorted(folder.glob("*.csv")):
        if "split" in columns(table):
            raise DataError(
                f"{table} has the column split and no column file, needed both to tell which "
                "recordings a split may hear: name the column of paths file"
            )
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not names:
        raise DataError(
            f"{folder}: no recordings found, needed {', '.join(AUDIO_SUFFIXES)} files in it or in "
            "its folders: check the path, or convert the audio"
        )
    return names


def _size(path: Path) -> int:
    """Return the size of a file, or 0: whoever reads a missing one says so."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True, eq=False)
class NoisePool:
    """Noise end to end, and where in it a second can be cut.

    Attributes:
        name: What reports call it.
        samples: 16-bit samples, shape ``(samples,)``.
        starts: First samples of the seconds, shape ``(seconds,)``: none crosses the border of two
            recordings, and none lies where its recording is all but silent.
    """

    name: str
    samples: Pcm
    starts: NDArray[np.int64]

    def choose(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the start of a second for each key, the same for the same key.

        Args:
            keys: Any numbers.
        """
        return self.starts[(keys % np.uint64(len(self.starts))).astype(np.int64)]


def noise_pool(name: str, waveforms: Sequence[Pcm]) -> NoisePool:
    """Return recordings as a pool of seconds.

    Args:
        name: What reports call it.
        waveforms: Recordings, 16-bit samples, shape ``(samples,)``; one that is shorter than a
            second is repeated.

    Raises:
        DataError: If all of them are silent.

    Example:
        >>> pool = noise_pool("hum", [np.full(17_600, 9, np.int16), np.ones(16_000, np.int16)])
        >>> pool.starts.tolist()
        [0, 1600, 17600]
    """
    whole = [np.resize(w, max(len(w), CLIP_SAMPLES)) for w in waveforms if len(w)]
    borders = np.cumsum([0, *map(len, whole)])
    starts = [border + _audible(one) for border, one in zip(borders, whole, strict=False)]
    found = np.concatenate([np.empty(0, np.int64), *starts])
    if not len(found):
        raise DataError(
            f"{name}: all of {len(waveforms):,} recordings are silent, needed noise: check the "
            "folder, or leave it out"
        )
    return NoisePool(name, np.concatenate(whole), found)


def _audible(waveform: Pcm) -> NDArray[np.int64]:
    """Return where the seconds of a recording begin that are not all but silent."""
    blocks = len(waveform) // HOP_SAMPLES
    cut = waveform[: blocks * HOP_SAMPLES].reshape(blocks, HOP_SAMPLES)
    # whole numbers keep differences of sums exact: a second of zeros has no power at all
    energy = np.array([np.square(block.astype(np.int64)).sum() for block in cut], np.int64)
    sums = np.concatenate([[0], np.cumsum(energy)])
    of_second = CLIP_SAMPLES // HOP_SAMPLES
    seconds = sums[of_second:] - sums[:-of_second]
    return np.flatnonzero(seconds > QUIETEST_SHARE * of_second * energy.mean()) * HOP_SAMPLES
