"""A corpus → one memory-mapped array of clips, made once and used again.

In comes a folder of recordings, out goes a ``ClipStore``: every utterance as 16-bit clips of one
second, the noise recordings end to end, and the way back from a clip to its utterance. It is a room
because training and evaluation read nothing else: what a clip is gets decided here.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from watchword import audio
from watchword.audio import Pcm
from watchword.data import store as files
from watchword.data.manifest import Manifest, Utterance, read_manifest
from watchword.data.reader import in_order
from watchword.errors import AudioError, DataError
from watchword.units import CLIP_SAMPLES, Samples

Cut = Literal["whole", "pieces"]
Progress = Callable[[int, int], None]

_VERSION: Final = 1  # of the files below; another version is prepared again
_ARRAYS: Final = ("clips", "index", "starts", "background")


@dataclass(frozen=True, eq=False)
class ClipStore:
    """One prepared corpus, memory-mapped for reading.

    Attributes:
        manifest: What the corpus folder holds; refused utterances are in it, but have no clips.
        clips: Audio as 16-bit samples, shape ``(clips, 16000)``.
        index: Row of ``manifest.utterances`` that each clip was cut from, shape ``(clips,)``.
        starts: Where in its utterance each clip begins, in samples at 16 kHz, shape ``(clips,)``.
        background: All noise recordings end to end, 16-bit samples, shape ``(samples,)``.
        background_spans: Name, first sample and end of each noise recording in ``background``.
        fingerprint: SHA-256 over names, words, sizes, splits and the checksums of decoded audio, in
            hexadecimal.
        refused: Names of the recordings that are no usable audio, with the reason.
    """

    manifest: Manifest
    clips: NDArray[np.int16]
    index: NDArray[np.int64]
    starts: NDArray[np.int64]
    background: NDArray[np.int16]
    background_spans: tuple[tuple[str, int, int], ...]
    fingerprint: str
    refused: tuple[tuple[str, str], ...]

    def utterance(self, clip: int) -> Utterance:
        """Return the utterance that a clip was cut from."""
        return self.manifest.utterances[int(self.index[clip])]


@dataclass(frozen=True)
class _Found:
    """A file as it lies on disk; a listed file that is missing has the size -1."""

    name: str
    size: int
    modified_ns: int


def prepare(
    folder: Path,
    cache: Path,
    *,
    cut: Cut = "whole",
    workers: int = 2,
    progress: Progress | None = None,
) -> ClipStore:
    """Return the clips of a corpus, from the cache if nothing has changed since they were made.

    The first call decodes every file and writes ``<cache>/<folder>-<fingerprint>-<cut>/`` whole or
    not at all; later calls compare names, sizes and times of modification with the folder, and the
    written files with their record, and prepare again if anything differs. Shorter utterances are
    padded with zeros at the end. Of longer ones ``whole`` keeps the loudest second, and ``pieces``
    keeps consecutive seconds, the last of them if it is at least half full. Recordings that are no
    usable audio are left out and listed in ``refused.csv``.

    Args:
        folder: The corpus folder, in any layout of ``read_manifest``.
        cache: Folder for prepared corpora; made if need be.
        cut: What becomes of utterances that are longer than a clip.
        workers: Threads that decode.
        progress: Called with the files done and the files in all.

    Returns:
        The store. Memory use does not grow with the corpus, apart from its list of names.

    Raises:
        DataError: If the folder is no corpus, no recording is usable, the disk is full, or the
            cache cannot be written.
    """
    manifest = read_manifest(folder)
    found = _listing(manifest)
    fingerprint = _fingerprint(manifest, found)
    place = Path(cache) / f"{manifest.folder.resolve().name}-{fingerprint[:12]}-{cut}"
    key = {"version": _VERSION, "fingerprint": fingerprint, "cut": cut, "listing": _digest(found)}
    store = _reopen(place, manifest, key)
    if store is not None:
        return store
    with files.disk_faults(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(place):
            store = _reopen(place, manifest, key)  # another process may have made it meanwhile
            if store is None:
                with files.replacing(place) as partial:
                    _write(partial, manifest, found, cut, workers, key, progress)
                store = _reopen(place, manifest, key)
    if store is None:
        raise DataError(
            f"{place}: changed while it was written, needed a cache that nothing else writes to; "
            "run it again"
        )
    return store


def cut_pieces(samples: Pcm, cut: Cut) -> tuple[Pcm, NDArray[np.int64]]:
    """Return the clips of one utterance and where they begin.

    Args:
        samples: The utterance, shape ``(samples,)``.
        cut: ``whole`` for one clip, the loudest second; ``pieces`` for consecutive seconds, the
            last of them if it is at least half full. An utterance shorter than a clip is always one
            clip.

    Returns:
        Clips padded with zeros at the end, shape ``(clips, 16000)``, and their first samples, shape
        ``(clips,)``.

    Example:
        >>> clips, starts = cut_pieces(np.ones(40_000, dtype=np.int16), "pieces")
        >>> clips.shape, starts.tolist()
        ((3, 16000), [0, 16000, 32000])
    """
    if samples.size <= CLIP_SAMPLES:
        starts = [0]
    elif cut == "whole":
        starts = [_loudest_start(samples)]
    else:
        starts = list(range(0, samples.size - CLIP_SAMPLES // 2 + 1, CLIP_SAMPLES))
    clips = np.zeros((len(starts), CLIP_SAMPLES), dtype=np.int16)
    for clip, start in zip(clips, starts, strict=True):
        piece = samples[start : start + CLIP_SAMPLES]
        clip[: piece.size] = piece
    return clips, np.array(starts, dtype=np.int64)


def _loudest_start(samples: Pcm) -> Samples:
    """Return where the second with the most energy begins, the first of equals."""
    # integers keep the sum exact, so that padding with silence never moves the choice
    energy = np.concatenate([[0], np.cumsum(samples.astype(np.int64) ** 2)])
    return int(np.argmax(energy[CLIP_SAMPLES:] - energy[:-CLIP_SAMPLES]))


def _write(
    place: Path,
    manifest: Manifest,
    found: Sequence[_Found],
    cut: Cut,
    workers: int,
    key: dict[str, Any],
    progress: Progress | None,
) -> None:
    """Decode a corpus into the files of a store."""
    writers = {
        "clips": files.ArrayWriter(place / "clips.npy", (CLIP_SAMPLES,), np.int16),
        "index": files.ArrayWriter(place / "index.npy", (), np.int64),
        "starts": files.ArrayWriter(place / "starts.npy", (), np.int64),
        "background": files.ArrayWriter(place / "background.npy", (), np.int16),
    }
    try:
        refused, spans = _decode_all(manifest, found, cut, workers, writers, progress)
        _refuse_nothing_left(manifest, writers["clips"].rows, refused)
        written = {name: writer.close() for name, writer in writers.items()}
    finally:
        for writer in writers.values():
            writer.discard()
    with (place / "refused.csv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([("name", "reason"), *refused])
    files.write_record(
        place, {**key, "files": written, "background_spans": spans, "refused": refused}
    )


def _decode_all(
    manifest: Manifest,
    found: Sequence[_Found],
    cut: Cut,
    workers: int,
    writers: dict[str, files.ArrayWriter],
    progress: Progress | None,
) -> tuple[list[tuple[str, str]], list[tuple[str, int, int]]]:
    """Write clips and backgrounds; return what was refused, and where each noise lies."""
    refused: list[tuple[str, str]] = []
    spans: list[tuple[str, int, int]] = []
    utterances = len(manifest.utterances)

    def decode(row: int) -> tuple[Pcm, NDArray[np.int64]] | str:
        samples = _read(manifest.folder, found[row].name)
        if isinstance(samples, str):
            return samples
        return cut_pieces(samples, cut) if row < utterances else (samples, np.zeros(1, np.int64))

    sized = ((row, file.size) for row, file in enumerate(found))
    for row, result in enumerate(in_order(decode, sized, workers=workers)):
        name = found[row].name
        if isinstance(result, str):
            refused.append((name, result))
        elif row < utterances:
            clips, starts = result
            writers["clips"].append(clips)
            writers["index"].append(np.full(len(starts), row))
            writers["starts"].append(starts)
        else:
            start = writers["background"].rows
            writers["background"].append(result[0])
            spans.append((name, start, writers["background"].rows))
        if progress is not None:
            progress(row + 1, len(found))
    return refused, spans


def _read(folder: Path, name: str) -> Pcm | str:
    """Return the samples of a recording, or why it is refused."""
    try:
        return audio.to_int16(audio.read(folder / name)[0])
    except AudioError as error:
        return str(error).removeprefix(f"{folder / name}: ")


def _refuse_nothing_left(
    manifest: Manifest, clips: int, refused: Sequence[tuple[str, str]]
) -> None:
    """Raise if no utterance could be used."""
    if clips == 0:
        name, reason = refused[0]
        raise DataError(
            f"{manifest.folder}: none of {len(manifest.utterances):,} utterances is usable audio "
            f"(the first, {name}: {reason}); run 'watchword data check' on the folder"
        )


def _reopen(place: Path, manifest: Manifest, key: dict[str, Any]) -> ClipStore | None:
    """Return the store at a place if it is whole and was made from the same listing, else None."""
    try:
        record = files.read_record(place)
        if any(record.get(name) != value for name, value in key.items()):
            return None
        arrays = {
            name: files.open_array(place / f"{name}.npy", record["files"][name]) for name in _ARRAYS
        }
        spans = tuple(
            (str(name), int(start), int(stop)) for name, start, stop in record["background_spans"]
        )
        refused = tuple((str(name), str(reason)) for name, reason in record["refused"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never made, damaged or of another version: it is made again
    return ClipStore(
        manifest=manifest,
        background_spans=spans,
        fingerprint=_of_audio(key["fingerprint"], record["files"]),
        refused=refused,
        **arrays,
    )


def _listing(manifest: Manifest) -> list[_Found]:
    """Return the files of a corpus as they lie on disk: utterances, then backgrounds."""
    names = [*(utterance.name for utterance in manifest.utterances), *manifest.backgrounds]
    return [_stat(manifest.folder, name) for name in names]


def _stat(folder: Path, name: str) -> _Found:
    """Return one file as it lies on disk."""
    try:
        found = (folder / name).stat()
    except OSError:
        return _Found(name, -1, 0)
    return _Found(name, found.st_size, found.st_mtime_ns)


def _fingerprint(manifest: Manifest, found: Sequence[_Found]) -> str:
    """Return the SHA-256 over names, words, sizes and splits: the same on every machine."""
    lines = [
        f"{utterance.name}\t{utterance.word}\t{utterance.split}\t{file.size}\n"
        for utterance, file in zip(manifest.utterances, found, strict=False)
    ]
    lines += [f"{file.name}\t\t\t{file.size}\n" for file in found[len(manifest.utterances) :]]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _of_audio(listing: str, written: Mapping[str, Mapping[str, int]]) -> str:
    """Return the SHA-256 over a listing's fingerprint and the checksums of the decoded audio."""
    sums = [f"{name} {written[name]['crc32']}" for name in ("clips", "background")]
    return hashlib.sha256("\n".join([listing, *sums]).encode()).hexdigest()


def _digest(found: Sequence[_Found]) -> str:
    """Return the SHA-256 over names, sizes and times of modification: of this copy."""
    lines = "".join(f"{file.name}\t{file.size}\t{file.modified_ns}\n" for file in found)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
