"""Drafts of recordings: what every reader needs of texts, tables, times and lengths.

In come files and words, out go texts of one spelling, numbers of seconds, and recordings that last
as long as their files say. A room because manifests, tables, corpora and labels differ in how they
lie on disk and in nothing else.

A reader first makes a **draft**: a recording of which all is known but how long its files last,
with the words that name them (``m.jsonl: line 3 names``). ``measured`` makes recordings of drafts.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import soundfile

from watchword.audio import UNDECODABLE
from watchword.errors import DataError
from watchword.long_audio.reference import Event, Recording, Said
from watchword.units import Seconds
from watchword.words import sounding_like, words_of

Draft = tuple[str, Recording]
Timed = TypeVar("Timed", Event, Said)

MANIFEST: Final = "manifest.jsonl"
"""A folder that holds a file of this name is read by it."""
UNKNOWN_S: Final[Seconds] = 0.0
"""How long a draft lasts where nobody said so."""
TO_THE_END: Final[Seconds] = math.inf
"""Where a text of a draft ends that is one of the whole recording."""
DURATION_SLACK_S: Final[Seconds] = 0.1
"""By so much a duration may differ from the headers: programs round, and count padding or not."""
LONGEST_S: Final[Seconds] = 366 * 86_400.0
"""A header that tells of more does not know."""
HEADERS_AT_ONCE: Final = 8
# they would break the one line of a message, and no file of a report can hold half a sign
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,]\d*)?(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)


def text_of(path: Path) -> str:
    r"""Return the text of a file, without byte order mark, its lines ended by ``\n``.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read or is not UTF-8.
    """
    content = b""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        place = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {place} is not UTF-8, needed text in UTF-8: save it again in this "
            "encoding"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}), needed a file that one may read: check its "
            "name and its mode"
        ) from error


def rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each line of a CSV file is, and its values by column.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read, or a line is no line of its header.
    """
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


def file_name(row: Mapping[str, str], where: str) -> str:
    """Return the path that a line of a table names, one spelling for each.

    Args:
        row: The values of the line by column.
        where: Which line, for messages.

    Raises:
        DataError: If it has control signs or is empty.
    """
    name = row["file"]
    if not is_plain(name):
        raise DataError(
            f"{where} names {reprlib.repr(name)}, needed the path of a sound file without control "
            "signs: mend the line"
        )
    return str(PurePosixPath(name))


def seconds(text: str, what: str, where: str) -> Seconds:
    """Return a time that is written with a decimal point or comma.

    Args:
        text: The time.
        what: Which time it is.
        where: In which line, for messages.

    Raises:
        DataError: If it is no number.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise DataError(
            f"{where}: {what} is {reprlib.repr(text)}, needed a number of seconds: mend the line"
        )
    return float(text.replace(",", "."))


def nothing_in(path: Path, needed: str) -> DataError:
    """Return the error for a file or folder that holds nothing.

    Args:
        path: Which.
        needed: What it should hold.
    """
    return DataError(f"{path} holds no recordings, needed {needed}: check the path, or fill it")


def is_plain(text: str) -> bool:
    """Tell whether a text can stand in one line of a message or a report.

    Args:
        text: The text.
    """
    return bool(text.strip()) and not CONTROL.search(text)


def without_suffix(name: str) -> str:
    """Return a path as it is written, without the suffix.

    Args:
        name: The path.

    Example:
        >>> without_suffix("monday/call.1.wav")
        'monday/call.1'
    """
    return name.removesuffix(Path(name).suffix)


def in_order(found: Iterable[Timed]) -> tuple[Timed, ...]:
    """Return events or texts in order of time.

    Args:
        found: Events, or texts.
    """
    return tuple(sorted(found, key=lambda one: (one.start_s, one.end_s)))


def spelled(word: str, keywords: Sequence[str]) -> str:
    """Return a word as the model spells it, or as it is where it is no keyword.

    Args:
        word: In capitals or not.
        keywords: Keywords of the model.

    Example:
        >>> spelled("STOP", ["go", "stop"]), spelled("STOOP", ["go", "stop"])
        ('stop', 'STOOP')
    """
    return next((one for one in keywords if one.casefold() == word.casefold()), word)


def timed(
    words: Iterable[tuple[str, Seconds, Seconds]], keywords: Sequence[str]
) -> tuple[list[Event], list[Said]]:
    """Return the keywords of a transcript with word times, and what else sounds like one.

    Args:
        words: Each with its start and end.
        keywords: Keywords of the model.

    Returns:
        An event for each word that is a keyword; a text of one word for each that is a homophone of
        a keyword, or holds one among others (``stop-and-go``). The rest is left out.

    Example:
        >>> timed([("I", 0, 0.1), ("know", 0.1, 0.4), ("No!", 0.5, 0.9)], ["no"])[0]
        [Event(keyword='no', start_s=0.5, end_s=0.9, tags={})]
    """
    sounds = {sound for keyword in keywords for sound in sounding_like(keyword)}
    events, said = [], []
    for word, start_s, end_s in words:
        parts = words_of(word)
        keyword = spelled(parts[0] if len(parts) == 1 else word, keywords)
        if keyword in keywords:
            events.append(Event(keyword, start_s, end_s))
        elif sounds.intersection(parts):
            said.append(Said(word, start_s, end_s))
    return events, said


def measured(drafts: Sequence[Draft]) -> tuple[Recording, ...]:
    """Return recordings that last as long as the headers of their files say.

    Args:
        drafts: Recordings, each with the words that name its files.

    Raises:
        DataError: If a file is missing or no sound file, or lasts longer or shorter than was said.
    """
    lengths = lengths_s((file, naming) for naming, one in drafts for file in one.files)
    return tuple(
        _lasting(one, sum(lengths[file] for file in one.files), naming) for naming, one in drafts
    )


def _lasting(one: Recording, length_s: Seconds, naming: str) -> Recording:
    """Return a draft with the length of its files."""
    if one.duration_s != UNKNOWN_S:
        if abs(one.duration_s - length_s) > DURATION_SLACK_S:
            raise DataError(
                f"{naming} {one.files[0]} with a duration of {one.duration_s:g} s, and its header "
                f"says {length_s:g} s, needed the same in seconds: divide milliseconds by 1,000 or "
                "samples by their rate, or leave it out"
            )
        length_s = one.duration_s
    said = tuple(
        replace(text, end_s=length_s) if text.end_s == TO_THE_END else text for text in one.said
    )
    return replace(one, duration_s=length_s, said=said)


def lengths_s(named: Iterable[tuple[Path, str]]) -> dict[Path, Seconds]:
    """Return how long sound files last, by their headers.

    Args:
        named: Files, each with the words that name it in a message: ``m.jsonl: line 3 names``.

    Raises:
        DataError: If one is missing, no sound file, empty, or does not know how long it is.
    """
    first: dict[Path, str] = {}
    for file, naming in named:
        first.setdefault(file, naming)
    with ThreadPoolExecutor(HEADERS_AT_ONCE) as pool:
        return dict(zip(first, pool.map(_length_s, first, first.values()), strict=True))


def _length_s(file: Path, naming: str) -> Seconds:
    """Return how long a sound file lasts."""
    if not os.path.isfile(file):  # unlike Path.is_file it takes names of any length
        raise DataError(
            f"{naming} {file}, no such file, needed a sound file: mend the path, or bring the file "
            "there"
        )
    try:
        about = soundfile.info(file)
    except UNDECODABLE as error:
        reason = getattr(error, "error_string", None) or str(error) or type(error).__name__
        raise DataError(
            f"{naming} {file}, which cannot be decoded ({reason.strip().rstrip('.')}), needed a "
            "format that libsndfile reads, such as WAV, FLAC, OGG or Opus: convert it or remove it"
        ) from error
    length_s = float(about.frames / about.samplerate)
    if not 0 < length_s <= LONGEST_S:
        found = "holds no samples" if about.frames <= 0 else "does not say how long it is"
        raise DataError(
            f"{naming} {file}, which {found}, needed audio of a known length: write it again as "
            "WAV or FLAC, or remove it"
        )
    return length_s
