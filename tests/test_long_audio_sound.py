"""Where a word lies in its clip, levels, rooms and backgrounds: sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from watchword.audio import Waveform
from watchword.long_audio.sound import (
    at_level,
    background,
    centred,
    endpoints,
    faded,
    in_room,
    power,
    within_scale,
)

RATE = 16_000


def tone(samples: int, hz: float = 440.0, height: float = 0.2) -> Waveform:
    """A sine."""
    wave: Waveform = (height * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)).astype("float32")
    return wave


def hiss(samples: int, *, deviation: float = 0.1, seed: int = 0) -> Waveform:
    """White noise."""
    return np.random.default_rng(seed).normal(0, deviation, samples).astype(np.float32)


def burst(start: int, end: int, *, snr_db: float = 60.0, seed: int = 0) -> Waveform:
    """A second of white noise with a tone somewhere in it, both of known power."""
    clip = hiss(RATE, deviation=np.sqrt(0.02) * 10 ** (-snr_db / 20), seed=seed)
    clip[start:end] += tone(end - start)
    return clip


# --------------------------------------------------------------------------------------- endpoints


@pytest.mark.parametrize("snr_db", [40.0, 20.0, 10.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_ends_of_a_burst_in_noise_are_found_to_20_ms(snr_db: float, seed: int) -> None:
    start, samples = np.random.default_rng(seed).integers([1_000, 2_400], [5_000, 9_600])
    found = endpoints(burst(start, start + samples, snr_db=snr_db, seed=seed))
    # a frame of 10 ms, of which the burst fills only a part, may count or not, and one at each end
    assert np.abs(np.subtract(found, (start, start + samples))).max() <= 320


def test_a_soft_end_is_found_down_to_30_db_below_the_loudest() -> None:
    clip = np.zeros(RATE, np.float32)
    clip[4_000:8_000] = tone(4_000)
    clip[8_000:9_600] = tone(1_600, height=0.2 * 10 ** (-29 / 20))
    clip[9_600:11_200] = tone(1_600, height=0.2 * 10 ** (-31 / 20))
    assert endpoints(clip) == (4_000, 9_600)


def test_a_pause_of_150_ms_is_within_a_word_and_a_longer_one_is_not() -> None:
    clip = np.zeros(RATE, np.float32)
    clip[1_600:4_800] = tone(3_200)
    clip[7_200:8_800] = tone(1_600)
    assert endpoints(clip) == (1_600, 8_800)
    clip[7_200:7_360] = 0.0
    assert endpoints(clip) == (1_600, 4_800)


def test_of_two_parts_the_one_with_more_energy_is_the_word_and_a_click_is_none() -> None:
    clip = np.zeros(RATE, np.float32)
    clip[800:1_600] = 0.9  # 50 ms, and louder than the word
    clip[6_400:9_600] = tone(3_200, height=0.3)
    clip[13_000:15_000] = tone(2_000, height=0.3)
    assert endpoints(clip) == (6_400, 9_600)


@pytest.mark.parametrize(
    "clip",
    [hiss(RATE), tone(RATE), np.zeros(RATE, np.float32), tone(100), np.zeros(0, np.float32)],
    ids=["noise", "a word that fills it", "silence", "less than a frame", "nothing"],
)
def test_where_no_frame_stands_out_the_whole_clip_is_the_word(clip: Waveform) -> None:
    assert endpoints(clip) == (0, len(clip))


# ------------------------------------------------------------------------------------------ levels


def test_a_level_is_the_root_mean_square_in_db_of_full_scale() -> None:
    loud = at_level(hiss(RATE), -23.0)
    assert loud.dtype == np.float32
    assert 10 * np.log10(power(loud)) == pytest.approx(-23.0, abs=1e-5)
    assert power(np.zeros(0, np.float32)) == 0.0


def test_a_constant_offset_is_taken_away() -> None:
    assert np.abs(centred(tone(RATE) + np.float32(0.3)) - tone(RATE)).max() < 1e-6
    assert not centred(np.full(99, 0.25, np.float32)).any()


def test_a_clip_comes_and_goes_within_5_ms() -> None:
    soft = faded(np.ones(400, np.float32))
    assert soft[0] == soft[-1] == pytest.approx(0.5 / 80)
    assert (np.diff(soft[:80]) > 0).all()
    assert (soft[80:320] == 1).all()
    assert faded(np.ones(2, np.float32)).tolist() == [0.5, 0.5]
    assert faded(np.ones(1, np.float32)).tolist() == [1.0]


def test_only_what_is_too_loud_is_turned_down() -> None:
    assert within_scale(tone(99, height=1.0)).max() == tone(99, height=1.0).max()
    loud = within_scale(tone(99, height=3.0))
    assert np.abs(loud).max() == pytest.approx(0.999)
    assert np.allclose(loud / loud[9], tone(99) / tone(99)[9], atol=1e-5)
    assert within_scale(np.zeros(0, np.float32)).size == 0


# ------------------------------------------------------------------------------------------- rooms


def test_in_a_room_the_word_stays_in_its_place_its_energy_too_and_it_rings_on() -> None:
    clip = faded(tone(4_000))
    response = np.zeros(3_000, np.float32)
    response[250], response[100], response[2_250] = -0.8, 0.1, 0.4
    wet = in_room(clip, response)
    assert len(wet) == 4_000 + 2_750 - 1
    assert power(wet[:4_000]) == pytest.approx(power(clip), rel=1e-5)
    direct = wet[:2_000] / -0.8
    assert np.abs(direct / np.abs(direct).max() - clip[:2_000] / clip[:2_000].max()).max() < 1e-3
    expected = np.convolve(clip, response[250:])
    expected *= np.sqrt(power(clip) / power(expected[:4_000]))
    assert np.abs(wet - expected).max() < 1e-5
    assert power(wet[4_100:6_000]) > 0.1 * power(clip)


# ------------------------------------------------------------------------------------- backgrounds


def generator() -> np.random.Generator:
    """The same numbers each time."""
    return np.random.default_rng(0)


def test_of_a_long_background_a_stretch_is_heard_as_it_is() -> None:
    noise = hiss(5 * RATE)
    found = background(noise, 2 * RATE, generator())
    windows = np.lib.stride_tricks.sliding_window_view(noise, 2 * RATE)[::RATE]
    assert [row for row, one in enumerate(windows) if np.array_equal(one, found)]
    assert np.array_equal(found, background(noise, 2 * RATE, generator()))
    assert np.array_equal(background(noise, len(noise), generator()), noise)


def test_no_stretch_is_taken_from_where_a_background_is_silent() -> None:
    noise = np.zeros(60 * RATE, np.float32)
    noise[40 * RATE : 42 * RATE] = hiss(2 * RATE)
    starts = {float(power(background(noise, RATE, np.random.default_rng(n)))) for n in range(20)}
    assert min(starts) > 1e-4
    assert len(starts) > 1


@pytest.mark.parametrize("samples", [8_000, 1_700, 3, 1])
def test_a_short_background_is_repeated_without_a_seam(samples: int) -> None:
    found = background(hiss(samples, seed=1), RATE, generator())
    assert len(found) == RATE
    period = samples - min(800, samples // 4)
    assert np.array_equal(found[:-period], found[period:])


def test_a_repeated_background_keeps_its_power_and_does_not_click() -> None:
    noise, hum = hiss(16_000, seed=2), tone(15_987, hz=100)
    found = background(noise, 10 * RATE, generator())
    levels: NDArray[np.float64] = np.square(found.astype(np.float64)).reshape(-1, 800).mean(1)
    # the power of 800 samples of white noise strays by 5 %: five times that is never met by chance
    assert np.abs(levels / power(noise) - 1).max() < 0.25
    steps = np.abs(np.diff(background(hum, 10 * RATE, generator()))).max()
    assert steps < 2 * np.abs(np.diff(hum)).max()
