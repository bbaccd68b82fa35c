"""Sounds with their players: played bit for bit, under a picture of what was heard."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from watchword.long_audio.players import flac, players, spectrogram_png
from watchword.long_audio.sounds import Sound, Trace

RATE_HZ = 16_000
TIMES_S = np.array([0.0, 0.5, 1.0])
SOME_SCORES = TIMES_S, np.array([0.1, 0.7, 0.2], np.float32)
OTHER_SCORES = TIMES_S, np.array([0.1, 0.3, 0.2], np.float32)
NO_SCORES = TIMES_S[:0], np.zeros(0, np.float32)


def noise() -> NDArray[np.int16]:
    return np.random.default_rng(0).integers(-10_000, 10_000, 40_000).astype(np.int16)


def test_a_sound_can_be_played_bit_for_bit() -> None:
    samples = noise()
    found, rate_hz = soundfile.read(io.BytesIO(flac(samples)), dtype="int16")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(found, samples)


def sound(samples: NDArray[np.int16], scores: Trace = SOME_SCORES) -> Sound:
    return Sound("title", "note", 0.0, samples, scores, 0.6, (1.0, 1.5))


def test_a_picture_is_a_small_png() -> None:
    png = spectrogram_png(sound(noise()))
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))
    assert (width, height) == (630, 300)
    assert len(png) < 250_000


def test_a_picture_shows_sound_and_scores() -> None:
    tone = (8_000 * np.sin(np.arange(40_000))).astype(np.int16)
    drawn = {
        spectrogram_png(one)
        for one in (
            sound(np.zeros(40_000, np.int16)),
            sound(tone),
            sound(tone, OTHER_SCORES),
            sound(tone, NO_SCORES),  # before the first score of a recording
        )
    }
    assert len(drawn) == 4
    assert spectrogram_png(sound(tone)) in drawn


def test_sounds_are_played_in_their_order_and_say_what_they_are() -> None:
    told = players([sound(noise()), sound(noise() // 2)])
    assert told.index(">1</span>title") < told.index(">2</span>title")
    assert told.count("<audio controls") == told.count("<img ") == told.count(">note</p>") == 2
    assert "Their times are those of the player" in told
