"""Corpora that are not Speech Commands: CSV lists, folders named like splits, trees of labels.

In come the audio files of a folder, out go its utterances with word, speaker and split. It is a
room because the rules by which a speaker is recognised and a split is chosen must be stated, and
tested, in one place.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from watchword.data.commands import hash_percent, speaker_of, which_split
from watchword.data.utterance import Split, Utterance
from watchword.errors import DataError
from watchword.words import UNKNOWN

SPLIT_NAMES: Final[dict[str, Split]] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
MIN_SPEAKERS: Final = 3  # one for each split


def find_lists(folder: Path) -> list[Path]:
    """Return the CSV files of a folder that list utterances.

    These are files named like a split (``train.csv``, ``val.csv``, ``test.csv`` …), or else files
    with the columns ``file`` and ``split``.

    Args:
        folder: The corpus folder.

    Raises:
        DataError: If a CSV file cannot be read.
    """
    tables = sorted(path for path in folder.glob("*.csv") if not path.name.startswith("."))
    named = [path for path in tables if path.stem.lower() in SPLIT_NAMES]
    return named or [path for path in tables if {"file", "split"} <= set(columns(path))]


def listed_utterances(folder: Path, lists: Sequence[Path]) -> list[Utterance]:
    """Return the utterances that CSV lists name.

    The split is the column ``split`` where there is one and else the name of the file; the word is
    the column ``class`` (``_unknown_`` where there is none); the text is the column ``transcript``;
    the speaker is the column ``speaker`` and else told from the names (see ``tell_speakers``). A
    file that a list names and the folder lacks stays in: preparation and check report it.

    Args:
        folder: The corpus folder.
        lists: CSV files with a header.

    Raises:
        DataError: If a column or value is missing, a split has another name, a file is listed
            twice, or a name leads out of the folder.
    """
    rows: dict[str, tuple[str, str | None, Split, str]] = {}
    for path in lists:
        for line, row in _rows(path):
            name = _inside(row.get("file"), path, line)
            if name in rows:
                raise DataError(
                    f"{path}: line {line} lists {name} again, needed each file once; "
                    "remove one of the lines"
                )
            rows[name] = (
                row.get("class") or UNKNOWN,
                row.get("speaker") or None,
                _split(row, path, line),
                row.get("transcript", ""),
            )
    told = tell_speakers((name, word) for name, (word, *_) in rows.items())
    return [
        Utterance(name, word, speaker or told[name], split, text)
        for name, (word, speaker, split, text) in rows.items()
    ]


def split_folder_utterances(
    names: Iterable[tuple[Split, Mapping[str, Sequence[str]]]],
) -> list[Utterance]:
    """Return the utterances of ``training/<label>/``, ``validation/<label>/`` and so on.

    Args:
        names: Splits, each with the names of the audio files of each label.
    """
    flat = [
        (name, word, split)
        for split, of_split in names
        for word, of_word in of_split.items()
        for name in of_word
    ]
    told = tell_speakers((name, word) for name, word, _ in flat)
    return [Utterance(name, word, told[name], split) for name, word, split in flat]


def tree_utterances(names: Mapping[str, Sequence[str]]) -> list[Utterance]:
    """Return the utterances of a plain ``<label>/*`` tree, split by speaker where names tell.

    Speakers are told as in ``tell_speakers``. All clips of a speaker go where the hash rule of
    Speech Commands sends the speaker's name; a clip whose speaker is not known goes where it sends
    the clip's own name, so that nobody moves when files are added. If valid or test would be empty,
    the speaker (or clip) of train that is nearest to it in hash order stands in, until one is added
    that is nearer; small sets can so be evaluated too.

    Args:
        names: Names of the audio files of each label.
    """
    told = tell_speakers((name, word) for word, of_word in names.items() for name in of_word)
    splits = _hash_splits({speaker or name for name, speaker in told.items()})
    return [
        Utterance(name, word, told[name], splits[told[name] or name])
        for word, of_word in names.items()
        for name in of_word
    ]


def tell_speakers(labelled: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return the speaker of each name, or None where names do not tell.

    A speaker is everything before ``_nohash_``. Otherwise it is what stands before the first ``_``
    of a file name that ends in a digit (``anna_yes_2.wav``), if that prefix is not the label itself
    and several files share it. Prefixes count only if there are at least three of them, and, where
    there are several labels, one of them occurs under two labels: ``hello/hi_1.wav`` tells of no
    speaker.

    Args:
        labelled: Pairs of name and label.

    Example:
        >>> tell_speakers([("yes/ab_nohash_0.wav", "yes"), ("yes/take2.wav", "yes")])
        {'yes/ab_nohash_0.wav': 'ab', 'yes/take2.wav': None}
    """
    candidates = {name: (speaker_of(name), _prefix(name, label), label) for name, label in labelled}
    files: defaultdict[str, list[str]] = defaultdict(list)
    for sure, prefix, label in candidates.values():
        if sure is None and prefix is not None:
            files[prefix].append(label)
    shared = {prefix: set(labels) for prefix, labels in files.items() if len(labels) > 1}
    all_labels = {label for _, _, label in candidates.values()}
    are_speakers = len(shared) >= MIN_SPEAKERS and (
        len(all_labels) == 1 or any(len(labels) > 1 for labels in shared.values())
    )
    return {
        name: sure or (prefix if are_speakers and prefix in shared else None)
        for name, (sure, prefix, _) in candidates.items()
    }


def _prefix(name: str, label: str) -> str | None:
    """Return what stands before the first ``_`` of ``<prefix>_…<digit>``, if not the label."""
    stem = PurePosixPath(name).stem
    prefix, mark, rest = stem.partition("_")
    if not (prefix and mark and rest and rest[-1].isdigit()):
        return None
    return None if prefix.lower() == label.lower() else prefix


def _hash_splits(units: set[str]) -> dict[str, Split]:
    """Return the split of each speaker or clip: the hash rule, mended where a split is empty."""
    splits = {unit: which_split(unit) for unit in sorted(units)}
    for wanted in ("valid", "test"):
        train = [unit for unit, split in splits.items() if split == "train"]
        if wanted not in splits.values() and len(train) > 1:
            splits[min(train, key=hash_percent)] = wanted
    return splits


def is_apart(speaker: str | None, share: float) -> bool:
    """Tell whether a speaker belongs to the share that training leaves for calibration.

    The hash rule of Speech Commands decides, so that nobody moves when others are added.

    Args:
        speaker: Name; somebody without one is never apart.
        share: Which share of all speakers is apart, in [0, 1].

    Example:
        >>> [is_apart(name, 0.25) for name in ("ls1272", "ls1673", None)]
        [False, True, False]
    """
    return speaker is not None and hash_percent(speaker) < 100.0 * share


def columns(path: Path) -> list[str]:
    """Return the header of a CSV file; empty where no line follows it.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read.
    """
    return next((list(row) for _, row in _rows(path)), [])


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and row of a CSV file with a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, {key: value or "" for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read ({error}), needed a CSV file in UTF-8 with a header; "
            "write it again"
        ) from error


def _inside(name: str | None, path: Path, line: int) -> str:
    """Return a listed name if it stays inside the folder."""
    if not name:
        raise DataError(
            f"{path}: line {line} names no file, needed the column 'file' (and 'class'); "
            "start the list with the line 'file,class'"
        )
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise DataError(
            f"{path}: line {line} names {name}, needed a path inside {path.parent}; mend the line"
        )
    return str(pure)


def _split(row: Mapping[str, str], path: Path, line: int) -> Split:
    """Return the split of a row: its column, else the name of its file."""
    found = row.get("split") or path.stem
    split = SPLIT_NAMES.get(found.lower())
    if split is None:
        raise DataError(
            f"{path}: line {line} has the split {found!r}, needed train, valid or test; "
            "mend the line"
        )
    return split
