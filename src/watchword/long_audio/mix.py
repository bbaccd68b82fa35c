"""Clips, backgrounds and rooms → long recordings whose truth is exact.

In come folders of clips, of noise, of rooms and of negative speech, and a recipe; out goes a folder
of recordings with their manifest. A room because it alone decides who speaks when, so that a split
hears only its own speakers and backgrounds and nothing is said that the manifest does not know.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from watchword import audio
from watchword.audio import Waveform
from watchword.data.manifest import Split
from watchword.errors import ConfigError, DataError
from watchword.files import folder_written_whole
from watchword.long_audio import readers
from watchword.long_audio.ingredients import Heard, Pantry, gather
from watchword.long_audio.recipe import Recipe
from watchword.long_audio.reference import Event, Recording, Said, hours
from watchword.long_audio.script import EDGE_SAMPLES, Deck, Placed, Script, fill
from watchword.long_audio.sound import (
    at_level,
    background,
    in_room,
    within_scale,
)
from watchword.units import SAMPLE_RATE_HZ, Decibels, Samples

__all__ = ["Recipe", "mix"]

STAMP: Final = "mix.json"
SOURCES: Final = "sources.csv"
_VERSION: Final = 1  # of what follows from a recipe and its sources; another one is another mix

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class _Scene:
    """What one recording sounds like."""

    level_dbfs: Decibels
    snr_db: Decibels
    noise: Heard | None
    room: Heard | None

    @property
    def tags(self) -> dict[str, str]:
        """What is known of the recording."""
        found = {"noise": self.noise and self.noise.tag, "room": self.room and self.room.tag}
        return {name: tag for name, tag in found.items() if tag} | self.snr

    @property
    def snr(self) -> dict[str, str]:
        """What is known of each of its events."""
        return {"snr_db": str(round(self.snr_db, 1) + 0.0)} if self.noise else {}


def mix(
    folder: Path,
    speech: Sequence[Path],
    *,
    split: Split,
    keywords: Sequence[str],
    noise: Path | None = None,
    rooms: Path | None = None,
    negative: Path | None = None,
    without: Sequence[str] = (),
    noise_split: Split | None = None,
    recipe: Recipe,
    progress: Progress = lambda _done, _total: None,
) -> tuple[Recording, ...]:
    """Write long recordings of a split with exact truth, and return them.

    The folder then holds ``mix-0001.flac`` and so on, ``manifest.jsonl`` with the truth,
    ``sources.csv`` with every clip, noise and room that sounds in them, and ``mix.json`` with the
    recipe, fingerprints and counts. It is written whole or not at all; one that already holds the
    very same mix is used as it is. The same folders and recipe make the same bytes.

    Each clip of a keyword is said once, in an order that the seed decides, before any is said
    again; so are other words and sentences. Each is scaled to the level of its recording; the
    background's level follows from the ratio. Nobody whom the folders of speech give to another
    split is heard.

    Args:
        folder: Where to; absent, empty, or the same mix from an earlier call.
        speech: Corpora of clips, in any layout of ``read_manifest``. What two of them have under
            one name is taken from the first.
        split: Whose speakers, backgrounds, rooms and sentences are heard.
        keywords: Words that are marked as events; other words are said without a mark, but for
            those that sound like a keyword. None makes negative recordings.
        noise: Folder of backgrounds, as ``read_recordings`` reads it; without it there is none.
        rooms: Folder of impulse responses, read likewise.
        negative: Corpus of sentences, with transcripts or without.
        without: Words that nobody says, alone or in a sentence with a transcript.
        noise_split: Split of the backgrounds, where their list has none for the split of the
            speech; the same where None.
        recipe: How.
        progress: Called after each recording with what is done and what is to be done: recordings,
            or, where no hours are asked for, keyword clips.

    Returns:
        The recordings, as the manifest holds them.

    Raises:
        ConfigError: If folders and shares contradict each other.
        DataError: If the split has no clip of a keyword, no background or no sentence, or the
            folder holds something else or cannot be written.
        AudioError: If a background or a room is no usable audio.
    """
    folder, keywords = Path(folder), tuple(dict.fromkeys(keywords))
    _refuse_contradictions(recipe, keywords, rooms, negative, without)
    pantry = gather(speech, split, keywords, noise, rooms, negative, without, noise_split)
    asked = {
        "version": _VERSION,
        "recipe": asdict(recipe),
        "split": split,
        "noise_split": noise_split,
    }
    asked |= {"keywords": keywords, "without": sorted(without), "sources": pantry.prints}
    asked = json.loads(json.dumps(asked))
    if _is_there(folder, asked):
        return readers.read(folder / readers.MANIFEST, keywords)
    with folder_written_whole(folder) as place:
        made = [*_recordings(place, pantry, recipe, progress)]
        recordings = [recording for recording, _ in made]
        readers.write(place / readers.MANIFEST, recordings)
        rows = [row for _, rows in made for row in rows]
        _write_sources(place / SOURCES, rows)
        counts = _counts(recordings, rows, keywords, pantry.left_out)
        stamp = json.dumps({**asked, **counts}, indent=2, ensure_ascii=False)
        (place / STAMP).write_text(stamp + "\n", encoding="utf-8")
    return tuple(
        replace(one, files=tuple(folder / path.name for path in one.files)) for one in recordings
    )


def _refuse_contradictions(
    recipe: Recipe,
    keywords: Sequence[str],
    rooms: Path | None,
    negative: Path | None,
    without: Sequence[str],
) -> None:
    """Refuse shares of what is not given, what is given and has no share, and no keywords."""
    for name, share, folder in (
        ("reverb", recipe.reverb, rooms),
        ("speech", recipe.speech, negative),
    ):
        if (share > 0) != (folder is not None):
            what = "no folder for it" if folder is None else f"the folder {folder} for it"
            raise ConfigError(
                f"{name} is {share:g} and there is {what}, needed a folder and a share above 0, or "
                "neither: give both or leave out both"
            )
    both = sorted({*keywords} & {*without})
    if both:
        raise ConfigError(
            f"{', '.join(both)} is a keyword and also among the words nobody says, needed one or "
            "the other: name other keywords, or leave words out of without"
        )
    if keywords and recipe.others + recipe.speech == 1.0:
        raise ConfigError(
            "others and speech are 1 of the utterances, needed less than 1, since the rest are "
            "keywords: lower one of them"
        )
    if not keywords and recipe.hours is None:
        raise ConfigError(
            "no keyword was named, and nothing tells how long to mix, needed keywords, which are "
            "each said once, or a time: name some, or ask for hours of negative recordings"
        )


def _recordings(
    place: Path, pantry: Pantry, recipe: Recipe, progress: Progress
) -> Iterator[tuple[Recording, list[list[str]]]]:
    """Write recordings; yield each with the rows of its sources."""
    script = Script(pantry, recipe)
    takes, clips = iter(script), script.unheard
    rng = np.random.default_rng([recipe.seed, 3])
    noises = Deck(pantry.noises, np.random.default_rng([recipe.seed, 4]))
    rooms = Deck(pantry.rooms, np.random.default_rng([recipe.seed, 5]))
    first, done = next(takes, None), 0
    while first is not None and done != recipe.recordings:
        placed, first = fill(first, takes, recipe, rng)
        done += 1
        level_dbfs, snr_db = rng.uniform(*recipe.level_dbfs), rng.uniform(*recipe.snr_db)
        room = rooms.deal() if rng.random() < recipe.reverb else None
        scene = _Scene(level_dbfs, snr_db, noises.deal() if pantry.noises else None, room)
        end = max(one.end for one in placed) + EDGE_SAMPLES
        samples = end if first is None else max(end, recipe.samples)
        path = place / f"mix-{done:04d}.flac"
        _write_flac(
            path, _sound(placed, samples, scene, np.random.default_rng([recipe.seed, 6, done]))
        )
        recording = _truth(path, placed, samples, scene)
        yield recording, _rows(recording, placed, scene)
        if recipe.recordings is None:
            progress(clips - script.unheard, clips)
        else:
            progress(done, recipe.recordings)


def _sound(
    placed: Iterable[Placed], samples: Samples, scene: _Scene, rng: np.random.Generator
) -> Waveform:
    """Return what a recording sounds like."""
    sound = np.zeros(samples, np.float32)
    for one in placed:
        clip = at_level(one.take.clip, scene.level_dbfs)
        if scene.room is not None:
            clip = in_room(clip, scene.room.waveform)
        clip = clip[: samples - one.first]
        sound[one.first : one.first + len(clip)] += clip
    if scene.noise is not None:
        stretch = background(scene.noise.waveform, samples, rng)
        sound += at_level(stretch, scene.level_dbfs - scene.snr_db)
    return within_scale(sound)


def _write_flac(path: Path, sound: Waveform) -> None:
    """Write a recording; equal sounds are equal bytes."""
    encoded = io.BytesIO()
    pcm = audio.to_int16(sound)
    soundfile.write(encoded, pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    path.write_bytes(encoded.getbuffer())


def _truth(path: Path, placed: Sequence[Placed], samples: Samples, scene: _Scene) -> Recording:
    """Return what is known of a recording."""
    events, said, may_hold = [], [], False
    for one in sorted(placed, key=lambda one: one.start):
        spoken = one.take.item.utterance
        speaker = {"speaker": spoken.speaker} if spoken.speaker else {}
        span = one.start / SAMPLE_RATE_HZ, one.end / SAMPLE_RATE_HZ
        if one.take.item.kind == "keyword":
            events.append(Event(spoken.word, *span, speaker | scene.snr))
        elif one.take.item.kind == "sentence" and spoken.text:
            said.append(Said(spoken.text, *span))
        elif one.take.item.kind == "sentence":
            may_hold = True
    lasts_s = samples / SAMPLE_RATE_HZ
    return Recording(path.stem, (path,), lasts_s, tuple(events), tuple(said), may_hold, scene.tags)


def _rows(recording: Recording, placed: Iterable[Placed], scene: _Scene) -> list[list[str]]:
    """Return the lines of a recording in the table of sources."""
    whole = [recording.name, "0", f"{recording.duration_s}"]
    rows = [
        [*whole, kind, "", "", heard.folder, heard.name]
        for kind, heard in (("noise", scene.noise), ("room", scene.room))
        if heard is not None
    ]
    for one in placed:
        item, spoken = one.take.item, one.take.item.utterance
        span = f"{one.start / SAMPLE_RATE_HZ}", f"{one.end / SAMPLE_RATE_HZ}"
        who = spoken.word, spoken.speaker or "", item.folder.resolve().name, spoken.name
        rows.append([recording.name, *span, item.kind, *who])
    return rows


def _write_sources(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write the table of all that sounds in the recordings."""
    header = ("recording", "start_s", "end_s", "kind", "word", "speaker", "folder", "clip")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _counts(
    recordings: Sequence[Recording],
    rows: Iterable[Sequence[str]],
    keywords: Sequence[str],
    left_out: Mapping[str, int],
) -> dict[str, Any]:
    """Return how much of everything there is."""
    events = Counter(event.keyword for one in recordings for event in one.events)
    kinds = Counter(row[3] for row in rows)
    return {
        "recordings": len(recordings),
        "hours": hours(recordings),
        "events": {keyword: events[keyword] for keyword in keywords},
        "other_words": kinds["other"],
        "sentences": kinds["sentence"],
        "left_out": dict(sorted(left_out.items())),
    }


def _is_there(folder: Path, asked: Mapping[str, Any]) -> bool:
    """Tell whether a folder already holds a mix; refuse a folder with anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        is_same = all(found.get(name) == value for name, value in asked.items())
    except (OSError, ValueError, AttributeError):
        is_same = False
    if not is_same:
        raise DataError(
            f"{folder} holds something other than this mix; an absent or empty folder is needed: "
            "delete it or name another one"
        )
    return True
