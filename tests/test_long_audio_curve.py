"""What each threshold would give: the counts are those of a judge who listens at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from watchword.decision import Decision, OperatingPoint, tempered
from watchword.facts import Timing
from watchword.long_audio import curve
from watchword.long_audio.judge import judge
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.scores import LongScores, detections
from watchword.long_audio.sweep import SweepPoint
from watchword.report import POOLED

HZ = 16_000
TIMING = Timing(HZ, HZ, HZ // 10, 0, 9)
"""A score every tenth of a second, the first after half a second and half a clip of silence."""
LABELS = ("go", "stop", "_unknown_")
PLAIN = OperatingPoint(threshold=0.5, smoothing_scores=1, refractory_ms=0.0)


def scores_of(*recordings: Sequence[Sequence[float]], cut: int = 0) -> LongScores:
    """Scores of recordings: for each the posteriors of ``go`` and ``stop``, row by row."""
    posteriors = [np.array(rows, np.float64).reshape(-1, 2) for rows in recordings]
    samples = [HZ // 2 + (len(rows) - 1) * TIMING.score_samples - cut for rows in posteriors]
    return LongScores(
        "key",
        LABELS,
        TIMING,
        tuple(f"r{number}" for number in range(len(posteriors))),
        np.array(samples),
        tuple(
            np.column_stack([rows, 1 - rows.sum(axis=1)]).astype(np.float32) for rows in posteriors
        ),
    )


def go_of(*recordings: Sequence[float]) -> LongScores:
    """Scores of recordings in which only ``go`` may be heard."""
    return scores_of(*([[value, 0.0] for value in rows] for rows in recordings))


def counted(
    scores: LongScores, recordings: Sequence[Recording], thresholds: Sequence[float], **point: float
) -> curve.Counts:
    """What thresholds give for ``go``."""
    of = curve.track(scores, recordings, "go", PLAIN.changed(**point), 1.0)
    return curve.count(of, np.array(thresholds), tolerance_s=0.05)


# ---------------------------------------------------------------------------------- by hand

# due at        0.5  0.6  0.7  0.8  0.9  1.0  1.1  1.2  1.3  1.4
ROWS = [0.9, 0.2, 0.2, 0.5, 0.8, 0.2, 0.2, 0.6, 0.2, 0.9]
SPOKEN = Recording("r0", (), 1.4, (Event("go", 0.1, 0.5), Event("go", 1.35, 1.4)))


@pytest.mark.parametrize(
    ("point", "misses", "false_accepts"),
    [
        # a score at the threshold fires; the first and the last row belong to the two events
        ({}, [2, 0, 0, 0, 0, 1], [0, 0, 1, 2, 2, 0]),
        # 0.6 fires at 1.2, and what would at 1.4 lies in its rest; 0.1 fires once, at the first row
        ({"refractory_ms": 300.0}, [2, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 0]),
        # means of two are .9 .55 .2 .35 .65 .5 .2 .4 .4 .55, of which the last is at 1.4
        ({"smoothing_scores": 2}, [2, 1, 1, 1, 0, 1], [0, 0, 0, 1, 1, 0]),
    ],
)
def test_counts_can_be_redone_by_hand(
    point: dict[str, float], misses: list[int], false_accepts: list[int]
) -> None:
    found = counted(go_of(ROWS), [SPOKEN], [0.95, 0.9, 0.8, 0.6, 0.5, 0.1], **point)
    assert (found.misses.tolist(), found.events) == (misses, 2)
    assert found.false_accepts.tolist() == false_accepts
    assert found.hours == pytest.approx(1.4 / 3_600)


def test_a_lower_threshold_may_find_less_and_accept_less_because_bursts_merge() -> None:
    rows = [0.2, 0.6, 0.9, 0.6, 0.9, 0.2]
    said = Recording("r0", (), 1.0, (Event("go", 0.85, 0.9),))
    found = counted(go_of(rows), [said], [0.9, 0.6, 0.2])
    assert found.misses.tolist() == [0, 1, 1]
    assert found.false_accepts.tolist() == [1, 1, 1]
    found = counted(go_of(rows), [replace(said, events=())], [0.9, 0.6, 0.2])
    assert found.false_accepts.tolist() == [2, 1, 1]


@pytest.mark.parametrize("threshold", [0.7, 0.1, 0.3, 0.9991])
def test_a_score_that_is_the_threshold_fires_though_it_has_fewer_digits(threshold: float) -> None:
    at = float(np.float32(threshold))
    below = float(np.nextafter(np.float32(threshold), np.float32(0)))
    said = [Recording("r0", (), 0.5, (Event("go", 0.1, 0.5),))]
    assert counted(go_of([at]), said, [threshold]).misses.tolist() == [0]
    assert counted(go_of([below]), said, [threshold]).misses.tolist() == [1]


def test_false_accepts_are_those_of_the_negative_hours_where_there_are_any() -> None:
    rows = [0.9, 0.1, 0.9]
    said = Recording("r0", (), 900.0, (Event("stop", 1.0, 1.1),))
    quiet = Recording("r1", (), 1_800.0)
    found = counted(go_of(rows, rows), [said, quiet], [0.5])
    assert (found.false_accepts.tolist(), found.hours, found.events) == ([2], 0.5, 0)
    found = counted(go_of(rows, rows), [said, replace(said, name="r1")], [0.5])
    assert (found.false_accepts.tolist(), found.hours) == ([4], 0.5)


def test_the_grid_falls_evenly_from_0_999_to_0_12_and_has_four_digits() -> None:
    thresholds = curve.grid()
    assert (thresholds[0], thresholds[-1]) == (0.9991, 0.1192)
    assert [round(value, 4) for value in thresholds.tolist()] == thresholds.tolist()
    logits = np.log(thresholds / (1 - thresholds))
    # four digits move a logit by 0.00005 / (p (1 - p)) at most, 0.056 at 0.9991
    assert np.abs(np.diff(logits) + 9 / 54).max() < 0.11
    assert np.diff(logits).max() < 0


# ---------------------------------------------------------------------------------- laws

EIGHTHS = st.integers(0, 8).map(lambda eighths: eighths / 8)
ROW = st.tuples(EIGHTHS, EIGHTHS).map(lambda pair: [pair[0], pair[1] * (1 - pair[0])])
POINTS = st.builds(
    OperatingPoint,
    threshold=st.just(1.0),
    smoothing_scores=st.integers(1, 4),
    refractory_ms=st.sampled_from([0.0, 100.0, 250.0, 1_000.0]),
)
THRESHOLDS = np.array([0.9991, 0.875, 0.7, 0.5, 0.375, 0.25, 0.125, 0.05])


@st.composite
def recordings(draw: st.DrawFn, rows: int) -> tuple[Event, ...]:
    """Events of one or the other keyword, one after the other."""
    starts = draw(st.lists(st.integers(0, 5 + rows), max_size=4, unique=True))
    words = st.sampled_from(["go", "stop"])
    return tuple(Event(draw(words), at / 10, at / 10 + 0.08) for at in sorted(starts))


@settings(max_examples=80, deadline=None)
@given(st.data(), POINTS, st.sampled_from([1.0, 0.5, 2.0]), st.sampled_from([0.0, 0.1, 1.0]))
def test_counts_are_those_of_judges_who_listen_at_each_threshold(
    data: st.DataObject, point: OperatingPoint, temperature: float, tolerance_s: float
) -> None:
    every = data.draw(st.lists(st.lists(ROW, min_size=1, max_size=15), min_size=1, max_size=4))
    scores = scores_of(*every, cut=data.draw(st.integers(0, 2_000)))
    heard = [
        Recording(name, (), 900.0, data.draw(recordings(len(rows))), (Said("go go", 0.7, 1.0),))
        for name, rows in zip(scores.names, every, strict=True)
    ]
    of = curve.track(scores, heard, "go", point, temperature)
    found = curve.count(of, THRESHOLDS, tolerance_s)
    for place, threshold in enumerate(THRESHOLDS.tolist()):
        points = {"go": point.changed(threshold=threshold)}
        judged = judge(points, heard, detections(scores, points, temperature), tolerance_s)
        counting = judged.negative if judged.negative.recordings else judged
        assert found.misses[place] == len(judged.misses)
        assert found.events == len(judged.misses) + len(judged.hits)
        assert found.false_accepts[place] == len(counting.false_accepts)
        assert found.hours == counting.hours


@settings(max_examples=40, deadline=None)
@given(st.lists(EIGHTHS.filter(lambda score: 0 < score < 1), min_size=1, max_size=15), POINTS)
def test_no_score_reaches_what_is_above_all_and_one_burst_holds_all_that_is_below(
    rows: list[float], point: OperatingPoint
) -> None:
    of = curve.track(go_of(rows), [Recording("r0", (), 900.0)], "go", point, 1.0)
    assert curve.count(of, np.array([0.9991, 0.05])).false_accepts.tolist() == [0, 1]


# ---------------------------------------------------------------------------------- the curve


def test_a_curve_has_the_counts_of_each_keyword_and_the_sums_of_all() -> None:
    rows = [[0.9, 0.05], [0.1, 0.3], [0.1, 0.8], [0.6, 0.1], [0.1, 0.1]]
    scores = scores_of(rows, rows)
    said = Recording("r0", (), 0.9, (Event("go", 0.3, 0.5), Event("stop", 0.75, 0.8)))
    quiet = Recording("r1", (), 7_200.0)
    points = {"go": PLAIN, "stop": PLAIN.changed(smoothing_scores=2)}
    found = curve.det(scores, [said, quiet], points, tolerance_s=0.0)
    assert [*found] == ["go", "stop", POOLED]
    for keyword in points:
        of = curve.track(scores, [said, quiet], keyword, points[keyword], 1.0)
        counts = curve.count(of, curve.grid(), 0.0)
        assert found[keyword] == [
            SweepPoint(*some, 1, accepts, 2.0)
            for *some, accepts in zip(
                counts.thresholds.tolist(),
                counts.misses.tolist(),
                counts.false_accepts.tolist(),
                strict=True,
            )
        ]
    for one, other, both in zip(*found.values(), strict=True):
        assert (both.misses, both.events) == (one.misses + other.misses, 2)
        assert both.false_accepts == one.false_accepts + other.false_accepts
        assert (both.threshold, both.hours) == (one.threshold, 2.0)
    at_half = next(one for one in found[POOLED] if one.threshold == 0.5)
    # go fires at 0.5 and 0.8; the means of stop, .05 .175 .55 .45 .1, at 0.7, before its event
    assert (at_half.misses, at_half.false_accepts) == (1, 3)


def test_what_is_never_said_has_no_curve_but_its_false_accepts_count_for_all() -> None:
    rows = [[0.1, 0.9], [0.9, 0.05]]
    said = Recording("r0", (), 0.6, (Event("go", 0.55, 0.6),))
    quiet = Recording("r1", (), 3_600.0)
    points = {"go": PLAIN, "stop": PLAIN}
    found = curve.det(scores_of(rows, rows), [said, quiet], points)
    assert [*found] == ["go", POOLED]
    low = found[POOLED][-1]  # of go's events; stop's score of 0.9 in the quiet recording counts too
    assert (low.events, low.false_accepts) == (1, found["go"][-1].false_accepts + 1)
    assert curve.det(scores_of(rows), [quiet], points) == {}
    both = replace(said, events=(Event("stop", 0.4, 0.5), *said.events))
    found = curve.det(scores_of(rows, rows), [both, quiet], points)
    assert [*found] == ["go", "stop", POOLED]


def test_a_temperature_moves_a_curve_along_its_thresholds() -> None:
    scores, said = go_of([0.8, 0.1]), [Recording("r0", (), 0.6, (Event("go", 0.1, 0.5),))]
    at = {}
    for temperature in (1.0, 2.0):
        points = curve.det(scores, said, {"go": PLAIN}, temperature=temperature)["go"]
        at[temperature] = max(one.threshold for one in points if not one.misses)
    assert 0.75 < at[1.0] <= 0.8
    softer = float(tempered(scores.posteriors[0], 2.0)[0, 0])
    assert softer - 0.05 < at[2.0] <= softer < 0.7


def test_a_trace_is_what_the_decision_looked_at() -> None:
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], 30)[:, :2]
    scores = scores_of(rows[:10].tolist(), rows[10:].tolist(), cut=700)
    heard = [Recording("r0", (), 2.0), Recording("r1", (), 3.0)]
    points = {"stop": PLAIN.changed(smoothing_scores=3), "go": PLAIN.changed(smoothing_scores=2)}
    trace = curve.traces(scores, heard, points, 1.5)
    for number, one in enumerate(heard):
        fired = detections(scores, points, 1.5)[number]
        assert fired
        for keyword, point in points.items():
            times_s, smoothed = trace(one, keyword)
            assert times_s.tolist() == scores.times_s(number).tolist()
            decision = Decision({keyword: point}, TIMING.score_hop_ms)
            column: NDArray[np.float32] = tempered(scores.posteriors[number], 1.5)
            column = column[:, [LABELS.index(keyword)]]
            assert np.array_equal(smoothed, decision.step(column, decision.start())[0][:, 0])
            told = dict(zip(times_s.tolist(), smoothed.tolist(), strict=True))
            for found in fired:
                assert found.keyword != keyword or told[found.time_s] == found.score
