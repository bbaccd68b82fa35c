"""espeak-ng: voices differ as asked for, and depend on nothing but the request."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from watchword.data import espeak
from watchword.data.espeak import ESPEAK_RATE_HZ, LONGEST_S, Saying, speak
from watchword.errors import DataError, WatchwordError


def test_each_saying_is_one_waveform_with_speech_in_it() -> None:
    spoken = speak([Saying("yes", "en-us", "f1"), Saying("seven", "en-029", "m3")], seed=1)
    assert len(spoken) == 2
    for waveform in spoken:
        assert waveform.dtype == np.float32
        assert 0.15 * ESPEAK_RATE_HZ < waveform.size < LONGEST_S * ESPEAK_RATE_HZ
        assert 0.05 < np.abs(waveform).max() <= 1.0


def test_the_same_request_is_answered_alike_whatever_was_said_before() -> None:
    request = [Saying("yes", "en-us", "m1"), Saying("six", "en-us-nyc", "m3")]
    first = speak(request, seed=5)
    speak([Saying("stop", "en-gb-scotland", "klatt")], seed=9)
    for one, other in zip(first, speak(request, seed=5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_accent_is_known_and_sounds_different() -> None:
    spoken = speak([Saying("no", accent, "klatt") for accent in espeak.ACCENTS], seed=1)
    assert len({waveform.tobytes() for waveform in spoken}) == len(espeak.ACCENTS)
    assert all(np.abs(waveform).max() > 0.05 for waveform in spoken)


def test_a_higher_pitch_has_a_higher_fundamental() -> None:
    spoken = speak([Saying("no", "en-us", "klatt", pitch, 0) for pitch in (20, 80)], seed=1)
    low, high = (fundamental_hz(waveform) for waveform in spoken)
    assert high > 1.3 * low


def fundamental_hz(waveform: np.ndarray) -> float:
    """Return the lag of the highest autocorrelation between 60 and 400 Hz as a frequency."""
    middle = waveform[waveform.size // 3 : waveform.size // 3 + 2_000]
    correlation = np.correlate(middle, middle, "full")[middle.size - 1 :]
    lags = slice(ESPEAK_RATE_HZ // 400, ESPEAK_RATE_HZ // 60)
    return ESPEAK_RATE_HZ / float(lags.start + np.argmax(correlation[lags]))


def test_what_is_too_long_for_a_clip_is_spoken_faster() -> None:
    request = [
        Saying("responsibility", "en-us", "klatt", words_per_minute=80),
        Saying("responsibility", "en-us", "klatt", words_per_minute=espeak.FASTER_PACES[0]),
    ]
    slow, fast = speak(request, seed=1)
    assert slow.size <= LONGEST_S * ESPEAK_RATE_HZ
    np.testing.assert_allclose(slow.size, fast.size, rtol=0.05)  # the pace it fell back to


def test_what_may_be_as_long_as_it_is_keeps_its_pace() -> None:
    request = [
        Saying("responsibility", "en-us", "klatt", words_per_minute=80, longest_s=longest_s)
        for longest_s in (None, LONGEST_S)
    ]
    free, limited = speak(request, seed=1)
    assert free.size > LONGEST_S * ESPEAK_RATE_HZ >= limited.size


@pytest.mark.parametrize(("accent", "voice"), [("en-us", "nobody"), ("martian", "f1")])
def test_an_unknown_voice_is_named(accent: str, voice: str) -> None:
    with pytest.raises(DataError, match=rf"no voice {accent}\+{voice}.* needed: pip install"):
        speak([Saying("yes", accent, voice)], seed=1)


def test_an_installation_without_its_voices_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repr(espeakng_loader.get_library_path())
    (tmp_path / "espeakng_loader.py").write_text(
        f"get_library_path = lambda: {real}\nget_data_path = lambda: {str(tmp_path / 'none')!r}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(
        DataError, match=r"cannot start with the voices.*needed: pip install --force"
    ):
        speak([Saying("yes", "en-us", "f1")], seed=1)


def test_voices_are_found_in_a_folder_with_a_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)  # espeak-ng itself stops at 160 characters
    deep.mkdir(parents=True)
    package = Path(espeakng_loader.get_data_path()).parent
    (deep / "espeakng_loader").symlink_to(package, target_is_directory=True)
    monkeypatch.setenv("PYTHONPATH", str(deep))
    assert speak([Saying("yes", "en-us", "f1")], seed=1)[0].size > 0


def test_without_the_package_the_install_command_is_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(WatchwordError, match=r"espeakng-loader .*watchword\[synth\]"):
        speak([Saying("yes", "en-us", "f1")], seed=1)
