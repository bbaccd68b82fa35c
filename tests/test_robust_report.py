"""Reports on robustness: rates beside the clean ones, silence by level, a page and a figure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from answers import answers
from watchword import canvas, robust_page
from watchword.errors import DataError
from watchword.robust_report import (
    CLEAN,
    FIGURE,
    ROOM,
    SILENT,
    SPOKEN,
    Condition,
    build_record,
    write_record,
)
from watchword.scores import Scores, load

PROVENANCE = {"seed": 0, "config": "x", "commit": "0123abc", "command": "train.py"}
YES, NO, UNKNOWN, SILENCE = range(4)
TARGETS = [YES, YES, NO, NO, UNKNOWN, SILENCE, UNKNOWN]
"""The last one is beyond the task's share."""
NOISY = Condition("noise", 5)


def clips(*predictions: int) -> Scores:
    return answers(TARGETS, list(predictions), parts=["task"] * 6 + ["extra-unknown"])


def silence(**taken: list[int]) -> Scores:
    """Answers to silence that was cut from the noises named."""
    predictions = [answer for found in taken.values() for answer in found]
    owners = [noise for noise, found in taken.items() for _ in found]
    return answers([SILENCE] * len(predictions), predictions, corpora=owners)


FOUND = {
    CLEAN: clips(YES, YES, NO, YES, UNKNOWN, SILENCE, NO),
    NOISY: clips(YES, NO, NO, NO, NO, SILENCE, UNKNOWN),
    Condition("level", -20): clips(YES, YES, NO, YES, UNKNOWN, SILENCE, NO),
    Condition("shift", -50): clips(YES, YES, NO, NO, UNKNOWN, SILENCE, NO),
    Condition("shift", 50): clips(NO, NO, YES, YES, YES, YES, YES),
    ROOM: clips(YES, YES, NO, YES, UNKNOWN, YES, NO),
    SILENT[0]: silence(background=[SILENCE], noise=[YES]),
    SILENT[-1]: silence(background=[SILENCE, NO, YES, YES], noise=[SILENCE, SILENCE]),
}


def record(found: dict[Condition, Scores] | None = None, **changes: Any) -> dict[str, Any]:
    sounds = {"background": {"what": "hum", "seconds": 3.0}, "noise": None, "rooms": None}
    told = {"sounds": sounds, "notes": ["rooms are bare"], "provenance": PROVENANCE}
    return build_record(found or FOUND, **{**told, **changes})


# ------------------------------------------------------------------------------------------ record


def test_no_two_conditions_share_a_name() -> None:
    names = [condition.name for condition in (*SPOKEN, *SILENT)]
    assert len(set(names)) == len(names)
    assert names[:3] == ["clean", "snr_20db", "snr_10db"]
    assert SILENT[0].name == "silence_zero"


def test_a_condition_by_hand() -> None:
    _, noisy, *_ = record()["conditions"]
    assert (noisy["name"], noisy["label"], noisy["value"]) == ("snr_5db", "5 dB SNR", 5)
    assert (noisy["correct"], noisy["count"]) == (4, 6)  # the clip beyond the share is not counted
    assert noisy["accuracy"] == 4 / 6
    low, high = noisy["interval"]
    assert low < 4 / 6 < high
    counted = {name: part and part["correct"] for name, part in noisy["parts"].items()}
    assert counted["commands"] == 3
    assert (counted["unknown"], counted["silence"], counted["without_silence"]) == (0, 1, 3)
    # clean: five of six, three of four commands, one of one unknown and silence each
    assert noisy["to_clean"]["accuracy"] == pytest.approx(-1 / 6)
    assert noisy["to_clean"]["commands"] == 0
    assert noisy["to_clean"]["unknown"] == -1
    assert noisy["to_clean"]["silence"] == 0
    assert noisy["to_clean"]["without_silence"] == pytest.approx(-1 / 5)
    assert (noisy["lost"], noisy["won"]) == (2, 1)


def test_clean_is_no_different_from_itself() -> None:
    clean = record()["conditions"][0]
    assert set(clean["to_clean"].values()) == {0}
    assert (clean["lost"], clean["won"]) == (0, 0)


def test_silence_is_told_by_level_and_by_noise() -> None:
    rows = record()["silence"]
    assert [(row["value"], row["noise"], row["correct"], row["count"]) for row in rows] == [
        (None, "background", 1, 1),
        (None, "noise", 0, 1),
        (0, "background", 1, 4),
        (0, "noise", 2, 2),
    ]
    assert [row["taken_for"] for row in rows] == [{}, {"yes": 1}, {"yes": 2, "no": 1}, {}]


def test_where_there_is_no_evidence_stands_none() -> None:
    spoken = answers([YES, NO], [YES, YES], labels=("yes", "no"))
    found = record({CLEAN: spoken, NOISY: spoken})
    noisy = found["conditions"][1]
    assert noisy["parts"]["silence"] is None
    assert noisy["to_clean"]["silence"] is None
    assert found["silence"] == []


def test_a_record_is_plain_json() -> None:
    found = record()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_result_without_its_origin_is_a_rumour() -> None:
    with pytest.raises(DataError, match="without seed, commit is a rumour"):
        record(provenance={"config": "x", "command": "y"})


# -------------------------------------------------------------------------------------------- page


def test_the_headline_names_the_worst_of_each_kind() -> None:
    line = robust_page.headline(record())
    assert line.startswith("clean accuracy 83.3 % (5/6; 95 % ")
    assert line.endswith(
        "task demo, valid; points at worst: 5 dB SNR −16.7, level −20 dB 0.0, "
        "shift +50 ms −83.3, in a room −16.7"
    )


def test_the_table_for_a_screen_by_hand() -> None:
    noisy = robust_page.rows(record())[1]
    assert noisy == {
        "condition": "5 dB SNR",
        "accuracy": "66.7 %",
        "points": "−16.7",
        "without silence": "60.0 %",
        "keywords": "75.0 %",
        "unknown": "0.0 %",
        "silence": "100.0 %",
    }
    zero, loud = robust_page.silence_rows(record())
    assert (zero["peak"], loud["peak"]) == ("digital zero", "0 dBFS")
    assert loud["background"].startswith("25.0 % (")
    assert loud["noise"].startswith("100.0 % (")


def test_the_page_says_what_was_done_and_with_what() -> None:
    text = robust_page.markdown(record(), FIGURE)
    assert "- rooms are bare\n" in text
    assert f"]({FIGURE})" in text
    assert "| 5 dB SNR | 66.7 % (4/6; 95 % " in text
    assert "| 5 dB SNR | −16.7 | −20.0 | 0.0 | −100.0 | 0.0 | 2 | 1 |" in text
    assert "| 0 dBFS | background | 25.0 % (1/4; 95 % " in text
    assert "| 2 × yes, 1 × no |" in text
    assert "**SNR** is the mean power of the whole clip" in text
    assert '"what": "hum"' in text


def test_a_task_without_silence_and_unknown_has_a_page_and_a_figure_too() -> None:
    spoken = answers([YES, NO], [YES, YES], labels=("yes", "no"))
    found = record({CLEAN: spoken, NOISY: spoken})
    text = robust_page.markdown(found, FIGURE)
    assert "Silence at every level" not in text
    assert "| 5 dB SNR | 50.0 % (1/2; 95 % 9.5–90.5) |" in text
    assert "| – |" in text
    labels = [str(line.get_label()) for line in robust_page.draw(found).axes[0].lines]
    assert {"all clips", "keywords"} <= set(labels)
    assert {"unknown", "silence"}.isdisjoint(labels)


def test_the_panels_hold_what_they_say() -> None:
    figure = robust_page.draw(record())
    noise, level, shift, quiet = figure.axes
    assert [text.get_text() for text in noise.get_xticklabels()] == ["clean", "5", "in a room"]
    assert [text.get_text() for text in level.get_xticklabels()] == ["clean", "−20"]
    assert [text.get_text() for text in shift.get_xticklabels()] == ["−50", "clean", "50"]
    assert [text.get_text() for text in quiet.get_xticklabels()] == ["zero", "0"]
    line = next(x for x in noise.lines if x.get_label() == "all clips")
    assert list(line.get_ydata()) == pytest.approx([100 * 5 / 6, 100 * 4 / 6])
    line = next(x for x in quiet.lines if x.get_label() == "background")
    assert list(line.get_ydata()) == [100, 25]
    # readable in grey: no two lines share dashes and marker
    looks = [
        (str(x.get_linestyle()), x.get_marker()) for x in noise.lines if x.get_label()[0] != "_"
    ]
    assert len(set(looks)) == len(looks) == 4


# ------------------------------------------------------------------------------------------- files


def test_a_report_is_a_folder_with_the_scores_of_every_condition(tmp_path: Path) -> None:
    page = write_record(record(), FOUND, tmp_path)
    assert page == tmp_path / "report.md"
    assert json.loads((tmp_path / "report.json").read_text()) == record()
    assert (tmp_path / FIGURE).read_bytes().startswith(b"\x89PNG")
    for condition, scores in FOUND.items():
        kept = load(tmp_path / condition.name / "scores.npz")
        assert kept.logits.tolist() == scores.logits.tolist()


def test_scores_that_an_older_report_had_are_not_left_over(tmp_path: Path) -> None:
    write_record(record(), FOUND, tmp_path)
    fewer = {condition: scores for condition, scores in FOUND.items() if condition != ROOM}
    write_record(record(fewer), fewer, tmp_path)
    assert not (tmp_path / "rooms" / "scores.npz").exists()
    assert (tmp_path / "clean" / "scores.npz").exists()


def test_scores_are_safe_before_anything_can_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DataError("no room")

    monkeypatch.setattr(canvas, "save", fail)
    with pytest.raises(DataError, match="no room"):
        write_record(record(), FOUND, tmp_path)
    assert load(tmp_path / "snr_5db" / "scores.npz").task == "demo"
    assert not (tmp_path / "report.md").exists()


def test_digital_zero_is_below_every_level() -> None:
    assert min(condition.value for condition in SILENT) == -math.inf
