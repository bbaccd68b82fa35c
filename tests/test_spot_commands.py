"""``watchword spot`` and ``listen``: lines for people, objects for programs, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bundles
from conftest import PYTHON, Ask
from microphones import plug
from test_spot_jobs import burst, record
from watchword.spot_commands import _line

SAMPLES = (32_767 * burst(8_000)).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.write(tmp_path_factory.mktemp("model") / "loud.watchword")


# -------------------------------------------------------------------------------------------- spot


def test_spot_prints_one_object_for_each_detection(ask: Ask, model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", burst(8_000, 30_000, samples=32_000))
    answer = ask("spot", path, "--model", model, "--json")
    assert (answer.code, answer.err) == (0, "")
    first, second = map(json.loads, answer.out.splitlines())
    assert list(first) == ["keyword", "time_s", "score", "recording"]
    assert first == {"keyword": "loud", "time_s": 0.5, "score": 0.66, "recording": str(path)}
    assert second["time_s"] == 1.875


def test_spot_tells_people_what_was_heard_and_how_much(
    ask: Ask, model: Path, tmp_path: Path
) -> None:
    path = record(tmp_path / "a.wav", burst(8_000))
    words = ["--labels", tmp_path / "out", "--plot", tmp_path / "a.png"]
    answer = ask("spot", path, "-m", model, "-k", "loud", *words)
    assert answer.code == 0
    assert answer.out == "   0:00.50  loud         0.66\n"
    summary, labels, plot = answer.err.splitlines()
    assert summary.startswith("1 detection in 1 recording, 1.0 s of audio in ")
    assert labels == f"labels: {tmp_path}/out"
    assert plot == f"plot: {tmp_path}/a.png"


def test_of_several_recordings_each_line_says_which(ask: Ask, model: Path, tmp_path: Path) -> None:
    paths = [record(tmp_path / name, burst(8_000)) for name in ("a [b].wav", "c.wav")]
    answer = ask("spot", *paths, "--model", model)
    assert [line.split("  ")[0] for line in answer.out.splitlines()] == [*map(str, paths)]
    assert answer.err.startswith("2 detections in 2 recordings")


def test_where_nothing_is_detected_the_highest_score_is_told(
    ask: Ask, model: Path, tmp_path: Path
) -> None:
    path = record(tmp_path / "a.wav", 0.5 * burst(8_000))
    answer = ask("spot", path, "--model", model)
    assert (answer.code, answer.out) == (0, "")
    assert "0 detections in 1 recording" in answer.err
    assert "the highest score was 0.44, of loud; its threshold is 0.50\n" in answer.err


def test_a_fault_is_one_line_after_what_was_heard(ask: Ask, model: Path, tmp_path: Path) -> None:
    waveform = burst(8_000, samples=32_000)
    waveform[-1] = np.inf
    path = record(tmp_path / "a.wav", waveform, subtype="FLOAT")
    answer = ask("spot", path, "--model", model)
    assert (answer.code, answer.out.count("\n")) == (2, 1)
    summary, fault = answer.err.splitlines()
    assert summary.startswith("1 detection in 1 recording, 1.0 s of audio")
    assert fault.startswith(f"watchword: {path}: NaN or infinite samples found")
    assert fault.endswith("the 1.0 s before it were heard")


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_faults_of_several_recordings_are_all_named(
    ask: Ask, model: Path, tmp_path: Path, option: list[str]
) -> None:
    path = record(tmp_path / "a.wav", burst(8_000))
    (tmp_path / "b.wav").touch()
    answer = ask("spot", tmp_path / "b.wav", path, "no.wav", "--model", model, *option)
    assert (answer.code, answer.out.count("\n")) == (2, 1)
    lines = answer.err.splitlines()
    assert "b.wav: the file is empty" in lines[0]
    assert "no.wav: no such file" in lines[1]
    assert lines[-1].startswith("watchword: 2 of 3 recordings could not be heard")
    assert len(lines) == (3 if option else 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keywords", "lout"], "does not know the keyword 'lout': did you mean loud?"),
        (["--threshold", "2"], "a threshold of 2 was given, needed above 0 and at most 1"),
        (["--int8"], "8-bit"),
        (["--plot", "a.pdf"], "a.pdf names no .png file"),
        (["--labels", "a.wav"], "a.wav names no .txt file"),
        (["--threads", "0"], "see watchword --help"),
        (["--model", "none"], "none is no file, and no model is called"),
        (["."], "is a directory"),
    ],
)
def test_spot_refuses_in_one_line(
    ask: Ask, model: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    path = record(tmp_path / "a.wav", burst(8_000))
    assert message in ask("spot", path, "--model", model, *words).line


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0.0, "0:00.00"), (59.996, "1:00.00"), (3_599.99, "59:59.99"), (3_661.5, "1:01:01.50")],
)
def test_a_time_is_shown_as_a_clock_shows_it(time_s: float, shown: str) -> None:
    line = _line({"keyword": "go", "time_s": time_s, "score": 0.5})
    assert line.split() == [shown, "go", "0.50"]


# ------------------------------------------------------------------------------------------ listen


def test_listen_tells_detections_and_how_it_ended(
    ask: Ask, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = np.array_split(np.frombuffer(SAMPLES, "<i2"), 12)
    plug(monkeypatch, *blocks)
    answer = ask("listen", "--model", model)
    assert (answer.code, answer.out) == (2, "   0:00.50  loud         0.66\n")
    greeting, summary, fault = answer.err.splitlines()
    assert greeting == "listening for loud; Ctrl-C ends it"
    assert summary == "1 detection in 1.0 s of audio"
    assert fault.startswith("watchword: the microphone gave nothing for 0.2 s")
    answer = ask("listen", "--model", model, "--json")
    assert json.loads(answer.out) == {"keyword": "loud", "time_s": 0.5, "score": 0.66}
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(("word", "device"), [("1", 1), ("USB", "USB"), ("", None)])
def test_a_microphone_is_chosen_by_number_or_name(
    ask: Ask, model: Path, monkeypatch: pytest.MonkeyPatch, word: str, device: int | str | None
) -> None:
    module = plug(monkeypatch, names=("built in", "USB"))
    ask("listen", "--model", model, "--device", word)
    assert module.opened[0]["device"] == device


def test_microphones_are_listed_for_people_and_for_programs(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(monkeypatch, names=("built in [1]", "speaker", "USB"))
    lines = [line.split() for line in ask("listen", "--list-devices").out.splitlines()]
    assert ["0", "built", "in", "[1]", "2", "44,100"] in lines
    assert ["2", "USB", "2", "44,100", "the", "usual"] in lines
    answer = ask("listen", "--list-devices", "--json")
    assert [json.loads(line)["number"] for line in answer.out.splitlines()] == [0, 2]


def test_a_machine_without_microphones_says_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, names=("speaker",))
    answer = ask("listen", "--list-devices")
    assert (answer.code, answer.out) == (0, "this machine has no microphone\n")
    assert ask("listen", "--list-devices", "--json").out == ""


def test_without_sounddevice_listen_tells_how_to_get_it(
    ask: Ask, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for words in (["--list-devices"], ["--model", model]):
        assert "pip install 'watchword[mic]'" in ask("listen", *words).line


# ------------------------------------------------------------------------------------- real pipes


def started(model: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [PYTHON, "-m", "watchword", "listen", "--stdin", "--model", str(model), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def test_a_detection_is_told_while_the_pipe_is_still_open(model: Path) -> None:
    with started(model, "--json") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(SAMPLES)
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        assert process.poll() is None
        out, err = process.communicate()
    assert told == {"keyword": "loud", "time_s": 0.5, "score": 0.66}
    assert (process.returncode, out, err) == (0, b"", b"")


def test_a_pipe_that_closes_within_a_sample_is_heard_and_named(model: Path) -> None:
    with started(model) as process:
        out, err = process.communicate(SAMPLES + b"\0")
    assert (process.returncode, out) == (2, b"   0:00.50  loud         0.66\n")
    greeting, summary, fault = err.decode().splitlines()
    assert greeting.startswith("listening for loud")
    assert summary == "1 detection in 1.0 s of audio"
    assert fault.startswith("watchword: the pipe closed within a sample (32,001 bytes)")


def test_ctrl_c_ends_it_with_a_summary(model: Path) -> None:
    with started(model) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(SAMPLES)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 0
    summary = err.decode().splitlines()[-1]
    assert re.fullmatch(r"1 detection in [01]\.\d s of audio", summary)


def test_a_reader_that_goes_away_ends_it_quietly(model: Path) -> None:
    with started(model) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        try:
            process.stdin.write(2 * SAMPLES)
            process.stdin.close()
        except BrokenPipeError:
            pass
        err = process.stderr.read().decode()
        assert process.wait() != 0
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_on_a_terminal_detections_go_to_the_file_that_was_asked_for(
    model: Path, tmp_path: Path
) -> None:
    leader, follower = os.openpty()
    command = [PYTHON, "-m", "watchword", "listen", "--stdin", "--model", str(model)]
    with (tmp_path / "out.txt").open("wb") as file:
        subprocess.run(
            command,
            input=SAMPLES,
            stdout=file,
            stderr=follower,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            check=True,
        )
    os.close(follower)
    drawn = os.read(leader, 65_536).decode()
    os.close(leader)
    assert (tmp_path / "out.txt").read_text() == "   0:00.50  loud         0.66\n"
    assert "level" in drawn
    assert "1 detection in 1.0 s of audio" in drawn
