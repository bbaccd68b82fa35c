"""The audio of a recording between two times, to the sample, whatever its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from watchword import audio
from watchword.errors import AudioError, DataError
from watchword.long_audio.excerpts import cut
from watchword.long_audio.reference import Recording

RATE_HZ = 16_000


def noise(samples: int, channels: int = 1, seed: int = 0) -> NDArray[np.int16]:
    """Samples of all heights below a third of full scale, so that resampling does not clip."""
    drawn = np.random.default_rng(seed).integers(-10_000, 10_000, (samples, channels))
    return drawn.astype(np.int16)


def write(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


def recording(*files: Path) -> Recording:
    return Recording("mix-0004", files, 60.0)


def heard(path: Path) -> NDArray[np.int16]:
    """A file as a model hears it, in 16 bits."""
    return audio.to_int16(audio.read(path)[0])


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_cut_goes_across_files_that_follow_each_other(tmp_path: Path, suffix: str) -> None:
    whole = noise(48_000)[:, 0]
    parts = np.split(whole, [10_000, 10_016, 31_111])
    files = [write(tmp_path / f"{n}{suffix}", part) for n, part in enumerate(parts)]
    found = cut(recording(*files), 0.5, 2.5)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, whole[8_000:40_000])


@pytest.mark.parametrize(("start_s", "end_s"), [(-0.5, 0.5), (0.75, 1.5), (-1.0, 3.0), (2.0, 3.0)])
def test_outside_a_recording_there_is_silence(tmp_path: Path, start_s: float, end_s: float) -> None:
    whole = noise(16_000)[:, 0]
    found = cut(recording(write(tmp_path / "a.wav", whole)), start_s, end_s)
    around = np.concatenate([np.zeros(16_000, np.int16), whole, np.zeros(48_000, np.int16)])
    first = round((start_s + 1) * RATE_HZ)
    np.testing.assert_array_equal(found, around[first : first + round((end_s - start_s) * RATE_HZ)])


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 44_056])
@pytest.mark.parametrize("start_s", [0.0, 0.31, 2.4])
def test_a_cut_of_another_rate_is_what_the_whole_would_be(
    tmp_path: Path, rate_hz: int, start_s: float
) -> None:
    path = write(tmp_path / "a.wav", noise(3 * rate_hz, channels=2), rate_hz)
    whole = heard(path)
    first = round(start_s * RATE_HZ)
    difference = cut(recording(path), start_s, start_s + 0.6).astype(int) - whole[first:][:9_600]
    assert np.abs(difference).max() <= 1  # resampling rounds differently from another start


def test_files_of_all_kinds_can_follow_each_other(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.flac", noise(20_003)),
        write(tmp_path / "b.wav", noise(55_123, channels=2), 44_100),
        write(tmp_path / "c.ogg", noise(30_000), 24_000),
        write(tmp_path / "d.wav", noise(16_000)),
    ]
    whole = np.concatenate([heard(path) for path in files])
    found = cut(recording(*files), 0.0, len(whole) / RATE_HZ)
    assert np.abs(found.astype(int) - whole).max() <= 1
    late = cut(recording(*files), 3.9, 4.6)  # from the middle of the .ogg into the last
    assert np.abs(late.astype(int) - whole[62_400:73_600]).max() <= 1


def test_no_more_is_read_than_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.flac", noise(44_100 * 60), 44_100)
    counts, read = [], soundfile.SoundFile.read

    def counted(self: soundfile.SoundFile, frames: int, **kind: Any) -> Any:
        counts.append(frames)
        return read(self, frames, **kind)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    cut(recording(path, tmp_path / "after it, never opened.wav"), 50.0, 51.0)
    assert sum(counts) < 1.5 * 44_100


def test_a_file_that_does_not_know_its_length_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path / "piped.flac", noise(32_000))
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO counts samples in 36 bits; a pipe leaves zeros
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(cut(recording(path), 0.5, 1.0), heard(path)[8_000:16_000])


def test_a_cut_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"mix-0004 from 2 to 1 s holds nothing, needed two times"):
        cut(recording(), 2.0, 1.0)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file, needed a sound file"):
        cut(recording(tmp_path / "gone.wav"), 0.0, 1.0)


def test_a_file_without_samples_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.wav", noise(0))
    with pytest.raises(AudioError, match=r"empty\.wav: no samples found, needed audio"):
        cut(recording(path), 0.0, 1.0)


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "short.flac", noise(160_000))
    path.write_bytes(path.read_bytes()[:100_000])
    np.testing.assert_array_equal(cut(recording(path), 0.0, 1.0), noise(160_000)[:16_000, 0])
    with pytest.raises(AudioError, match=r"short\.flac: .*needed"):
        cut(recording(path), 8.0, 9.0)
