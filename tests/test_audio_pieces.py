"""Audio in pieces: blocks of a file, chunks of a stream, and what chance makes of both."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from numpy.typing import NDArray

from test_audio import sine
from watchword import audio
from watchword.errors import AudioError

# -------------------------------------------------------------------------------- in blocks


def piped(path: Path, frames: int, channels: int = 1) -> NDArray[np.float32]:
    """Write a FLAC file that does not say how long it is, as from a pipe; return its mean."""
    sound = np.random.default_rng(0).integers(-64, 64, (frames, channels)) / 128
    soundfile.write(path, sound, 16_000, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the upper four of 36 bits that count the samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    mean: NDArray[np.float32] = sound.mean(axis=1).astype(np.float32)
    return mean


def test_a_flac_file_that_does_not_know_its_length_is_read(tmp_path: Path) -> None:
    expected = piped(tmp_path / "a.flac", 70_000, channels=2)
    assert soundfile.info(tmp_path / "a.flac").frames == 2**63 - 1
    assert np.array_equal(audio.read(tmp_path / "a.flac")[0], expected)
    assert np.array_equal(np.concatenate([*audio.blocks(tmp_path / "a.flac")]), expected)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("block_s", [0.01, 0.37, 4.0])
def test_blocks_are_the_file_to_the_last_bit(tmp_path: Path, rate_hz: int, block_s: float) -> None:
    stereo = np.stack([sine(rate_hz), sine(rate_hz, 1_000.0)], axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, rate_hz, subtype="PCM_24")
    blocks = [*audio.blocks(tmp_path / "a.flac", block_s)]
    assert np.array_equal(np.concatenate(blocks), audio.read(tmp_path / "a.flac")[0])
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    # soxr keeps what its filter still needs, some blocks of 10 ms at most
    assert max(map(len, blocks)) <= 16_000 * block_s + 2_000


@pytest.mark.parametrize(
    "kind",
    [
        *(("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
        *(("WAV", "GSM610"), ("WAV", "IMA_ADPCM")),
    ],
)
def test_blocks_of_lossy_files_are_the_file_to_the_last_bit(
    tmp_path: Path, kind: tuple[str, str]
) -> None:
    sound = sine(16_000, 300.0, 3.0) * np.sin(np.arange(48_000) / 3_000).astype(np.float32)
    soundfile.write(tmp_path / "a", sound, 16_000, format=kind[0], subtype=kind[1])
    whole, rate_hz, _ = audio.read(tmp_path / "a")
    assert rate_hz == 16_000
    for block_s in (0.1, 1.0):
        blocks = [*audio.blocks(tmp_path / "a", block_s)]
        assert np.array_equal(np.concatenate(blocks), whole)


def test_a_file_of_more_than_a_part_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", sine(16_000), 16_000, subtype="FLOAT")
    monkeypatch.setattr(audio, "PART_S", 0.3)
    assert np.array_equal(audio.read(tmp_path / "a.wav")[0], sine(16_000))


def test_the_overshoot_of_a_block_is_cut_to_full_scale(tmp_path: Path) -> None:
    values = np.array([0.0, 1.3, -1.3, 0.5], dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", values, 16_000, subtype="FLOAT")
    assert [block.tolist() for block in audio.blocks(tmp_path / "a.wav")] == [[0.0, 1.0, -1.0, 0.5]]


def test_blocks_before_a_damaged_place_come_before_the_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 64_000)
    soundfile.write(tmp_path / "a.flac", noise, 16_000)
    whole, content = audio.read(tmp_path / "a.flac")[0], (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    found = []
    with pytest.raises(AudioError, match=r"a\.flac: cannot be decoded"):  # noqa: PT012 - a loop
        for block in audio.blocks(tmp_path / "a.flac", 0.5):
            found.append(block)
    # half of the bytes are two of four seconds; the block of half a second that is cut is lost
    assert len(found) == 3
    assert np.array_equal(np.concatenate(found), whole[:24_000])


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU"])
def test_a_file_shorter_than_its_header_says_is_heard_and_then_refused(
    tmp_path: Path, kind: str
) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(tmp_path / "a", noise, 16_000, format=kind, subtype="PCM_16")
    assert sum(map(len, audio.blocks(tmp_path / "a"))) == 16_000
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) - 16_000])
    blocks = audio.blocks(tmp_path / "a", 0.25)
    assert [len(next(blocks)) for _ in range(2)] == [4_000, 4_000]
    with pytest.raises(AudioError, match=r"a: cut short, 16,\d\d\d .+ promises 32,\d\d\d; what is"):
        list(blocks)


def test_a_header_that_was_written_into_a_pipe_promises_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000, subtype="PCM_16")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    for size in (b"\xff\xff\xff\xff", b"\x00\x00\xff\x7f"):  # ffmpeg's, arecord's
        content[4:8] = content[40:44] = size
        (tmp_path / "a.wav").write_bytes(content)
        assert sum(map(len, audio.blocks(tmp_path / "a.wav"))) == 16_000


def test_blocks_before_a_value_that_is_no_audio_come_before_the_error(tmp_path: Path) -> None:
    values = np.array([0.5] * 16_000 + [np.nan], np.float32)
    soundfile.write(tmp_path / "a.wav", values, 16_000, subtype="FLOAT")
    blocks = audio.blocks(tmp_path / "a.wav", 1.0)
    assert next(blocks).tolist() == [0.5] * 16_000
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples found"):
        next(blocks)


def spoil(path: Path, kind: str) -> None:
    """Write a file that is no audio in one of the ways there are."""
    if kind == "text":
        path.write_text("not a sound " * 100)
    elif kind == "bytes":
        path.touch()
    elif kind != "gone":
        samples = np.zeros({"none": 0, "short": 1, "slow": 4_000}[kind])
        rates_hz = {"none": 44_100, "short": 192_000, "slow": 999}
        soundfile.write(path, samples, rates_hz[kind])


@pytest.mark.parametrize("hear", [audio.read, lambda path: [*audio.blocks(path)]])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gone", r"a\.wav: no such file, needed a sound file; check the name"),
        ("text", r"a\.wav: cannot be decoded \(.+\), needed a format that libsndfile reads"),
        ("bytes", r"a\.wav: the file is empty \(0 bytes\), needed audio"),
        ("none", r"a\.wav: no samples found, needed audio; remove it or record it again"),
        ("short", r"a\.wav: too short to be resampled from 192,000 Hz, needed at least one samp"),
        ("slow", r"a\.wav: a rate of 999 Hz found, needed at least 1,000: its header is damaged"),
    ],
)
def test_a_file_is_refused_alike_whole_and_in_blocks(
    tmp_path: Path, kind: str, message: str, hear: Any
) -> None:
    spoil(tmp_path / "a.wav", kind)
    with pytest.raises(AudioError, match=message):
        hear(tmp_path / "a.wav")


# -------------------------------------------------------------------------------- chunks


def test_a_chunk_of_16_bits_is_its_value_over_32768() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    waveform = audio.chunk(every)
    assert waveform.dtype == np.float32
    assert np.array_equal(waveform.astype(np.float64) * 32768, every)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", "g"])
def test_a_chunk_of_floats_is_itself_cut_to_full_scale(dtype: str) -> None:
    samples = np.array([0.5, -0.25, 1.5, -1.5, 0.0], dtype)
    waveform = audio.chunk(samples)
    assert waveform.dtype == np.float32
    assert waveform.tolist() == [0.5, -0.25, 1.0, -1.0, 0.0]
    assert samples[2] == 1.5  # what the caller holds is left alone
    samples[:] = 0
    assert waveform[0] == 0.5


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_no_samples_are_a_chunk(dtype: type) -> None:
    assert audio.chunk(np.zeros(0, dtype)).shape == (0,)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            np.zeros((2, 3), np.int16),
            r"a chunk of shape \(2, 3\) came in, needed \(samples,\) of o",
        ),
        (
            np.zeros(3, np.int32),
            r"a chunk of type int32 came in, needed int16 or float in \[-1, 1\]",
        ),
        (np.array([0.0, np.nan]), r"a chunk: NaN or infinite samples found, needed finite values"),
        (
            np.array([2.01]),
            r"a chunk: samples up to ±2\.01 found, needed values in \[-1, 1\]; scal",
        ),
        (
            [[0], [0, 1]],
            r"a chunk that is no array came in \(.+\), needed int16 or float in .+ give",
        ),
    ],
)
def test_a_chunk_that_is_no_audio_is_refused(samples: Any, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        audio.chunk(samples)


# -------------------------------------------------------------------------------- by chance


@settings(max_examples=300, deadline=None)
@given(arrays(scalar_dtypes(), array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5)))
def test_any_array_is_a_waveform_or_refused(samples: NDArray) -> None:
    try:
        waveform = audio.chunk(samples)
    except AudioError:
        return
    assert (waveform.dtype, waveform.shape) == (np.float32, samples.shape)
    assert np.abs(waveform).max(initial=0) <= 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64), st.sampled_from(["f2", "f4", "f8", "i2"]))
def test_any_bits_are_a_waveform_or_refused(bits: bytes, dtype: str) -> None:
    samples = np.frombuffer(bits[: len(bits) // 8 * 8], dtype)
    try:
        assert np.abs(audio.chunk(samples)).max(initial=0) <= 1
    except AudioError:
        assert not np.abs(samples.astype(np.float64)).max(initial=0) <= 2


@cache
def encoded(kind: str) -> bytes:
    """A small file of stereo sound at 22,050 Hz."""
    stereo = np.stack([sine(22_050, seconds=0.05), sine(22_050, 900.0, seconds=0.05)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, stereo, 22_050, format=kind, subtype="PCM_16")
    return file.getvalue()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one file, written anew
)
@given(
    st.sampled_from(["WAV", "FLAC", "AIFF", "W64"]),
    st.lists(
        st.tuples(st.integers(0, 60) | st.integers(0, 9_999), st.integers(0, 255)), max_size=4
    ),
    st.integers(0, 200) | st.just(0),
)
def test_changed_bytes_of_a_sound_file_are_audio_or_refused(
    tmp_path: Path, kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(encoded(kind))
    for place, value in changes:
        content[place % len(content)] = value
    (tmp_path / "a").write_bytes(content[: len(content) - cut])
    # libsndfile may notice in one way of reading what it does not in the other
    with suppress(AudioError):
        assert np.abs(audio.read(tmp_path / "a")[0]).max() <= 1
    with suppress(AudioError):
        for block in audio.blocks(tmp_path / "a", 0.02):
            assert np.abs(block).max(initial=0) <= 1
