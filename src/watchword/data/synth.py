"""A small spoken command set, for a demonstration without any download.

In come a list of words, a number of speakers and a seed; out goes a folder that lies on disk as
the public Speech Commands archive does, so that the code which reads the archive reads this. It is
a room because it alone decides who speaks and makes clean speech less easy than it is.

A speaker is a voice with an accent, a pitch and a pace, and says each word once. The voices are
shared out by the tables below: valid and test hold no voice of a training speaker.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr

from watchword import audio
from watchword.data import espeak
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ, Decibels, Samples, Seconds

Waveform = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

DEMO_WORDS: Final = (
    *("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"),
    *("happy", "seven"),
)
# Robots, whispers and variants that differ in name only are left out.
TRAIN_VOICES: Final = (
    *("Alex", "Andy", "Annie", "Denis", "Diogo", "Gene", "Jacky", "Lee", "Mario", "Mike"),
    *("Nguyen", "Reed", "adam", "anika", "boris", "david", "edward", "f1", "f2", "f3"),
    *("grandma", "gustave", "ian", "iven2", "iven3", "john", "kaukovalta", "klatt", "klatt3", "m1"),
    *("m2", "m3", "m5", "michel", "mike2", "rob", "sandro", "steph", "steph3", "zac"),
)
VALID_VOICES: Final = (
    *("Andrea", "antonio", "ed", "f4", "grandpa", "klatt4", "m6", "quincy", "shelby", "victor"),
)
TEST_VOICES: Final = (
    *("Alicia", "Storm", "aunty", "belinda", "f5", "linda", "m8", "pablo", "paul", "travis"),
)
NOISE_S: Final[Seconds] = 20.0
STAMP: Final = "synth.json"


@dataclass(frozen=True, slots=True)
class Speaker:
    """One identity: what espeak-ng needs to sound like the same person again.

    Attributes:
        name: Eight hexadecimal digits, as in the public archive.
        voice: Voice variant.
        accent: Language variant.
        pitch: Base pitch, 0–99.
        pitch_range: Liveliness of the melody, 0–99.
        words_per_minute: Pace.
    """

    name: str
    voice: str
    accent: str
    pitch: int
    pitch_range: int
    words_per_minute: int


def synthesise(
    folder: Path,
    *,
    words: Sequence[str] = DEMO_WORDS,
    variants: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write a spoken command set in the layout of the public archive.

    A clip has 16,000 samples of 16 bit at 16 kHz, with the word at a random place and level over a
    faint background. The folder is written whole or not at all; a folder that already holds the
    very same set is used as it is.

    Args:
        folder: Where the set shall lie; absent, empty, or the same set from an earlier call.
        words: Words to speak, in lower-case letters, each once.
        variants: Training speakers; a quarter as many, rounded up, speak in each of valid and test.
        seed: Anything random follows from it.
        progress: Called with the clips written so far and the clips in all.

    Returns:
        The folder.

    Raises:
        ConfigError: If a word is no folder name or too long for a second, or without variants.
        DataError: If the folder holds something else or cannot be written, or espeak-ng fails.
        WatchwordError: If ``espeakng-loader`` is not installed.
    """
    folder, words = Path(folder), tuple(words)
    _check_request(words, variants, seed)
    espeak.check_installed()
    stamp = _stamp(words, variants, seed)
    if is_there(folder, STAMP, stamp):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as outer:
            inner = Path(outer) / folder.name
            inner.mkdir()
            _write_set(inner, words, speakers(variants, seed), seed, progress)
            (inner / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
            os.replace(inner, folder)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}); a folder with room for the "
            "set is needed: free some space or name another folder"
        ) from error
    return folder


def speakers(variants: int, seed: int) -> dict[str, tuple[Speaker, ...]]:
    """Return the speakers of each split, every voice in one split only.

    Args:
        variants: Number of training speakers.
        seed: Source of pitch, pace, accent and the order of voices.

    Returns:
        ``variants`` speakers for ``train``, a quarter as many, rounded up, for ``valid``, ``test``.

    Example:
        >>> [len(of_split) for of_split in speakers(40, seed=0).values()]
        [40, 10, 10]
    """
    rng = np.random.default_rng([seed, 1])
    held_out = -(-variants // 4)
    return {
        "train": _draw_speakers(rng, TRAIN_VOICES, variants),
        "valid": _draw_speakers(rng, VALID_VOICES, held_out),
        "test": _draw_speakers(rng, TEST_VOICES, held_out),
    }


def noises(seed: int) -> dict[str, Waveform]:
    """Return the background recordings by file name, made by arithmetic alone.

    Args:
        seed: Source of the randomness.

    Returns:
        Six waveforms in [-1, 1] of shape ``(samples,)``, 20 s each at 16 kHz.
    """
    rng = np.random.default_rng([seed, 2])
    samples = round(NOISE_S * SAMPLE_RATE_HZ)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * n * time_s + n) / n for n in range(1, 12))
    gusts = np.abs(1.2 + _coloured(rng, samples, 3.0))
    strokes = rng.standard_normal(samples) * (rng.random(samples) < 4 / SAMPLE_RATE_HZ)
    ring = rng.standard_normal(1_600) * np.exp(-np.arange(1_600) / 200)
    taps = np.convolve(strokes, ring)[:samples]
    made = {
        "brown_noise.wav": _coloured(rng, samples, 2.0),
        "mains_hum.wav": hum + 0.1 * _coloured(rng, samples, 1.0),
        "pink_noise.wav": _coloured(rng, samples, 1.0),
        "tapping.wav": taps + 0.02 * _coloured(rng, samples, 1.0),
        "white_noise.wav": _coloured(rng, samples, 0.0),
        "wind.wav": gusts * _coloured(rng, samples, 1.5),
    }
    return {name: at_level(noise, level_db=-20.0) for name, noise in made.items()}


def _check_request(words: tuple[str, ...], variants: int, seed: int) -> None:
    """Refuse words that cannot be folders, and an empty set."""
    if not words or len(set(words)) < len(words) or any(re.search("[^a-z]|^$", w) for w in words):
        raise ConfigError(
            f"the words to speak are {list(words)}; distinct words in the letters a–z are needed: "
            "spell each so and name it once"
        )
    if variants < 1:
        raise ConfigError(f"{variants} variants asked for; at least 1 is needed: 40 is a good set")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}; 0 or more is needed: choose another")


def _stamp(words: tuple[str, ...], variants: int, seed: int) -> dict[str, Any]:
    """Return what makes two sets the same set."""
    voice_source = f"espeakng-loader {metadata.version('espeakng-loader')}"
    return {"voices": voice_source, "words": list(words), "variants": variants, "seed": seed}


def is_there(folder: Path, name: str, stamp: dict[str, Any]) -> bool:
    """Tell whether a folder already holds a set; refuse a folder with anything else.

    Args:
        folder: Absent, empty, or with a set in it.
        name: File of the folder that tells which set it is.
        stamp: What the file must hold.

    Raises:
        DataError: If it holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != stamp:
        raise DataError(
            f"{folder} holds something other than this set; an absent or empty folder is needed: "
            "delete it or name another one"
        )
    return True


def _draw_speakers(
    rng: np.random.Generator, voices: tuple[str, ...], count: int
) -> tuple[Speaker, ...]:
    """Return distinct speakers, each voice used once before any is used twice."""
    order = rng.permutation(len(voices))
    drawn: dict[str, Speaker] = {}
    while len(drawn) < count:
        one = _draw(rng, voices[order[len(drawn) % len(voices)]])
        drawn[one.name] = one
    return tuple(drawn.values())


def draw_speaker(rng: np.random.Generator, split: Split) -> Speaker:
    """Return a speaker with one of the voices of a split.

    Args:
        rng: Source of voice, accent, pitch and pace.
        split: The split.
    """
    voices = {"train": TRAIN_VOICES, "valid": VALID_VOICES, "test": TEST_VOICES}[split]
    return _draw(rng, voices[rng.integers(len(voices))])


def _draw(rng: np.random.Generator, voice: str) -> Speaker:
    """Return a speaker with a voice."""
    accent = espeak.ACCENTS[rng.integers(len(espeak.ACCENTS))]
    pitch, pitch_range = int(rng.integers(25, 76)), int(rng.integers(20, 91))
    pace = int(rng.integers(110, 191))
    identity = f"{accent}+{voice} {pitch} {pitch_range} {pace}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return Speaker(name, voice, accent, pitch, pitch_range, pace)


def _write_set(
    folder: Path,
    words: tuple[str, ...],
    by_split: dict[str, tuple[Speaker, ...]],
    seed: int,
    progress: Progress | None,
) -> None:
    """Write noises, clips and lists into a folder that nobody looks at yet."""
    background = noises(seed)
    (folder / "_background_noise_").mkdir()
    for name, noise in background.items():
        audio.write(folder / "_background_noise_" / name, noise)
    pool = np.stack(list(background.values()))
    everyone = [speaker for of_split in by_split.values() for speaker in of_split]
    total, done = len(words) * len(everyone), 0
    for word in words:
        (folder / word).mkdir()
        rng = np.random.default_rng([seed, 3, *word.encode()])
        for speaker, spoken in _speak_word(word, everyone, rng):
            clip = _place(spoken, pool, rng)
            audio.write(folder / word / f"{speaker.name}_nohash_0.wav", clip)
            done += 1
            if progress:
                progress(done, total)
    for split, name in (("valid", "validation_list.txt"), ("test", "testing_list.txt")):
        lines = sorted(f"{word}/{s.name}_nohash_0.wav\n" for word in words for s in by_split[split])
        (folder / name).write_text("".join(lines), encoding="utf-8")


def _speak_word(
    word: str, everyone: list[Speaker], rng: np.random.Generator
) -> Iterator[tuple[Speaker, Waveform]]:
    """Yield each speaker with the word as he or she says it."""
    endings = rng.choice(["", ".", "!", "?"], len(everyone))
    sayings = [
        espeak.Saying(f"{word}{end}", s.accent, s.voice, s.pitch, s.pitch_range, s.words_per_minute)
        for s, end in zip(everyone, endings, strict=True)
    ]
    spoken = espeak.speak(sayings, seed=int(rng.integers(1, 2**31)))
    for speaker, utterance in zip(everyone, spoken, strict=True):
        yield speaker, _trim(utterance, word)


def _trim(spoken: Waveform, word: str) -> Waveform:
    """Return the word at 16 kHz without the silence around it, but for 10 ms."""
    resampled: Waveform = soxr.resample(spoken, espeak.ESPEAK_RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
    loud = np.flatnonzero(np.abs(resampled) > 0.01 * np.abs(resampled).max(initial=0.01))
    bounds = slice(max(loud[0] - 160, 0), loud[-1] + 160) if loud.size else slice(0)
    word_only = resampled[bounds]
    if not 0 < word_only.size <= CLIP_SAMPLES:
        raise ConfigError(
            f"the word {word}, spoken as fast as it can be, takes {word_only.size:,} samples; "
            f"1 to {CLIP_SAMPLES:,} are needed: leave it out"
        )
    return word_only


def _place(spoken: Waveform, pool: Waveform, rng: np.random.Generator) -> Waveform:
    """Return a clip: the word at a drawn place and level, a piece of some noise 12–40 dB below."""
    level_db = rng.uniform(-32.0, -14.0)
    word = at_level(spoken, level_db=level_db)
    clip = np.zeros(CLIP_SAMPLES, np.float32)
    onset = int(rng.integers(CLIP_SAMPLES - word.size + 1))
    clip[onset : onset + word.size] = word
    start = int(rng.integers(pool.shape[1] - CLIP_SAMPLES + 1))
    noise = pool[rng.integers(pool.shape[0]), start : start + CLIP_SAMPLES]
    return clip + at_level(noise, level_db=level_db - rng.uniform(12.0, 40.0), peak=0.05)


def at_level(
    sound: npt.NDArray[np.floating[Any]], *, level_db: Decibels, peak: float = 0.9
) -> Waveform:
    """Return a sound with the RMS asked for, or softer where its peak would pass the limit.

    Args:
        sound: Audio, shape ``(samples,)``.
        level_db: Wanted root mean square, in decibels of full scale.
        peak: The limit.
    """
    rms = max(float(np.sqrt(np.mean(np.square(sound)))), 1e-9)
    limit = peak / max(float(np.abs(sound).max()), 1e-9)
    return (sound * min(10 ** (level_db / 20) / rms, limit)).astype(np.float32)


def _coloured(rng: np.random.Generator, samples: Samples, slope: float) -> npt.NDArray[np.float64]:
    """Return noise of unit deviation whose power falls with frequency to the power of ``slope``."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ), 1.0)
    shaped = np.fft.irfft(spectrum * frequency ** (-slope / 2), samples)
    return np.asarray(shaped / shaped.std())
