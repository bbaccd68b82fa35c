"""Sentences spoken by espeak-ng: hours of speech in which, as is known, no keyword occurs.

In come texts and a seed, out goes a folder with a list, as a corpus of read speech lies on disk. It
is a room because speech of many voices is needed by the hour where false accepts are learned from
and counted, and because what is not said in it must be certain.

A speaker reads a chapter of consecutive sentences. The voices of a split are those that single
words of that split are spoken by (``synth``): valid and test hold no voice of training.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr

from watchword.audio import to_int16
from watchword.data import espeak, synth
from watchword.data.layouts import find_lists, is_apart, listed_utterances
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError
from watchword.files import folder_written_whole
from watchword.units import SAMPLE_RATE_HZ
from watchword.words import words_of

LIST: Final = "utterances.csv"
STAMP: Final = "sentences.json"
IN_CHAPTER: Final = 40
LEVEL_DB: Final = (-32.0, -14.0)
COLUMNS: Final = ("file", "split", "seconds", "speaker", "voice", "chapter", "index", "transcript")
Progress = Callable[[int, int], None]


def texts(source: Path, split: Split | None = None, apart: float | None = None) -> list[str]:
    """Return sentences to speak, in order.

    Args:
        source: A text file with a sentence on each line, or a corpus with transcripts.
        split: Split of the corpus; all of it where None.
        apart: Of the corpus's speakers, those of this share that training leaves (``is_apart``);
            where negative, all the others.

    Raises:
        ConfigError: If a share cannot be meant, or a split or a share is asked of a text file.
        DataError: If there is no sentence.
    """
    if apart is not None and not 0 < abs(apart) < 1:
        raise ConfigError(
            f"a share of {abs(apart):g} of the speakers was asked for, needed above 0 and below 1: "
            "give the share that training leaves"
        )
    if source.is_file() and (split, apart) != (None, None):
        raise ConfigError(
            f"a split or some speakers of {source} were asked for, which is a file, needed a "
            "corpus with a list: give its folder, or take all of the file"
        )
    if source.is_dir():
        spoken = listed_utterances(source, find_lists(source))
        found = [
            one.text
            for one in spoken
            if split in (None, one.split)
            and (apart is None or is_apart(one.speaker, abs(apart)) == (apart >= 0))
        ]
    else:
        try:
            found = source.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{source} cannot be read ({error}), needed a text file in UTF-8 with a sentence "
                "on each line, or a corpus with transcripts: give one"
            ) from error
    found = [text.strip() for text in found if words_of(text)]
    if not found:
        raise DataError(
            f"{source} holds no sentence, needed a line or a transcript for each: give another "
            "file, corpus or split"
        )
    return found


def without(sentences: Sequence[str], barred: Collection[str]) -> list[str]:
    """Return the sentences that hold none of some words, nor a digit, which may be read as one.

    Args:
        sentences: Some.
        barred: Words, in lower case.

    Raises:
        DataError: If none is left.

    Example:
        >>> without(["Stop it.", "Unstoppable!"], ["stop"])
        ['Unstoppable!']
    """
    kept = [text for text in sentences if not (barred and _may_hold(text, {*barred}))]
    if not kept:
        raise DataError(
            f"all of {len(sentences):,} sentences hold a digit or one of "
            f"{', '.join(sorted(barred))}, needed some that do not: give other sentences"
        )
    return kept


def _may_hold(text: str, barred: set[str]) -> bool:
    """Tell whether one of some words may be heard when a text is read."""
    return any(sign.isdigit() for sign in text) or not barred.isdisjoint(words_of(text))


def synthesise(
    folder: Path,
    sentences: Sequence[str],
    *,
    split: Split,
    hours: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write hours of sentences, a chapter to each speaker, and the list of them.

    Sentences are spoken in seeded order, all of them before any is spoken again. The folder is
    written whole or not at all; one that holds the very same speech is used as it is.

    Args:
        folder: Where to; absent, empty, or the same speech from an earlier call.
        sentences: What to say.
        split: Whose voices speak, and what the list says.
        hours: How long, about: the chapter that passes it is the last.
        seed: Anything random follows from it.
        progress: Called with the minutes spoken so far and those in all.

    Returns:
        The folder.

    Raises:
        ConfigError: If no time is asked for, or the seed is negative.
        DataError: If the folder holds something else or cannot be written, or espeak-ng fails.
        WatchwordError: If ``espeakng-loader`` is not installed.
    """
    if not 0 < hours < float("inf"):
        raise ConfigError(f"{hours:g} hours were asked for, needed a time above 0: 1 is a start")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}, needed 0 or more: choose another")
    espeak.check_installed()
    stamp = {
        "voices": f"espeakng-loader {metadata.version('espeakng-loader')}",
        "sentences": hashlib.sha256("\n".join(sentences).encode()).hexdigest(),
        "split": split,
        "hours": hours,
        "seed": seed,
    }
    if synth.is_there(folder, STAMP, stamp):
        return folder
    with folder_written_whole(folder) as place:
        rows = list(_chapters(place, sentences, split, hours, seed, progress))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        (place / LIST).write_text(table.getvalue(), encoding="utf-8", newline="")
        (place / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    return folder


def _chapters(
    folder: Path,
    sentences: Sequence[str],
    split: Split,
    hours: float,
    seed: int,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    """Speak chapters until the time is full, and yield a row of the list for each sentence."""
    rng = np.random.default_rng([seed, 4, *split.encode()])
    spoken_s, chapter, waiting = 0.0, 0, list[str]()
    while spoken_s < 3_600 * hours:
        if len(waiting) < IN_CHAPTER:
            waiting += [sentences[place] for place in rng.permutation(len(sentences))]
        reader = synth.draw_speaker(rng, split)
        chosen, waiting = waiting[:IN_CHAPTER], waiting[IN_CHAPTER:]
        for row in _chapter(folder, chosen, reader, chapter, rng):
            spoken_s += row["seconds"]
            yield {**row, "split": split}
        chapter += 1
        if progress:
            progress(min(round(spoken_s / 60), round(60 * hours)), round(60 * hours))


def _chapter(
    folder: Path,
    sentences: Sequence[str],
    reader: synth.Speaker,
    chapter: int,
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Write the sentences of one speaker and yield what the list says of each."""
    manner = (reader.accent, reader.voice, reader.pitch, reader.pitch_range)
    sayings = [
        espeak.Saying(f"{text.lower()}.", *manner, reader.words_per_minute, None)
        for text in sentences
    ]
    level_db = rng.uniform(*LEVEL_DB)
    spoken = espeak.speak(sayings, seed=int(rng.integers(1, 2**31)))
    below = folder / f"{chapter:04}-{reader.name}"
    below.mkdir()
    for index, (text, utterance) in enumerate(zip(sentences, spoken, strict=True)):
        sound = soxr.resample(utterance, espeak.ESPEAK_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
        file = below / f"{index:03}.flac"
        soundfile.write(file, to_int16(synth.at_level(sound, level_db=level_db)), SAMPLE_RATE_HZ)
        yield {
            "file": file.relative_to(folder).as_posix(),
            "seconds": round(len(sound) / SAMPLE_RATE_HZ, 3),
            "speaker": reader.name,
            "voice": reader.voice,
            "chapter": chapter,
            "index": index,
            "transcript": text,
        }
