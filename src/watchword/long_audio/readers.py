"""Files and folders ↔ recordings, whichever way the reference lies on disk.

In comes a path, out go recordings with their reference: of a manifest, of a table of events, of a
corpus with its list, of sound files with labels beside them. A room because the choice among them
is made once, here, and whoever evaluates, calibrates or mines need not know which it was.
"""

from __future__ import annotations

import csv
import io
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from watchword.audio import AUDIO_SUFFIXES
from watchword.data.layouts import SPLIT_NAMES, columns, find_lists, is_apart, listed_utterances
from watchword.data.utterance import Split, Utterance
from watchword.errors import ConfigError, DataError
from watchword.long_audio.manifest_file import (
    UNKNOWN_S,
    Draft,
    in_order,
    is_plain,
    lengths_s,
    measured,
    nothing_in,
    read_lines,
    spelled,
    text_of,
    timed,
    without_suffix,
    write,
)
from watchword.long_audio.reference import Event, Recording, Said, check, refuse_strangers
from watchword.units import Seconds

__all__ = ["read", "write"]

MANIFEST: Final = "manifest.jsonl"
"""A folder that holds a file of this name is read by it."""
EVENT_COLUMNS: Final = ("file", "keyword", "start_s", "end_s")
UNTAGGED: Final = frozenset(
    {"file", "split", "seconds", "speaker", "chapter", "index", "transcript"}
)
"""Columns of a corpus list that are no tags."""
LONGEST_TAG: Final = 60
"""Letters; a longer value is a text, and no group that a report could count by."""
NO_SOUND: Final = (".txt", ".ctm", ".json", ".tsv")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,]\d*)?(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)


def read(
    path: Path, keywords: Sequence[str], *, split: Split | None = None, apart: float | None = None
) -> tuple[Recording, ...]:
    """Return the recordings that a path names, with what is known to be said in them.

    The first of these that fits is how it is read:

    1. A manifest: a ``.jsonl`` file, or a folder that holds ``manifest.jsonl``.
    2. A corpus list: a ``.csv`` file with the columns ``file`` and ``split``, or a folder that
       holds one. Sentences of one speaker and chapter that follow each other are one recording.
    3. A table of events: a ``.csv`` file with the columns ``file, keyword, start_s, end_s``.
    4. A folder of sound files, or one sound file, with Audacity labels (``.txt``) or a transcript
       with word times (``.ctm``) of the same name beside each, if there are any.

    Args:
        path: File or folder.
        keywords: Keywords of the model.
        split: The part of a corpus list that is wanted; all of it where None.
        apart: Only the speakers of a corpus list that training left for calibration, when it left
            this share of them.

    Raises:
        ConfigError: If a split or a share is asked for that cannot be told.
        DataError: If something is missing, cannot be read or cannot be meant.
    """
    lists = _lists(path)
    if lists:
        recordings = _corpus(path, lists, split, apart)
    else:
        _refuse_choice(path, split, apart)
        recordings = _others(path, keywords)
    check(recordings, str(path))
    refuse_strangers(recordings, keywords, str(path))
    return recordings


def _lists(path: Path) -> list[Path]:
    """Return the corpus lists that a path names, none where it names something else."""
    if path.is_dir():
        return [] if (path / MANIFEST).is_file() else _lists_in(path)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return []
    header = {*columns(path)}
    has_split = "split" in header or path.stem.lower() in SPLIT_NAMES
    return [path] if "file" in header and has_split and "keyword" not in header else []


def _lists_in(folder: Path) -> list[Path]:
    """Return the corpus lists of a folder; a table of events would go unread beside its files."""
    lists = [table for table in find_lists(folder) if "keyword" not in columns(table)]
    for table in () if lists else sorted(folder.glob("*.csv")):
        if {*EVENT_COLUMNS} <= {*columns(table)}:
            raise DataError(
                f"{folder} holds {table.name}, a table of events, needed a list of the corpus or "
                f"sound files alone: name {table} itself"
            )
    return lists


def _others(path: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of what is no corpus list."""
    if path.is_dir():
        manifest = path / MANIFEST
        return read_lines(manifest, keywords) if manifest.is_file() else _folder(path, keywords)
    suffix = path.suffix.lower()
    if not path.is_file() or suffix in NO_SOUND:
        found = "is no format of recordings" if path.is_file() else "is no file and no folder"
        raise DataError(
            f"{path} {found}, needed a .jsonl manifest, a .csv table, a sound file or a folder of "
            "them: name the sound file itself, whose labels (.txt, .ctm) are looked for beside it"
        )
    if suffix == ".jsonl":
        return read_lines(path, keywords)
    if suffix == ".csv":
        return _table(path, keywords)
    return measured([_sound_file(path, path.name, "given was", keywords)])


def _refuse_choice(path: Path, split: Split | None, apart: float | None) -> None:
    """Refuse to choose from what has neither splits nor speakers."""
    asked = {"the split": split, "speakers apart": apart}
    for what, value in asked.items():
        if value is not None:
            raise ConfigError(
                f"{what} {value} was asked of {path}, which has no list that tells it, needed a "
                "CSV file with the columns file, split and speaker: ask for all of it"
            )


# ---------------------------------------------------------------------------- tables of events


def _table(path: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of a table of events, in order of first mention."""
    events: dict[str, list[Event]] = {}
    first: dict[str, str] = {}
    for where, row in _rows(path):
        _refuse_columns(path, row)
        name = _file_name(row, where)
        first.setdefault(name, f"{where} names")
        events.setdefault(name, []).extend(_row_events(row, where, keywords))
    if not first:
        raise nothing_in(path, f"a header and lines of {', '.join(EVENT_COLUMNS)}")
    return measured(
        [
            (
                first[name],
                Recording(
                    without_suffix(name), (path.parent / name,), UNKNOWN_S, in_order(of_file)
                ),
            )
            for name, of_file in events.items()
        ]
    )


def _file_name(row: Mapping[str, str], where: str) -> str:
    """Return the path that a line names, one spelling for each."""
    name = row["file"]
    if not is_plain(name):
        raise DataError(
            f"{where} names {reprlib.repr(name)}, needed the path of a sound file without control "
            "signs: mend the line"
        )
    return str(PurePosixPath(name))


def _row_events(row: Mapping[str, str], where: str, keywords: Sequence[str]) -> Iterator[Event]:
    """Yield the event of a line, if it tells of one."""
    keyword = row["keyword"].strip()
    if keyword:
        start_s, end_s = (_seconds(row[column], column, where) for column in ("start_s", "end_s"))
        tags = {
            key: value for key, value in row.items() if key not in EVENT_COLUMNS and is_plain(value)
        }
        yield Event(spelled(keyword, keywords), start_s, end_s, tags)


def _refuse_columns(path: Path, row: Mapping[str, str]) -> None:
    """Refuse a table that is of neither kind."""
    missing = [column for column in EVENT_COLUMNS if column not in row]
    if missing:
        raise DataError(
            f"{path} has the columns {', '.join(map(repr, row))}, needed "
            f"{', '.join(EVENT_COLUMNS)} of events, or file and split of a corpus: name them in "
            "its first line"
        )


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each line of a CSV file is, and its values by column."""
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""), strict=True)
    try:
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            if None in row:
                raise DataError(
                    f"{where} has more values than the header has columns, needed one for each: "
                    "put values with a comma into quotes"
                )
            yield where, {key: value or "" for key, value in row.items()}
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.reader.line_num} is no line of a CSV file ({error}), needed "
            "values with commas between: mend the line"
        ) from error


def _seconds(text: str, what: str, where: str) -> Seconds:
    """Return a time that is written with a decimal point or comma."""
    if not _NUMBER.fullmatch(text.strip()):
        raise DataError(
            f"{where}: {what} is {reprlib.repr(text)}, needed a number of seconds: mend the line"
        )
    return float(text.replace(",", "."))


# ------------------------------------------------------------------------------------- corpora


@dataclass(frozen=True)
class _Sentence:
    """A line of a corpus list.

    Args:
        heard: Its file, split, speaker and text.
        file: Where the file is.
        row: All values of the line by column.
        where: Which line, for messages.
    """

    heard: Utterance
    file: Path
    row: Mapping[str, str]
    where: str

    @property
    def chapter(self) -> tuple[str, ...]:
        """What it shares with the sentences before and after it; nothing where it has none."""
        told = self.row.get("chapter", "")
        return (self.heard.split, self.heard.speaker or "", told) if told else ()

    @property
    def index(self) -> int:
        """Its place in the chapter."""
        found = self.row.get("index", "")
        if not re.fullmatch(r"\d{1,9}", found, re.ASCII):
            raise DataError(
                f"{self.where} has the index {found!r}, needed a whole number, the place of the "
                "sentence in its chapter: mend the line, or remove the column chapter"
            )
        return int(found)

    @property
    def tags(self) -> dict[str, str]:
        """What is known of it in a few letters."""
        speaker = {"speaker": self.heard.speaker} if self.heard.speaker else {}
        return speaker | {
            key: value
            for key, value in self.row.items()
            if key not in UNTAGGED and is_plain(value) and len(value) <= LONGEST_TAG
        }


def _corpus(
    path: Path, lists: Sequence[Path], split: Split | None, apart: float | None
) -> tuple[Recording, ...]:
    """Return the recordings of a corpus, each as long as nothing is left out of it."""
    folder = lists[0].parent
    heard = listed_utterances(folder, lists)  # it refuses lines that name no file in the folder
    lines = {_file_name(row, where): (where, row) for table in lists for where, row in _rows(table)}
    sentences = [
        _Sentence(one, folder / one.name, lines[one.name][1], lines[one.name][0]) for one in heard
    ]
    wanted = _wanted(sentences, path, split, apart)
    lengths = lengths_s((one.file, f"{one.where} names") for one in wanted)
    return tuple(_joined(run, lengths) for run in _runs(wanted))


def _wanted(
    sentences: Sequence[_Sentence], path: Path, split: Split | None, apart: float | None
) -> list[_Sentence]:
    """Return the sentences of a split, of the speakers that training left out."""
    of_split = [one for one in sentences if split in (None, one.heard.split)]
    if not of_split:
        counts = Counter(one.heard.split for one in sentences)
        found = ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts))
        raise DataError(
            f"{path} lists no {split} recording, found {found or 'none'}, needed some that only "
            f"{split} hears: choose another split"
        )
    if apart is None:
        return of_split
    if not 0 < apart <= 1:
        raise ConfigError(
            f"a share of {apart:g} of the speakers was asked for, needed above 0 and at most 1: "
            "give the share that training left out"
        )
    if not any(one.heard.speaker for one in of_split):
        raise ConfigError(
            f"speakers apart {apart:g} was asked of {path}, which tells of no speaker, needed the "
            "column speaker: ask for all of it"
        )
    kept = [one for one in of_split if is_apart(one.heard.speaker, apart)]
    if not kept:
        speakers = len({one.heard.speaker for one in of_split})
        raise DataError(
            f"{path} has nobody apart among its {speakers:,} speakers at a share of {apart:g}, "
            "needed one at least: give the share that training left out, or more speakers"
        )
    return kept


def _runs(sentences: Iterable[_Sentence]) -> list[list[_Sentence]]:
    """Return the sentences that follow each other without a gap, together."""
    chapters: dict[tuple[str, ...], list[_Sentence]] = {}
    for one in sentences:
        chapters.setdefault(one.chapter or (one.heard.name,), []).append(one)
    return [run for chapter in chapters.values() for run in _without_gaps(chapter)]


def _without_gaps(chapter: list[_Sentence]) -> list[list[_Sentence]]:
    """Return the sentences of a chapter, cut where one is missing."""
    if not chapter[0].chapter:
        return [chapter]
    runs: list[list[_Sentence]] = []
    for one in sorted(chapter, key=lambda one: one.index):
        step = one.index - runs[-1][-1].index if runs else 0
        if runs and step == 0:
            raise DataError(
                f"{one.where} has the index {one.index} of {runs[-1][-1].heard.name} again, needed "
                "one for each sentence of a chapter: mend one of the lines"
            )
        if step == 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _joined(run: Sequence[_Sentence], lengths: Mapping[Path, Seconds]) -> Recording:
    """Return sentences that follow each other as one recording."""
    ends = [*accumulate(lengths[one.file] for one in run)]
    texts = [one.heard.text.strip() for one in run]
    return Recording(
        name=without_suffix(run[0].heard.name),
        files=tuple(one.file for one in run),
        duration_s=ends[-1],
        said=tuple(
            Said(text, start_s, end_s)
            for text, start_s, end_s in zip(texts, [0.0, *ends], ends, strict=False)
            if text
        ),
        may_hold=not all(texts),
        tags={
            key: value
            for key, value in run[0].tags.items()
            if all(one.tags.get(key) == value for one in run)
        },
    )


# ------------------------------------------------------------------ sound files and their labels


def _folder(folder: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the sound files of a folder and of the folders in it, sorted by name."""
    names = sorted(
        found.relative_to(folder).as_posix()
        for found in folder.rglob("*")
        if found.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in found.relative_to(folder).parts)
        and found.is_file()
    )
    if not names:
        raise nothing_in(folder, f"{', '.join(AUDIO_SUFFIXES)} files, {MANIFEST} or a list")
    return measured([_sound_file(folder / name, name, "found was", keywords) for name in names])


def _sound_file(file: Path, name: str, naming: str, keywords: Sequence[str]) -> Draft:
    """Return a sound file with the labels or the transcript beside it."""
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
        start_s, end_s = _seconds(fields[0], "start", where), _seconds(fields[1], "end", where)
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
        start_s = _seconds(fields[2], "start", where)
        yield fields[4], start_s, start_s + _seconds(fields[3], "duration", where)
