"""What a user names as recordings → recordings, each tagged with where it is from.

In come words of a command line, out go recordings of all of them. A room because evaluation,
calibration and mining name recordings in the same way:

``PATH``, or ``PATH:SPLIT`` for a part of a corpus list, or ``PATH:SPLIT:SHARE`` for the speakers
that training left when it left this share of them; with minus the share, for all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchword.errors import ConfigError
from watchword.long_audio import readers
from watchword.long_audio.reference import Recording

if TYPE_CHECKING:
    from watchword.data.utterance import Split

SPLITS: Final = ("train", "valid", "test")


def read(sources: Sequence[str], keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of several sources, each tagged with its source.

    Args:
        sources: Where they are, as the module says; at least one.
        keywords: Keywords of the model.

    Raises:
        ConfigError: If no source is given, or two are called the same.
        DataError: If something is missing, cannot be read or cannot be meant.
    """
    if not sources:
        raise ConfigError(
            "no recordings were named, needed at least one manifest, sound file or folder: --on "
            "PATH, --on FOLDER:test for a part of a corpus"
        )
    found: list[Recording] = []
    labels: list[str] = []
    for source in dict.fromkeys(sources):
        path, split, apart = part_of(source)
        label = ":".join([path.resolve().name.removesuffix(".jsonl"), *([split] if split else [])])
        labels.append(label)
        several = len(sources) > 1
        for one in readers.read(path, keywords, split=split, apart=apart):
            name = f"{label}/{one.name}" if several else one.name
            found.append(replace(one, name=name, tags={**one.tags, "source": label}))
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise ConfigError(
            f"two sources of recordings are called {sorted(twice)[0]}, needed a name for each: "
            "rename a folder"
        )
    return tuple(found)


def part_of(source: str) -> tuple[Path, Split | None, float | None]:
    """Return path, split and share of the speakers that a source names.

    Args:
        source: ``PATH``, ``PATH:SPLIT`` or ``PATH:SPLIT:SHARE``.

    Raises:
        ConfigError: If the split or the share is none.

    Example:
        >>> part_of("read-speech:valid:0.2")[1:]
        ('valid', 0.2)
    """
    head, _, last = source.rpartition(":")
    for split in SPLITS:
        if head and last == split:
            return Path(head), split, None
        if head.endswith(f":{split}"):
            try:
                share = float(last)
            except ValueError:
                share = 0.0
            if not 0 < abs(share) < 1:
                raise ConfigError(
                    f"{source} names the share {last!r} of speakers, needed a number between 0 "
                    "and 1, as 'apart' in the settings of the training says, or minus that number"
                )
            return Path(head.removesuffix(f":{split}")), split, share
    if head and not Path(source).exists() and Path(head).exists():
        raise ConfigError(
            f"{source}: no split is called {last!r}, needed {', '.join(SPLITS)}: name one after "
            "the folder, or none of them"
        )
    return Path(source), None, None
