"""A manifest of long audio ↔ recordings: one JSON object a line.

In come lines that a user or a program wrote, out go recordings that last as long as their files
say; or the other way round. A room because mixing, mining and evaluation hand recordings to each
other in this form.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from watchword.errors import DataError, nearest
from watchword.files import write_whole
from watchword.long_audio.drafts import (
    CONTROL,
    TO_THE_END,
    UNKNOWN_S,
    Draft,
    in_order,
    is_plain,
    measured,
    nothing_in,
    spelled,
    text_of,
    timed,
    without_suffix,
)
from watchword.long_audio.reference import Event, Recording, Said, check
from watchword.units import Seconds
from watchword.words import words_of

KEYS: Final = (
    *("audio", "name", "duration_s", "events", "said", "words", "text"),
    *("may_hold_keywords", "tags"),
)
OTHER_NAMES: Final = {"audio_filepath": "audio", "duration": "duration_s"}
"""What NVIDIA NeMo calls them."""
STATEMENTS: Final = ("events", "said", "words")
"""A line that has one of these, be it empty, tells of all keywords that are said."""


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
    return isinstance(tag[1], str | int | float) and not CONTROL.search(f"{tag[0]}{tag[1]}")


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
