"""What is shown while a command works: lines, tables, bars, and the time that is left."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from watchword import console
from watchword.console import Console, Pace, how_far
from watchword.data.tasks import find_task
from watchword.watch import TrainingWatch, count_rows


def test_counts_stand_in_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    labels = find_task("35").labels
    corpora = ("speech_commands_v0.02", "rebuilt_from_mels", "librispeech_pieces", "arabic")
    counts = {name: dict.fromkeys(labels, 12_345) for name in corpora}
    rows = count_rows(counts | {"_silence_": {"yes": 7}}, labels)
    assert [row["class"] for row in rows] == [*labels, "sum"]
    assert rows[0]["sum"] == 4 * 12_345 + 7
    assert rows[-1]["sum"] == 35 * 4 * 12_345 + 7
    with Console() as shown:
        shown.table(rows, "task 35")
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["up", *["12,345"] * 4, "0", "49,380"] for line in lines)


def test_what_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    odd = "[bold]a[/b] :smile:"
    with Console() as shown:
        shown.say(odd)
        shown.table([{odd: odd}], odd)
        shown.answer(odd)
        shown.record({odd: odd})
    out, err = capsys.readouterr()
    assert out.count(odd) == 3
    assert err.count(odd) == 4


def test_every_key_of_any_record_is_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    with Console() as shown:
        shown.table([{"a": 1, "b": None}, {"b": 2.5, "c": True}])
    lines = [line.split() for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert lines[0] == ["a", "b", "c"]
    assert lines[2:] == [["1"], ["2.5", "True"]]


def test_time_left_is_what_is_left_at_the_pace_so_far() -> None:
    pace = Pace(0.0, start_s=10.0, start=5)
    assert pace.left_s(now_s=20.0, done=15, total=65) == 50.0  # one a second
    assert pace.left_s(now_s=20.0, done=5, total=65) is None
    assert how_far(65, 65, 0.0) == "65 of 65, 0:00:00 left"


def test_far_from_a_terminal_lines_tell_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with Console() as shown:
        watch = TrainingWatch(shown, Path("nowhere"))
        watch.epoch_starts(2, 4, batches=20)  # goes on in the second of four epochs
        for _ in range(5):
            watch.batch_done()  # told at once: an earlier run had learned from these
        for _ in range(15):
            clock[0] += 4.0
            watch.batch_done()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        # lines 8 s, 40 s after the start (the first after 5 s, then 30 s), each batch takes 4 s
        "training: 27 of 80, 0:03:32 left",
        "training: 35 of 80, 0:03:00 left",
    ]


def test_without_a_total_lines_tell_how_much(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with Console() as shown:
        for done in range(4):
            shown.progress("downloading x, MB", 1_000 * done, None)
            clock[0] += 3.0
    assert capsys.readouterr().err == "downloading x, MB: 2,000\n"


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        """Say that this is one."""
        return True


def test_on_a_terminal_a_bar_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with Console() as shown:
        shown.progress("reading", 3, 10)
        shown.progress("waiting", 3, None)
        shown.bars.refresh()
        shown.progress("reading", 10, 10)
        shown.say("done [bold]reading[/bold]")
    seen = screen.getvalue()
    assert "reading" in seen
    assert "3/10" in seen
    assert "left" in seen
    assert "done [bold]reading[/bold]" in seen


def test_a_quiet_console_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(is_quiet=True) as shown:
        shown.say("a line")
        shown.answer("an answer")
        shown.table([{"a": 1}], "a table", is_answer=True)
        shown.record({"a": 1})
        shown.progress("something", 1, 2)
    with Console() as shown:
        shown.silence()
        shown.say("a line")
        shown.answer("an answer")
    assert capsys.readouterr() == ("", "")


def test_results_go_to_the_standard_output_and_all_else_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console() as shown:
        shown.say("working")
        shown.table([{"a": 1}])
        shown.answer("[result]")
    out, err = capsys.readouterr()
    assert out == "[result]\n"
    assert err.startswith("working\n")
