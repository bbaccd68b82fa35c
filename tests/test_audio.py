from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from watchword import audio
from watchword.errors import AudioError, DataError


def sine(rate_hz: int, frequency_hz: float = 440.0, seconds: float = 1.0) -> NDArray[np.float32]:
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def test_16_bit_samples_are_read_as_their_value_over_32768(tmp_path: Path) -> None:
    stored = np.array([-32768, -1, 0, 1, 16384, 32767], dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", stored, 16_000, subtype="PCM_16")
    waveform, rate_hz, channels = audio.read(tmp_path / "a.wav")
    assert waveform.dtype == np.float32
    assert (waveform * 32768).tolist() == stored.tolist()
    assert (rate_hz, channels) == (16_000, 1)


def test_every_16_bit_value_survives_the_way_to_float_and_back() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(audio.to_int16(every.astype(np.float32) / 32768), every)


def test_what_is_written_is_read_again_within_half_a_step(tmp_path: Path) -> None:
    waveform = sine(16_000)
    audio.write(tmp_path / "a.wav", waveform)
    again, rate_hz, channels = audio.read(str(tmp_path / "a.wav"))
    # rounding to the nearest of 65,536 steps is wrong by half a step at most
    assert np.abs(again - waveform).max() <= 0.5 / 32768
    assert (rate_hz, channels) == (16_000, 1)
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 16_000, subtype="PCM_16")
    waveform, _, channels = audio.read(tmp_path / "a.wav")
    assert channels == 2
    assert waveform.tolist() == [0.125] * 100


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_another_rate_gives_the_same_sound_at_16_khz(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "a.flac", sine(rate_hz), rate_hz, subtype="PCM_24")
    waveform, found_hz, _ = audio.read(tmp_path / "a.flac")
    assert found_hz == rate_hz
    assert waveform.shape == (16_000,)
    # away from the ends, where a filter sees silence, a resampled sine is that sine; the pass band
    # of soxr HQ is flat to 0.01 dB, which is a thousandth of the amplitude of 0.5
    assert np.abs(waveform - sine(16_000))[2_000:-2_000].max() < 5e-4


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus"])
def test_every_kind_of_file_that_corpora_may_hold_is_read(tmp_path: Path, name: str) -> None:
    kind = {"opus": {"format": "OGG", "subtype": "OPUS"}}.get(name[2:], {})
    soundfile.write(tmp_path / name, sine(16_000), 16_000, **kind)
    assert name.endswith(audio.AUDIO_SUFFIXES)
    waveform, _, _ = audio.read(tmp_path / name)
    # lossy codecs keep the power of a sine of amplitude 0.5, which is 0.125, within some percent
    assert np.mean(waveform[2_000:14_000] ** 2) == pytest.approx(0.125, rel=0.1)


def test_the_overshoot_of_a_decoder_is_cut_to_full_scale(tmp_path: Path) -> None:
    values = np.array([0.0, 1.3, -1.3, 0.5], dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", values, 16_000, subtype="FLOAT")
    assert audio.read(tmp_path / "a.wav")[0].tolist() == [0.0, 1.0, -1.0, 0.5]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file, needed a sound file; check"):
        audio.read(tmp_path / "gone.wav")


def test_a_file_of_no_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav: the file is empty \(0 bytes\), needed audio"):
        audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_file_that_is_no_audio_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("not a sound " * 100)
    with pytest.raises(AudioError, match=r"cannot be decoded \(.+\), needed a format that libsnd"):
        audio.read(tmp_path / name)


def test_raw_samples_are_answered_with_the_command_that_hears_them(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(640))
    with pytest.raises(
        AudioError, match=r"needed a file that tells its rate; .+--stdin < .+a\.raw"
    ):
        audio.read(path)


def test_a_flac_file_cut_short_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(tmp_path / "a.flac", noise, 16_000)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="cannot be decoded"):
        audio.read(tmp_path / "a.flac")


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match=r"a\.wav: no samples found, needed audio; remove it"):
        audio.read(tmp_path / "a.wav")


def test_audio_too_short_to_be_resampled_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 192_000)
    with pytest.raises(AudioError, match=r"too short to be resampled from 192,000 Hz"):
        audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_file_with_values_that_are_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, value, 0.0]), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples found, needed finite"):
        audio.read(tmp_path / "a.wav")


def test_a_file_of_integers_stored_as_floats_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 20_000.0]), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"samples up to ±20000 found, needed values in \[-1, 1\]"):
        audio.read(tmp_path / "a.wav")


def test_channels_whose_mean_is_no_number_are_refused(tmp_path: Path) -> None:
    for left, right in ((np.inf, -np.inf), (3e38, 3e38), (np.nan, 0.0)):
        stereo = np.array([[0.0, 0.0], [left, right]], np.float32)
        soundfile.write(tmp_path / "a.wav", stereo, 16_000, subtype="FLOAT")
        with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples found"):
            audio.read(tmp_path / "a.wav")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gate_lets_audio_through(dtype: type) -> None:
    audio.check(np.array([-1.0, 0.0, 1.0], dtype=dtype))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(10, np.int16), r"type int16, needed float32 in \[-1, 1\]; divide 16-bit samples"),
        (np.zeros((2, 10), np.float32), r"shape \(2, 10\), needed \(samples,\); average"),
        (np.zeros(0, np.float32), r"no samples, needed at least one"),
        (np.array([0.0, np.nan]), r"NaN or infinite samples found"),
        (np.array([0.0, -np.inf]), r"NaN or infinite samples found"),
        (np.array([0.0, -1.01]), r"samples up to ±1\.01 found, needed values in \[-1, 1\]"),
    ],
)
def test_the_gate_refuses_what_is_no_audio(waveform: NDArray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        audio.check(waveform)


def test_nothing_is_written_of_what_the_gate_refuses(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="NaN or infinite"):
        audio.write(tmp_path / "a.wav", np.array([np.nan]))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.wav: could not be written \(No such file or direct"):
        audio.write(tmp_path / "absent" / "a.wav", sine(16_000))


def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio.write(tmp_path / "a.wav", sine(16_000))
    before = (tmp_path / "a.wav").read_bytes()

    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        audio.write(tmp_path / "a.wav", sine(16_000, 880.0))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.wav"]
    assert (tmp_path / "a.wav").read_bytes() == before
