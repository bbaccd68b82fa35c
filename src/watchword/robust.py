"""A checkpoint over a split under stated conditions → scores of each, and of silence at each level.

In come a trained model, prepared corpora, noise and rooms, out go scores. It is a room because what
a model is tested with must not depend on chance, on the model or on the order of clips: everything
is done by the steps of ``augment``, with draws that are fixed by the names of the clips.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from watchword import augment, build
from watchword.augment.level import SILENCE_POWER
from watchword.chain import to_waveforms
from watchword.checkpoint import Checkpoint
from watchword.data.batches import QUIETEST_DB, cut_silence
from watchword.data.recordings import NoisePool, Recordings
from watchword.data.rows import Source
from watchword.data.tasks import Task
from watchword.data.utterance import Split
from watchword.errors import DataError
from watchword.evaluate import Change, listen, outputs_for, score
from watchword.robust_report import CLEAN, ROOM, SILENT, SPOKEN, Condition
from watchword.scores import Scores
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ
from watchword.words import SILENCE

CUTS = 400
"""Seconds of each noise that a level of silence is judged by."""

Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Sounds:
    """What a model is tested with.

    Attributes:
        background: Noise of the corpora at hand that training left for the split.
        noise: Noise of a folder that training never heard; the background serves where there is
            none.
        rooms: Impulse responses, shape ``(rooms, samples)``; None leaves rooms out.
    """

    background: NoisePool
    noise: NoisePool | None = None
    rooms: Tensor | None = None

    @property
    def pools(self) -> list[NoisePool]:
        """The noises that silence is cut from."""
        return [self.background, *([self.noise] if self.noise else [])]


def responses(recordings: Recordings) -> Tensor:
    """Return impulse responses from their direct paths on, shape ``(rooms, samples)``.

    What comes more than a clip's length after the direct path cannot be heard in a clip.

    Args:
        recordings: Measured impulse responses.

    Raises:
        DataError: If one of them is silent.
    """
    named = zip(recordings.names, recordings.waveforms, strict=True)
    silent = [name for name, waveform in named if not waveform.any()]
    if silent:
        raise DataError(
            f"{recordings.folder}/{silent[0]} is silent, needed an impulse response: take it out "
            "of the folder or its list"
        )
    heard = [w[np.abs(w.astype(np.int32)).argmax() :][:CLIP_SAMPLES] for w in recordings.waveforms]
    rooms = np.zeros((len(heard), max(map(len, heard))), np.int16)
    for row, response in zip(rooms, heard, strict=True):
        row[: len(response)] = response
    return to_waveforms(rooms, torch.device("cpu"))


# ------------------------------------------------------------------------------------ spoken clips


def change(condition: Condition, sounds: Sounds, clean: Scores, *, seed: int = 0) -> Change | None:
    """Return what a condition does to the clips of an evaluation; None for nothing.

    Args:
        condition: One of ``SPOKEN``.
        sounds: Noise and rooms.
        clean: Scores of the same clips: their names choose noise and room, and those of the class
            silence get no noise.
        seed: Chooses other noise and rooms for every clip.
    """
    if condition == CLEAN:
        return None
    step, numbers = _step(condition, sounds, clean.names, seed)
    chosen = np.ones(len(clean), bool)
    if condition.kind == "noise":
        chosen = ~clean.is_target(SILENCE)
    draws = {"chosen": chosen, **numbers}

    def apply(x: Tensor, part: slice) -> Tensor:
        own = augment.as_tensors(augment.take(draws, part), x.device)
        if condition.kind == "noise":  # digital zero has no ratio to any noise
            own["chosen"] &= x.square().mean(dim=1) > SILENCE_POWER
        return within_full_scale(step.apply(x, own))

    return apply


def _step(
    condition: Condition, sounds: Sounds, names: NDArray[np.str_], seed: int
) -> tuple[augment.Augmentation, augment.Draws]:
    """Return the augmentation that makes a condition, and its draws for every clip."""
    value, clips = condition.value, len(names)
    same = np.full(clips, value, np.float32)
    if condition.kind == "level":
        return augment.Gain(gain_db=(value, value)), {"gain_db": same}
    if condition.kind == "shift":
        offset = round(value * SAMPLE_RATE_HZ / 1000)
        moves = {"offset": np.full(clips, offset)}
        return augment.Shift(limit_samples=abs(offset)), moves
    if condition.kind == "room":
        assert sounds.rooms is not None, "conditions leaves rooms out where there are none"
        rooms = keys(names, seed, "room") % np.uint64(len(sounds.rooms))
        return augment.Reverb(rooms=sounds.rooms), {"room": rooms.astype(np.int64)}
    pool = sounds.noise or sounds.background
    places = _places(pool, pool.choose(keys(names, seed, "noise")))
    noise = augment.Noise(pool=torch.from_numpy(pool.samples), snr_db=(value, value))
    return noise, {"place": places, "snr_db": same, "level_db": same}


def _places(pool: NoisePool, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return starts within a pool as the numbers from 0 to below 1 that cutting takes."""
    return np.asarray((starts + 0.5) / (len(pool.samples) - CLIP_SAMPLES + 1))


def keys(names: Sequence[str] | NDArray[np.str_], seed: int, what: str) -> NDArray[np.uint64]:
    """Return a fixed pseudo-random number for each name, whatever the names beside it.

    Args:
        names: Names of clips.
        seed: Seed.
        what: What is chosen by it; another choice gets other numbers.
    """
    texts = (f"{seed} {what} {name}".encode("utf-8", "surrogateescape") for name in names)
    digests = b"".join(hashlib.sha256(text).digest()[:8] for text in texts)
    return np.frombuffer(digests, "<u8")


def within_full_scale(x: Tensor) -> Tensor:
    """Return clips, those beyond full scale turned down as a whole until they fit.

    Args:
        x: Waveforms, shape ``(batch, samples)``.
    """
    return x / x.abs().amax(dim=1, keepdim=True).clamp_min(1.0)


def conditions(sounds: Sounds, task: Task) -> list[Condition]:
    """Return the conditions that can be tested.

    Args:
        sounds: Without rooms there is no reverberation.
        task: Without the class silence there are no levels of silence.
    """
    spoken = [one for one in SPOKEN if one != ROOM or sounds.rooms is not None]
    return [*spoken, *(SILENT if task.has_silence else ())]


def score_conditions(
    checkpoint: Checkpoint,
    sources: Sequence[Source],
    task: Task,
    split: Split,
    sounds: Sounds,
    *,
    device: torch.device | None = None,
    seed: int = 0,
    told: Told = lambda _done, _total: None,
) -> dict[Condition, Scores]:
    """Return what a model answers under every condition that can be tested.

    Args:
        checkpoint: The model.
        sources: The corpora.
        task: The task; the model must have its classes.
        split: The split.
        sounds: Noise and rooms.
        device: Where to compute; the CPU where not given.
        seed: Chooses noise and rooms of the clips.
        told: Called with the clips done and the clips in all.

    Raises:
        CheckpointError: If the model cannot answer the task.
        DataError: If the split has no clip of the task, or the model answers with no numbers.
    """
    asked = conditions(sounds, task)
    spoken = [one for one in asked if one.kind != "silence"]
    silent = [one for one in asked if one.kind == "silence"]
    extra = len(silent) * CUTS * len(sounds.pools)

    def tell(place: int, done: int, clips: int) -> None:
        told(place * clips + done, len(spoken) * clips + extra)

    hear = partial(score, checkpoint, sources, task, split, device=device)
    clean = hear(told=partial(tell, 0))
    found = {CLEAN: clean}
    for place, one in enumerate(spoken[1:], start=1):
        done = change(one, sounds, clean, seed=seed)
        with _named(one):
            found[one] = hear(told=partial(tell, place), change=done)
    clips = len(clean) * len(spoken)
    for place, one in enumerate(silent, start=1):
        with _named(one):
            found[one] = score_silence(
                checkpoint, task, split, one, sounds, device=device, seed=seed
            )
        told(clips + place * extra // len(silent), clips + extra)
    return found


@contextmanager
def _named(condition: Condition) -> Iterator[None]:
    """Say under which condition something went wrong: numbers that overflow, in most cases."""
    try:
        yield
    except DataError as fault:
        raise DataError(f"{condition.label}: {fault}") from fault


# ----------------------------------------------------------------------------------------- silence


def silence(pool: NoisePool, peak_dbfs: float, *, cuts: int, seed: int = 0) -> np.ndarray:
    """Return seconds of noise at a peak level, int16 ``(cuts, 16000)``; of digital zero only one.

    Args:
        pool: Noise.
        peak_dbfs: The level; minus infinity is digital zero.
        cuts: How many seconds.
        seed: Chooses other seconds.
    """
    if math.isinf(peak_dbfs):
        return np.zeros((1, CLIP_SAMPLES), np.int16)
    chosen = pool.choose(keys([f"{pool.name} {cut}" for cut in range(cuts)], seed, "silence"))
    loudness = np.full(cuts, 1 - peak_dbfs / QUIETEST_DB)
    choices = np.stack([_places(pool, chosen), loudness, np.ones(cuts)], axis=1)
    return cut_silence(pool.samples, choices)


def score_silence(
    checkpoint: Checkpoint,
    task: Task,
    split: Split,
    condition: Condition,
    sounds: Sounds,
    *,
    device: torch.device | None = None,
    seed: int = 0,
) -> Scores:
    """Return what a model answers to silence of one level, cut from every noise.

    Args:
        checkpoint: The model.
        task: A task with the class silence; the model must have its classes.
        split: Which split hears the noise.
        condition: One of ``SILENT``.
        sounds: The noise.
        device: Where to compute; the CPU where not given.
        seed: Chooses the seconds.

    Returns:
        Scores; the column ``corpora`` names the noise.

    Raises:
        CheckpointError: If the model cannot answer the task.
    """
    where = device or torch.device("cpu")
    model = build.trained(checkpoint).to(where)
    audio = [silence(pool, condition.value, cuts=CUTS, seed=seed) for pool in sounds.pools]
    batches = (
        to_waveforms(one[i : i + 256], where) for one in audio for i in range(0, len(one), 256)
    )
    logits = listen(model, outputs_for(checkpoint, task), batches)
    owners = [pool.name for pool, one in zip(sounds.pools, audio, strict=True) for _ in one]
    clips = len(owners)
    return Scores(
        task=task.name,
        split=split,
        labels=task.labels,
        names=np.array([f"{SILENCE}/{owner}-{n:04}" for n, owner in enumerate(owners)]),
        words=np.full(clips, SILENCE),
        speakers=np.full(clips, ""),
        corpora=np.array(owners),
        parts=np.full(clips, "task"),
        dropped=np.zeros(clips, bool),
        heard=np.ones(clips, bool),
        targets=np.full(clips, task.labels.index(SILENCE)),
        logits=logits,
    )
