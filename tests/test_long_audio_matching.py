"""Detections against reference events: every case can be redone by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchword.decision import Detection
from watchword.errors import ConfigError
from watchword.long_audio.matching import TOLERANCE_S, Hit, Outcome, match
from watchword.long_audio.reference import Event, Recording, Said

LENGTH_S = 20.0


def stops(*spans: tuple[float, float]) -> tuple[Event, ...]:
    return tuple(Event("stop", start, end) for start, end in spans)


def heard(*times_s: float, keyword: str = "stop") -> list[Detection]:
    return [Detection(keyword, time_s, 0.9) for time_s in times_s]


def outcome(
    detections: Sequence[Detection],
    events: Sequence[Event] = (),
    *said: Said,
    keywords: Sequence[str] = ("stop", "no"),
    tolerance_s: float = TOLERANCE_S,
) -> Outcome:
    recording = Recording("r", (), LENGTH_S, tuple(events), said)
    return match(detections, recording, keywords, tolerance_s)


def times(found: Sequence[Detection]) -> list[float]:
    return [one.time_s for one in found]


# ------------------------------------------------------------------------------------------ by hand


@pytest.mark.parametrize(
    ("spans", "detections", "hits", "misses", "false_accepts"),
    [
        ([(2, 3)], [3.2], [3.2], [], []),
        ([(2, 3)], [], [], [2], []),
        ([], [3.2], [], [], [3.2]),
        ([(2, 3)], [2.0], [2.0], [], []),  # no earlier than it starts
        ([(2, 3)], [1.99], [], [2], [1.99]),
        ([(2, 3)], [4.0], [4.0], [], []),  # no later than a second after its end
        ([(2, 3)], [4.01], [], [2], [4.01]),
        ([(2, 3)], [2.5, 3.0, 3.5], [2.5], [], [3.0, 3.5]),  # a burst: one event, one detection
        ([(2, 3), (3.5, 4)], [3.6], [3.6], [3.5], []),  # open to both: the one that ends first
        ([(2, 3), (3.5, 4)], [3.6, 3.7], [3.6, 3.7], [], []),
        ([(2, 3), (3.5, 4)], [3.2, 3.6], [3.2, 3.6], [], []),
        ([(2, 3), (3.5, 4)], [3.6, 3.6], [3.6, 3.6], [], []),  # at one time: each has its own
        ([(2, 3), (3.5, 4)], [3.6, 4.9, 5.0], [3.6, 4.9], [], [5.0]),
        ([(2, 6), (3, 4)], [3.5, 5.5], [3.5, 5.5], [], []),  # one within the other
        ([(0, 0.5)], [0.0], [0.0], [], []),  # at the first frame
        ([(19.5, 20)], [20.0], [20.0], [], []),  # at the last
        ([(19.5, 20)], [20.8], [20.8], [], []),  # silence that a stream hears afterwards
    ],
)
def test_what_becomes_of_events_and_detections(
    spans: list[tuple[float, float]],
    detections: list[float],
    hits: list[float],
    misses: list[float],
    false_accepts: list[float],
) -> None:
    found = outcome(heard(*detections), stops(*spans))
    assert times([hit.detection for hit in found.hits]) == hits
    assert [event.start_s for event in found.misses] == misses
    assert times(found.false_accepts) == false_accepts
    assert found.excused == ()


def test_a_detection_that_is_open_to_two_events_belongs_to_the_one_that_ends_first() -> None:
    first, second = stops((2, 3), (3.5, 4))
    found = outcome(heard(3.6), [second, first])
    assert found.hits == (Hit(first, heard(3.6)[0]),)
    assert found.misses == (second,)


def test_latency_is_from_the_end_of_the_keyword_and_may_be_negative() -> None:
    found = outcome(heard(2.75, 8.5), stops((2, 3), (7, 8)))
    assert [hit.latency_s for hit in found.hits] == [-0.25, 0.5]


def test_a_keyword_is_not_found_by_another() -> None:
    found = outcome(heard(3.2, keyword="no"), stops((2, 3)))
    assert (len(found.hits), len(found.misses), len(found.false_accepts)) == (0, 1, 1)


def test_keywords_said_at_one_time_are_judged_each_alone() -> None:
    events = (*stops((2, 3)), Event("no", 2.0, 2.5))
    found = outcome([*heard(3.2), *heard(2.9, keyword="no")], events)
    pairs = [(hit.event.keyword, hit.detection.time_s) for hit in found.hits]
    assert pairs == [("no", 2.9), ("stop", 3.2)]  # in order of time
    assert found.misses == found.false_accepts == ()


def test_what_is_not_listened_for_is_neither_missed_nor_falsely_accepted() -> None:
    found = outcome(heard(9.0, keyword="no"), [Event("no", 2.0, 2.5)], keywords=["stop"])
    assert found == Outcome((), (), (), ())


def test_a_keyword_named_twice_counts_once() -> None:
    found = outcome(heard(3.2, 9.0), stops((2, 3), (5, 6)), keywords=["stop", "stop"])
    assert (len(found.hits), len(found.misses), len(found.false_accepts)) == (1, 1, 1)


@pytest.mark.parametrize(("tolerance_s", "is_found"), [(0.0, False), (0.2, True), (0.1, False)])
def test_the_tolerance_says_how_late_is_too_late(tolerance_s: float, is_found: bool) -> None:
    found = outcome(heard(3.125), stops((2, 3)), tolerance_s=tolerance_s)
    assert bool(found.hits) == is_found
    assert outcome(heard(3.0), stops((2, 3)), tolerance_s=tolerance_s).hits


# ------------------------------------------------------------------------------------------ excused


@pytest.mark.parametrize(
    ("text", "detections", "excused", "false_accepts"),
    [
        ("please stop there", [6.0], [6.0], []),
        ("please Stop.", [6.0], [6.0], []),
        ("please go on", [6.0], [], [6.0]),
        ("do not stopper it", [6.0], [], [6.0]),  # a part of a word is no word
        ("stop", [6.0, 7.0], [6.0], [7.0]),  # each word excuses one
        ("stop, stop", [6.0, 7.0], [6.0, 7.0], []),
        ("stop", [5.0], [5.0], []),  # at its start
        ("stop", [4.9], [], [4.9]),
        ("stop", [11.0], [11.0], []),  # a second after its end
        ("stop", [11.1], [], [11.1]),
    ],
)
def test_a_text_excuses_one_detection_for_each_of_its_words(
    text: str, detections: list[float], excused: list[float], false_accepts: list[float]
) -> None:
    found = outcome(heard(*detections), (), Said(text, 5.0, 10.0))
    assert times(found.excused) == excused
    assert times(found.false_accepts) == false_accepts


def test_a_word_that_sounds_like_the_keyword_excuses_it_too() -> None:
    found = outcome(heard(6.0, 7.0, 8.0, keyword="no"), (), Said("I know: no one knows", 5.0, 10.0))
    assert times(found.excused) == [6.0, 7.0]
    assert times(found.false_accepts) == [8.0]


def test_words_of_one_keyword_do_not_excuse_another() -> None:
    found = outcome([*heard(6.0), *heard(6.5, keyword="no")], (), Said("no, no", 5.0, 10.0))
    assert times(found.excused) == [6.5]
    assert times(found.false_accepts) == [6.0]


def test_two_texts_excuse_each_with_their_own_words() -> None:
    texts = Said("stop", 5.0, 7.0), Said("stop", 7.0, 9.0)
    found = outcome(heard(7.5, 7.6, 7.7), (), *texts)
    assert times(found.excused) == [7.5, 7.6]  # the first is heard until 8.0
    assert times(found.false_accepts) == [7.7]


def test_a_detection_of_an_event_needs_no_excuse() -> None:
    found = outcome(heard(6.4), stops((6, 6.3)), Said("stop, stop", 5.0, 10.0))
    assert (times([hit.detection for hit in found.hits]), found.excused) == ([6.4], ())


@pytest.mark.parametrize(
    ("span", "text", "excused"),
    [
        ((6, 6.3), "stop", []),  # the event is the word: none is left
        ((6, 6.3), "stop, stop", [6.9]),
        ((6, 6.3), "go", []),
        ((4.8, 5.0), "stop", [6.9]),  # its middle lies before the text: another word
        ((4.8, 5.2), "stop", []),
    ],
)
def test_a_word_that_is_an_event_excuses_nothing(
    span: tuple[float, float], text: str, excused: list[float]
) -> None:
    found = outcome(heard(span[1], 6.9), stops(span), Said(text, 5.0, 10.0))
    assert times([hit.detection for hit in found.hits]) == [span[1]]
    assert times(found.excused) == excused
    assert len(found.excused) + len(found.false_accepts) == 1


def test_an_event_of_another_keyword_takes_no_excuse_away() -> None:
    found = outcome(heard(6.9), [Event("no", 6.0, 6.3)], Said("no, stop", 5.0, 10.0))
    assert times(found.excused) == [6.9]


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("tolerance_s", [-0.1, float("inf"), float("nan")])
def test_a_tolerance_that_cannot_be_meant_is_refused(tolerance_s: float) -> None:
    message = rf"a tolerance of {tolerance_s:g} s was given, needed a finite time from 0 on"
    with pytest.raises(ConfigError, match=message):
        outcome([], tolerance_s=tolerance_s)


# -------------------------------------------------------------------------------------------- laws

TENTHS = st.integers(0, 60).map(lambda tenths: tenths / 10)
SPANS = st.tuples(TENTHS, st.integers(1, 20)).map(lambda one: (one[0], one[0] + one[1] / 10))


def most_pairs(events: tuple[Event, ...], detections: tuple[float, ...]) -> int:
    """How many pairs there can be, by trying them all."""
    if not detections:
        return 0
    time_s, *rest = detections
    most = most_pairs(events, tuple(rest))
    for place, event in enumerate(events):
        if event.start_s <= time_s <= event.end_s + TOLERANCE_S:
            left = events[:place] + events[place + 1 :]
            most = max(most, 1 + most_pairs(left, tuple(rest)))
    return most


@settings(max_examples=300, deadline=None)
@given(st.lists(SPANS, max_size=5), st.lists(TENTHS, max_size=5))
def test_as_many_are_paired_as_can_be(
    spans: list[tuple[float, float]], detections: list[float]
) -> None:
    events = stops(*spans)
    found = outcome(heard(*detections), events)
    assert len(found.hits) == most_pairs(events, tuple(detections))
    for hit in found.hits:
        assert hit.event.start_s <= hit.detection.time_s <= hit.event.end_s + TOLERANCE_S


@settings(max_examples=200, deadline=None)
@given(
    st.lists(SPANS, max_size=6),
    st.lists(TENTHS, max_size=8),
    st.lists(SPANS, max_size=3),
    st.data(),
)
def test_every_event_and_every_detection_is_counted_once_in_whatever_order_they_come(
    spans: list[tuple[float, float]],
    detections: list[float],
    texts: list[tuple[float, float]],
    data: st.DataObject,
) -> None:
    events, said = stops(*spans), [Said("stop", *text) for text in texts]
    found = outcome(heard(*detections), events, *said)
    ends = sorted([*(hit.event.end_s for hit in found.hits), *(e.end_s for e in found.misses)])
    assert ends == sorted(event.end_s for event in events)
    judged = [*(hit.detection for hit in found.hits), *found.false_accepts, *found.excused]
    assert sorted(times(judged)) == sorted(detections)
    assert len(found.excused) <= len(texts)
    for part in ([hit.detection for hit in found.hits], found.false_accepts, found.excused):
        assert times(part) == sorted(times(part))
    again = outcome(heard(*data.draw(st.permutations(detections))), events, *said)
    assert times(again.false_accepts) == times(found.false_accepts)
    assert len(again.hits) == len(found.hits)
