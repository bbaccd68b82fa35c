"""Reports: one record, plain JSON, a page that says where it comes from, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from watchword import canvas, page
from watchword.errors import DataError
from watchword.report import build_report, write_report
from watchword.scores import Scores, load
from watchword.words import SILENCE, UNKNOWN

LABELS = ("yes", "no", UNKNOWN, SILENCE)
PROVENANCE = {
    "seed": 7,
    "config": {"model": {"name": "lambda_resnet18"}},
    "commit": "0123abc",
    "command": "python -u eval.py --model a_b_c.pth.tar",
    "corpora": ["recordings", "rebuilt"],
    "fingerprint": None,
}


def small(**changes: Any) -> Scores:
    """Six task clips of which four are right, one extra unknown, two held out.

    ``no`` is once taken for ``yes`` (a dropped clip), ``bed`` once for ``no``.
    """
    columns: dict[str, Any] = {
        "task": "demo",
        "split": "valid",
        "labels": LABELS,
        "words": ["yes", "no", "no", "bed", "bed", SILENCE, "cat", "house", "house"],
        "names": [f"c/{i}.wav" for i in range(9)],
        "speakers": ["a", "a", "b", "b", "b", "", "a", "a", "a"],
        "corpora": ["recordings"] * 5 + ["noise"] + ["recordings"] * 3,
        "parts": ["task"] * 6 + ["extra-unknown", "held-out", "held-out"],
        "dropped": [False, True] + [False] * 7,
        "heard": [True] * 7 + [False] * 2,
        "targets": [0, 1, 1, 2, 2, 3, 2, 2, 2],
        "logits": np.eye(4)[[0, 0, 1, 2, 1, 3, 2, 2, 0]] * 4,
    }
    return Scores(**{**columns, **changes})


def many() -> Scores:
    """Six speakers of twelve clips each, task 12, so that every section has evidence."""
    commands = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
    targets = np.tile(np.arange(12), 12)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(144, 12)) + 3 * np.eye(12)[targets]
    words = np.array([*commands, "bed", SILENCE])[targets]
    return Scores(
        task="12",
        split="test",
        labels=(*commands, UNKNOWN, SILENCE),
        names=np.array([f"{word}/{i}.wav" for i, word in enumerate(words)]),
        words=words,
        speakers=np.repeat([f"s{i}" for i in range(6)], 24),
        corpora=np.full(144, "recordings"),
        parts=np.full(144, "task"),
        dropped=np.zeros(144, bool),
        heard=np.ones(144, bool),
        targets=targets,
        logits=logits,
    )


def test_the_record_by_hand() -> None:
    report = build_report(small(), provenance=PROVENANCE)
    assert (report["task"], report["split"], report["labels"]) == ("demo", "valid", list(LABELS))
    assert (report["correct"], report["count"]) == (4, 6)
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert report["interval"][0] < 4 / 6 < report["interval"][1]
    assert report["majority_accuracy"] == pytest.approx(2 / 6)
    assert report["macro_accuracy"] == pytest.approx((1 + 0.5 + 0.5 + 1) / 4)
    assert report["confusion"]["counts"][1] == [1, 1, 0, 0]
    assert report["provenance"] == PROVENANCE


def test_the_parts_by_hand() -> None:
    parts = build_report(small(), provenance=PROVENANCE)["parts"]
    found = {name: (part["correct"], part["count"]) for name, part in parts.items()}
    assert found == {
        "commands": (2, 3),
        "unknown": (1, 2),
        "silence": (1, 1),
        "without_silence": (3, 5),
        "unknown_heard": (2, 3),
        "held_out": (1, 2),
        "kept": (4, 5),
        "dropped": (0, 1),
    }


def test_words_never_heard_are_told_apart_where_they_count_for_accuracy() -> None:
    archive = small(parts=["task"] * 9)  # as the official test archive lies on disk
    parts = build_report(archive, provenance=PROVENANCE)["parts"]
    found = {name: (part["correct"], part["count"]) for name, part in parts.items()}
    assert (found["unknown"], found["unknown_heard"], found["held_out"]) == ((3, 5), (2, 3), (1, 2))


def test_only_task_clips_count_for_accuracy() -> None:
    worse = small(logits=np.concatenate([small().logits[:6], np.eye(4)[[0, 0, 0]] * 4]))
    first, second = (build_report(x, provenance=PROVENANCE) for x in (small(), worse))
    for key in ("accuracy", "count", "per_class", "eer", "top_confusions", "calibration"):
        assert first[key] == second[key]
    assert first["unknown_words"] != second["unknown_words"]


def test_a_word_that_was_confused_can_be_listened_to() -> None:
    pairs = build_report(small(), provenance=PROVENANCE)["top_confusions"]
    assert pairs[1] == {
        "count": 1,
        "target": UNKNOWN,
        "prediction": "no",
        "names": ["c/4.wav"],
        "words": ["bed"],
    }


def test_where_there_is_no_evidence_stands_none() -> None:
    few = small().select(small().targets < 2)
    report = build_report(few, provenance=PROVENANCE)
    assert report["speakers"] is None
    assert report["archive_weighted"] is None
    assert report["parts"]["silence"] is None
    assert report["per_class"][3]["recall"] is None
    assert "No speaker is known" in page.markdown(report)


def test_a_record_is_plain_json() -> None:
    for scores in (small(), many()):
        report = build_report(scores, provenance=PROVENANCE)
        assert json.loads(json.dumps(report, allow_nan=False)) == report


@pytest.mark.parametrize("missing", ["seed", "config", "commit", "command"])
def test_a_result_without_its_origin_is_a_rumour(missing: str) -> None:
    rest = {key: value for key, value in PROVENANCE.items() if key != missing}
    with pytest.raises(DataError, match=rf"without {missing} is a rumour.*give them, None where"):
        build_report(small(), provenance=rest)


@pytest.mark.parametrize("value", [Path("a"), float("nan")])
def test_provenance_that_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"provenance cannot be written .*needed are JSON types"):
        build_report(small(), provenance={**PROVENANCE, "extra": value})


def test_no_task_clip_is_refused() -> None:
    scores = small()
    with pytest.raises(DataError, match="found no clip"):
        build_report(scores.select(scores.parts != "task"), provenance=PROVENANCE)


def test_the_headline_is_in_the_house_form() -> None:
    report = build_report(small(), provenance=PROVENANCE)
    report |= {"accuracy": 2310 / 2424, "correct": 2310, "count": 2424, "interval": [0.944, 0.961]}
    assert page.headline(report) == (
        "accuracy 95.3 % (2,310/2,424; 95 % 94.4–96.1), task demo, valid, noise, recordings"
    )


def test_the_page_says_what_an_honest_reader_asks() -> None:
    text = page.markdown(build_report(small(), provenance=PROVENANCE))
    for line in (
        "without the clips that v0.02 dropped 80.0 % (4/5; 95 % ",
        "without silence 60.0 % (3/5; 95 % ",
        "| unknown words that training never heard | 50.0 % (1/2; 95 % ",
        "| `no` → `yes` | 1 | `c/1.wav` |",
        "| `house` | never | 50.0 % (1/2; 95 % ",
        "| corpus noise | 100.0 % (1/1; 95 % ",
        "| seed | 7 |",
        "| command | `python -u eval.py --model a_b_c.pth.tar` |",
        "| corpora | recordings, rebuilt |",
        "| fingerprint | not known |",
        '"name": "lambda_resnet18"',
    ):
        assert line in text


def test_the_archives_weights_are_on_the_page_of_task_12() -> None:
    report = build_report(many(), provenance=PROVENANCE)
    weighted = report["archive_weighted"]
    parts = report["parts"]
    # one unknown word: its recall is that of the part
    expected = 0.833 * parts["commands"]["accuracy"] + 0.0835 * parts["unknown"]["accuracy"]
    expected += 0.0835 * parts["silence"]["accuracy"]
    assert weighted["accuracy"] == pytest.approx(expected)
    assert "weighed as the official test archive: " in page.markdown(report)


def test_a_perfect_model_has_a_page_too(tmp_path: Path) -> None:
    scores = many()
    perfect = np.eye(12)[scores.targets] * 9
    columns = {name: getattr(scores, name) for name in Scores.__dataclass_fields__}
    scores = Scores(**{**columns, "logits": perfect})
    written = write_report(build_report(scores, provenance=PROVENANCE), scores, tmp_path)
    assert "None: every clip is right." in written.read_text(encoding="utf-8")


def test_bars_and_line_breaks_stay_inside_their_cell() -> None:
    report = build_report(small(), provenance={**PROVENANCE, "command": "a | b\nc `d`"})
    assert "| command | `a \\| b c 'd'` |" in page.markdown(report)


def test_a_report_is_a_folder_that_can_be_shown_around(tmp_path: Path) -> None:
    report = build_report(many(), provenance=PROVENANCE)
    written = write_report(report, many(), tmp_path / "new" / "report")
    folder = written.parent
    figures = {"confusion.png", "per_class.png", "roc.png", "det.png", "speakers.png"}
    names = {file.name for file in folder.iterdir()}
    assert names == figures | {"scores.npz", "report.json", "report.md"}
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == report
    assert build_report(load(folder / "scores.npz"), provenance=PROVENANCE) == report
    text = written.read_text(encoding="utf-8")
    assert all(f"]({name})" in text for name in figures)
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in figures)


def test_figures_without_evidence_are_neither_shown_nor_left_over(tmp_path: Path) -> None:
    (tmp_path / "speakers.png").write_bytes(b"of an older report")
    write_report(build_report(small(), provenance=PROVENANCE), small(), tmp_path)
    assert not (tmp_path / "speakers.png").exists()
    assert "speakers.png" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_scores_are_safe_before_anything_can_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DataError("no ink")

    monkeypatch.setattr(canvas, "save", broken)
    with pytest.raises(DataError, match="no ink"):
        write_report(build_report(small(), provenance=PROVENANCE), small(), tmp_path)
    assert len(load(tmp_path / "scores.npz")) == 9
    assert not (tmp_path / "report.md").exists()
