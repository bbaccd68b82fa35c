"""Where live audio comes from: a microphone, or another program's raw samples.

In come a device or a pipe, out come chunks, int16 at 16 kHz, until it ends. A room because a
microphone can be absent, busy or unplugged, and a pipe can close, and each must be met with one
line and not lose what was heard before.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from watchword.errors import AudioError, missing_extra
from watchword.units import SAMPLE_RATE_HZ, Samples, Seconds

CHUNK_SAMPLES: Final[Samples] = 1_280
PATIENCE_S: Final[Seconds] = 3.0
"""How long a microphone may be silent as a device, not as a sound."""
MOST_WAITING: Final = 1_000
"""Chunks that wait to be heard; a program that is slower than sound for so long has lost."""
SAMPLE_BYTES: Final = 2


def devices() -> list[dict[str, Any]]:
    """Return the microphones of this machine: number, name, channels, and whether it is the usual.

    Raises:
        WatchwordError: If sounddevice is not installed.
    """
    sounddevice = _sounddevice()
    usual = sounddevice.default.device[0]
    return [
        {
            "number": number,
            "name": device["name"],
            "channels": device["max_input_channels"],
            "is_usual": number == usual,
        }
        for number, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def microphone(device: int | str | None = None) -> Iterator[NDArray[np.int16]]:
    """Yield what a microphone hears, 80 ms at a time, for ever.

    Args:
        device: Its number, or part of its name; the usual one where not given.

    Raises:
        AudioError: If there is none, it cannot be opened, or it falls silent as a device.
        WatchwordError: If sounddevice is not installed.
    """
    sounddevice = _sounddevice()
    if not devices():
        raise AudioError(
            "this machine has no microphone: connect one, or give raw audio of another program "
            "with --stdin"
        )
    heard: queue.Queue[NDArray[np.int16]] = queue.Queue(MOST_WAITING)

    def keep(block: NDArray[np.int16], *_: Any) -> None:
        if not heard.full():
            heard.put_nowait(block[:, 0].copy())

    try:
        with sounddevice.InputStream(
            samplerate=SAMPLE_RATE_HZ,
            blocksize=CHUNK_SAMPLES,
            device=device,
            channels=1,
            dtype="int16",
            callback=keep,
        ):
            while True:
                yield heard.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise AudioError(
            f"the microphone gave nothing for {PATIENCE_S:g} s: it was unplugged or another "
            "program holds it; connect it and start again"
        ) from None
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(
            f"the microphone cannot be opened ({_line(error)}), needed one that gives "
            f"{SAMPLE_RATE_HZ:,} Hz: choose another with --device (--list-devices names them)"
        ) from error


def raw(pipe: BinaryIO, chunk_samples: Samples = CHUNK_SAMPLES) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a pipe until it closes: 16-bit little-endian, mono, 16 kHz.

    Args:
        pipe: Where bytes come from.
        chunk_samples: Most samples of a chunk.

    Raises:
        AudioError: If nothing came before it closed, or half a sample.
    """
    total, rest = 0, b""
    while piece := _some(pipe, chunk_samples * SAMPLE_BYTES):
        total += len(piece)
        whole = rest + piece
        cut = len(whole) - len(whole) % SAMPLE_BYTES
        rest = whole[cut:]
        yield np.frombuffer(whole[:cut], "<i2").astype(np.int16)
    if not total:
        raise AudioError(
            "the pipe closed before any audio came, needed 16-bit samples, mono, at 16,000 Hz: "
            "check the program before it, such as arecord -f S16_LE -r 16000 -c 1"
        )
    if rest:
        raise AudioError(
            f"the pipe closed within a sample ({total:,} bytes), needed an even number: what came "
            "before was heard; check that the program before it gives 16-bit samples"
        )


def _some(pipe: BinaryIO, most: int) -> bytes:
    """Return what a pipe has, at most so much; nothing once it is closed."""
    try:
        return pipe.read1(most) if hasattr(pipe, "read1") else pipe.read(most)
    except OSError as error:
        raise AudioError(
            f"the pipe cannot be read ({error.strerror or error}): check the program before it"
        ) from error


def _sounddevice() -> Any:
    """Return the package that knows microphones, or say how to get it."""
    try:
        import sounddevice
    except ImportError as fault:
        raise missing_extra("sounddevice", "mic") from fault
    except OSError as fault:  # the package is there and PortAudio is not
        raise AudioError(
            f"PortAudio, the library under the microphone, is missing ({_line(fault)}): install "
            "it (Debian: apt install libportaudio2), or use --stdin"
        ) from fault
    return sounddevice


def _line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())[:120]
