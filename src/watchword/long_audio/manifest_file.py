"""A manifest of long audio ↔ recordings: one JSON object a line.

In come lines that a user or a program wrote, out go recordings that last as long as their files
say; or the other way round. A room because mixing, mining and evaluation hand recordings to each
other in this form. What every other reader needs of texts, times and lengths lies here too.

A reader first makes a **draft**: a recording of which all is known but how long its files last,
with the words that name them (``m.jsonl: line 3 names``). ``measured`` makes recordings of drafts.
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import soundfile

from watchword.audio import UNDECODABLE
from watchword.errors import DataError, nearest
from watchword.files import write_whole
from watchword.long_audio.reference import Event, Recording, Said, check
from watchword.units import Seconds
from watchword.words import sounding_like, words_of

Draft = tuple[str, Recording]
Timed = TypeVar("Timed", Event, Said)

UNKNOWN_S: Final[Seconds] = 0.0
"""How long a draft lasts where nobody said so."""
TO_THE_END: Final[Seconds] = math.inf
"""Where a text of a draft ends that is one of the whole recording."""
DURATION_SLACK_S: Final[Seconds] = 0.1
"""By so much a duration may differ from the headers: programs round, and count padding or not."""
LONGEST_S: Final[Seconds] = 366 * 86_400.0
"""A header that tells of more does not know."""
HEADERS_AT_ONCE: Final = 8

KEYS: Final = (
    *("audio", "name", "duration_s", "events", "said", "words", "text"),
    *("may_hold_keywords", "tags"),
)
OTHER_NAMES: Final = {"audio_filepath": "audio", "duration": "duration_s"}
"""What NVIDIA NeMo calls them."""
STATEMENTS: Final = ("events", "said", "words")
"""A line that has one of these, be it empty, tells of all keywords that are said."""
# they would break the one line of a message, and no file of a report can hold half a sign
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def read_lines(path: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of a manifest, without the checks that all readers share.

    Args:
        path: A file of JSON objects, one a line, with the keys ``KEYS``; paths in it are relative
            to its folder.
        keywords: Keywords of the model, which tell what of a transcript is an event.

    Raises:
        DataError: If it cannot be read, a line is no such object, or a sound file is missing, no
            sound file, or lasts longer or shorter than the line says.
    """
    drafts = [
        _draft(line, path, f"{path}: line {place}", keywords)
        for place, line in enumerate(text_of(path).split("\n"), 1)
        if line.strip()
    ]
    if not drafts:
        raise nothing_in(path, "one JSON object a line")
    return measured(drafts)


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """Write recordings as a manifest, whole or not at all.

    Args:
        path: Where to. Files below its folder are named relative to it, so that the folder can be
            moved; others by their absolute path.
        recordings: What shall be read again.

    Raises:
        DataError: If ``read_lines`` would not read it again, or it cannot be written.
    """
    check(recordings, str(path))
    folder = path.parent.absolute()
    lines = (json.dumps(_record(one, folder), ensure_ascii=False) for one in recordings)
    text = "".join(f"{line}\n" for line in lines)
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def _record(one: Recording, folder: Path) -> dict[str, Any]:
    """Return a recording as a line tells of it; what is empty is left out."""
    files = [_relative(file.absolute(), folder).as_posix() for file in one.files]
    events = [
        {
            "keyword": event.keyword,
            "start_s": float(event.start_s),
            "end_s": float(event.end_s),
            **({"tags": dict(event.tags)} if event.tags else {}),
        }
        for event in one.events
    ]
    said = [
        {"text": text.text, "start_s": float(text.start_s), "end_s": float(text.end_s)}
        for text in one.said
    ]
    record: dict[str, Any] = {
        "audio": files[0] if len(files) == 1 else files,
        "name": one.name,
        "duration_s": float(one.duration_s),
    }
    filled = {"events": events, "said": said, "tags": dict(one.tags)}
    record |= {key: value for key, value in filled.items() if value}
    return {**record, "may_hold_keywords": bool(one.may_hold)}


def _relative(file: Path, folder: Path) -> Path:
    """Return how a file is named from a folder, if it lies below it."""
    return file.relative_to(folder) if file.is_relative_to(folder) else file


@dataclass(frozen=True)
class _Fields:
    """The values of a JSON object, each of which is what is needed or refused.

    Args:
        told: Values by key.
        where: Which object, for messages.
    """

    told: Mapping[str, Any]
    where: str

    def refuse(self, key: str, needed: str) -> NoReturn:
        """Say that a value is not what is needed."""
        is_there = key in self.told
        found = f"{key!r} is {reprlib.repr(self.told[key])}" if is_there else f"there is no {key!r}"
        raise DataError(f"{self.where}: {found}, needed {needed}: mend the line")

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Refuse keys that mean nothing here."""
        for key in self.told:
            if key not in known:
                raise DataError(
                    f"{self.where} has an unknown key {reprlib.repr(key)}, needed one that is "
                    f"read: {nearest(key[:99], [*known])}"
                )

    def text(self, key: str) -> str:
        """Return a text that can be shown."""
        found = self.told.get(key)
        if not (isinstance(found, str) and is_plain(found)):
            self.refuse(key, "a text without control signs")
        return found

    def seconds(self, key: str) -> Seconds:
        """Return a time."""
        found = self.told.get(key)
        if isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e300:
            return float(found)
        self.refuse(key, "a number of seconds")

    def objects(self, key: str, *known: str) -> list[_Fields]:
        """Return the objects of a list, none where there is no list."""
        found = self.told.get(key, [])
        if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
            self.refuse(key, f"a list of objects with {', '.join(known)}")
        each = [_Fields(one, f"{self.where}, {key} {n}") for n, one in enumerate(found, 1)]
        for one in each:
            one.refuse_unknown(known)
        return each

    def tags(self) -> dict[str, str]:
        """Return what else is known; numbers are written out."""
        found = self.told.get("tags", {})
        if not isinstance(found, dict) or not all(map(_is_tag, found.items())):
            self.refuse("tags", "an object of texts without control signs")
        return {key: str(value) for key, value in found.items()}

    def names(self, key: str) -> list[str]:
        """Return a text or a list of texts as a list."""
        found = self.told.get(key)
        names: list[Any] = found if isinstance(found, list) else [found]
        if not names or not all(isinstance(one, str) and is_plain(one) for one in names):
            self.refuse(key, "the path of a sound file, or a list of paths, without control signs")
        return names


def _draft(line: str, path: Path, where: str, keywords: Sequence[str]) -> Draft:
    """Return what a line tells of a recording."""
    fields = _Fields(_parsed(line, where), where)
    fields.refuse_unknown(KEYS)
    names = fields.names("audio")
    events, said = _reference(fields, keywords)
    may_hold = not (said or any(key in fields.told for key in STATEMENTS))
    if "may_hold_keywords" in fields.told:
        may_hold = fields.told["may_hold_keywords"]
        if not isinstance(may_hold, bool):
            fields.refuse("may_hold_keywords", "true or false")
    duration_s = fields.seconds("duration_s") if "duration_s" in fields.told else UNKNOWN_S
    if "duration_s" in fields.told and duration_s <= 0:
        fields.refuse("duration_s", "more than 0 seconds")
    return f"{where} names", Recording(
        name=fields.text("name") if "name" in fields.told else without_suffix(names[0]),
        files=tuple(path.parent / name for name in names),
        duration_s=duration_s,
        events=in_order(events),
        said=in_order(said),
        may_hold=may_hold,
        tags=fields.tags(),
    )


def _reference(fields: _Fields, keywords: Sequence[str]) -> tuple[list[Event], list[Said]]:
    """Return the events and texts of a line, whichever way it tells of them."""
    events = [
        Event(
            spelled(one.text("keyword"), keywords),
            one.seconds("start_s"),
            one.seconds("end_s"),
            one.tags(),
        )
        for one in fields.objects("events", "keyword", "start_s", "end_s", "tags")
    ]
    said = [
        Said(_any_text(one, "text"), one.seconds("start_s"), one.seconds("end_s"))
        for one in fields.objects("said", "text", "start_s", "end_s")
    ]
    words = [
        (one.text("word"), one.seconds("start_s"), one.seconds("end_s"))
        for one in fields.objects("words", "word", "start_s", "end_s")
    ]
    if events and words:
        raise DataError(
            f"{fields.where} has events and words, needed one of them, because events are made of "
            "words: remove the other"
        )
    text = _any_text(fields, "text") if "text" in fields.told else ""
    if words_of(text) and not (events or words):
        said.append(Said(text, 0.0, TO_THE_END))
    of_words = timed(words, keywords)
    return events + of_words[0], said + of_words[1]


def _is_tag(tag: tuple[str, object]) -> bool:
    """Tell whether key and value can be shown."""
    return isinstance(tag[1], str | int | float) and not _CONTROL.search(f"{tag[0]}{tag[1]}")


def _any_text(fields: _Fields, key: str) -> str:
    """Return a text, of which nothing is shown."""
    found = fields.told.get(key)
    if not isinstance(found, str):
        fields.refuse(key, "a text")
    return found


def _parsed(line: str, where: str) -> dict[str, Any]:
    """Return the object of a line, with our names of its keys."""
    try:
        found = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where} is no JSON ({_why_no_json(error)}), needed one whole object on each "
            'line, such as {"audio": "a.wav"}: mend the line'
        ) from error
    if not isinstance(found, dict):
        raise DataError(
            f"{where} is {reprlib.repr(found)}, needed an object such as "
            '{"audio": "a.wav"} on each line: mend the line'
        )
    for theirs, ours in OTHER_NAMES.items():
        if theirs in found and ours in found:
            raise DataError(
                f"{where} has {theirs!r} and {ours!r}, which mean the same, needed one of them: "
                "remove the other"
            )
    return {OTHER_NAMES.get(str(key), str(key)): value for key, value in found.items()}


def _why_no_json(error: Exception) -> str:
    """Return what is wrong with a line, without the counts of a text of several lines."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.rstrip(':')}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).split(":")[0]


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and infinities, which JSON does not have."""
    raise ValueError(f"{name} is no number")


# -------------------------------------------------------------------- what all readers need


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
    return bool(text.strip()) and not _CONTROL.search(text)


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
