"""Folders of noise and of rooms: which recordings a split hears, and which seconds can be cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from watchword.data.recordings import NoisePool, noise_pool, read_recordings
from watchword.errors import AudioError, DataError

LIST = "file,split,scene\na/bark.wav,test,dog\nrain.wav,train,rain\nsea.wav,valid,sea\n"


def sound(path: Path, *, samples: int = 20_000, rate_hz: int = 16_000, seed: int = 0) -> None:
    """Write white noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, samples), rate_hz)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings, one in a folder of its own."""
    for seed, name in enumerate(("a/bark.wav", "rain.wav", "sea.wav")):
        sound(tmp_path / "noise" / name, seed=seed)
    return tmp_path / "noise"


# ------------------------------------------------------------------------------------------ splits


def test_a_list_says_what_a_split_hears(folder: Path) -> None:
    (folder / "noise.csv").write_text(LIST)
    assert {
        split: read_recordings(folder, split).names for split in ("train", "valid", "test")
    } == {
        "train": ("rain.wav",),
        "valid": ("sea.wav",),
        "test": ("a/bark.wav",),
    }
    assert read_recordings(folder, "test").is_listed


def test_lists_named_like_splits_say_it_too(folder: Path) -> None:
    (folder / "val.csv").write_text("file\nsea.wav\nrain.wav\n")
    assert read_recordings(folder, "valid").names == ("rain.wav", "sea.wav")


def test_a_folder_without_a_list_is_used_whole(folder: Path) -> None:
    (folder / "sea.wav").rename(folder / "SEA.WAV")
    sound(folder / ".hidden" / "x.wav")
    sound(folder / ".y.wav")
    (folder / "notes.csv").write_text("file,scene\nrain.wav,rain\n")
    found = read_recordings(folder, "test")
    assert found.names == ("SEA.WAV", "a/bark.wav", "rain.wav")
    assert not found.is_listed
    assert found.folder == "noise"
    assert found.seconds == 3.75


def test_a_recording_is_its_first_channel_at_16_khz(tmp_path: Path) -> None:
    left = np.full(8_000, 0.25)
    soundfile.write(tmp_path / "two.wav", np.stack([left, -left], axis=1), 8_000)
    (waveform,) = read_recordings(tmp_path, "test").waveforms
    assert waveform.dtype == np.int16
    assert len(waveform) == 16_000
    # away from the ends, where a resampler meets nothing; its ripple is below one in a thousand
    assert np.abs(waveform[2_000:-2_000] - 8_192).max() <= 8


def test_progress_is_told_and_the_fingerprint_is_that_of_the_sound(
    folder: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    found = read_recordings(folder, "test", told=lambda *words: told.append(words))
    assert told == [(1, 3), (2, 3), (3, 3)]
    moved = folder.rename(tmp_path / "elsewhere")
    assert read_recordings(moved, "valid").fingerprint == found.fingerprint
    sound(moved / "rain.wav", seed=7)
    assert read_recordings(moved, "test").fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (LIST.replace(",test,", ",train,"), "noise.csv lists no test recording, found train 2, va"),
        ("path,split\nrain.wav,train\n", "noise.csv has the column split and no column file"),
        ("file,split\nrain.wav,night\n", "has the split 'night', needed train, valid or test"),
        ("file,split\n../rain.wav,test\n", "needed a path inside"),
    ],
)
def test_a_list_that_cannot_serve_is_refused(folder: Path, table: str, message: str) -> None:
    (folder / "noise.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        read_recordings(folder, "test")


def test_a_folder_that_is_missing_or_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no folder: give the folder that holds the"):
        read_recordings(tmp_path / "nowhere", "test")
    (tmp_path / "song.mp3").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no recordings found, needed \.wav, \.flac"):
        read_recordings(tmp_path, "test")


def test_a_recording_that_is_listed_and_missing_is_refused_by_name(folder: Path) -> None:
    (folder / "noise.csv").write_text(LIST)
    (folder / "a" / "bark.wav").unlink()
    with pytest.raises(AudioError, match=r"bark\.wav: no such file"):
        read_recordings(folder, "test")


# ----------------------------------------------------------------------------------------- seconds


def pool(*waveforms: np.ndarray) -> NoisePool:
    return noise_pool("noise", [waveform.astype(np.int16) for waveform in waveforms])


def test_no_second_crosses_the_border_of_two_recordings() -> None:
    found = pool(np.full(19_999, 5), np.full(16_000, 7))
    assert found.starts.tolist() == [0, 1_600, 3_200, 19_999]
    assert len(found.samples) == 35_999


def test_seconds_of_zeros_are_never_cut() -> None:
    padded = np.concatenate([np.full(16_000, 9), np.zeros(48_000)])
    # a second that holds a tenth of a second of the sound still holds a tenth of its power
    assert pool(padded).starts.tolist() == list(range(0, 16_000, 1_600))


def test_seconds_thirty_decibels_below_their_recording_are_not_cut() -> None:
    loud, quiet = np.full(16_000, 10_000), np.full(16_000, 100)  # 40 dB apart
    starts = pool(np.concatenate([loud, quiet])).starts.tolist()
    assert starts == list(range(0, 16_000, 1_600))
    assert pool(loud, quiet).starts.tolist() == [0, 16_000]  # a quiet recording is none the worse


def test_a_recording_shorter_than_a_second_is_repeated() -> None:
    found = pool(np.array([1, 2, 3]))
    assert len(found.samples) == 16_000
    assert found.samples[:7].tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_the_same_key_chooses_the_same_second_and_all_are_chosen() -> None:
    found = pool(np.full(32_000, 5))
    keys = np.arange(1_000, dtype=np.uint64)
    chosen = found.choose(keys)
    assert set(chosen.tolist()) == set(found.starts.tolist())
    assert np.array_equal(found.choose(keys[::-1]), chosen[::-1])


def test_noise_that_is_all_silent_is_refused() -> None:
    with pytest.raises(DataError, match="noise: all of 2 recordings are silent, needed noise"):
        pool(np.zeros(20_000), np.zeros(3))
