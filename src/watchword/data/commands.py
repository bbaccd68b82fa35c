"""Google Speech Commands as it lies on disk: the only file that knows.

In comes the folder of an unpacked archive (v0.01, v0.02 or the v0.02 test archive), out go its
utterances with word, speaker and split. It is a room because names, lists and the hash rule of this
one data set must not leak into rooms that serve every corpus.

Source:
    Warden (2018), "Speech Commands", arXiv 1804.03209, section 6, and the README of the archive.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from watchword.data.utterance import Split, Utterance
from watchword.errors import DataError
from watchword.words import SILENCE, UNKNOWN

BACKGROUND_FOLDER: Final = "_background_noise_"
VALIDATION_LIST: Final = "validation_list.txt"
TESTING_LIST: Final = "testing_list.txt"
DROPPED_LIST: Final = "not_in_v0.02_list.txt"

HASH_BUCKETS: Final = 2**27
_MARK = "_nohash_"
# <word>_<speaker>_nohash_<n>.wav.wav, as in the test archive's folder of unknown words
_UNKNOWN_NAME = re.compile(r"(?P<word>[^_]+)_(?P<speaker>[^_]+)_nohash_\d+\.wav(\.wav)?")


def which_split(speaker: str) -> Split:
    """Return the split of a speaker by the published hash rule.

    The SHA-1 of the speaker's name, modulo 2^27, as a percentage: below 10 is valid, below 20 is
    test. It equals the lists of both versions of the archive.

    Args:
        speaker: Everything before ``_nohash_`` in a file name.

    Returns:
        ``train``, ``valid`` or ``test``.

    Source:
        Warden (2018), arXiv 1804.03209, section 6; ``which_set`` in the archive's README.

    Example:
        >>> which_split("067f61e2")
        'valid'
    """
    percent = hash_percent(speaker)
    if percent < 10.0:
        return "valid"
    return "test" if percent < 20.0 else "train"


def hash_percent(speaker: str) -> float:
    """Return a speaker's place in the order of the published hash rule, in [0, 100].

    Args:
        speaker: Everything before ``_nohash_`` in a file name.
    """
    bucket = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % HASH_BUCKETS
    return bucket * 100.0 / (HASH_BUCKETS - 1)


def speaker_of(name: str) -> str | None:
    """Return the speaker in a name of this data set, or None if the name is not of its kind.

    Example:
        >>> speaker_of("yes/0a7c2a8d_nohash_0.wav")
        '0a7c2a8d'
    """
    speaker, mark, _ = name.rpartition("/")[2].partition(_MARK)
    return speaker if mark and speaker else None


def has_lists(folder: Path) -> bool:
    """Tell whether a folder has one of the lists that come with the archive.

    Args:
        folder: The corpus folder.
    """
    return any((folder / listed).is_file() for listed in (VALIDATION_LIST, TESTING_LIST))


def has_archive_names(names: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether most names are of this data set's kind.

    Args:
        names: Names of the audio files of each label.
    """
    everything = [name for of_label in names.values() for name in of_label]
    return 2 * sum(_MARK in name for name in everything) > len(everything)


def is_test_archive(names: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether labels are the test archive's: most names in ``_unknown_`` begin with a word.

    Args:
        names: Names of the audio files of each label.
    """
    unknown = [name.rpartition("/")[2] for name in names.get(UNKNOWN, ())]
    return 2 * sum(_UNKNOWN_NAME.fullmatch(name) is not None for name in unknown) > len(unknown)


def utterances_of_archive(folder: Path, names: Mapping[str, Sequence[str]]) -> list[Utterance]:
    """Return the utterances of an archive.

    The lists decide where they are there: a name in neither is training. Where a list is missing,
    the hash rule decides for the names that no list has; a name without a speaker is hashed whole.

    Args:
        folder: The corpus folder.
        names: Names of the audio files of each label.

    Raises:
        DataError: If a name is in both lists, or a list cannot be read.
    """
    lists: dict[Split, frozenset[str] | None] = {
        "valid": _read_list(folder / VALIDATION_LIST),
        "test": _read_list(folder / TESTING_LIST),
    }
    listed = _listed_splits(folder, lists)
    are_complete = None not in lists.values()
    utterances = []
    for word, of_word in names.items():
        for name in of_word:
            speaker = speaker_of(name)
            by_rule: Split = "train" if are_complete else which_split(speaker or name)
            utterances.append(Utterance(name, word, speaker, listed.get(name, by_rule)))
    return utterances


def utterances_of_test_archive(names: Mapping[str, Sequence[str]]) -> list[Utterance]:
    """Return the utterances of the test archive: all ``test``, each word its folder.

    Args:
        names: Names of the audio files of each label.
    """
    return [
        Utterance(name, word, _test_speaker(word, name), "test")
        for word, of_word in names.items()
        for name in of_word
    ]


def spoken_word(utterance: Utterance) -> str:
    """Return the word that was said, also where the test archive files it under ``_unknown_``.

    Example:
        >>> name = "_unknown_/bed_0a7c2a8d_nohash_0.wav.wav"
        >>> spoken_word(Utterance(name, "_unknown_", "0a7c2a8d", "test"))
        'bed'
    """
    match = _UNKNOWN_NAME.fullmatch(utterance.name.rpartition("/")[2])
    return match["word"] if match and utterance.word == UNKNOWN else utterance.word


def dropped_names(folder: Path) -> frozenset[str]:
    """Return the names of the clips that v0.02 dropped; none where the folder has no such list.

    Raises:
        DataError: If the list cannot be read.
    """
    return _read_list(folder / DROPPED_LIST) or frozenset()


def _test_speaker(word: str, name: str) -> str | None:
    """Return the speaker of a name in the test archive."""
    if word == SILENCE:
        return None
    match = _UNKNOWN_NAME.fullmatch(name.rpartition("/")[2]) if word == UNKNOWN else None
    return match["speaker"] if match else speaker_of(name)


def _listed_splits(folder: Path, lists: Mapping[Split, frozenset[str] | None]) -> dict[str, Split]:
    """Return the split of every listed name; a name in two lists is refused."""
    splits: dict[str, Split] = {}
    for split, listed in lists.items():
        for name in listed or ():
            if name in splits:
                raise DataError(
                    f"{folder}: {name} is in both {VALIDATION_LIST} and {TESTING_LIST}, needed one "
                    "split for each clip; remove it from one of them"
                )
            splits[name] = split
    return splits


def _read_list(path: Path) -> frozenset[str] | None:
    """Return the names in a list, one a line, or None where the file is missing."""
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}), needed one name a line in UTF-8; "
            "unpack the archive again"
        ) from error
    return frozenset(line.strip() for line in lines if line.strip())
