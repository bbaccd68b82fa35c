"""Folders → what may be mixed: clips, sentences, backgrounds and rooms of one split.

In come folders, out goes a pantry with the fingerprints of where it comes from. A room because it
alone decides what a split may hear and what is left out.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from watchword import audio
from watchword.audio import Waveform
from watchword.data.layouts import find_lists, is_apart
from watchword.data.manifest import Manifest, Split, Utterance, read_manifest
from watchword.data.recordings import read_recordings
from watchword.errors import DataError
from watchword.long_audio.sound import centred, power
from watchword.long_audio.sources import part_of
from watchword.words import SILENCE, UNKNOWN, sounding_like, words_of

SILENT_POWER: Final = 1e-8
"""What is fainter than -80 dB of full scale is silence."""
_TAG_COLUMNS: Final = {"noise": "scene", "rooms": "room"}

Kind = Literal["keyword", "other", "sentence"]


@dataclass(frozen=True)
class Item:
    """An utterance that may be said.

    Args:
        kind: Whether it is a keyword, another word or a sentence.
        folder: Its corpus.
        utterance: Which.
    """

    kind: Kind
    folder: Path
    utterance: Utterance


@dataclass(frozen=True, eq=False)
class Heard:
    """A background or a room.

    Args:
        folder: Name of its folder.
        name: Its path below it.
        tag: What reports call it.
        waveform: Samples in [-1, 1], shape ``(samples,)``, not silent.
    """

    folder: str
    name: str
    tag: str
    waveform: Waveform


@dataclass(frozen=True, eq=False)
class Pantry:
    """All that may be mixed.

    Args:
        items: Utterances of each kind.
        noises: Backgrounds.
        rooms: Impulse responses.
        prints: Fingerprints of where all this comes from.
        left_out: How many utterances were left out, by reason; reading them adds to it.
    """

    items: Mapping[Kind, Sequence[Item]]
    noises: Sequence[Heard]
    rooms: Sequence[Heard]
    prints: Mapping[str, Any]
    left_out: Counter[str]


def gather(
    speech: Sequence[Path],
    split: Split,
    keywords: Sequence[str],
    noise: Path | None,
    rooms: Path | None,
    negative: Path | None,
    without: Sequence[str],
    noise_split: Split | None = None,
) -> Pantry:
    """Return all that may be mixed.

    Args:
        speech: Corpora of clips.
        split: Whose recordings are wanted.
        keywords: Words that are marked.
        noise: Folder of backgrounds.
        rooms: Folder of impulse responses.
        negative: Corpus of sentences; ``FOLDER:SPLIT`` for another split of it than that of the
            clips, ``FOLDER:SPLIT:SHARE`` for its speakers that training left.
        without: Words that nobody says.
        noise_split: Split of the backgrounds; the same where None.

    Raises:
        ConfigError: If a corpus is named with a split or a share that is none.
        DataError: If the split has no clip of a keyword, no background or no sentence.
        AudioError: If a background or a room is no usable audio.
    """
    left_out: Counter[str] = Counter()
    manifests = [read_manifest(path) for path in speech]
    items = [*_words(manifests, split, keywords, without, left_out)]
    place, part, apart = part_of(str(negative)) if negative else (None, None, None)
    if place:
        items += _sentences(read_manifest(place), part or split, apart, without, left_out)
    _refuse_missing(keywords, items, split, manifests)
    prints = {"speech": [_print(one.folder, items) for one in manifests]}
    if place:
        prints["negative"] = [_print(place, items)]
    heard: dict[str, list[Heard]] = {"noise": [], "rooms": []}
    for what, path in (("noise", noise), ("rooms", rooms)):
        if path is not None:
            wanted = noise_split or split if what == "noise" else split
            heard[what], of_folder = _heard(path, wanted, what)
            prints[what] = [of_folder]
    kinds: tuple[Kind, ...] = ("keyword", "other", "sentence")
    by_kind = {kind: [one for one in items if one.kind == kind] for kind in kinds}
    return Pantry(by_kind, heard["noise"], heard["rooms"], prints, left_out)


def _words(
    manifests: Sequence[Manifest],
    split: Split,
    keywords: Sequence[str],
    without: Sequence[str],
    left_out: Counter[str],
) -> Iterator[Item]:
    """Yield keywords and other words of a split."""
    everything = [(one.folder, spoken) for one in manifests for spoken in one.utterances]
    dropped = {name for one in manifests for name in one.dropped}
    elsewhere = {spoken.speaker for _, spoken in everything if spoken.split != split} - {None}
    barred = {UNKNOWN, SILENCE}.union(*map(sounding_like, (*keywords, *without)))
    seen: set[str] = set()
    for folder, spoken in everything:
        is_keyword, is_new = spoken.word in keywords, spoken.name not in seen
        seen.add(spoken.name)
        if spoken.split != split or not is_new:
            continue
        if not is_keyword and spoken.word.casefold() in barred:
            continue
        if spoken.name in dropped or spoken.speaker in elsewhere:
            left_out["dropped" if spoken.name in dropped else "speaker of another split"] += 1
        else:
            yield Item("keyword" if is_keyword else "other", folder, spoken)


def _refuse_missing(
    keywords: Sequence[str], items: Iterable[Item], split: Split, manifests: Sequence[Manifest]
) -> None:
    """Refuse keywords that no clip says, and folders in which nobody says anything."""
    said = {one.utterance.word for one in items}
    missing = sorted({*keywords} - said)
    folders = ", ".join(str(one.folder) for one in manifests) or "no folder"
    if not said and not keywords:
        raise DataError(
            f"{folders}: no {split} clip found that may be said, needed at least one: choose "
            "another split or folder, or leave fewer words out"
        )
    if missing:
        raise DataError(
            f"{folders}: no {split} clip of {', '.join(missing)} found, needed at least one of "
            "each keyword: check its spelling, name a folder that holds it, or leave it out"
        )


def _sentences(
    manifest: Manifest,
    split: Split,
    apart: float | None,
    without: Sequence[str],
    left_out: Counter[str],
) -> list[Item]:
    """Return the sentences of a split, or of some of its speakers, that hold none of some words."""
    barred: frozenset[str] = frozenset().union(*map(sounding_like, without))
    of_split = [
        spoken
        for spoken in manifest.utterances
        if spoken.split == split
        and (apart is None or is_apart(spoken.speaker, abs(apart)) == (apart > 0))
    ]
    kept = [spoken for spoken in of_split if barred.isdisjoint(words_of(spoken.text))]
    if not kept:
        raise DataError(
            f"{manifest.folder}: no {split} sentence found that may be said, needed at least one: "
            "choose another --split or another folder, or leave fewer words out"
        )
    left_out["sentence with a word nobody says"] += len(of_split) - len(kept)
    return [Item("sentence", manifest.folder, spoken) for spoken in kept]


def _print(folder: Path, items: Iterable[Item]) -> dict[str, str | int]:
    """Return the fingerprint of what is used of a corpus."""
    lines = []
    for one in (one for one in items if one.folder == folder):
        spoken, place = one.utterance, folder / one.utterance.name
        size = place.stat().st_size if place.is_file() else 0
        lines.append(f"{spoken.name}\t{spoken.word}\t{spoken.speaker}\t{spoken.text}\t{size}\n")
    digest = hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape"))
    return {"folder": folder.resolve().name, "clips": len(lines), "sha256": digest.hexdigest()}


def _heard(folder: Path, split: Split, what: str) -> tuple[list[Heard], dict[str, str | int]]:
    """Return the noises or rooms of a split that are not silent, and their fingerprint."""
    read = read_recordings(folder, split)
    tags = _listed_tags(folder, _TAG_COLUMNS[what])
    loud = []
    for name, samples in zip(read.names, read.waveforms, strict=True):
        waveform = audio.chunk(samples)
        if what == "noise":
            waveform = centred(waveform)
        if power(waveform) >= (SILENT_POWER if what == "noise" else 1e-20):
            tag = tags.get(name) or str(PurePosixPath(name).with_suffix(""))
            loud.append(Heard(read.folder, name, tag, waveform))
    if not loud:
        raise DataError(
            f"{folder}: all of {len(read.names):,} recordings of {split} are silent, needed one "
            "that sounds: check the folder, or leave it out"
        )
    return loud, {
        "folder": read.folder,
        "recordings": len(loud),
        "sha256": read.fingerprint,
        "is_listed": read.is_listed,
    }


def _listed_tags(folder: Path, column: str) -> dict[str, str]:
    """Return what a column of a folder's lists says of each file."""
    found = {}
    for path in find_lists(folder):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                found[str(PurePosixPath(row["file"]))] = row.get(column) or ""
    return found
