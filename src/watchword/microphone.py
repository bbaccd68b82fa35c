"""Where live audio comes from: a microphone, or another program's raw samples.

In come a device or a pipe, out come chunks, int16 at 16 kHz, until it ends. A room because a
microphone can be absent, busy or unplugged, and a pipe can close, and each must be met with one
line and not lose what was heard before.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, BinaryIO, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from watchword.errors import AudioError, missing_extra
from watchword.units import SAMPLE_RATE_HZ, Hz, Samples, Seconds

Chunk = NDArray[np.int16]
Warn = Callable[[str], None]

CHUNK_SAMPLES: Final[Samples] = 1_280
PATIENCE_S: Final[Seconds] = 5.0
"""How long a microphone may be silent as a device, not as a sound."""
MOST_WAITING: Final = 1_000
"""Chunks that wait to be heard; a program that is slower than sound for so long has lost."""
DEAD_S: Final[Seconds] = 5.0
"""How long all samples may be zero before it is said; no open microphone is as still as that."""
SAMPLE_BYTES: Final = 2
HEADERS: Final = {
    **{b"RIFF": "WAV", b"RF64": "WAV", b"fLaC": "FLAC", b"OggS": "OGG", b"FORM": "AIFF"},
    **{b"ID3\x03": "MP3", b"ID3\x04": "MP3", b".snd": "AU"},
}
"""How sound files begin that are no raw samples."""
LONGEST_HEADER: Final = max(map(len, HEADERS))


def devices() -> list[dict[str, Any]]:
    """Return the microphones of this machine: number, name, channels, rate, and which is the usual.

    Raises:
        AudioError: If PortAudio is missing or does not start.
        WatchwordError: If sounddevice is not installed.
    """
    sounddevice = _sounddevice()
    usual = sounddevice.default.device[0]
    return [
        {
            "number": number,
            "name": device["name"],
            "channels": device["max_input_channels"],
            "rate_hz": round(device["default_samplerate"]),
            "is_usual": number == usual,
        }
        for number, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def microphone(
    device: int | str | None = None, warn: Warn = lambda _line: None
) -> Iterator[NDArray[np.int16]]:
    """Yield what a microphone hears, 80 ms at a time, for ever.

    One that does not give 16 kHz is opened at its own rate and resampled; of one that gives no
    single channel the first is heard.

    Args:
        device: Its number, or part of its name; the usual one where not given.
        warn: Called with a line once audio was lost because it was not fetched in time.

    Raises:
        AudioError: If there is none, it cannot be opened, or it falls silent as a device.
        WatchwordError: If sounddevice is not installed.
    """
    sounddevice = _sounddevice()
    if not devices():
        raise AudioError(
            "this machine has no microphone, needed one to listen to: connect one, or give raw "
            "audio of another program with --stdin"
        )
    inbox = Inbox()
    stream, rate_hz = _opened(sounddevice, device, inbox.put)
    resample = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="int16", quality="HQ")
    is_told = False
    with closing(stream):
        while True:
            block = inbox.take()
            yield block if rate_hz == SAMPLE_RATE_HZ else resample.resample_chunk(block)
            if inbox.lost and not is_told:
                is_told = True
                warn(
                    "some audio was lost, this machine does not keep up: close other programs, or "
                    "listen with a smaller model (watchword models)"
                )


class Inbox:
    """Blocks that wait to be heard: PortAudio's thread puts them in, ours takes them out."""

    def __init__(self) -> None:
        self.blocks: queue.Queue[Chunk] = queue.Queue(MOST_WAITING)
        self.lost = 0
        """How often audio was lost."""

    def put(self, block: Chunk, _frames: int, _time: Any, status: Any) -> None:
        """Keep the first channel of a block, shape ``(samples, channels)``; never wait."""
        self.lost += bool(getattr(status, "input_overflow", False))
        try:
            self.blocks.put_nowait(block[:, 0].copy())
        except queue.Full:
            self.lost += 1

    def take(self) -> Chunk:
        """Return the next block, shape ``(samples,)``.

        Raises:
            AudioError: If none comes.
        """
        try:
            return self.blocks.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AudioError(
                f"the microphone gave nothing for {PATIENCE_S:g} s, needed audio all the time: it "
                "was unplugged or another program holds it; connect it and start again"
            ) from None


def _opened(sounddevice: Any, device: int | str | None, put: Callable[..., None]) -> tuple[Any, Hz]:
    """Return a microphone's running stream and its rate: 16 kHz and one channel where it can."""
    try:
        about = sounddevice.query_devices(device, "input")
        rates = SAMPLE_RATE_HZ, round(about["default_samplerate"])
        ways = [(rate, channels) for rate in rates for channels in (1, about["max_input_channels"])]
        can = (way for way in ways if _can(sounddevice, device, *way))
        rate_hz, channels = next(can, ways[0])
        stream = sounddevice.InputStream(
            samplerate=rate_hz,
            blocksize=CHUNK_SAMPLES * rate_hz // SAMPLE_RATE_HZ,
            device=device,
            channels=channels,
            dtype="int16",
            callback=put,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(
            f"the microphone cannot be opened ({_line(error)}), needed one that is free and "
            "records: choose another with --device (--list-devices names them)"
        ) from error
    return stream, rate_hz


def _can(sounddevice: Any, device: int | str | None, rate_hz: Hz, channels: int) -> bool:
    """Tell whether a microphone gives a rate and so many channels."""
    try:
        sounddevice.check_input_settings(
            device=device, channels=channels, dtype="int16", samplerate=rate_hz
        )
    except sounddevice.PortAudioError:
        return False
    return True


def audible(chunks: Iterable[Chunk], warn: Warn) -> Iterator[Chunk]:
    """Yield chunks as they come, and say once if they begin with nothing but zeros.

    Args:
        chunks: Audio, each of shape ``(samples,)``.
        warn: Called with a line after five seconds of zeros: a microphone that is muted, or that
            the system does not let this program hear.
    """
    zeros: Samples | None = 0
    for piece in chunks:
        if zeros is not None:
            zeros = None if piece.any() else zeros + len(piece)
        if zeros is not None and zeros >= DEAD_S * SAMPLE_RATE_HZ:
            zeros = None
            warn(
                f"all samples of the first {DEAD_S:g} s are zero: see that the microphone is not "
                "muted and that this program may use it"
            )
        yield piece


def raw(pipe: BinaryIO, chunk_samples: Samples = CHUNK_SAMPLES) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a pipe until it closes: 16-bit little-endian, mono, 16 kHz.

    Args:
        pipe: Where bytes come from.
        chunk_samples: Most samples of a chunk.

    Raises:
        AudioError: If it is a terminal, if it begins like a sound file, if nothing came before it
            closed, or half a sample.
    """
    if getattr(pipe, "isatty", lambda: False)():
        raise AudioError(
            "the standard input is a terminal, needed raw samples of another program: "
            "arecord -q -t raw -f S16_LE -r 16000 -c 1 | watchword listen --stdin"
        )
    total, rest = 0, b""
    for piece in chain(
        [_start(pipe)], iter(lambda: _some(pipe, chunk_samples * SAMPLE_BYTES), b"")
    ):
        total += len(piece)
        whole = rest + piece
        cut = len(whole) - len(whole) % SAMPLE_BYTES
        rest = whole[cut:]
        yield np.frombuffer(whole[:cut], "<i2").astype(np.int16)
    if not total:
        raise AudioError(
            "the pipe closed before any audio came, needed 16-bit samples, mono, at 16,000 Hz: "
            "check the program before it, such as arecord -t raw -f S16_LE -r 16000 -c 1"
        )
    if rest:
        raise AudioError(
            f"the pipe closed within a sample ({total:,} bytes), needed an even number: what came "
            "before was heard; check that the program before it gives 16-bit samples"
        )


def _start(pipe: BinaryIO) -> bytes:
    """Return the first bytes of a pipe, unless they are those of a sound file."""
    start = b""
    while len(start) < LONGEST_HEADER and (piece := _some(pipe, LONGEST_HEADER - len(start))):
        start += piece
    if start in HEADERS:
        raise AudioError(
            f"the pipe begins like a {HEADERS[start]} file, needed raw samples without a header: "
            "arecord -t raw, or ffmpeg -i FILE -f s16le -ac 1 -ar 16000 -, or give the file to "
            "watchword spot"
        )
    return start


def _some(pipe: BinaryIO, most: int) -> bytes:
    """Return what a pipe has, at most so much; nothing once it is closed."""
    try:
        return pipe.read1(most) if hasattr(pipe, "read1") else pipe.read(most)
    except (OSError, ValueError) as error:  # ValueError: closed on our side
        raise AudioError(
            f"the pipe cannot be read ({_line(error)}), needed one that stays open: check the "
            "program before it"
        ) from error


def _sounddevice() -> Any:
    """Return the package that knows microphones, or say how to get it."""
    try:
        import sounddevice
    except ImportError as fault:
        raise missing_extra("sounddevice", "mic") from fault
    except OSError as fault:  # the package is there and PortAudio is not
        raise AudioError(
            f"PortAudio is missing ({_line(fault)}), needed is this library under the microphone: "
            "install it (Debian, Raspberry Pi: sudo apt install libportaudio2), or use --stdin"
        ) from fault
    except Exception as fault:  # its own error cannot be imported from where it was raised
        raise AudioError(
            f"PortAudio does not start ({_line(fault)}), needed a working sound system: check that "
            "other programs record, or use --stdin"
        ) from fault
    return sounddevice


def _line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())[:200]
