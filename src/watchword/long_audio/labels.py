"""Sound files with labels or transcripts beside them → drafts of recordings.

In come sound files, out go drafts with the events that Audacity labels (``.txt``) or a transcript
with word times (``.ctm``) of the same name tell of. A room because these two formats belong to
other programs, and what those write is known here alone.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchword.audio import AUDIO_SUFFIXES
from watchword.errors import DataError
from watchword.long_audio.drafts import (
    MANIFEST,
    UNKNOWN_S,
    Draft,
    in_order,
    measured,
    nothing_in,
    seconds,
    spelled,
    text_of,
    timed,
    without_suffix,
)
from watchword.long_audio.reference import Event, Recording, Said
from watchword.units import Seconds


def read_folder(folder: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the sound files of a folder and of the folders in it, sorted by name.

    Args:
        folder: The folder.
        keywords: Keywords of the model.

    Raises:
        DataError: If there is none, or something in it cannot be read.
    """
    names = sorted(
        found.relative_to(folder).as_posix()
        for found in folder.rglob("*")
        if found.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in found.relative_to(folder).parts)
        and found.is_file()
    )
    if not names:
        raise nothing_in(folder, f"{', '.join(AUDIO_SUFFIXES)} files, {MANIFEST} or a list")
    return measured([sound_file(folder / name, name, "found was", keywords) for name in names])


def sound_file(file: Path, name: str, naming: str, keywords: Sequence[str]) -> Draft:
    """Return a sound file with the labels or the transcript beside it.

    Args:
        file: The file.
        name: What the recording is called, and a suffix.
        naming: The words that name it in a message.
        keywords: Keywords of the model.

    Raises:
        DataError: If both are there, or what is there cannot be read.
    """
    labels, transcript = file.with_suffix(".txt"), file.with_suffix(".ctm")
    if labels.is_file() and transcript.is_file():
        raise DataError(
            f"{file} has {labels.name} and {transcript.name} beside it, needed one that tells what "
            "is said: move the other away"
        )
    events: list[Event] = []
    said: list[Said] = []
    if labels.is_file():
        events = [*_labels(labels, keywords)]
    if transcript.is_file():
        events, said = timed(_ctm(transcript), keywords)
    return naming, Recording(
        name=without_suffix(name),
        files=(file,),
        duration_s=UNKNOWN_S,
        events=in_order(events),
        said=in_order(said),
        may_hold=not (labels.is_file() or transcript.is_file()),
    )


def _labels(path: Path, keywords: Sequence[str]) -> Iterator[Event]:
    """Yield the events of a file of Audacity labels."""
    for place, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip() or line.startswith("\\"):  # frequencies of the label before it
            continue
        where, fields = f"{path}: line {place}", line.split("\t", 2)
        if len(fields) < 3 or not fields[2].strip():
            raise DataError(
                f"{where} is {reprlib.repr(line)}, needed start, end and keyword with tabs "
                "between: export it from Audacity, or move a text that is no label file away"
            )
        start_s, end_s = seconds(fields[0], "start", where), seconds(fields[1], "end", where)
        if start_s == end_s:
            raise DataError(
                f"{where} is a label without length at {start_s:g} s, as detections have that "
                "'watchword spot --labels' writes, and no reference, needed start and end of the "
                "word: mark the word itself, or move the detections away"
            )
        word = fields[2].split()[0].casefold()
        yield Event(spelled(word, keywords), start_s, end_s)


def _ctm(path: Path) -> Iterator[tuple[str, Seconds, Seconds]]:
    """Yield word, start and end of each line of a CTM file."""
    names: set[str] = set()
    for place, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip() or line.startswith(";;"):
            continue
        where, fields = f"{path}: line {place}", line.split()
        if len(fields) not in (5, 6):
            raise DataError(
                f"{where} is {reprlib.repr(line)}, needed name, channel, start, duration and word: "
                "mend the line, or move a file that is no transcript away"
            )
        names.add(fields[0])
        if len(names) > 1:
            raise DataError(
                f"{where} is of another recording ({' and '.join(sorted(names))}), needed the "
                "words of one: write a file for each recording"
            )
        start_s = seconds(fields[2], "start", where)
        yield fields[4], start_s, start_s + seconds(fields[3], "duration", where)
