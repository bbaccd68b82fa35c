"""Who says what, and when: utterances in seeded order, each with its place in a recording.

In come utterances that may be said, out come clips whose words have a place. A room because the
truth of a mixed recording is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from watchword import audio
from watchword.audio import Waveform
from watchword.data.clips import cut_pieces
from watchword.errors import AudioError, DataError
from watchword.long_audio.ingredients import SILENT_POWER, Item, Kind, Pantry
from watchword.long_audio.recipe import Recipe
from watchword.long_audio.sound import (
    centred,
    endpoints,
    faded,
    power,
)
from watchword.units import SAMPLE_RATE_HZ, Samples

EDGE_SAMPLES: Final[Samples] = 19_200
"""A recording begins and ends with 1.2 s of background without a word."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Take:
    """An utterance that was read.

    Args:
        item: Which.
        clip: Its samples, shape ``(samples,)``.
        start: Where the word begins in the clip; a sentence fills it.
        end: First sample after the word.
    """

    item: Item
    clip: Waveform
    start: Samples
    end: Samples


@dataclass(frozen=True, eq=False)
class Placed:
    """A take in a recording.

    Args:
        take: The take.
        start: Where its word begins in the recording.
    """

    take: Take
    start: Samples

    @property
    def end(self) -> Samples:
        """First sample after the word."""
        return self.start + self.take.end - self.take.start

    @property
    def first(self) -> Samples:
        """Where the clip begins."""
        return self.start - self.take.start


class Deck(Generic[T]):
    """Things in seeded order: each is dealt once before any is dealt again.

    Args:
        things: At least one, if any is dealt.
        rng: Decides the order.
    """

    def __init__(self, things: Sequence[T], rng: np.random.Generator) -> None:
        self._things, self._rng = [*things], rng
        self._left: list[T] = []
        self.unheard = len(things)

    def deal(self) -> T:
        """Return the next one."""
        if not self._left:
            self._left = [self._things[row] for row in self._rng.permutation(len(self._things))]
        self.unheard = max(0, self.unheard - 1)
        return self._left.pop()

    def drop(self, thing: T) -> bool:
        """Deal one never again; tell whether others are left.

        Args:
            thing: Which.
        """
        self._things.remove(thing)
        return bool(self._things)


class Script:
    """Takes one after the other: what is said next.

    Args:
        pantry: What may be said.
        recipe: How often, and with which seed.
    """

    def __init__(self, pantry: Pantry, recipe: Recipe) -> None:
        self._rng = np.random.default_rng([recipe.seed, 1])
        self._recipe, self._left_out = recipe, pantry.left_out
        self._decks = {
            kind: Deck(items, np.random.default_rng([recipe.seed, 2, row]))
            for row, (kind, items) in enumerate(pantry.items.items())
            if items
        }

    @property
    def unheard(self) -> int:
        """Keyword clips that nobody said yet."""
        return self._decks["keyword"].unheard if "keyword" in self._decks else 0

    def __iter__(self) -> Iterator[Take]:
        """Yield takes: for ever, or until every keyword clip was said once."""
        while self._recipe.hours is not None or self.unheard:
            kind = self._kind()
            item = self._decks[kind].deal()
            take = _read(item)
            if isinstance(take, Take):
                yield take
            else:
                self._leave_out(item, take)

    def _kind(self) -> Kind:
        """Draw what is said next; where there is none of it, a keyword, or else what there is."""
        chance, speech, others = self._rng.random(), self._recipe.speech, self._recipe.others
        kind: Kind = "sentence" if chance < speech else "other"
        if chance < speech + others and kind in self._decks:
            return kind
        return next(iter(self._decks))

    def _leave_out(self, item: Item, reason: str) -> None:
        """Never say an utterance again."""
        self._left_out[reason] += 1
        if self._decks[item.kind].drop(item):
            return
        if item.kind == "keyword" or len(self._decks) == 1:
            what = {"keyword": "clip of a keyword", "other": "clip"}.get(item.kind, "sentence")
            raise DataError(
                f"{item.folder}: no {what} is usable audio, the last is {reason} "
                f"({item.utterance.name}), needed one: run 'watchword data check' on the folder"
            )
        del self._decks[item.kind]


def _read(item: Item) -> Take | str:
    """Return an utterance with the place of its word, or why it is left out."""
    try:
        samples = audio.to_int16(audio.read(item.folder / item.utterance.name)[0])
    except AudioError:
        return "no usable audio"
    if item.kind != "sentence":
        (second,), _ = cut_pieces(samples, "whole")
        samples = second[: len(samples)]
    clip = centred(audio.chunk(samples))
    if power(clip) < SILENT_POWER:
        return "silent"
    start, end = (0, len(clip)) if item.kind == "sentence" else endpoints(clip)
    return Take(item, faded(clip), start, end)


def fill(
    first: Take, takes: Iterator[Take], recipe: Recipe, rng: np.random.Generator
) -> tuple[list[Placed], Take | None]:
    """Return the takes of one recording and the take that begins the next one.

    Args:
        first: The take it begins with.
        takes: Those that follow.
        recipe: Gaps, overlaps and the length.
        rng: Where places are drawn from.
    """
    last = recipe.samples - EDGE_SAMPLES
    placed: list[Placed] = []
    take: Take | None = first
    while take is not None:
        one = Placed(take, _start(take, placed, recipe, rng))
        if placed and one.end > last:
            break
        placed.append(one)
        take = next(takes, None)
    return placed, take


def _start(
    take: Take, placed: Sequence[Placed], recipe: Recipe, rng: np.random.Generator
) -> Samples:
    """Return where a word begins: in the former one, or a gap after it."""
    gap_s, chance, share = rng.uniform(*recipe.gap_s), rng.random(), rng.random()
    if not placed:
        return EDGE_SAMPLES + int(share * SAMPLE_RATE_HZ)
    former = max(placed, key=lambda one: one.end)
    within = former.end - 1 - int(share * (former.end - former.start) / 2)
    if chance < recipe.overlap and _may_overlap(take, former, within, placed):
        return within
    return former.end + math.ceil(gap_s * SAMPLE_RATE_HZ)


def _may_overlap(take: Take, former: Placed, start: Samples, placed: Iterable[Placed]) -> bool:
    """Tell whether a word may begin before the former one has ended: two words, not the same."""
    if "sentence" in (take.item.kind, former.take.item.kind):
        return False
    word = take.item.utterance.word.casefold()
    same = (one for one in placed if one.take.item.utterance.word.casefold() == word)
    return all(one.end <= start for one in same)
