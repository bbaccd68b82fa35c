"""Fuzz the gate of audio: arrays of any bits, and sound files of any bytes.

The first byte says how the others are used: as an array of a type in ``TYPES``, or as a file.
"""

from __future__ import annotations

import contextlib
import io

import harness
import numpy as np
import soundfile

from watchword import audio
from watchword.errors import AudioError

TYPES = ("<i2", "<f2", "<f4", "<f8", ">f4", "<i4", "u1", "?", "<c8", "<M8[s]", "S3", "<U2")
PLACE = harness.scratch()
BLOCK_S = 0.02


def feed(samples: np.ndarray) -> None:
    """Show the gate of streams an array."""
    try:
        waveform = audio.chunk(samples)
    except AudioError:
        return
    assert waveform.dtype == np.float32
    assert waveform.shape == samples.shape
    assert np.abs(waveform).max(initial=0) <= 1


def hear(content: bytes) -> None:
    """Read a file whole and in blocks.

    The two need not agree about a damaged file: libsndfile may notice in one way of reading what it
    does not in the other.
    """
    PLACE.write_bytes(content)
    with contextlib.suppress(AudioError):
        waveform = audio.read(PLACE)[0]
        assert waveform.dtype == np.float32
        assert np.abs(waveform).max() <= 1
    with contextlib.suppress(AudioError):
        for block in audio.blocks(PLACE, BLOCK_S):
            assert np.abs(block).max(initial=0) <= 1


def target(data: bytes) -> None:
    """Let bytes through the gate."""
    how, content = (data[0], data[1:]) if data else (255, data)
    if how >= 2 * len(TYPES):
        return hear(content)
    kind = np.dtype(TYPES[how % len(TYPES)])
    samples = np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], kind)
    is_flat = how < len(TYPES) or len(samples) % 2
    return feed(samples if is_flat else samples.reshape(2, -1))


def seeds() -> list[bytes]:
    """Return small files of several kinds, and arrays."""
    sound = 0.5 * np.sin(np.arange(600) * 0.1)
    found = [bytes([how]) + sound.astype("<f4").tobytes()[:64] for how in range(len(TYPES))]
    for kind, subtype, rate_hz in (
        ("WAV", "PCM_16", 16_000),
        ("WAV", "FLOAT", 8_000),
        ("FLAC", "PCM_16", 22_050),
        ("OGG", "VORBIS", 16_000),
        ("AIFF", "PCM_24", 44_100),
        ("AU", "PCM_16", 11_025),
    ):
        file = io.BytesIO()
        soundfile.write(file, np.stack([sound, -sound]).T * 0.5, rate_hz, subtype, format=kind)
        found.append(b"\xff" + file.getvalue())
    return found


if __name__ == "__main__":
    harness.run(target, seeds())
