"""A folder → the list of what it holds: the door to every layout of corpora.

In comes a folder, out goes a ``Manifest``: utterances with word, speaker and split, and the noise
recordings. It is a room because the choice of a layout is made once, here, and nobody else looks at
folders.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from watchword.audio import AUDIO_SUFFIXES
from watchword.data import commands, layouts
from watchword.data.utterance import Layout, Manifest, Split, Utterance
from watchword.errors import DataError

__all__ = ["Layout", "Manifest", "Split", "Utterance", "read_manifest"]


def read_manifest(folder: Path) -> Manifest:
    """Return what a corpus folder holds, whichever way it lies on disk.

    The first of these that fits is the layout:

    1. ``commands-test``: the Speech Commands test archive, whose ``_unknown_`` folder names words
    in file names. 2. ``commands``: a Speech Commands archive, told by its lists. 3. ``lists``:
    ``train.csv``, ``val.csv`` and ``test.csv`` with the header ``file,class``, or a CSV file with
       the columns ``file`` and ``split``.
    4. ``commands`` without its lists: most names are ``<speaker>_nohash_<n>``; split by the hash
    rule. 5. ``tree``: ``training/<label>/``, ``validation/<label>/``, ``testing/<label>/``. 6.
    ``tree``: ``<label>/*``, split by speaker where names tell, and by a stable hash where not.

    Files and folders whose names begin with a dot are not looked at; noise lies in
    ``_background_noise_/``.

    Args:
        folder: The corpus folder.

    Returns:
        The manifest, its utterances sorted by name.

    Raises:
        DataError: If the folder is missing, is a file, holds no audio, or has lists that contradict
            themselves.
    """
    folder = Path(folder)
    _refuse_no_folder(folder)
    try:
        layout, utterances = _utterances(folder)
        backgrounds = _audio_names(folder, commands.BACKGROUND_FOLDER)
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be looked through ({error}), needed permission to; change its mode"
        ) from error
    if not utterances:
        raise DataError(
            f"{folder}: no utterances found{_what_instead(folder)}, needed a folder for each word "
            f"with {', '.join(AUDIO_SUFFIXES)} files in it; check the path, or convert the audio"
        )
    return Manifest(
        folder=folder,
        layout=layout,
        utterances=tuple(sorted(utterances, key=lambda utterance: utterance.name)),
        backgrounds=tuple(backgrounds),
        dropped=commands.dropped_names(folder),
    )


def _utterances(folder: Path) -> tuple[Layout, list[Utterance]]:
    """Return the layout of a folder and its utterances."""
    names = _labels(folder, "")
    if commands.is_test_archive(names):
        return "commands-test", commands.utterances_of_test_archive(names)
    if commands.has_lists(folder):
        return "commands", commands.utterances_of_archive(folder, names)
    lists = layouts.find_lists(folder)
    if lists:
        return "lists", layouts.listed_utterances(folder, lists)
    if commands.has_archive_names(names):
        return "commands", commands.utterances_of_archive(folder, names)
    by_split = _split_folders(folder, names)
    if by_split:
        return "tree", layouts.split_folder_utterances(by_split)
    return "tree", layouts.tree_utterances(names)


def _labels(folder: Path, below: str) -> dict[str, list[str]]:
    """Return the audio names of each label folder, labels and names sorted."""
    labels = [
        entry.name
        for entry in sorted(os.scandir(folder / below), key=lambda entry: entry.name)
        if entry.is_dir() and not entry.name.startswith(".")
    ]
    found = {
        label: _audio_names(folder, f"{below}{label}")
        for label in labels
        if label != commands.BACKGROUND_FOLDER
    }
    return {label: names for label, names in found.items() if names}


def _split_folders(
    folder: Path, names: dict[str, list[str]]
) -> list[tuple[Split, dict[str, list[str]]]]:
    """Return the labels of each split, if no folder holds audio and some are named like splits."""
    if names:
        return []
    return [
        (layouts.SPLIT_NAMES[entry.name.lower()], _labels(folder, f"{entry.name}/"))
        for entry in os.scandir(folder)
        if entry.is_dir() and entry.name.lower() in layouts.SPLIT_NAMES
    ]


def _audio_names(folder: Path, below: str) -> list[str]:
    """Return the names of the audio files directly in one folder of the corpus, sorted."""
    place = folder / below
    if not place.is_dir():
        return []
    return sorted(
        f"{below}/{entry.name}"
        for entry in os.scandir(place)
        if entry.name.lower().endswith(AUDIO_SUFFIXES)
        and not entry.name.startswith(".")
        and entry.is_file()
    )


def _refuse_no_folder(folder: Path) -> None:
    """Raise unless the folder can be looked into."""
    if not folder.exists():
        raise DataError(f"{folder}: no such folder, needed a corpus; check the path or download it")
    if not folder.is_dir():
        raise DataError(
            f"{folder}: found a file, needed the folder of a corpus; unpack it or give its folder"
        )


def _what_instead(folder: Path) -> str:
    """Return a clause on what a folder without audio holds: the commonest kinds of files."""
    kinds = Counter(
        path.suffix.lower() or "no suffix" for path in folder.glob("*/*") if path.is_file()
    )
    if not kinds:
        return ""
    return " but " + ", ".join(f"{count:,} × {kind}" for kind, count in kinds.most_common(3))
