"""A stand-in for sounddevice: a test says what its microphones hear, and what goes wrong."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

Way = tuple[int, int]


class PortAudioError(Exception):
    """As sounddevice raises it."""


class StandIn:
    """What is put in the place of the module ``sounddevice``.

    Args:
        blocks: What the microphone gives, block by block; then it falls silent as a device.
        names: The devices; one called ``speaker`` has no input.
        ways: Rates and channels that can be opened.
        rate_hz: The rate that the devices call their own.
        channels: Inputs of each.
        lost: In which blocks PortAudio says that audio was lost.
    """

    PortAudioError = PortAudioError

    def __init__(
        self,
        blocks: Sequence[np.ndarray] = (),
        *,
        names: Sequence[str] = ("mic",),
        ways: Sequence[Way] = ((16_000, 1),),
        rate_hz: float = 44_100.0,
        channels: int = 2,
        lost: Sequence[int] = (),
    ) -> None:
        self.blocks, self.ways, self.lost = blocks, ways, lost
        self.default = SimpleNamespace(device=(len(names) - 1, 0))
        self.opened: list[dict[str, Any]] = []
        self.is_closed = False
        self.devices = [
            {
                "name": name,
                "max_input_channels": 0 if name == "speaker" else channels,
                "default_samplerate": rate_hz,
            }
            for name in names
        ]

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        if isinstance(device, str):
            found = [one for one in self.devices if device in one["name"]]
            if len(found) != 1:
                raise ValueError(f"Multiple input devices found for {device!r}:\n[0] a\n[1] b")
            return found[0]
        if device is not None and device >= len(self.devices):
            raise PortAudioError(f"Error querying device {device}")
        return self.devices[0 if device is None else device]

    def check_input_settings(self, **settings: Any) -> None:
        if (settings["samplerate"], settings["channels"]) not in self.ways:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def InputStream(self, **settings: Any) -> StandIn:  # noqa: N802 - as sounddevice has it
        given = {key: settings[key] for key in ("device", "channels", "dtype", "samplerate")}
        self.check_input_settings(**given)
        self.opened.append(settings)
        return self

    def start(self) -> None:
        threading.Thread(target=self.speak, daemon=True).start()

    def speak(self) -> None:
        settings = self.opened[-1]
        for number, block in enumerate(self.blocks):
            columns = np.zeros((len(block), settings["channels"]), np.int16)
            columns[:, 0] = block
            status = SimpleNamespace(input_overflow=number in self.lost)
            settings["callback"](columns, len(block), None, status)

    def close(self) -> None:
        self.is_closed = True


def plug(monkeypatch: pytest.MonkeyPatch, *blocks: np.ndarray, **about: Any) -> StandIn:
    """Put a stand-in in the place of sounddevice; who waits for audio is not patient."""
    from watchword import microphone

    module = StandIn(blocks, **about)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(microphone, "PATIENCE_S", 0.2)
    return module
