"""A microphone of PulseAudio, through PortAudio and ALSA: heard, ended, unplugged, absent.

What others play into PulseAudio's empty room its microphone hears, so no sound card is needed. On
Debian: ``apt install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile

from watchword.data.espeak import ESPEAK_RATE_HZ, Saying, speak

NEEDED: Final = ("pulseaudio", "pactl", "paplay")
LONGEST_S: Final = 30.0
pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in NEEDED), reason="PulseAudio is not installed"
)


@dataclass(frozen=True)
class Room:
    """A running PulseAudio whose only microphone hears what is played into it.

    Args:
        environment: Of programs that are in the room.
    """

    environment: dict[str, str]

    def control(self, *words: str) -> str:
        """Return what ``pactl`` answers."""
        asked = ["pactl", *words]
        return subprocess.run(
            asked, env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def listen(self, *options: str) -> subprocess.Popen[str]:
        """Return ``watchword listen`` at work, once its microphone is open or it has ended."""
        listening = subprocess.Popen(
            [sys.executable, "-m", "watchword", "listen", "--threshold", "0.5", *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: listening.poll() is not None or bool(self.control("list", "source-outputs")))
        return listening

    def play(self, path: Path) -> None:
        """Play a sound file to its end."""
        subprocess.run(["paplay", str(path)], env=self.environment, check=True, timeout=LONGEST_S)

    def unplug(self) -> None:
        """Take the microphone away."""
        self.control("unload-module", "module-null-sink")


def until(is_so: Any) -> None:
    """Wait until something is so."""
    last = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < last
        time.sleep(0.05)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    (tmp_path / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
    environment = kept | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    modules = ("module-native-protocol-unix", "module-null-sink sink_name=room")
    server = subprocess.Popen(
        ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n"]
        + [word for module in modules for word in ("-L", module)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        until((tmp_path / "pulse" / "native").exists)
        yield Room(environment)
    finally:
        server.terminate()
        server.wait(LONGEST_S)


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A recording of a keyword, said by several voices."""
    said = speak([Saying("stop", "en-us", voice) for voice in ("m1", "f1", "m3", "f3")], seed=1)
    pause = np.zeros(ESPEAK_RATE_HZ, np.float32)
    sound = np.concatenate([pause, *(piece for one in said for piece in (one, pause))])
    soundfile.write(tmp_path / "spoken.wav", sound, ESPEAK_RATE_HZ)
    return tmp_path / "spoken.wav"


def test_a_microphone_is_listed_heard_and_left(room: Room, spoken: Path) -> None:
    listed = room.listen("--list-devices").communicate(timeout=LONGEST_S)[0]
    assert "the usual" in listed
    listening = room.listen("--json")
    room.play(spoken)
    time.sleep(1.0)
    listening.send_signal(signal.SIGINT)
    out, err = listening.communicate(timeout=LONGEST_S)
    assert (listening.returncode, "Traceback" in err) == (0, False)
    detections = [json.loads(line) for line in out.splitlines()]
    assert "stop" in {one["keyword"] for one in detections}


def test_a_microphone_that_is_unplugged_loses_nothing_before(room: Room, spoken: Path) -> None:
    listening = room.listen("--json")
    room.play(spoken)
    room.unplug()
    out, err = listening.communicate(timeout=LONGEST_S)
    assert listening.returncode == 2
    assert '"stop"' in out
    assert "the microphone gave nothing for 5 s" in err.splitlines()[-1]


def test_without_a_microphone_one_line_says_so(room: Room) -> None:
    room.unplug()
    listening = room.listen()
    err = listening.communicate(timeout=LONGEST_S)[1]
    assert listening.returncode == 2
    assert "watchword: the microphone cannot be opened" in err.splitlines()[-1]
