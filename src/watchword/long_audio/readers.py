"""Files and folders ↔ recordings, whichever way the reference lies on disk.

In comes a path, out go recordings with their reference: of a manifest, of a table of events, of a
corpus with its list, of sound files with labels beside them. A room because the choice among them
is made once, here, and whoever evaluates, calibrates or mines need not know which it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from watchword.data.layouts import SPLIT_NAMES, columns, find_lists
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError
from watchword.long_audio.corpus_list import read_corpus
from watchword.long_audio.drafts import (
    MANIFEST,
    UNKNOWN_S,
    file_name,
    in_order,
    is_plain,
    measured,
    nothing_in,
    rows,
    seconds,
    spelled,
    without_suffix,
)
from watchword.long_audio.labels import read_folder, sound_file
from watchword.long_audio.manifest_file import read_lines, write
from watchword.long_audio.reference import Event, Recording, check, refuse_strangers

__all__ = ["MANIFEST", "read", "write"]

EVENT_COLUMNS: Final = ("file", "keyword", "start_s", "end_s")
NO_SOUND: Final = (".txt", ".ctm", ".json", ".tsv")


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
            this share of them; where negative, all others.

    Raises:
        ConfigError: If a split or a share is asked for that cannot be told.
        DataError: If something is missing, cannot be read or cannot be meant.
    """
    lists = _lists(path)
    if lists:
        recordings = read_corpus(path, lists, split, apart)
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
        return read_lines(manifest, keywords) if manifest.is_file() else read_folder(path, keywords)
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
    return measured([sound_file(path, path.name, "given was", keywords)])


def _refuse_choice(path: Path, split: Split | None, apart: float | None) -> None:
    """Refuse to choose from what has neither splits nor speakers."""
    asked = {"the split": split, "speakers apart": apart}
    for what, value in asked.items():
        if value is not None and path.exists():  # what is missing is refused as such
            raise ConfigError(
                f"{what} {value} was asked of {path}, which has no list that tells it, needed a "
                "CSV file with the columns file, split and speaker: ask for all of it"
            )


# ---------------------------------------------------------------------------- tables of events


def _table(path: Path, keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of a table of events, in order of first mention."""
    events: dict[str, list[Event]] = {}
    first: dict[str, str] = {}
    for where, row in rows(path):
        _refuse_columns(path, row)
        name = file_name(row, where)
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


def _row_events(row: Mapping[str, str], where: str, keywords: Sequence[str]) -> Iterator[Event]:
    """Yield the event of a line, if it tells of one."""
    keyword = row["keyword"].strip()
    if keyword:
        start_s, end_s = (seconds(row[column], column, where) for column in ("start_s", "end_s"))
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
