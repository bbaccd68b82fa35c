"""Metrics: by hand, against scikit-learn and scipy, and never a perfect score for nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import LABELS, answers
from watchword import metrics
from watchword.errors import DataError, WatchwordError
from watchword.metrics import Rate
from watchword.scores import Scores, posteriors
from watchword.words import SILENCE, UNKNOWN


def ranked(posteriors: list[float], is_keyword: list[bool]) -> Scores:
    """Two classes; the first one's posterior is given."""
    values = np.array(posteriors)
    logits = np.stack([np.log(values), np.log1p(-values)], axis=1)
    scores = answers(
        [0 if x else 1 for x in is_keyword], [0] * len(values), labels=("yes", UNKNOWN)
    )
    columns = {
        name: getattr(scores, name) for name in ("task", "split", "labels", "names", "words")
    }
    more = ("speakers", "corpora", "parts", "dropped", "heard")
    columns |= {name: getattr(scores, name) for name in more}
    return Scores(**columns, targets=scores.targets, logits=logits)


# Rates


def test_a_rate_without_clips_is_refused() -> None:
    with pytest.raises(DataError, match=r"found 0 clips, needed at least one: choose a split"):
        Rate(0, 0)


def test_wilson_gives_the_published_interval() -> None:
    # 98.41 [97.98, 98.75] over 4,092 clips: the best published network on core-10, to two decimals
    low, high = Rate(4027, 4092).interval
    assert (round(100 * low, 2), round(100 * high, 2)) == (97.98, 98.75)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=60, deadline=None)
def test_wilson_is_scipys(hits_and_count: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(*hits_and_count).proportion_ci(method="wilson")
    # both are closed forms in float64, whose rounding differs in the last digits only
    np.testing.assert_allclose(Rate(*hits_and_count).interval, theirs, atol=1e-12)


def test_a_perfect_score_keeps_its_doubt() -> None:
    low, high = Rate(10, 10).interval
    assert high == 1
    assert low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)


def test_accuracy_by_hand() -> None:
    scores = answers([0, 0, 0, 1, 2, 3], [0, 0, 1, 1, 0, 3])
    assert metrics.accuracy(scores) == Rate(4, 6)
    # recalls 2/3, 1, 0 and 1
    assert metrics.macro_accuracy(scores) == pytest.approx((2 / 3 + 1 + 0 + 1) / 4)
    assert metrics.majority_accuracy(scores) == Rate(3, 6)


def test_macro_accuracy_leaves_out_classes_without_clips() -> None:
    assert metrics.macro_accuracy(answers([0, 1], [0, 0])) == 0.5


def test_per_class_by_hand() -> None:
    rows = metrics.per_class(answers([0, 0, 0, 1, 2], [0, 0, 1, 1, 0]))
    assert [row.label for row in rows] == list(LABELS)
    assert rows[0] == metrics.ClassRates("yes", Rate(2, 3), Rate(2, 3))
    assert rows[1] == metrics.ClassRates("no", Rate(1, 1), Rate(1, 2))
    assert rows[2] == metrics.ClassRates(UNKNOWN, Rate(0, 1), None)
    assert rows[3] == metrics.ClassRates(SILENCE, None, None)


def test_confusion_and_per_class_agree_with_sklearn() -> None:
    from sklearn.metrics import precision_score, recall_score

    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 500)
    predictions = np.where(rng.random(500) < 0.7, targets, rng.integers(0, 4, 500))
    scores = answers(targets.tolist(), predictions.tolist())
    counts = metrics.confusion(scores)
    assert counts[2, 1] == np.sum((targets == 2) & (predictions == 1))
    assert np.trace(counts) == metrics.accuracy(scores).hits
    rows = metrics.per_class(scores)
    np.testing.assert_allclose(
        [row.recall.value for row in rows if row.recall],
        recall_score(targets, predictions, average=None),
    )
    np.testing.assert_allclose(
        [row.precision.value for row in rows if row.precision],
        precision_score(targets, predictions, average=None),
    )


def test_top_confusions_name_the_surest_clip_first() -> None:
    scores = answers([0, 0, 1, 0, 2], [1, 1, 0, 0, 2])
    scores.logits[1, 1] = 9
    first, second = metrics.top_confusions(scores)
    assert (first.target, first.prediction) == ("yes", "no")
    assert first.names == ("yes/1.wav", "yes/0.wav")
    assert (second.target, second.prediction, second.names) == ("no", "yes", ("no/2.wav",))
    assert metrics.top_confusions(scores, limit=1) == [first]


def test_no_mistake_is_no_confusion() -> None:
    assert metrics.top_confusions(answers([0, 1], [0, 1])) == []


# Curves


def test_a_curve_by_hand() -> None:
    # Falling: keyword .9, other .8, keyword .7, other .2
    scores = ranked([0.9, 0.8, 0.7, 0.2], [True, False, True, False])
    curve = metrics.curve(scores, ["yes"])
    assert curve.false_accept_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.false_reject_rate.tolist() == [1, 0.5, 0.5, 0, 0]
    assert (curve.positives, curve.negatives) == (2, 2)
    # misses equal false accepts where both are one in two
    assert metrics.equal_error_rate(curve) == 0.5


def test_a_curve_is_sklearns_det_curve() -> None:
    from sklearn.metrics import det_curve

    rng = np.random.default_rng(1)
    is_keyword = rng.random(300) < 0.3
    posteriors = 1 / (1 + np.exp(-rng.normal(is_keyword * 2.0)))
    ours = metrics.curve(ranked(posteriors.tolist(), is_keyword.tolist()), ["yes"])
    accepted, rejected, _ = det_curve(is_keyword, posteriors, drop_intermediate=False)
    mine = {*zip(ours.false_accept_rate.tolist(), ours.false_reject_rate.tolist(), strict=True)}
    rounded = {(round(a, 9), round(b, 9)) for a, b in mine}
    assert {(round(a, 9), round(b, 9)) for a, b in zip(accepted, rejected, strict=True)} <= rounded


def test_false_rejects_never_fall_as_the_threshold_rises() -> None:
    rng = np.random.default_rng(2)
    curve = metrics.curve(
        ranked(rng.uniform(0.01, 0.99, 99).tolist(), [True, False, False] * 33), ["yes"]
    )
    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.false_reject_rate) <= 0).all()
    assert (np.diff(curve.false_accept_rate) >= 0).all()


def test_a_pooled_curve_asks_every_clip_for_every_keyword() -> None:
    curve = metrics.curve(answers([0, 1, 2, 3], [0, 1, 2, 3]), ["yes", "no"])
    assert (curve.positives, curve.negatives) == (2, 6)
    assert metrics.equal_error_rate(curve) == 0


def test_chance_has_an_equal_error_rate_of_a_half() -> None:
    curve = metrics.curve(ranked([0.5] * 10, [True, False] * 5), ["yes"])
    assert metrics.equal_error_rate(curve) == 0.5


def test_a_curve_needs_positives_and_negatives() -> None:
    with pytest.raises(DataError, match=r"found 0 positive and 1 negative clips.*choose a split"):
        metrics.curve(answers([0], [0]), ["no"])
    with pytest.raises(DataError, match=r"found 1 positive and 0 negative clips"):
        metrics.curve(answers([0], [0]), ["yes"])


def test_a_curve_of_an_unknown_label_names_the_labels() -> None:
    with pytest.raises(DataError, match=r"no curve for maybe.*choose from yes, no, _unknown_"):
        metrics.curve(answers([0], [0]), ["maybe"])
    with pytest.raises(DataError, match="no curve for no keyword"):
        metrics.curve(answers([0], [0]), [])


def test_without_sklearn_the_install_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[train\]'"):
        metrics.confusion(answers([0], [0]))


# Calibration


def test_calibration_by_hand() -> None:
    # ten clips at .95 with nine right, ten at .55 with eight right: (10·.05 + 10·.25) / 20
    scores = ranked([0.95] * 10 + [0.55] * 10, [True] * 9 + [False] + [True] * 8 + [False] * 2)
    found = metrics.calibration(scores)
    # float32 logits hold the posteriors to about 1e-7
    assert found.error == pytest.approx(0.15, abs=1e-6)
    assert found.confidence == pytest.approx(0.75, abs=1e-6)
    assert found.highest == pytest.approx(0.95, abs=1e-6)
    assert [(row.count, row.accuracy) for row in found.bins] == [(10, 0.8), (10, 0.9)]


def test_calibration_of_answers_by_hand() -> None:
    sureness = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.05])
    is_correct = np.array([True, False, True, True, True, False, False])
    found = metrics.calibration_of(sureness, is_correct, bins=10)
    # the highest bin holds 1 too; (1 * 0.05 + 4 * |0.5 - 0.75| + 2 * |1 - 0.5|) / 7
    assert [(row.count, row.confidence, row.accuracy) for row in found.bins] == [
        (1, 0.05, 0.0),
        (4, 0.5, 0.75),
        (2, 1.0, 0.5),
    ]
    assert found.error == pytest.approx((0.05 + 4 * 0.25 + 2 * 0.5) / 7)
    assert (found.confidence, found.highest) == (pytest.approx(4.05 / 7), 1.0)


def test_calibration_of_clips_is_that_of_their_answers() -> None:
    scores = ranked([0.95] * 10 + [0.55] * 10, [True] * 9 + [False] + [True] * 8 + [False] * 2)
    sureness = posteriors(scores).max(axis=1)
    assert metrics.calibration(scores, bins=4) == metrics.calibration_of(
        sureness, scores.is_correct, bins=4
    )
    # 15 bins where nobody says how many
    assert metrics.calibration(scores) == metrics.calibration_of(sureness, scores.is_correct, 15)


def test_a_normalised_output_can_never_be_sure() -> None:
    # the paper's fault: logits of length one over 11 classes stay below 0.22
    labels = tuple(f"word{i}" for i in range(11))
    assert metrics.calibration(answers([0], [0], labels=labels, sure=1.0)).highest < 0.22
