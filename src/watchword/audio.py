"""Files ↔ waveforms, and the gate that refuses what is no usable audio.

In comes a sound file of any rate and any number of channels, out goes a mono float32 waveform at 16
kHz in [-1, 1]; or the other way round, as 16-bit PCM. It is a room because whoever reads, streams,
prepares or checks audio must agree on rate, scale and on what is refused.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from watchword.errors import AudioError, DataError
from watchword.units import SAMPLE_RATE_HZ, Hz, Seconds

Waveform = NDArray[np.float32]
Pcm = NDArray[np.int16]

AUDIO_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".opus")
FULL_SCALE: Final = 32_768  # what a sample of 1.0 is in 16-bit PCM
# Lossy decoders overshoot a clipped recording by some tenths; beyond twice full scale the numbers
# are of another scale, such as integers stored as floats.
MAX_DECODED: Final = 2.0
MAX_WAVEFORM: Final = 1.0 + 1e-3
PART_S: Final = 60.0
SLOWEST_HZ: Final = 1_000  # a telephone has 8,000, the worst of old sound cards some 4,000
PROMISED: Final = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.M)
"""How libsndfile notes that a WAV, AIFF or AU file is shorter than its header says."""
ENDLESS: Final = 0x7FFF_0000
"""Bytes from which on a header promises no length: programs that write into pipes fill in these."""
# TypeError: a name in .raw, which cannot be opened alone; MemoryError: a header that claims
# terabytes
UNDECODABLE: Final = (soundfile.SoundFileError, OSError, TypeError, MemoryError)


def read(path: str | Path) -> tuple[Waveform, Hz, int]:
    """Return the audio of a file as the rest of the house wants it.

    Channels are averaged, other rates are resampled to 16 kHz (soxr, quality HQ), and the overshoot
    of decoders and of resampling is cut to [-1, 1]. Values beyond ±2 are refused: they are of
    another scale.

    Args:
        path: A file in any format that libsndfile reads.

    Returns:
        The waveform, shape ``(samples,)``, at 16 kHz in [-1, 1]; the rate of the file in Hz; its
        channels.

    Raises:
        AudioError: If the file is missing, cannot be decoded, is empty, or holds values that are no
            audio.
    """
    samples, rate_hz = decode(path)
    return conform(samples, rate_hz, what=str(path)), rate_hz, samples.shape[1]


def blocks(path: str | Path, block_s: Seconds = 4.0) -> Iterator[Waveform]:
    """Yield the audio of a file piece by piece, as ``read`` would return it whole.

    A day of audio needs no more memory than a block. What came before a damaged place is yielded
    before the error.

    Args:
        path: A file in any format that libsndfile reads.
        block_s: Seconds of a piece; pieces of resampled files differ a little.

    Yields:
        Waveforms, shape ``(samples,)``, at 16 kHz in [-1, 1].

    Raises:
        AudioError: As ``read``.
    """
    what, total, rate_hz, resample = str(path), 0, 0, None
    for samples, rate_hz, is_last in _decoded(path, block_s):
        mono = _mono(samples, what)
        if rate_hz != SAMPLE_RATE_HZ:
            resample = resample or _resampler(rate_hz, what)
            mono = resample.resample_chunk(mono, last=is_last)
        total += len(mono)
        yield np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)
    if not total:
        raise _nothing(rate_hz, what)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A sound file that is read from its start to its end.

    soundfile seeks after every read in a file where that is possible. An MP3 loses its place by it,
    a FLAC file that came out of a pipe and does not know its length is refused.
    """

    def seekable(self) -> bool:
        """Say that one cannot seek."""
        return False


def _decoded(path: str | Path, block_s: Seconds) -> Iterator[tuple[NDArray[np.float32], Hz, bool]]:
    """Yield decoded samples ``(samples, channels)``, their rate, and whether they are the last."""
    try:
        with _Forward(path) as file:
            count = max(1, min(round(block_s * file.samplerate), file.frames))
            samples = file.read(count, dtype="float32", always_2d=True)
            while len(samples):
                after, fault = _after(file, count)
                yield samples, file.samplerate, not (len(after) or fault)
                if fault:
                    raise fault
                samples = after
            _refuse_cut(file, path)
    except UNDECODABLE as error:
        raise AudioError(f"{path}: {_why_unreadable(Path(path), error)}") from error


def _refuse_cut(file: Any, path: str | Path) -> None:
    """Raise if the header of a file promised more than was there: libsndfile only notes it."""
    found = PROMISED.search(file.extra_info)
    if found and (there := int(found[2])) < (promised := int(found[1])) < ENDLESS:
        raise AudioError(
            f"{path}: cut short, {there:,} bytes of audio found where its header promises "
            f"{promised:,}; what is there was heard: copy it again for the rest"
        )


def _after(file: Any, count: int) -> tuple[NDArray[np.float32], Exception | None]:
    """Return the samples that come next in a file, or why there are none."""
    try:
        return file.read(count, dtype="float32", always_2d=True), None
    except UNDECODABLE as error:
        return np.empty((0, 1), np.float32), error


def _resampler(rate_hz: Hz, what: str) -> Any:
    """Return what brings a stream to 16 kHz, as ``conform`` does a whole file."""
    _refuse_rate(rate_hz, what)
    return soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")


def chunk(samples: NDArray[Any]) -> Waveform:
    """Return a piece of a stream as a waveform: the gate for what programs feed.

    Args:
        samples: Audio at 16 kHz, int16 or float in [-1, 1], shape ``(samples,)``; none is a piece.

    Returns:
        The waveform; the overshoot of floats is cut to [-1, 1].

    Raises:
        AudioError: If it has another type or shape, NaN, infinite values, or values of another
            scale.

    Example:
        >>> chunk(np.array([16_384, -32_768], np.int16))
        array([ 0.5, -1. ], dtype=float32)
    """
    try:
        samples = np.asarray(samples)
    except (ValueError, TypeError) as error:
        raise AudioError(
            f"a chunk that is no array came in ({error}), needed int16 or float in [-1, 1]: give a "
            "numpy array of shape (samples,)"
        ) from error
    if samples.dtype.kind == "S":
        raise AudioError(
            "a chunk of bytes came in, needed an array: if they are 16-bit samples of one channel, "
            "give np.frombuffer(chunk, np.int16)"
        )
    if samples.ndim != 1:
        give = "chunk[:, 0], or the mean of the channels" if samples.ndim else "a numpy array"
        raise AudioError(
            f"a chunk of shape {samples.shape} came in, needed (samples,) of one channel: give "
            f"{give}"
        )
    if samples.dtype == np.int16:
        return samples.astype(np.float32) * np.float32(1 / FULL_SCALE)
    if samples.dtype.kind != "f":
        raise AudioError(
            f"a chunk of type {samples.dtype} came in, needed int16 or float in [-1, 1]: convert it"
        )
    if samples.size:
        _refuse_values(samples, MAX_DECODED, "a chunk")
    waveform: Waveform = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    return waveform


def decode(path: str | Path) -> tuple[NDArray[np.float32], Hz]:
    """Return the samples of a file as they are stored, and its rate.

    Args:
        path: A file in any format that libsndfile reads.

    Returns:
        Samples, shape ``(samples, channels)``, full scale being ±1; the rate in Hz.

    Raises:
        AudioError: If the file is missing, empty, or cannot be decoded.
    """
    parts = [*_decoded(path, PART_S)]
    if not parts:
        return np.empty((0, 1), np.float32), SAMPLE_RATE_HZ
    samples = [part for part, _, _ in parts]
    return samples[0] if len(parts) == 1 else np.concatenate(samples), parts[0][1]


def conform(samples: NDArray[np.float32], rate_hz: Hz, *, what: str = "the audio") -> Waveform:
    """Return decoded samples as a waveform: one channel, 16 kHz, in [-1, 1].

    Args:
        samples: As ``decode`` returns them, shape ``(samples, channels)``.
        rate_hz: Their rate.
        what: What error messages call them.

    Returns:
        The waveform, shape ``(samples,)``.

    Raises:
        AudioError: If there are no samples, or values that are not finite or of another scale, or
            the rate is that of no sound.
    """
    mono = _mono(samples, what)
    if rate_hz != SAMPLE_RATE_HZ:
        _refuse_rate(rate_hz, what)
        mono = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    if mono.size == 0:
        raise _nothing(rate_hz, what)
    return np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)


def _nothing(rate_hz: Hz, what: str) -> AudioError:
    """Return the error for audio of no samples, or of too few to be resampled from a rate."""
    if not rate_hz:
        return AudioError(f"{what}: no samples found, needed audio; remove it or record it again")
    return AudioError(
        f"{what}: too short to be resampled from {rate_hz:,} Hz, needed at least one sample at "
        f"{SAMPLE_RATE_HZ:,} Hz; remove it or record it again"
    )


def _refuse_rate(rate_hz: Hz, what: str) -> None:
    """Raise if a rate is so low that resampling would make audio without end of damaged bytes."""
    if rate_hz < SLOWEST_HZ:
        raise AudioError(
            f"{what}: a rate of {rate_hz:,} Hz found, needed at least {SLOWEST_HZ:,}: its header "
            "is damaged, or it is no sound; record it again"
        )


def _mono(samples: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Return the mean of the channels, ``(samples,)``, if it is audio."""
    with np.errstate(invalid="ignore", over="ignore"):  # what comes of it is refused below
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if mono.size == 0:
        raise _nothing(0, what)
    _refuse_values(mono, MAX_DECODED, what)
    return mono


def write(path: str | Path, waveform: NDArray[np.floating[Any]]) -> None:
    """Write a waveform as a 16-bit PCM WAV file, whole or not at all.

    Args:
        path: File to write; its folder must exist.
        waveform: Audio at 16 kHz in [-1, 1], shape ``(samples,)``.

    Raises:
        AudioError: If the waveform does not pass the gate (see ``check``).
        DataError: If the file cannot be written.
    """
    check(waveform)
    path = Path(path)
    encoded = io.BytesIO()
    soundfile.write(encoded, to_int16(waveform), SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_bytes(encoded.getbuffer())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path}: could not be written ({error.strerror}), needed a writable folder with room; "
            "choose another folder or free some space"
        ) from error


def check(waveform: NDArray[np.floating[Any]]) -> None:
    """Let usable audio through and refuse everything else: the gate.

    Args:
        waveform: What claims to be audio: float32 or float64, shape ``(samples,)``, in [-1, 1].

    Raises:
        AudioError: If it has another type or shape, no samples, NaN or infinite values, or values
            beyond ±1.

    Example:
        >>> check(np.zeros(16_000, dtype=np.float32))
    """
    if waveform.dtype not in (np.float32, np.float64):
        raise AudioError(
            f"the waveform has type {waveform.dtype}, needed float32 in [-1, 1]; "
            "divide 16-bit samples by 32768"
        )
    if waveform.ndim != 1:
        raise AudioError(
            f"the waveform has shape {waveform.shape}, needed (samples,); "
            "average the channels first"
        )
    if waveform.size == 0:
        raise AudioError("the waveform has no samples, needed at least one; record it again")
    _refuse_values(waveform, MAX_WAVEFORM, "the waveform")


def to_int16(waveform: NDArray[np.floating[Any]]) -> Pcm:
    """Return a waveform as 16-bit samples, rounded to the nearest and limited to what 16 bits hold.

    Args:
        waveform: Audio in [-1, 1], any shape.

    Returns:
        Samples in [-32768, 32767], same shape. Audio that came from 16-bit PCM comes back bit for
        bit.

    Example:
        >>> to_int16(np.array([-1.0, 0.5, 1.0])).tolist()
        [-32768, 16384, 32767]
    """
    scaled = np.rint(waveform * FULL_SCALE)
    samples: Pcm = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples


def _why_unreadable(path: Path, error: Exception) -> str:
    """Return what is wrong with a file that could not be decoded, and what to do."""
    if not path.is_file():
        return "no such file, needed a sound file; check the name"
    if path.stat().st_size == 0:
        return "the file is empty (0 bytes), needed audio; remove it or record it again"
    if path.suffix.lower() == ".raw":
        return (
            "raw samples without a header found, needed a file that tells its rate; 16-bit mono at "
            f"{SAMPLE_RATE_HZ:,} Hz can be heard with watchword listen --stdin < {path}"
        )
    reason = getattr(error, "error_string", None) or str(error) or type(error).__name__
    return (
        f"cannot be decoded ({reason.strip().rstrip('.')}), needed a format that libsndfile "
        "reads, such as WAV, FLAC, OGG or Opus; convert it or remove it"
    )


def _refuse_values(waveform: NDArray[np.floating[Any]], limit: float, what: str) -> None:
    """Raise unless all values are finite and within ±limit."""
    peak = float(np.abs(waveform).max())  # NaN if any value is
    if not np.isfinite(peak):
        raise AudioError(
            f"{what}: NaN or infinite samples found, needed finite values in [-1, 1]; "
            "record or export it again"
        )
    if peak > limit:
        raise AudioError(
            f"{what}: samples up to ±{peak:.6g} found, needed values in [-1, 1]; "
            "scale the audio before it is stored"
        )
