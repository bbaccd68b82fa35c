"""espeak-ng's voices, spoken without any program installed on the system.

In come texts, each with a voice, an accent, a pitch and a pace; out come waveforms at espeak-ng's
own rate. It is a room because it alone knows the library's calls, its names and its global state.

espeak-ng keeps that state, noise generator included, in global variables, and an utterance depends
on those before it. So each call of `speak` starts a process of its own: the same request gives the
same samples, whatever was spoken before, and threads cannot disturb each other.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from importlib import util
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from watchword.errors import DataError, missing_extra
from watchword.units import Hz, Seconds

ESPEAK_RATE_HZ: Final[Hz] = 22_050
ACCENTS: Final = (
    *("en-us", "en-us-nyc", "en-gb-x-rp", "en-gb-scotland"),
    *("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
LONGEST_S: Final[Seconds] = 0.95
FASTER_PACES: Final = (220, 300, 400)


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said, and how.

    Attributes:
        text: The words; a full stop, an exclamation or a question mark changes the melody.
        accent: Language variant, one of ``ACCENTS``.
        voice: Voice variant, the name of a file of ``espeak-ng-data/voices/!v``.
        pitch: Base pitch, 0–99; 50 is the voice's own.
        pitch_range: Liveliness of the melody, 0–99.
        words_per_minute: Pace, 80–450.
        longest_s: An utterance that is longer is spoken again, faster; never where None.
    """

    text: str
    accent: str
    voice: str
    pitch: int = 50
    pitch_range: int = 50
    words_per_minute: int = 160
    longest_s: Seconds | None = LONGEST_S


def check_installed() -> None:
    """Return if espeak-ng is there.

    Raises:
        WatchwordError: If ``espeakng-loader`` is not installed.
    """
    if util.find_spec("espeakng_loader") is None:
        raise missing_extra("espeakng-loader", "synth")


def speak(sayings: Sequence[Saying], *, seed: int) -> list[npt.NDArray[np.float32]]:
    """Return what was asked for, spoken one after the other in a fresh process.

    An utterance longer than its ``longest_s`` is spoken again, faster, until it is shorter or
    cannot be.

    Args:
        sayings: What to say.
        seed: Start of espeak-ng's noise generator, 1 to 2^31 - 1.

    Returns:
        One waveform in [-1, 1] of shape ``(samples,)`` at 22,050 Hz for each saying.

    Raises:
        DataError: If espeak-ng cannot be started, has not such a voice, or stops.
        WatchwordError: If ``espeakng-loader`` is not installed.
    """
    check_installed()
    request = json.dumps([seed, [astuple(saying) for saying in sayings]])
    answer = subprocess.run(
        [sys.executable, "-P", "-c", "from watchword.data import espeak; espeak._serve()"],
        input=request.encode(),
        capture_output=True,
        check=False,
    )
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip() or "no message"
        raise DataError(
            f"espeak-ng stopped with status {answer.returncode} ({said.splitlines()[-1]}); one "
            "that works is needed: pip install --force-reinstall espeakng-loader"
        )
    lengths = np.frombuffer(answer.stdout, "<u4", count=len(sayings))
    samples = np.frombuffer(answer.stdout, "<i2", offset=lengths.nbytes)
    pieces = np.split(samples, np.cumsum(lengths)[:-1])
    return [piece.astype(np.float32) / np.float32(32_768) for piece in pieces]


def _serve() -> None:
    """Read one request from standard input, answer on standard output: lengths, then samples."""
    import espeakng_loader

    seed, request = json.load(sys.stdin)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # espeak-ng cuts paths at 160 characters; from inside the folder the path is always short.
    os.chdir(Path(espeakng_loader.get_data_path()).parent)
    retrieval, do_not_exit = 2, 0x8000
    if library.espeak_Initialize(retrieval, 0, b".", do_not_exit) != ESPEAK_RATE_HZ:
        raise SystemExit("it cannot start with the voices that came with it")
    library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
    said: list[bytes] = []

    def hear(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            said.append(ctypes.string_at(samples, 2 * count))
        return 0

    # The name keeps the callback alive while the library holds its address.
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(hear)
    library.espeak_SetSynthCallback(callback)
    answers = [_say(library, said, Saying(*fields)) for fields in request]
    lengths = np.array([len(answer) // 2 for answer in answers], "<u4")
    sys.stdout.buffer.write(lengths.tobytes() + b"".join(answers))


def _say(library: ctypes.CDLL, said: list[bytes], saying: Saying) -> bytes:
    """Return one utterance as 16-bit samples, faster than asked for where it is too long."""
    voice = f"{saying.accent}+{saying.voice}"
    # Of an unknown variant espeak-ng says nothing and speaks as the plain accent.
    is_known = Path("espeak-ng-data", "voices", "!v", saying.voice).is_file()
    if not is_known or library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise SystemExit(f"it has no voice {voice}")
    text = saying.text.encode()
    manner = ((2, 100), (3, saying.pitch), (4, saying.pitch_range))  # 2 is the volume in percent
    longest_s = float("inf") if saying.longest_s is None else saying.longest_s
    for pace in (saying.words_per_minute, *FASTER_PACES):
        for parameter, value in ((1, pace), *manner):
            library.espeak_SetParameter(parameter, value, 0)
        said.clear()
        library.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)  # 1: UTF-8
        library.espeak_Synchronize()
        if sum(map(len, said)) <= 2 * longest_s * ESPEAK_RATE_HZ:
            break
    return b"".join(said)
