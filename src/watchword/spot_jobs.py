"""The jobs behind ``watchword spot`` and ``watchword listen``: recordings and live audio are heard.

In come names and paths as a user gives them, out come plain records, as soon as there are any. A
room beside ``jobs`` because nothing here needs torch.

A fault ends what is heard, and no more: what came before it is told, labelled and drawn, and the
fault is given back beside the sums.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from watchword import audio, canvas, spotter
from watchword.decision import Detection
from watchword.errors import AudioError, ConfigError, WatchwordError
from watchword.files import write_whole
from watchword.spotter import Heard, Spotter
from watchword.units import SAMPLE_RATE_HZ, Seconds

BLOCK_S: Final[Seconds] = 1.0  # so much before a fault may stay unheard
LONGEST_S: Final[Seconds] = 366 * 86_400.0  # a header that tells of more does not know
Emit = Callable[[dict[str, Any]], None]
Say = Callable[[str], None]
Progress = Callable[[str, int, int | None], None]
Show = Callable[[float, Mapping[str, float], Mapping[str, float], Seconds], None]


def _nothing(*_words: object) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Listening:
    """What is listened for, and how.

    Args:
        model: Name of a shipped model, or path of a bundle.
        keywords: Separated by commas; all of the model where empty.
        threshold: The bundle's where not given.
        smoothing_scores: Likewise.
        refractory_ms: Likewise.
        is_int8: Whether to use the 8-bit graphs.
        threads: Threads a call may use.
    """

    model: str
    keywords: str = ""
    threshold: float | None = None
    smoothing_scores: int | None = None
    refractory_ms: float | None = None
    is_int8: bool = False
    threads: int = 1

    def spotter(self) -> Spotter:
        """Return who listens so."""
        wanted = [word.strip() for word in self.keywords.split(",") if word.strip()]
        return Spotter(
            self.model,
            wanted or None,
            threshold=self.threshold,
            smoothing_scores=self.smoothing_scores,
            refractory_ms=self.refractory_ms,
            is_int8=self.is_int8,
            threads=self.threads,
        )


@dataclass
class Told:
    """What came of listening.

    Args:
        recordings: How many there were.
        heard_s: Seconds of audio that were heard.
        detections: How many.
        took_s: Seconds it took.
        peak: The highest score in recordings: its ``keyword, time_s, score, threshold``.
        faults: What ended a recording or the live audio before its end.
    """

    recordings: int = 1
    heard_s: Seconds = 0.0
    detections: int = 0
    took_s: Seconds = 0.0
    peak: dict[str, Any] | None = None
    faults: list[WatchwordError] = field(default_factory=list)

    @property
    def fault(self) -> WatchwordError | None:
        """All faults as one, or None."""
        if self.faults and self.recordings > 1:
            return WatchwordError(
                f"{len(self.faults)} of {self.recordings} recordings could not be heard to their "
                "end, needed audio throughout: mend those named above; the others were heard"
            )
        return self.faults[0] if self.faults else None


def spot(
    recordings: Sequence[Path],
    listening: Listening,
    *,
    emit: Emit,
    warn: Say = _nothing,
    labels: Path | None = None,
    plot: Path | None = None,
    progress: Progress = _nothing,
) -> Told:
    """Hear recordings and emit each detection when it is made.

    Args:
        recordings: Sound files.
        listening: What is listened for.
        emit: Called with each detection: ``keyword, time_s, score, recording``.
        warn: Called with the fault of a recording, if there are several.
        labels: ``.txt`` file (of one recording) or folder for Audacity labels.
        plot: ``.png`` file (of one recording) or folder for pictures.
        progress: Called with what is done, how many seconds of it, and of how many.

    Raises:
        ConfigError: If labels or pictures cannot go where they are asked to.
        DataError: If they cannot be written.
        WatchwordError: If the model cannot be used, or pictures cannot be drawn here.
    """
    started_s, files = perf_counter(), list(dict.fromkeys(recordings))
    labelled = targets(labels, files, ".txt", "--labels")
    drawn = targets(plot, files, ".png", "--plot")
    if drawn:
        canvas.matplotlib("figure")  # if it is missing, it is said before all is heard
    who, told = listening.spotter(), Told(len(files))
    counted = Counter("seconds heard", files, progress)
    for path in files:
        heard = _hear(path, who, told, counted, emit, warn)
        if heard.duration_s and labelled:
            _write_labels(heard, labelled[path])
        if heard.duration_s and drawn:
            pieces = Counter("seconds drawn", [path], progress).count(audio.blocks(path, BLOCK_S))
            _draw(path, heard, who, drawn[path], pieces)
    told.took_s = perf_counter() - started_s
    return told


class Counter:
    """Tells how many seconds of some recordings are done.

    Args:
        what: What is done with them.
        recordings: Sound files; what their headers say is believed.
        progress: Called with each piece.
    """

    def __init__(self, what: str, recordings: Sequence[Path], progress: Progress) -> None:
        lengths_s = [_length_s(path) for path in recordings]
        self.total = None if None in lengths_s else int(sum(x for x in lengths_s if x is not None))
        self.what, self.progress, self.samples = what, progress, 0

    def count(self, pieces: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Yield pieces of audio as they come, and count each when the next one is wanted."""
        for piece in pieces:
            yield piece
            self.samples += len(piece)
            done = self.samples // SAMPLE_RATE_HZ
            self.progress(self.what, done, self.total and max(done, self.total))


def _length_s(path: Path) -> Seconds | None:
    """Return how long a recording says it is; 0 if it is none, None if it does not know."""
    try:
        about = soundfile.info(path if path.is_file() else "")  # a pipe can be read only once
    except audio.UNDECODABLE:
        return 0.0
    length_s = float(about.frames / about.samplerate)
    return length_s if length_s <= LONGEST_S else None


def _hear(path: Path, who: Spotter, told: Told, counted: Counter, emit: Emit, warn: Say) -> Heard:
    """Hear a recording, or what comes before its fault, and add it to what is told."""
    faults: list[WatchwordError] = []
    pieces = _until_fault(counted.count(audio.blocks(path, BLOCK_S)), faults)
    heard = spotter.hear(pieces, who, lambda one: emit({**_record(one), "recording": str(path)}))
    told.detections += len(heard.detections)
    told.heard_s += heard.duration_s
    for fault in faults:
        before = f"; the {heard.duration_s:.1f} s before it were heard" if heard.duration_s else ""
        told.faults.append(AudioError(f"{fault}{before}"))
        if told.recordings > 1:
            warn(str(told.faults[-1]))
    _remember_peak(heard, who, told)
    return heard


def _until_fault(
    pieces: Iterable[NDArray[Any]], faults: list[WatchwordError]
) -> Generator[NDArray[Any], None, None]:
    """Yield pieces up to a fault, which ends them and is kept."""
    try:
        yield from pieces
    except AudioError as fault:
        faults.append(fault)


def _record(one: Detection) -> dict[str, Any]:
    """Return a detection as JSON types."""
    return {"keyword": one.keyword, "time_s": round(one.time_s, 3), "score": round(one.score, 4)}


def _remember_peak(heard: Heard, who: Spotter, told: Told) -> None:
    """Keep the highest score of a recording if it is the highest of all."""
    if heard.scores.size and (not told.peak or heard.scores.max() > told.peak["score"]):
        row, column = np.unravel_index(int(heard.scores.argmax()), heard.scores.shape)
        word, score = heard.keywords[column], float(heard.scores[row, column])
        found = Detection(word, float(heard.times_s[row]), score)
        told.peak = {**_record(found), "threshold": who.points[word].threshold}


def targets(
    place: Path | None, recordings: Sequence[Path], suffix: str, option: str
) -> dict[Path, Path]:
    """Return the file for what comes of each recording: as named, or in the folder that is named.

    Recordings of the same name get as much of their folders' names as makes them differ.

    Args:
        place: File, folder, or None for nothing.
        recordings: Sound files, each once.
        suffix: How the files shall end.
        option: What the user calls it.

    Raises:
        ConfigError: If a file of another kind is named, or one file for several recordings.

    Example:
        >>> found = targets(Path("out"), [Path("a/1.wav"), Path("b/1.wav")], ".txt", "--labels")
        >>> [path.as_posix() for path in found.values()]
        ['out/a-1.txt', 'out/b-1.txt']
    """
    if place is None:
        return {}
    if place.is_dir() or not place.suffix:
        return {path: place / f"{name}{suffix}" for path, name in _names(recordings).items()}
    if place.suffix.lower() != suffix:
        raise ConfigError(
            f"{option} {place} names no {suffix} file and no folder that is there, needed one of "
            f"them: {option} {place.with_suffix(suffix)}"
        )
    if len(recordings) > 1:
        raise ConfigError(
            f"{option} {place} names one file for {len(recordings)} recordings, needed a folder: "
            f"{option} {place.with_suffix('')}"
        )
    return dict.fromkeys(recordings, place)


def _names(recordings: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each recording, all different, also where A and a are the same."""
    wholes = {path: Path(*path.absolute().parts[1:]) for path in recordings}
    names: dict[Path, str] = {}
    for depth in range(1, 1 + max(len(whole.parts) for whole in wholes.values())):
        for is_full in (False, True):
            names = {
                path: "-".join((whole if is_full else whole.with_suffix("")).parts[-depth:])
                for path, whole in wholes.items()
            }
            if len({name.casefold() for name in names.values()}) == len(names):
                return names
    return {path: f"{place + 1}-{path.stem}" for place, path in enumerate(recordings)}


def _write_labels(heard: Heard, path: Path) -> None:
    """Write detections as Audacity reads them: start, end and text, with tabs between."""
    lines = [
        f"{one.time_s:.6f}\t{one.time_s:.6f}\t{one.keyword} {one.score:.2f}\n"
        for one in heard.detections
    ]
    write_whole(path, "".join(lines).encode())


def _draw(
    recording: Path, heard: Heard, who: Spotter, path: Path, pieces: Iterable[NDArray[Any]]
) -> None:
    """Draw a recording with its scores and detections."""
    from watchword import pictures

    samples = round(heard.duration_s * SAMPLE_RATE_HZ)
    picture = pictures.listening(
        pictures.loudest(_until_fault(pieces, []), samples),
        dict(zip(heard.keywords, heard.scores.T, strict=True)),
        heard.times_s,
        {keyword: point.threshold for keyword, point in who.points.items()},
        [(one.keyword, one.time_s) for one in heard.detections],
        heard.duration_s,
        title=recording.name,
    )
    with warnings.catch_warnings(action="ignore"):  # of signs that the font does not have
        canvas.save(picture, path)


def listen(
    listening: Listening,
    *,
    device: int | str | None,
    is_stdin: bool,
    emit: Emit,
    show: Show = _nothing,
    say: Say = _nothing,
    warn: Say = _nothing,
) -> Told:
    """Hear live audio until it ends or is interrupted, and emit each detection when it is made.

    Args:
        listening: What is listened for.
        device: Microphone; the usual one where None.
        is_stdin: Whether raw samples come from the standard input instead.
        emit: Called with each detection: ``keyword, time_s, score``.
        show: Called after each chunk with its peak in [0, 1], scores, thresholds and the time.
        say: Called with a line once audio comes.
        warn: Called with a line when audio is lost or there is none in what comes.

    Raises:
        ConfigError: If both a microphone and the standard input are asked for.
        WatchwordError: If the model cannot be used, or sounddevice is not installed.
    """
    chunks = _live(device, is_stdin=is_stdin, warn=warn)
    told, started_s = Told(), perf_counter()
    with suppress(KeyboardInterrupt):  # how one ends it
        _hear_live(listening.spotter(), chunks, told, emit, show, say)
    told.took_s = perf_counter() - started_s
    return told


def _live(device: int | str | None, *, is_stdin: bool, warn: Say) -> Iterator[NDArray[np.int16]]:
    """Return the chunks of a microphone or of the standard input."""
    from watchword import microphone

    if not is_stdin:
        return microphone.audible(microphone.microphone(device, warn), warn)
    if device is not None:
        raise ConfigError(
            f"--device {device} was given with --stdin, needed one source of audio: leave one out"
        )
    if sys.stdin is None:
        raise AudioError("the standard input is closed, needed raw samples from it: open a pipe")
    return microphone.audible(microphone.raw(sys.stdin.buffer), warn)


def _hear_live(
    who: Spotter, chunks: Iterable[NDArray[np.int16]], told: Told, emit: Emit, show: Show, say: Say
) -> None:
    """Hear chunks until they end, by a fault or by the user, and what is pending then."""
    thresholds = {keyword: point.threshold for keyword, point in who.points.items()}

    def tell(found: Sequence[Detection]) -> None:
        for one in found:
            told.detections += 1
            emit(_record(one))

    try:
        with closing(_until_fault(chunks, told.faults)) as pieces:
            for piece in pieces:
                if not who.heard_s:
                    say(f"listening for {', '.join(who.keywords)}; Ctrl-C ends it")
                tell(who.feed(piece))
                peak = float(np.abs(piece.astype(np.float32)).max(initial=0)) / audio.FULL_SCALE
                show(peak, who.scores, thresholds, who.heard_s)
    finally:
        told.heard_s = who.heard_s
        tell(who.finish())
