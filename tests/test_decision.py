"""When a keyword was heard: every case can be redone by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from watchword.decision import Decision, OperatingPoint, points_for, tempered
from watchword.errors import ConfigError

HOP_MS = 80.0
PLAIN = OperatingPoint(threshold=0.5, smoothing_scores=1, refractory_ms=0.0)


def rows_of(*columns: list[float]) -> NDArray[np.float32]:
    """Rows of posteriors from one list for each keyword."""
    return np.array(columns, np.float32).T


def fired(point: OperatingPoint, posteriors: list[float]) -> list[int]:
    """The rows at which one keyword was detected."""
    decide = Decision({"stop": point}, HOP_MS)
    return [row for row, _ in decide.step(rows_of(posteriors), decide.start())[1]]


def smoothed(scores: int, posteriors: list[float]) -> list[float]:
    """The scores of one keyword."""
    decide = Decision({"stop": PLAIN.changed(smoothing_scores=scores)}, HOP_MS)
    found: list[float] = decide.step(rows_of(posteriors), decide.start())[0][:, 0].tolist()
    return found


# ---------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("posteriors", "rows"),
    [
        ([0.2, 0.9, 0.8, 0.9, 0.1], [1]),
        ([0.2, 0.9, 0.1, 0.9, 0.1], [1, 3]),
        ([0.9, 0.9, 0.1], [0]),
        ([0.1, 0.2, 0.9], [2]),
        ([0.9, 0.1, 0.9, 0.1, 0.9], [0, 2, 4]),
        ([0.1, 0.2, 0.4], []),
        ([], []),
    ],
)
def test_a_burst_is_one_detection_at_its_first_score(
    posteriors: list[float], rows: list[int]
) -> None:
    assert fired(PLAIN, posteriors) == rows


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.1, 1.0])
@pytest.mark.parametrize("scores", [1, 3])
def test_a_score_at_the_threshold_fires_and_the_next_smaller_number_does_not(
    threshold: float, scores: int
) -> None:
    point = OperatingPoint(threshold, scores, 0.0)
    at = float(np.float32(threshold))
    below = float(np.nextafter(np.float32(threshold), np.float32(0)))
    assert fired(point, [at] * 4) == [0]
    assert fired(point, [below] * 4) == []


def test_a_score_is_the_mean_of_the_last_rows_or_of_as_many_as_there_were() -> None:
    assert smoothed(3, [0.0, 0.75, 0.75, 0.0, 0.0]) == [0.0, 0.375, 0.5, 0.5, 0.25]
    assert smoothed(1, [1.0, 0.0, 0.5]) == [1.0, 0.0, 0.5]


def test_at_the_start_of_a_stream_half_of_the_rows_are_needed_for_a_mean() -> None:
    assert smoothed(4, [1.0, 0.0, 0.5, 0.5, 0.0]) == [0.5, 0.5, 0.5, 0.5, 0.25]
    assert smoothed(8, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert smoothed(2, [1.0, 0.0]) == [1.0, 0.5]
    # one row at the start is not taken for ten; seven rows, a clip and what ends it, are enough
    assert fired(PLAIN.changed(smoothing_scores=10), [1.0, 0.0, 0.0]) == []
    assert fired(PLAIN.changed(smoothing_scores=10), [1.0] * 7) == [2]


def test_with_patience_a_score_is_what_so_many_of_the_last_rows_reached() -> None:
    def scores(patience: int, of: int, posteriors: list[float]) -> list[float]:
        decide = Decision({"stop": OperatingPoint(0.5, of, 0.0, patience)}, HOP_MS)
        found: list[float] = decide.step(rows_of(posteriors), decide.start())[0][:, 0].tolist()
        return found

    rows = [0.25, 1.0, 0.5, 0.0, 0.75, 0.75]
    assert scores(1, 1, rows) == rows
    assert scores(1, 3, rows) == [0.25, 1.0, 1.0, 1.0, 0.75, 0.75]
    assert scores(2, 3, rows) == [0.0, 0.25, 0.5, 0.5, 0.5, 0.75]  # the median
    assert scores(3, 3, rows) == [0.0, 0.0, 0.25, 0.0, 0.0, 0.0]
    assert scores(2, 10, rows) == [0.0, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_with_patience_a_burst_that_is_too_short_does_not_fire() -> None:
    patient = OperatingPoint(0.5, 3, 0.0, patience=3)
    assert fired(patient, [0.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.5, 1.0, 0.0]) == [6]
    assert fired(patient, [1.0, 1.0, 1.0]) == [2]  # at the start of a stream, no sooner
    assert fired(patient.changed(patience=2), [1.0, 0.0, 1.0, 0.0, 0.0]) == [2]


def test_keywords_with_and_without_patience_are_decided_side_by_side() -> None:
    points = {
        "stop": OperatingPoint(0.5, 4, 0.0, patience=2),
        "go": OperatingPoint(0.5, 2, 0.0),
        "no": OperatingPoint(0.5, 2, 0.0, patience=2),
    }
    decide = Decision(points, HOP_MS)
    rows = [1.0, 0.0, 0.75, 0.0, 0.0]
    scores, found, _ = decide.step(rows_of(rows, rows, rows), decide.start())
    assert scores[:, 0].tolist() == [0.0, 0.0, 0.75, 0.75, 0.0]
    assert scores[:, 1].tolist() == [1.0, 0.5, 0.375, 0.375, 0.0]
    assert scores[:, 2].tolist() == [0.0, 0.0, 0.0, 0.0, 0.0]
    assert found == [(0, 1), (2, 0)]


def test_a_long_patience_is_decided_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = Decision({"stop": OperatingPoint(0.5, 7, 0.0, patience=3)}, HOP_MS)
    rows = np.random.default_rng(0).random((100, 1), np.float32)
    whole = decide.step(rows, decide.start())
    monkeypatch.setattr("watchword.decision.LARGEST_BLOCK", 20)
    pieces = decide.step(rows, decide.start())
    assert np.array_equal(whole[0], pieces[0])
    assert whole[1] == pieces[1] != []


@pytest.mark.parametrize("patience", [0, 4, -1, 1.5])
def test_a_patience_of_rows_that_are_not_there_is_refused(patience: float) -> None:
    with pytest.raises(ConfigError, match=r"a patience of .+ scores was given, needed a whole"):
        OperatingPoint(0.5, 3, patience=patience)  # type: ignore[arg-type]


def test_patience_stays_a_share_where_smoothing_changes() -> None:
    point = OperatingPoint(0.5, 10, patience=8)
    assert point.changed(smoothing_scores=5).patience == 4
    assert point.changed(smoothing_scores=1).patience == 1
    assert point.changed(smoothing_scores=3).patience == 3
    assert point.changed(threshold=0.7).patience == 8
    assert point.changed(smoothing_scores=20, patience=2).patience == 2
    assert OperatingPoint(0.5, 3).changed(smoothing_scores=5).patience is None


def test_it_is_the_score_that_fires_and_not_the_posterior() -> None:
    point = PLAIN.changed(smoothing_scores=3)
    assert fired(point, [0.0, 0.75, 0.75, 0.0, 0.0]) == [2]
    assert fired(point, [0.0, 0.0, 1.0, 0.0, 0.0]) == []
    assert fired(point, [1.0, 0.0, 0.0]) == [0]  # the first row is the mean of one


@pytest.mark.parametrize(
    ("refractory_ms", "posteriors", "rows"),
    [
        (240, [1, 0, 1, 0, 0], [0]),  # begins 2 rows after, 3 must lie between
        (240, [1, 0, 0, 1, 0], [0, 3]),  # begins when the rest ends
        (241, [1, 0, 0, 1, 0, 1], [0, 5]),  # more than 3 rows are 4
        (240, [1, 0, 1, 1, 1, 1, 1, 1], [0]),  # began in the rest, however long it lasts
        (240, [1, 0, 1, 1, 1, 1, 0, 1], [0, 7]),
        (240, [1, 0, 1, 0, 1, 0], [0, 4]),  # what is swallowed does not prolong the rest
        (240, [1, 1, 1, 1, 1, 1, 0, 1], [0, 7]),  # a burst longer than its rest fires once
        (80, [1, 0, 1, 0, 1], [0, 2, 4]),
        (1e308, [0, 0, 1, 0, 1] + [0, 1] * 50, [2]),
    ],
)
def test_a_keyword_rests_after_it_fired(
    refractory_ms: float, posteriors: list[float], rows: list[int]
) -> None:
    assert fired(PLAIN.changed(refractory_ms=refractory_ms), posteriors) == rows


def test_two_keywords_have_each_their_own_point_and_do_not_hush_each_other() -> None:
    decide = Decision(
        {"stop": OperatingPoint(0.5, 1, 240.0), "go": OperatingPoint(0.25, 2, 0.0)}, HOP_MS
    )
    posteriors = rows_of([1, 0, 1, 1, 0, 1], [0, 0, 0.5, 0, 0, 1])
    scores, found, memory = decide.step(posteriors, decide.start())
    assert scores[:, 0].tolist() == [1, 0, 1, 1, 0, 1]
    assert scores[:, 1].tolist() == [0, 0, 0.25, 0.25, 0, 0.5]
    assert found == [(0, 0), (2, 1), (5, 0), (5, 1)]
    assert memory.fired.tolist() == [5, 5]
    assert memory.rows == 6


# ---------------------------------------------------------------------------------- laws

POINTS = st.builds(
    lambda patience, rows, **others: OperatingPoint(
        smoothing_scores=rows, patience=patience and min(patience, rows), **others
    ),
    st.none() | st.integers(1, 6),
    st.integers(1, 6),
    threshold=st.sampled_from([0.125, 0.25, 0.5, 0.7, 1.0]),
    refractory_ms=st.sampled_from([0.0, 80.0, 100.0, 240.0, 1_000.0]),
)
EIGHTHS = st.integers(0, 8).map(lambda eighths: eighths / 8)


def by_hand(point: OperatingPoint, posteriors: list[float]) -> list[int]:
    """What SPEC §7 says, one row after the other, in the plainest words."""
    found: list[int] = []
    was_above = False
    for row in range(len(posteriors)):
        recent = posteriors[max(0, row + 1 - point.smoothing_scores) : row + 1]
        count = max(len(recent), point.smoothing_scores // 2)  # what is missing is zero
        is_above = bool(np.float32(sum(recent) / count) >= np.float32(point.threshold))
        if point.patience is not None:
            is_above = sum(value >= point.threshold for value in recent) >= point.patience
        is_rested = not found or (row - found[-1]) * HOP_MS >= point.refractory_ms
        if is_above and not was_above and is_rested:
            found.append(row)
        was_above = is_above
    return found


@settings(max_examples=200, deadline=None)
@given(POINTS, st.lists(EIGHTHS, max_size=40))
def test_detections_are_those_of_the_plainest_words(
    point: OperatingPoint, posteriors: list[float]
) -> None:
    assert fired(point, posteriors) == by_hand(point, posteriors)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(POINTS, min_size=3, max_size=3),
    arrays(np.float32, (30, 3), elements=st.floats(0, 1, width=32)),
    st.lists(st.integers(0, 30), max_size=8),
)
def test_the_same_rows_in_whatever_pieces_give_the_same_to_the_last_bit(
    points: list[OperatingPoint], posteriors: NDArray[np.float32], cuts: list[int]
) -> None:
    decide = Decision(dict(zip("abc", points, strict=True)), HOP_MS)
    scores, found, memory = decide.step(posteriors, decide.start())
    pieces, seen, later = [], [], decide.start()
    for first, last in pairwise([0, *sorted(cuts), len(posteriors)]):
        some, fires, later = decide.step(posteriors[first:last], later)
        pieces.append(some)
        seen += [(first + row, keyword) for row, keyword in fires]
    assert np.array_equal(np.concatenate(pieces), scores)
    assert seen == found
    assert np.array_equal(later.recent, memory.recent)
    assert later.above.tolist() == memory.above.tolist()
    assert (later.fired.tolist(), later.rows) == (memory.fired.tolist(), memory.rows)


@settings(max_examples=100, deadline=None)
@given(POINTS, st.lists(EIGHTHS, max_size=40), EIGHTHS.filter(bool))
def test_a_higher_threshold_is_never_reached_earlier(
    point: OperatingPoint, posteriors: list[float], other: float
) -> None:
    low, high = sorted([point.threshold, other])
    early = fired(point.changed(threshold=low), posteriors)
    late = fired(point.changed(threshold=high), posteriors)
    assert not late or early[0] <= late[0]


def test_a_memory_may_be_kept_and_gone_on_from_twice() -> None:
    decide = Decision({"stop": OperatingPoint(0.5, 2, 200.0)}, HOP_MS)
    _, _, memory = decide.step(rows_of([1, 0, 1]), decide.start())
    first = decide.step(rows_of([1, 0, 1, 1]), memory)
    again = decide.step(rows_of([1, 0, 1, 1]), memory)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_a_memory_holds_what_smoothing_needs_and_none_of_the_rows_it_was_made_of() -> None:
    decide = Decision({"a": OperatingPoint(smoothing_scores=5), "b": PLAIN}, HOP_MS)
    memory = decide.start()
    for rows in (1, 3, 1_000, 2):
        _, _, memory = decide.step(np.zeros((rows, 2), np.float32), memory)
        assert len(memory.recent) == min(4, memory.rows)
        kept = (memory.recent, memory.above, memory.fired)
        assert [array.base is None for array in kept] == [True] * 3


# ---------------------------------------------------------------------------------- temperature

TEMPERATURES = [0.05, 0.5, 0.9, 1.3, 2.0, 20.0]


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def test_a_temperature_by_hand() -> None:
    # the square roots of .64 and .36 are .8 and .6, of which 4/7 and 3/7 sum to one
    found = tempered(np.array([[0.64, 0.36]], np.float32), 2.0)
    assert found == pytest.approx(np.array([[4 / 7, 3 / 7]]), abs=1e-7)
    found = tempered(np.array([[0.75, 0.25]], np.float32), 0.5)
    assert found == pytest.approx(np.array([[0.9, 0.1]]), abs=1e-7)


def test_a_temperature_of_one_changes_nothing() -> None:
    posteriors = np.array([[0.3, 0.3], [0.0, 7.0]], np.float32)  # not even what sums to no one
    assert tempered(posteriors, 1.0) is posteriors
    assert tempered(posteriors, 1) is posteriors


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_tempered_posteriors_are_the_softmax_of_logits_divided_by_it(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (200, 12))
    found = tempered(softmax(logits).astype(np.float32), temperature)
    assert found.dtype == np.float32
    # 32 bits hold a posterior to 6e-8 of it, its power to 1 / temperature times that
    np.testing.assert_allclose(
        found, softmax(logits / temperature), rtol=2e-7 + 2e-7 / temperature, atol=1e-37
    )


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float64, (5, 4), elements=st.floats(-60, 60)),
    st.sampled_from(TEMPERATURES),
)
def test_tempered_rows_sum_to_one_and_keep_their_order(
    logits: NDArray[np.float64], temperature: float
) -> None:
    posteriors = softmax(logits).astype(np.float32)
    found = tempered(posteriors, temperature)
    # each of four numbers is rounded to half of 2^-24 at most
    assert np.abs(found.sum(axis=1, dtype=np.float64) - 1).max() < 4 * 2**-25
    for row, told in zip(posteriors, found, strict=True):
        assert (np.diff(told[np.argsort(row, kind="stable")]) >= 0).all()
    is_soft = temperature > 1
    surest, was = found.max(axis=1), posteriors.max(axis=1)
    assert ((surest <= was + 1e-6) if is_soft else (surest >= was - 1e-6)).all()


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_posteriors_of_zero_stay_numbers_and_the_least(temperature: float) -> None:
    posteriors = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]], np.float32)
    found = tempered(posteriors, temperature)
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert (found[:, 1] == found.min(axis=1)).all()
    # what 32 bits do not hold is taken for 1e-30
    power = 1e-30 ** (1 / temperature)
    assert found[0, 1] == found[0, 2] == pytest.approx(power / (1 + 2 * power), abs=1e-37)
    assert tempered(np.empty((0, 3), np.float32), temperature).shape == (0, 3)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_rows_are_tempered_alike_alone_and_together_to_the_last_bit(temperature: float) -> None:
    logits = np.random.default_rng(1).normal(0, 4, (257, 12))
    posteriors = softmax(logits).astype(np.float32)
    whole = tempered(posteriors, temperature)
    for rows in (1, 7, 100):
        pieces = [tempered(posteriors[n : n + rows], temperature) for n in range(0, 257, rows)]
        assert np.array_equal(np.concatenate(pieces), whole)


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold": 0.0}, r"a threshold of 0 was given, needed above 0 and at most 1: scores"),
        ({"threshold": 1.01}, r"a threshold of 1\.01 was given, needed above 0 and at most 1"),
        ({"threshold": float("nan")}, r"a threshold of nan was given, needed above 0"),
        ({"smoothing_scores": 0}, r"over 0 scores was asked for, needed a whole number from 1 to"),
        ({"smoothing_scores": 1_001}, r"needed a whole number from 1 to 1,000: 1 is none at all"),
        ({"smoothing_scores": 2.5}, r"smoothing over 2\.5 scores was asked for, needed a whole"),
        ({"refractory_ms": -1.0}, r"a refractory period of -1 ms was given, needed a finite time"),
        ({"refractory_ms": float("inf")}, r"period of inf ms was given, needed a finite time from"),
        ({"refractory_ms": float("nan")}, r"a refractory period of nan ms was given"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PLAIN.changed(**values)


def test_what_is_none_stays() -> None:
    assert PLAIN.changed(threshold=None, refractory_ms=5.0) == OperatingPoint(0.5, 1, 5.0)


def test_a_decision_about_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no keyword was given to decide about, needed at least"):
        Decision({}, HOP_MS)


def test_each_keyword_has_its_own_point_or_the_default() -> None:
    default = OperatingPoint(0.9)
    assert points_for(None, ["stop", "go"], {"go": PLAIN}, default) == {
        "stop": default,
        "go": PLAIN,
    }
    assert list(points_for(["go", "stop", "go"], ["stop", "go"], {}, default)) == ["go", "stop"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (["stopp"], r"does not know the keyword 'stopp': did you mean stop\? There are: stop, go"),
        ([""], r"does not know the keyword '': There are: stop, go"),
        ([], r"no keyword was named to listen for; there are: stop, go"),
    ],
)
def test_keywords_that_a_model_does_not_know_are_refused(keywords: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        points_for(keywords, ["stop", "go"], {}, PLAIN)
