"""What became of detections in several recordings, counted over any part of them."""

from __future__ import annotations

import pytest

from watchword.decision import Detection, OperatingPoint
from watchword.errors import ConfigError, DataError
from watchword.long_audio.judge import Judged, judge
from watchword.long_audio.matching import Outcome
from watchword.long_audio.reference import Event, Recording, Said

POINTS = {"stop": OperatingPoint(0.7), "go": OperatingPoint(0.8), "left": OperatingPoint(0.9)}
FIRST = Recording("first", (), 1_800.0, (Event("stop", 1.0, 1.5), Event("go", 3.0, 3.5)))
SECOND = Recording("second", (), 900.0, (Event("stop", 2.0, 2.5),), tags={"noise": "rain"})
BOOK = Recording("book", (), 3_600.0, said=(Said("go on", 4.0, 6.0),))
RECORDINGS = (FIRST, SECOND, BOOK)
DETECTIONS = [
    [Detection("stop", 1.75, 0.9), Detection("stop", 9.0, 0.8)],
    [Detection("stop", 2.25, 0.9), Detection("go", 2.5, 0.8)],
    [Detection("go", 5.0, 0.9), Detection("go", 50.0, 0.9), Detection("stop", 60.0, 0.7)],
]
JUDGED = judge(POINTS, RECORDINGS, DETECTIONS)


def test_what_became_of_all_is_told_recording_by_recording() -> None:
    assert JUDGED.keywords == ("stop", "go", "left")
    assert JUDGED.hours == 1.75
    assert [hit.detection.time_s for hit in JUDGED.hits] == [1.75, 2.25]
    assert [event.keyword for event in JUDGED.misses] == ["go"]
    assert [(one.keyword, one.time_s) for one in JUDGED.false_accepts] == [
        ("stop", 9.0),
        ("go", 2.5),
        ("go", 50.0),
        ("stop", 60.0),
    ]
    assert [len(outcome.excused) for outcome in JUDGED.outcomes] == [0, 0, 1]


def test_false_reject_rates_by_hand() -> None:
    overall, stop, go = (JUDGED.false_reject_rate(name) for name in (None, "stop", "go"))
    assert overall is not None
    assert stop is not None
    assert go is not None
    assert [(rate.hits, rate.count) for rate in (overall, stop, go)] == [(1, 3), (0, 2), (1, 1)]


def test_a_keyword_that_nobody_said_has_no_false_reject_rate() -> None:
    assert JUDGED.false_reject_rate("left") is None
    assert JUDGED.negative.false_reject_rate() is None


def test_false_accepts_per_hour_by_hand() -> None:
    rates = {name: JUDGED.false_accepts_per_hour(name) for name in (None, *POINTS)}
    assert {name: rate.count for name, rate in rates.items()} == {
        None: 4,
        "stop": 2,
        "go": 2,
        "left": 0,
    }
    assert {rate.hours for rate in rates.values()} == {1.75}
    assert str(rates["left"]) == "at most 2.1 per hour (none in 1.75 h; 95 %)"


def test_latencies_by_hand() -> None:
    assert JUDGED.latencies_s() == [0.25, -0.25]
    assert JUDGED.latencies_s("stop") == [0.25, -0.25]
    assert JUDGED.latencies_s("go") == []


def test_hours_with_and_without_a_keyword_are_told_apart() -> None:
    assert JUDGED.negative.recordings == (BOOK,)
    assert JUDGED.positive.recordings == (FIRST, SECOND)
    assert str(JUDGED.negative.false_accepts_per_hour()) == (
        "2.00 per hour (2 in 1 h; 95 % 0.24–7.22)"
    )
    assert JUDGED.positive.false_accepts_per_hour().count == 2
    assert JUDGED.positive.hours == 0.75


def test_any_recordings_can_be_chosen_and_keep_what_became_of_them() -> None:
    rain = JUDGED.select(lambda one: one.tags.get("noise") == "rain")
    assert rain.recordings == (SECOND,)
    assert rain.outcomes == (JUDGED.outcomes[1],)
    assert (rain.points, rain.tolerance_s) == (JUDGED.points, JUDGED.tolerance_s)


def test_no_recordings_have_no_hours_and_no_rate() -> None:
    none = JUDGED.select(lambda _: False)
    assert (none.recordings, none.hours, none.hits, none.misses) == ((), 0, [], [])
    with pytest.raises(DataError, match="found 0 false accepts in 0 hours, needed some audio"):
        none.false_accepts_per_hour()


def test_the_tolerance_is_kept_with_what_was_judged_by_it() -> None:
    strict = judge(POINTS, RECORDINGS, DETECTIONS, tolerance_s=0.1)
    assert strict.tolerance_s == 0.1
    assert [hit.detection.time_s for hit in strict.hits] == [2.25]
    assert [event.keyword for event in strict.misses] == ["stop", "go"]


def test_a_tolerance_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ConfigError, match="a tolerance of -1 s was given, needed a finite time"):
        judge(POINTS, RECORDINGS, DETECTIONS, tolerance_s=-1)


@pytest.mark.parametrize("detections", [[], DETECTIONS[:2], [*DETECTIONS, []]])
def test_each_recording_has_its_detections(detections: list[list[Detection]]) -> None:
    with pytest.raises(ValueError, match=r"argument 2 is (shorter|longer) than argument 1"):
        judge(POINTS, RECORDINGS, detections)


def test_recordings_and_outcomes_that_do_not_belong_together_are_not_counted() -> None:
    odd = Judged(POINTS, RECORDINGS, (Outcome((), (), (), ()),))
    with pytest.raises(ValueError, match="argument 2 is shorter than argument 1"):
        odd.select(lambda _: True)
