"""The jobs behind ``watchword spot`` and ``watchword listen``: recordings and live audio are heard.

In come names and paths as a user gives them, out come plain records, as soon as there are any. A
room beside ``jobs`` because nothing here needs torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from watchword import audio, spotter
from watchword.decision import Detection
from watchword.errors import ConfigError, WatchwordError
from watchword.files import write_whole
from watchword.spotter import Heard, Spotter
from watchword.units import SAMPLE_RATE_HZ

WIDEST_PICTURE: Final = 4_000
"""Columns of a spectrogram; beyond, frames lie further apart."""
Emit = Callable[[dict[str, Any]], None]


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


def spot(
    recordings: Sequence[Path],
    listening: Listening,
    *,
    emit: Emit,
    say: Callable[[str], None],
    labels: Path | None = None,
    plot: Path | None = None,
) -> dict[str, Any]:
    """Hear recordings and emit each detection when it is made.

    Args:
        recordings: Sound files.
        listening: What is listened for.
        emit: Called with each detection: ``keyword, time_s, score, recording``.
        say: Called with the fault of a recording that cannot be heard.
        labels: File (of one recording) or folder for Audacity labels.
        plot: File (of one recording) or folder for pictures.

    Returns:
        Recordings, their seconds, detections, and how many seconds it took.

    Raises:
        WatchwordError: If a recording could not be heard; the others were.
    """
    who = listening.spotter()
    _refuse_one_file(labels, recordings, "--labels")
    _refuse_one_file(plot, recordings, "--plot")
    started_s, found, heard_s = perf_counter(), 0, 0.0
    faults: list[WatchwordError] = []
    for recording in recordings:

        def each(one: Detection, recording: Path = recording) -> None:
            emit({**_record(one), "recording": str(recording)})

        try:
            heard = spotter.hear(audio.blocks(recording), who, each)
        except WatchwordError as fault:
            faults.append(fault)
            if len(recordings) > 1:
                say(str(fault))
            continue
        found, heard_s = found + len(heard.detections), heard_s + heard.duration_s
        if labels:
            _write_labels(heard, _target(labels, recording, ".txt"))
        if plot:
            _draw(recording, heard, who, _target(plot, recording, ".png"))
    if faults and len(recordings) == 1:
        raise faults[0]
    if faults:
        raise WatchwordError(
            f"{len(faults)} of {len(recordings)} recordings could not be heard; the others were: "
            "mend those named above"
        )
    return {
        "recordings": len(recordings),
        "heard_s": round(heard_s, 3),
        "detections": found,
        "took_s": round(perf_counter() - started_s, 3),
    }


def _record(one: Detection) -> dict[str, Any]:
    """Return a detection as JSON types."""
    return {"keyword": one.keyword, "time_s": round(one.time_s, 3), "score": round(one.score, 4)}


def _refuse_one_file(path: Path | None, recordings: Sequence[Path], option: str) -> None:
    """Raise if one file is named for what comes of several recordings."""
    if path is not None and path.suffix and not path.is_dir() and len(recordings) > 1:
        raise ConfigError(
            f"{option} {path} names one file for {len(recordings)} recordings, needed a folder: "
            f"{option} {path.with_suffix('')}"
        )


def _target(path: Path, recording: Path, suffix: str) -> Path:
    """Return the file for what comes of a recording: as named, or in the folder that is named."""
    return path if path.suffix and not path.is_dir() else path / f"{recording.stem}{suffix}"


def _write_labels(heard: Heard, path: Path) -> None:
    """Write detections as Audacity reads them: start, end and text, with tabs between."""
    lines = [
        f"{one.time_s:.6f}\t{one.time_s:.6f}\t{one.keyword} {one.score:.2f}\n"
        for one in heard.detections
    ]
    write_whole(path, "".join(lines).encode())


def _draw(recording: Path, heard: Heard, who: Spotter, path: Path) -> None:
    """Draw a recording with its scores and detections."""
    import numpy as np

    from watchword import pictures
    from watchword.canvas import save

    hop = max(128, round(heard.duration_s * SAMPLE_RATE_HZ / WIDEST_PICTURE))
    levels_db = [pictures.spectrogram_db(piece, hop) for piece in audio.blocks(recording)]
    picture = pictures.listening(
        np.concatenate(levels_db, axis=1),
        dict(zip(heard.keywords, heard.scores.T, strict=True)),
        heard.times_s,
        {keyword: point.threshold for keyword, point in who.points.items()},
        [(one.keyword, one.time_s) for one in heard.detections],
        heard.duration_s,
        title=recording.name,
    )
    save(picture, path)


def listen(
    listening: Listening,
    *,
    device: int | str | None,
    is_stdin: bool,
    emit: Emit,
    show: Callable[[float, dict[str, float], float], None],
) -> dict[str, Any]:
    """Hear live audio until it ends or is interrupted, and emit each detection when it is made.

    Args:
        listening: What is listened for.
        device: Microphone.
        is_stdin: Whether raw samples come from the standard input instead.
        emit: Called with each detection: ``keyword, time_s, score``.
        show: Called after each chunk with its peak in [0, 1], the scores and the time in seconds.

    Returns:
        Seconds heard and detections.

    Raises:
        AudioError: If there is no microphone, or no more audio comes.
    """
    import numpy as np

    from watchword import microphone

    who, found = listening.spotter(), 0
    chunks = microphone.raw(sys.stdin.buffer) if is_stdin else microphone.microphone(device)
    try:
        for piece in chunks:
            for one in who.feed(piece):
                emit(_record(one))
                found += 1
            peak = float(np.abs(piece.astype(np.float32)).max(initial=0)) / audio.FULL_SCALE
            show(peak, who.scores, who.heard_s)
    except KeyboardInterrupt:
        pass
    heard_s = who.heard_s
    for one in who.finish():
        emit(_record(one))
        found += 1
    return {"heard_s": round(heard_s, 3), "detections": found}
