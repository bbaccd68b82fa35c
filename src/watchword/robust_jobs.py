"""The job behind ``watchword eval --robust``: folders of noise and rooms → a report on robustness.

In come folders as a user gives them, or as the environment names them, out goes a plain record that
is written and told. A room beside ``jobs`` because what a model is tested with is looked for, and
refused, before there is a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchword.console import Console
from watchword.data.recordings import Recordings, noise_pool, read_recordings
from watchword.data.utterance import Split
from watchword.errors import ConfigError
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import torch

    from watchword.checkpoint import Checkpoint
    from watchword.config import Environment
    from watchword.data.recordings import NoisePool
    from watchword.data.rows import Source
    from watchword.data.tasks import Task

SEED = 0
"""One for all models: every model hears the same mixtures."""


@dataclass(frozen=True)
class Folders:
    """Noise and rooms of one split, as read from folders; None where there is no folder.

    Args:
        noise: Noise that training never heard.
        rooms: Impulse responses.
    """

    noise: Recordings | None
    rooms: Recordings | None


def folders(
    noise: Path | None,
    rooms: Path | None,
    split: Split,
    where: Environment,
    console: Console,
    *,
    is_asked: bool,
) -> Folders | None:
    """Return what a model is tested with, or None where no test of robustness is asked for.

    Args:
        noise: Folder of noise; that of the environment where not given.
        rooms: Folder of impulse responses; that of the environment where not given.
        split: The split.
        where: The environment.
        console: Where progress is shown.
        is_asked: Whether ``--robust`` was given.

    Raises:
        ConfigError: If a folder is given and no test is asked for.
        DataError: If a folder cannot serve the split.
    """
    if not is_asked:
        if noise or rooms:
            given = "--noise" if noise else "--rooms"
            raise ConfigError(f"{given} was given, which only --robust uses: add --robust")
        return None

    def read(folder: Path | None, what: str) -> Recordings | None:
        told = partial(console.progress, f"reading {what}")
        return read_recordings(folder, split, told=told) if folder else None

    return Folders(read(noise or where.noise, "noise"), read(rooms or where.rooms, "rooms"))


def judge(
    model: Path,
    loaded: Checkpoint,
    corpora: Sequence[Source],
    question: tuple[Task, Split],
    given: Folders,
    device: torch.device,
    folder: Path,
    console: Console,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report of a model under every condition, written and told.

    Args:
        model: Where the model was read from.
        loaded: The model.
        corpora: Prepared corpora.
        question: Task and split.
        given: Noise and rooms.
        device: Where to compute.
        folder: Where to write.
        console: Where progress and tables are shown.
        notes: What the user should know beside what this job says itself.

    Returns:
        The record, with the path of its page as ``report``.
    """
    from watchword import robust, robust_page
    from watchword.evaluate import origin
    from watchword.robust_report import build_record, write_record

    task, split = question
    background, told_of_it = _background(loaded, corpora, split)
    pool = noise_pool("noise", given.noise.waveforms) if given.noise else None
    rooms = robust.responses(given.rooms) if given.rooms else None
    sounds = robust.Sounds(background, pool, rooms)
    told = partial(console.progress, "evaluating")
    found = robust.score_conditions(
        loaded, corpora, task, split, sounds, device=device, seed=SEED, told=told
    )
    record = build_record(
        found,
        sounds=_told_of(background, told_of_it, given),
        notes=[*notes, *_notes(given, told_of_it, task)],
        provenance={**origin(loaded, corpora, model), "seed of the mixtures": SEED},
    )
    written = write_record(record, found, folder)
    for note in record["notes"]:
        console.say(f"note: {note}")
    console.table(robust_page.rows(record), "accuracy", is_answer=True)
    if record["silence"]:
        console.table(robust_page.silence_rows(record), "recall of silence", is_answer=True)
    console.answer(robust_page.headline(record))
    console.answer(f"report: {written}")
    return record | {"report": str(written)}


def _background(
    loaded: Checkpoint, corpora: Sequence[Source], split: Split
) -> tuple[NoisePool, str]:
    """Return the noise of the corpora that a split hears, and what it is in words."""
    from watchword.data import batches

    held_out = loaded.settings.data.hold_out_backgrounds
    pieces = batches.recorded(corpora, split, hold_out=held_out)
    if sum(map(len, pieces)) < CLIP_SAMPLES:
        made = batches.coloured_noise(split)
        told = "noise of three colours, as the corpora have no background recordings"
        return noise_pool("background", [made]), told
    whole = f", and all of {', '.join(held_out)}" if held_out and split == "test" else ""
    told = f"the {split} part of the background recordings{whole}"
    return noise_pool("background", pieces), told


def _told_of(background: NoisePool, told_of_it: str, given: Folders) -> dict[str, Any]:
    """Return where noise and rooms come from, in plain JSON types."""
    seconds = round(len(background.samples) / SAMPLE_RATE_HZ, 1)
    told: dict[str, Any] = {"background": {"what": told_of_it, "seconds": seconds}}
    for name, recordings in (("noise", given.noise), ("rooms", given.rooms)):
        told[name] = recordings and {
            "folder": recordings.folder,
            "is_listed": recordings.is_listed,
            "recordings": len(recordings.names),
            "seconds": round(recordings.seconds, 1),
            "fingerprint": recordings.fingerprint,
        }
    return told


def _notes(given: Folders, background: str, task: Task) -> list[str]:
    """Return what a reader must know of noise and rooms."""
    noise, rooms = given.noise, given.rooms
    notes = [
        f"clips are mixed with noise of the folder {_described(noise)}"
        if noise
        else f"no folder of noise was given: clips are mixed with {background}",
        f"rooms are those of the folder {_described(rooms)}"
        if rooms
        else "no folder of impulse responses was given: reverberation is left out",
    ]
    if not task.has_silence:
        notes.append(f"task {task.name} has no class of silence: its levels are left out")
    return notes


def _described(recordings: Recordings) -> str:
    """Return what was read of a folder."""
    part = "those its list gives to this split" if recordings.is_listed else "all it holds"
    count, seconds = len(recordings.names), recordings.seconds
    return f"{recordings.folder}: {count:,} recordings, {seconds:,.0f} s, {part}"
