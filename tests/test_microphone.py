"""Live audio: whatever becomes of a microphone or a pipe, what came before is heard."""

from __future__ import annotations

import builtins
import io
import sys
from itertools import islice
from typing import Any

import numpy as np
import pytest

from microphones import plug
from watchword import microphone
from watchword.errors import AudioError, WatchwordError

RAMP = np.arange(1_280, dtype=np.int16)


class Trickle(io.BytesIO):
    """A pipe that gives one byte at a time."""

    def read1(self, _size: int | None = -1) -> bytes:
        return super().read1(1)


def gathered(pipe: io.BytesIO, **words: Any) -> list[int]:
    return np.concatenate([*microphone.raw(pipe, **words)]).tolist()


# ------------------------------------------------------------------------------------- microphones


def test_microphones_are_listed_and_loudspeakers_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, names=("speaker", "built in", "USB"))
    assert microphone.devices() == [
        {"number": 1, "name": "built in", "channels": 2, "rate_hz": 44_100, "is_usual": False},
        {"number": 2, "name": "USB", "channels": 2, "rate_hz": 44_100, "is_usual": True},
    ]


def test_a_machine_without_a_microphone_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, names=("speaker",))
    assert microphone.devices() == []
    with pytest.raises(AudioError, match=r"has no microphone, needed one.*connect one.*--stdin"):
        next(microphone.microphone())


def test_what_a_microphone_gives_is_heard_until_it_is_unplugged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = plug(monkeypatch, RAMP, -RAMP)
    heard = microphone.microphone()
    np.testing.assert_array_equal(np.stack([*islice(heard, 2)]), [RAMP, -RAMP])
    with pytest.raises(AudioError, match=r"gave nothing for 0.2 s, needed.*unplugged.*connect it"):
        next(heard)
    assert module.is_closed


def test_who_stops_listening_closes_the_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = plug(monkeypatch, RAMP)
    heard = microphone.microphone()
    next(heard)
    heard.close()
    assert module.is_closed


@pytest.mark.parametrize(
    ("ways", "opened"),
    [
        ([(16_000, 1), (48_000, 1)], (16_000, 1, 1_280)),
        ([(16_000, 2), (48_000, 1)], (16_000, 2, 1_280)),
        ([(48_000, 1), (48_000, 2)], (48_000, 1, 3_840)),
        ([(48_000, 2)], (48_000, 2, 3_840)),
    ],
)
def test_a_microphone_is_opened_as_near_to_16_khz_and_one_channel_as_it_can(
    monkeypatch: pytest.MonkeyPatch, ways: list[tuple[int, int]], opened: tuple[int, int, int]
) -> None:
    module = plug(monkeypatch, np.zeros(opened[2], np.int16), ways=ways, rate_hz=48_000.0)
    next(microphone.microphone())
    (settings,) = module.opened
    assert tuple(settings[key] for key in ("samplerate", "channels", "blocksize")) == opened


def test_another_rate_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    time_s = np.arange(48_000) / 48_000
    tone = (8_000 * np.sin(2 * np.pi * 500 * time_s)).astype(np.int16)
    plug(monkeypatch, *np.split(tone, 10), ways=[(48_000, 1)], rate_hz=48_000.0)
    heard = np.concatenate([*islice(microphone.microphone(), 10)])
    assert 15_000 < len(heard) <= 16_000  # the end is still in the resampler
    middle = heard[2_000:14_000].astype(float)
    strengths = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert strengths.argmax() == 500 * len(middle) / 16_000
    assert np.abs(middle).max() == pytest.approx(8_000, rel=0.01)


@pytest.mark.parametrize(
    ("device", "found"),
    [
        (7, "Error querying device 7"),
        ("mic", r"Multiple input devices found for 'mic': \[0\] a \[1\] b"),
        (0, "Invalid sample rate"),
    ],
)
def test_a_microphone_that_cannot_be_opened_is_one_line(
    monkeypatch: pytest.MonkeyPatch, device: int | str, found: str
) -> None:
    plug(monkeypatch, names=("mic 1", "mic 2"), ways=[])
    with pytest.raises(AudioError, match=rf"opened \({found}.*\), needed.*--list-devices") as told:
        next(microphone.microphone(device))
    assert "\n" not in str(told.value)


def test_lost_audio_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    plug(monkeypatch, *[RAMP] * 5, lost=(1, 3))
    with pytest.raises(AudioError):
        [*microphone.microphone(warn=told.append)]
    assert len(told) == 1
    assert "some audio was lost" in told[0]


def test_an_inbox_never_waits_and_counts_what_it_could_not_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(microphone, "MOST_WAITING", 2)
    inbox = microphone.Inbox()
    for number in range(5):
        inbox.put(np.full((4, 2), number, np.int16), 4, None, None)
    assert inbox.lost == 3
    assert [inbox.take().tolist(), inbox.take().tolist()] == [[0] * 4, [1] * 4]


def test_five_seconds_of_zeros_are_told_and_a_quiet_start_is_not() -> None:
    told: list[str] = []
    still, faint = np.zeros(16_000, np.int16), np.zeros(16_000, np.int16)
    faint[-1] = 1
    assert len([*microphone.audible([still] * 4 + [faint] + [still] * 9, told.append)]) == 14
    assert told == []
    assert len([*microphone.audible([still] * 12, told.append)]) == 12
    assert told == [
        "all samples of the first 5 s are zero: see that the microphone is not muted and that this "
        "program may use it"
    ]


# ----------------------------------------------------------------------------------------- missing


def test_without_sounddevice_the_install_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[mic\]'"):
        microphone.devices()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (OSError("PortAudio library not found"), r"is missing \(PortAudio lib.*libportaudio2.*std"),
        (RuntimeError("Error initializing\nPortAudio"), r"not start \(Error initializing Port"),
    ],
)
def test_without_portaudio_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, message: str
) -> None:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise fault
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(AudioError, match=message) as told:
        microphone.devices()
    assert "\n" not in str(told.value)


# ------------------------------------------------------------------------------------------- pipes


@pytest.mark.parametrize("kind", [io.BytesIO, Trickle])
@pytest.mark.parametrize("samples", [1, 2, 3, 1_280, 3_000])
def test_a_pipe_gives_its_samples_in_whatever_pieces_they_come(
    kind: type[io.BytesIO], samples: int
) -> None:
    sent = np.arange(samples, dtype="<i2") - 7
    assert gathered(kind(sent.tobytes())) == sent.tolist()
    assert gathered(kind(sent.tobytes()), chunk_samples=5) == sent.tolist()


def test_what_came_before_half_a_sample_is_heard() -> None:
    heard = microphone.raw(io.BytesIO(b"\1\0\2\0\3\0\4"))
    assert np.concatenate([*islice(heard, 2)]).tolist() == [1, 2, 3]
    with pytest.raises(AudioError, match=r"within a sample \(7 bytes\), needed an even.*check"):
        next(heard)


def test_a_pipe_without_audio_is_refused() -> None:
    with pytest.raises(AudioError, match=r"before any audio came, needed 16-bit.*check.*arecord"):
        [*microphone.raw(io.BytesIO())]


@pytest.mark.parametrize(
    ("start", "kind"), [(b"RIFF", "WAV"), (b"fLaC", "FLAC"), (b"OggS", "OGG"), (b"ID3\4", "MP3")]
)
@pytest.mark.parametrize("pipe", [io.BytesIO, Trickle])
def test_a_sound_file_is_not_taken_for_samples(
    pipe: type[io.BytesIO], start: bytes, kind: str
) -> None:
    with pytest.raises(AudioError, match=rf"begins like a {kind} file, needed raw.*watchword spot"):
        [*microphone.raw(pipe(start + bytes(100)))]


def test_a_terminal_is_no_pipe() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(AudioError, match=r"is a terminal, needed raw.*arecord .* listen --stdin"):
        next(microphone.raw(Terminal()))


def test_a_pipe_that_breaks_is_one_line() -> None:
    class Broken(io.BytesIO):
        def read1(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    closed = io.BytesIO(b"1")
    closed.close()
    for pipe, found in ((Broken(), "Input/output error"), (closed, "closed file")):
        with pytest.raises(AudioError, match=rf"cannot be read \(.*{found}.*\), needed.*check"):
            microphone._some(pipe, 4)
