"""Settings → prepared corpora: folders found, downloaded and prepared.

In come the corpora that settings name and the places of an environment, out come sources of clips.
A room because what a word in the section ``data.corpora`` means is decided here, and commands that
build no network need no more than this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from watchword.config import CorpusSettings, Environment, Settings
from watchword.data import archives, clips
from watchword.data.layouts import is_apart
from watchword.data.rows import Source
from watchword.data.utterance import Utterance
from watchword.errors import ConfigError, nearest
from watchword.words import words_of

MEGABYTE = 1_000_000
Told = Callable[[str, int, int | None], None]


def quiet(what: str, done: int, total: int | None) -> None:
    """Hear how a long preparation goes, and say nothing."""


def sources(settings: Settings, environment: Environment, told: Told = quiet) -> list[Source]:
    """Return the corpora of a run, downloaded and prepared if they are not.

    Args:
        settings: Which corpora.
        environment: Where they live.
        told: Called with what is done, how much of it, and of how much.

    Raises:
        DataError: If a folder is missing or holds no speech.
    """
    found = [
        source(
            corpus,
            environment,
            train_on_dropped=settings.data.train_on_dropped,
            never_heard=settings.find_task().never_heard,
            told=told,
        )
        for corpus in settings.data.corpora
    ]
    found = _without_copies(settings.data.corpora, found)
    names = [one.name for one in found]
    return [  # folders of the same name are told apart by their place in the settings
        replace(one, name=f"{one.name}#{place}") if names.count(one.name) > 1 else one
        for place, one in enumerate(found)
    ]


def _without_copies(corpora: Sequence[CorpusSettings], found: Sequence[Source]) -> list[Source]:
    """Return corpora that ignore the clips of which another has the better copy."""
    stores = {corpus.folder: one.store for corpus, one in zip(corpora, found, strict=True)}
    kept = []
    for corpus, one in zip(corpora, found, strict=True):
        if corpus.unless_in is not None:
            if corpus.unless_in == corpus.folder or corpus.unless_in not in stores:
                raise ConfigError(
                    f"data.corpora: {corpus.folder} is heard unless_in {corpus.unless_in}, needed "
                    f"the folder of another corpus: {nearest(corpus.unless_in, list(stores))}"
                )
            copies = {spoken.name for spoken in stores[corpus.unless_in].manifest.utterances}
            one = replace(one, ignored=one.ignored | copies)
        kept.append(one)
    return kept


def source(
    corpus: CorpusSettings,
    environment: Environment,
    *,
    train_on_dropped: bool,
    never_heard: Sequence[str] = (),
    told: Told = quiet,
) -> Source:
    """Return one corpus, downloaded and prepared if it is not.

    Args:
        corpus: Its section of the settings.
        environment: Where data lives.
        train_on_dropped: Whether training hears clips that v0.02 of Speech Commands dropped.
        never_heard: Words of the task that training never hears, within sentences neither.
        told: Called with what is done, how much of it, and of how much.

    Raises:
        DataError: If the folder is missing or holds no speech.
    """
    folder = find_folder(corpus.folder, environment, told)
    store = clips.prepare(
        folder,
        environment.prepared,
        cut=corpus.cut,
        workers=min(8, os.cpu_count() or 1),
        progress=lambda done, total: told(f"preparing {folder.name}", done, total),
    )
    left_out = frozenset(corpus.leave_out)
    return Source(
        name=folder.name,
        store=store,
        share=corpus.share,
        words=corpus.words,
        hold_out=corpus.hold_out,
        leave_out=left_out if train_on_dropped else left_out | store.manifest.dropped,
        is_rebuilt=corpus.is_rebuilt,
        splits=corpus.splits,
        ignored=_holding(store.manifest.utterances, [*corpus.without, *never_heard])
        | {
            spoken.name
            for spoken in store.manifest.utterances
            if is_apart(spoken.speaker, corpus.apart)
        },
        is_background=corpus.is_background,
    )


def _holding(utterances: Iterable[Utterance], words: Iterable[str]) -> frozenset[str]:
    """Return the names of utterances whose transcripts hold one of some words."""
    barred = {word.casefold() for word in words}
    return frozenset(
        spoken.name for spoken in utterances if not barred.isdisjoint(words_of(spoken.text))
    )


def find_folder(name: str, environment: Environment, told: Told = quiet) -> Path:
    """Return the folder of a corpus: below the data folder, or as it is given, or downloaded.

    Args:
        name: A path, or the name of a public archive.
        environment: Where data lives.
        told: Called with what is done, how much of it, and of how much.

    Raises:
        DataError: If the name is a public archive's and it cannot be downloaded.
    """
    below = environment.datasets / name
    there = [folder for folder in (below, Path(name)) if folder.is_dir()]
    filled = [folder for folder in there if any(folder.iterdir())]
    if filled or name not in archives.ARCHIVES:
        return (filled or there or [below])[0]
    return archives.fetch(name, environment.datasets, progress=archive_progress(name, told))


def archive_progress(name: str, told: Told) -> archives.Progress:
    """Return what hears of an archive's way and tells it on, in millions of bytes.

    Args:
        name: Name of the archive.
        told: Called with what is done, how much of it, and of how much.
    """
    verbs = {"download": "downloading", "check": "checking", "unpack": "unpacking"}

    def tell(stage: archives.Stage, done: int, total: int | None) -> None:
        millions = None if total is None else total // MEGABYTE
        told(f"{verbs[stage]} {name}, MB", done // MEGABYTE, millions)

    return tell
