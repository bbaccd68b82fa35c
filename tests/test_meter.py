"""The live display: it fits the terminal, and without one nothing of it is seen."""

from __future__ import annotations

import io
import sys

import pytest

from watchword.meter import Meter, clock, picture

FEW = {"stop": 0.5, "go": 0.9}
MANY = {f"w{place}": (place * 7 % 40) / 40 for place in range(35)}
HALF = dict.fromkeys([*FEW, *MANY], 0.5)


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let the standard error be a terminal of ten lines; pytest would undo this in a fixture."""
    for key, value in {"COLUMNS": "40", "LINES": "10", "TERM": "xterm"}.items():
        monkeypatch.setenv(key, value)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_bar_is_as_long_as_its_share_and_the_mark_stands_at_the_threshold() -> None:
    _, stop, go = picture(0.5, FEW, HALF | {"stop": 0.7}, 0).splitlines()
    assert stop == f"{'stop':>16}  {'█' * 15}{' ' * 5}┊{' ' * 9} 0.50"  # 0.7 · 30 = cell 21
    assert go == f"{'go':>16}  {'█' * 27}    0.90"


@pytest.mark.parametrize(
    ("peak", "told"), [(1.0, "  0 dB clipped"), (0.5, " -6 dB"), (0.001, "-60 dB"), (0.0, "-60 dB")]
)
def test_the_level_is_in_decibels_of_full_scale(peak: float, told: str) -> None:
    assert picture(peak, {}, {}, 0).endswith(told)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 10), (30, 5), (30, 3)])
def test_a_picture_fits_the_terminal(columns: int, lines: int) -> None:
    drawn = picture(0.3, MANY, HALF, 3_661, columns=columns, lines=lines).splitlines()
    assert len(drawn) == lines
    assert max(map(len, drawn)) <= columns
    shown = [line.split()[0] for line in drawn[1:-1]]
    assert set(shown) == set(sorted(MANY, key=lambda word: -MANY[word])[: lines - 2])
    assert shown == [word for word in MANY if word in shown]  # in the order of the model
    assert drawn[-1].strip() == f"and {len(MANY) - len(shown)} lower"


def test_all_keywords_are_shown_where_there_is_room() -> None:
    assert len(picture(0.3, MANY, HALF, 0, lines=36).splitlines()) == 36
    assert "lower" not in picture(0.3, MANY, HALF, 0, lines=36)


def test_long_and_wide_names_keep_the_bars_in_line() -> None:
    words = {"a" * 40: 0.0, "向左": 0.0, "x": 0.0}
    long, wide, short = picture(0, words, dict.fromkeys(words, 0.0), 0).splitlines()[1:]
    assert long.startswith(f" {'a' * 14}…  ")
    assert wide.startswith(f"{' ' * 12}向左  ")
    assert len(long) == len(short) == len(wide) + 2  # two cells for each of two signs


def test_clocks_tell_hours_where_there_are_any() -> None:
    assert [clock(x) for x in (0, 59.99, 60, 3_600)] == ["0:00", "0:59", "1:00", "1:00:00"]


def test_without_a_terminal_there_are_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter() as meter:
        meter.say("listening [for] it")
        meter.show(0.5, FEW, HALF, 1.0)
        meter.answer("heard")
    assert capsys.readouterr() == ("heard\n", "listening [for] it\n")


def test_a_quiet_meter_answers_and_warns_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter(is_quiet=True) as meter:
        meter.say("listening")
        meter.show(0.5, FEW, HALF, 1.0)
        meter.answer("{}")
        meter.warn("audio was lost")
    assert capsys.readouterr() == ("{}\n", "audio was lost\n")


def test_on_a_terminal_the_picture_is_drawn_and_cleared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = use_terminal(monkeypatch)
    with Meter() as meter:
        meter.show(0.5, MANY, HALF, 1.0)
        meter.answer("heard")
        assert meter.live
        meter.live.refresh()
    drawn = terminal.getvalue()
    assert "level" in drawn
    assert "and 30 lower" in drawn  # of ten lines seven are the picture's
    assert drawn.endswith("\x1b[2K")
    assert capsys.readouterr().out == "heard\n"


def test_detections_stay_above_the_picture_where_both_share_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = use_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Terminal())
    with Meter() as meter:
        meter.answer("heard")
    assert "heard\n" in terminal.getvalue()
    assert sys.stdout.getvalue() == ""  # type: ignore[attr-defined]


def test_a_terminal_without_these_signs_gets_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = use_terminal(monkeypatch)
    monkeypatch.setattr(Terminal, "encoding", "ascii")
    with Meter() as meter:
        meter.show(0.5, {"stop" * 9: 0.5}, {"stop" * 9: 0.9}, 1.0)
        assert meter.live
        meter.live.refresh()
    assert "#####" in terminal.getvalue()
    assert terminal.getvalue().isascii()
