"""Scores: what is written comes back, and nothing else is believed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from watchword.errors import DataError
from watchword.scores import Scores, load, load_runs, posteriors, run_names, save


def four_clips(**changes: Any) -> Scores:
    """Two commands, one unknown word, one silence; the second command is taken for the first."""
    columns: dict[str, Any] = {
        "task": "demo",
        "split": "valid",
        "labels": ("yes", "no", "_unknown_", "_silence_"),
        "names": ["yes/a_nohash_0.wav", "no/b_nohash_0.wav", "bed/a_nohash_0.wav", "_silence_/v-0"],
        "words": ["yes", "no", "bed", "_silence_"],
        "speakers": ["a", "b", "a", ""],
        "corpora": ["speech"] * 4,
        "parts": ["task"] * 4,
        "dropped": [False, True, False, False],
        "heard": [True, True, False, True],
        "targets": [0, 1, 2, 3],
        "logits": [[3, 0, 0, 0], [2, 1, 0, 0], [0, 0, 4, 0], [0, 0, 0, 5]],
    }
    return Scores(**{**columns, **changes})


def test_what_is_saved_comes_back_to_the_bit(tmp_path: Path) -> None:
    scores = four_clips(names=["سلام/a.wav", "no/b.wav", "bed/c.wav", "_silence_/v-0"])
    save(scores, tmp_path / "new" / "scores.npz")
    again = load(tmp_path / "new" / "scores.npz")
    for field in dataclasses.fields(Scores):
        mine, theirs = getattr(scores, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(theirs, mine)
        assert np.asarray(theirs).dtype == np.asarray(mine).dtype


def test_files_of_before_the_column_tell_by_the_part_what_training_heard(tmp_path: Path) -> None:
    save(four_clips(parts=["task", "task", "held-out", "task"]), tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as file:
        old = {name: file[name] for name in file if name != "heard"}
    np.savez(tmp_path / "scores.npz", **old)
    assert load(tmp_path / "scores.npz").heard.tolist() == [True, True, False, True]


def test_same_scores_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        save(four_clips(), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_predictions_are_the_highest_logits() -> None:
    scores = four_clips()
    assert scores.predictions.tolist() == [0, 0, 2, 3]
    assert scores.is_correct.tolist() == [True, False, True, True]
    assert len(scores) == 4


def test_keywords_are_neither_unknown_nor_silence() -> None:
    assert four_clips().keywords == ("yes", "no")
    assert four_clips().is_target("_unknown_", "not a label").tolist() == [
        False,
        False,
        True,
        False,
    ]


def test_select_keeps_rows_together() -> None:
    dropped = four_clips().select(four_clips().dropped)
    assert dropped.names.tolist() == ["no/b_nohash_0.wav"]
    assert dropped.logits.tolist() == [[2, 1, 0, 0]]
    assert dropped.labels == four_clips().labels


def test_selecting_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"found no clip, needed at least one: choose a split"):
        four_clips().select(np.zeros(4, bool))


def test_posteriors_are_the_softmax_by_hand() -> None:
    rows = posteriors(four_clips(logits=[[np.log(7), 0, 0, 0]] * 4))
    # float32 holds ln 7 to 6e-8 relative, and 0.7 is as exact as that
    np.testing.assert_allclose(rows[0], [0.7, 0.1, 0.1, 0.1], rtol=2e-7)
    assert rows.dtype == np.float64


def test_posteriors_of_huge_logits_are_finite() -> None:
    rows = posteriors(four_clips(logits=[[3e38, -3e38, 0, 0]] * 4))
    assert rows[0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ["yes"]}, r"found words \(1,\); needed are 4 clips.*one row for each clip"),
        ({"logits": [[1, 2, 3]] * 4}, r"found logits \(4, 3\); needed are 4 clips.*4 labels"),
        ({"labels": ("yes", "no", "no", "_silence_")}, r"found a label twice.*name each once"),
        ({"parts": ["task", "task", "task", "else"]}, r"one of task, extra-unknown, held-out"),
        ({"targets": [0, 1, 2, 4]}, r"a target beyond the labels, needed 0 to 3"),
        ({"targets": [0, 1, 2, -1]}, r"a target beyond the labels, needed 0 to 3"),
        ({"logits": [[0, 0, 0, np.nan]] * 4}, r"logits that are no numbers.*look for NaN"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        four_clips(**changes)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"none\.npz cannot be read.*no such file.*evaluate"
    ) as caught:
        load(tmp_path / "none.npz")
    assert "\n" not in str(caught.value)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.npz").write_bytes(b"RIFF....WAVE")
    with pytest.raises(DataError, match=r"not an \.npz file, or cut short"):
        load(tmp_path / "scores.npz")
    np.savez(tmp_path / "other.npz", logits=np.zeros(3))
    with pytest.raises(
        DataError, match=r"cannot be read as scores .*needed is a whole scores\.npz"
    ):
        load(tmp_path / "other.npz")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    save(four_clips(), tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as file:
        arrays = {**file, "names": np.array([{"a": 1}] * 4, dtype=object)}
    np.savez(tmp_path / "hostile.npz", **arrays)
    with pytest.raises(DataError, match=r"cannot be read as scores .*allow_pickle=False"):
        load(tmp_path / "hostile.npz")


def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    save(four_clips(), tmp_path / "scores.npz")
    whole = (tmp_path / "scores.npz").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.choice(len(whole), 150, replace=False):
        hurt = bytearray(whole if place % 2 else whole[: int(place)])
        if place % 2:
            hurt[place] ^= 0xFF
        (tmp_path / "hurt.npz").write_bytes(hurt)
        try:
            load(tmp_path / "hurt.npz")
        except DataError:
            refused += 1
    assert refused > 75  # every file cut short, and most of the flipped bytes


def test_runs_are_named_by_where_they_differ(tmp_path: Path) -> None:
    for name in ("k1", "k2"):
        save(four_clips(), tmp_path / name / "valid" / "scores.npz")
    runs = load_runs([tmp_path / "k2" / "valid", tmp_path / "k1" / "valid" / "scores.npz"])
    assert list(runs) == ["k2", "k1"]


def test_run_names_stay_different() -> None:
    nested = [Path("out/scores.npz"), Path("out/k1/scores.npz"), Path("out/k1/test/scores.npz")]
    names = run_names(nested)
    assert len(set(names)) == 3
    assert all(names)


def test_a_failed_write_leaves_the_old_file_and_no_crumbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(file: Any, **_: object) -> None:
        file.write(b"half of the n")
        raise OSError(28, "No space left on device")

    save(four_clips(), tmp_path / "scores.npz")
    before = (tmp_path / "scores.npz").read_bytes()
    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
        save(four_clips(), tmp_path / "scores.npz")
    assert (tmp_path / "scores.npz").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.npz"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be written .*choose another"):
        save(four_clips(), tmp_path / "file" / "scores.npz")
