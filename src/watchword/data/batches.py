"""From rows that name clips to the audio of a batch.

In come rows and prepared corpora, out goes int16 audio ``(clips, 16000)``. A room because this is
the only place where training and evaluation touch the prepared arrays, and where silence is made:
second-long cuts of background recordings at every level from digital zero to full scale. Nothing
here looks at clips one by one.

Source:
    The levels: PEERS.md §6, where models trained on soft silence call the loud silence of the test
    archive a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from watchword.data.manifest import Split
from watchword.data.rows import SILENT_ROW, Clips, Source
from watchword.units import CLIP_SAMPLES, Samples

FULL_SCALE = 32_767
DIGITAL_ZERO_SHARE = 0.1
QUIETEST_DB = -80.0
PARTS: dict[Split, tuple[float, float]] = {"train": (0, 0.8), "valid": (0.8, 0.9), "test": (0.9, 1)}
"""Which part of each background recording a split hears."""
SYNTHETIC_SECONDS = 60


@dataclass(frozen=True)
class Reader:
    """Reads the clips of one split.

    Args:
        sources: The corpora that rows point into.
        background: Noise of this split, end to end, int16 ``(samples,)``, at least a clip long.
        split: The split.
        loud_silence: Whether half of the cuts of silence peak above -20 dB instead of a quarter:
            what is loud is what gets confused.
    """

    sources: Sequence[Source]
    background: np.ndarray
    split: Split
    loud_silence: bool = False

    def read(self, clips: Clips, silence: np.ndarray) -> np.ndarray:
        """Return the audio of clips, int16 ``(clips, 16000)``.

        Args:
            clips: Rows.
            silence: For each clip where and how loud to cut if it is silence, as in
                ``cut_silence``, shape ``(clips, 3)``.
        """
        audio = np.empty((len(clips), CLIP_SAMPLES), np.int16)
        quiet = clips.row == SILENT_ROW
        choices = silence[quiet]
        if self.loud_silence:
            choices[:, 1] = 1 - (1 - choices[:, 1]) ** 2
        audio[quiet] = cut_silence(self.background, choices)
        for number, source in enumerate(self.sources):
            mine = (clips.source == number) & ~quiet
            if mine.any():
                audio[mine] = source.store.clips[clips.row[mine]]
        return audio

    def batches(self, clips: Clips, size: int = 256) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the audio of a list in order, with the silence that every evaluation hears.

        Args:
            clips: Rows.
            size: Clips in a batch.

        Yields:
            The part of the list, and its audio, int16 ``(clips, 16000)``.
        """
        silence = fixed_silence(len(clips), self.split)
        for start in range(0, len(clips), size):
            part = slice(start, min(start + size, len(clips)))
            yield part, self.read(clips[part], silence[part])


def fixed_silence(count: int, split: Split) -> np.ndarray:
    """Return the choices of silence that every evaluation of a split makes, shape ``(count, 3)``.

    Args:
        count: Clips of the list, silent or not.
        split: The split.
    """
    return np.random.default_rng([7, list(PARTS).index(split)]).random((count, 3))


def cut_silence(background: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Cut second-long pieces of noise and bring each to a peak between nothing and full scale.

    Args:
        background: Noise, int16 ``(samples,)``, at least a clip long.
        choices: Uniform numbers in [0, 1), shape ``(pieces, 3)``: where to cut, how loud, and
            whether all samples are zero (one in ten).

    Returns:
        The pieces, int16 ``(pieces, 16000)``; their peaks are uniform in decibels from -80 dB to
        full scale.

    Example:
        >>> cut_silence(np.full(20_000, 5, np.int16), np.array([[0.0, 1.0, 0.5]])).max()
        np.int16(32767)
    """
    windows = np.lib.stride_tricks.sliding_window_view(background, CLIP_SAMPLES)
    pieces = windows[(choices[:, 0] * len(windows)).astype(np.int64)].astype(np.float32)
    peak = np.maximum(np.abs(pieces).max(axis=1, initial=0), 1.0)
    level = FULL_SCALE * 10 ** (QUIETEST_DB * (1 - choices[:, 1]) / 20)
    level[choices[:, 2] < DIGITAL_ZERO_SHARE] = 0
    scaled: np.ndarray = np.rint(pieces * (level / peak)[:, None])
    return scaled.astype(np.int16)


def background(
    sources: Sequence[Source], split: Split, *, hold_out: Sequence[str] = ()
) -> np.ndarray:
    """Return the noise that a split hears, int16 ``(samples,)``.

    Each background recording gives its first eight tenths to training, then a tenth to validation
    and a tenth to test; one that is held out is heard in test alone. A corpus that is noise gives
    the clips of the split. Where all that is less than a clip, noise of three colours stands in.

    Args:
        sources: The corpora.
        split: The split.
        hold_out: Names of recordings, with or without folder and suffix, that only test hears.
    """
    noise = np.concatenate([np.empty(0, np.int16), *recorded(sources, split, hold_out=hold_out)])
    return noise if len(noise) >= CLIP_SAMPLES else coloured_noise(split)


def recorded(
    sources: Sequence[Source], split: Split, *, hold_out: Sequence[str] = ()
) -> list[np.ndarray]:
    """Return what a split hears of each background recording, int16 ``(samples,)`` each.

    Args:
        sources: The corpora.
        split: The split.
        hold_out: Names of recordings, with or without folder and suffix, that only test hears.
    """
    pieces = []
    for source in sources:
        if source.is_background:
            pieces.append(source.store.clips[source.rows_of(split)].reshape(-1))
        for name, start, stop in source.store.background_spans:
            low, high = PARTS[split]
            if _is_named(name, hold_out):
                low, high = (0, 1) if split == "test" else (0, 0)
            length: Samples = stop - start
            part = slice(start + int(low * length), start + int(high * length))
            pieces.append(source.store.background[part])
    return [piece for piece in pieces if len(piece)]


def _is_named(name: str, names: Sequence[str]) -> bool:
    """Tell whether a recording is among names that may leave out folder and suffix."""
    path = PurePosixPath(name)
    return not {name, path.name, path.stem, str(path.with_suffix(""))}.isdisjoint(names)


def coloured_noise(split: Split) -> np.ndarray:
    """Return white, pink and brown noise end to end, int16, for data sets without recordings.

    The power of a colour falls with frequency to the power of 0, 1 and 2.

    Args:
        split: The split, which chooses the seed.

    Example:
        >>> len(coloured_noise("valid")) / 16_000
        180.0
    """
    rng = np.random.default_rng([8, list(PARTS).index(split)])
    count = SYNTHETIC_SECONDS * CLIP_SAMPLES
    hz = np.fft.rfftfreq(count)
    pieces = []
    for slope in (0.0, 0.5, 1.0):  # of amplitudes
        spectrum = np.fft.rfft(rng.standard_normal(count)) / np.maximum(hz, 1 / count) ** slope
        wave = np.fft.irfft(spectrum - spectrum[0] * (hz == 0), count)
        pieces.append(wave / np.abs(wave).max() * 0.5 * FULL_SCALE)
    noise: np.ndarray = np.rint(np.concatenate(pieces))
    return noise.astype(np.int16)
