"""Stretches of recordings to listen to: which, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from watchword.decision import Detection, OperatingPoint
from watchword.long_audio import sounds
from watchword.long_audio.judge import Judged, judge
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.sounds import Sound, Trace, highest, within

RATE_HZ = 16_000
POINTS = {"go": OperatingPoint(threshold=0.6), "stop": OperatingPoint(threshold=0.8)}


def recording(duration_s: float = 60.0, **about: Any) -> Recording:
    return Recording(about.pop("name", "mix-0004"), (), duration_s, **about)


# ------------------------------------------------------------------------------------ which to hear


def trace(*scores: float, step_s: float = 0.5) -> Trace:
    return step_s * np.arange(len(scores)), np.array(scores, np.float32)


NO_SCORES = trace()


def test_the_highest_score_is_sought_between_two_times_both_included() -> None:
    scores = trace(0.9, 0.1, 0.3, 0.2, 0.8)
    assert highest(scores, 0.5, 1.5) == pytest.approx(0.3)
    assert highest(scores, 0.5, 2.0) == pytest.approx(0.8)
    assert highest(scores, 1.6, 1.9) == 0.0
    assert [*within(scores, 0.5, 1.0)[0]] == [0.5, 1.0]


def test_a_time_that_differs_in_its_last_bits_is_the_same_time() -> None:
    times_s = np.arange(40) * 0.08
    assert len(within((times_s, times_s), 3 * 0.1 * 0.8, 0.8)[0]) == 8  # 0.24000000000000005


@pytest.fixture
def judged() -> Judged:
    """Two recordings; go is needed to reach 0.6, stop 0.8."""
    first = recording(name="a", events=(Event("go", 5.0, 5.5), Event("stop", 20.0, 20.5)))
    second = recording(name="b", events=(Event("go", 1.0, 1.4), Event("go", 30.0, 30.4)))
    found = [
        [Detection("stop", 9.0, 0.90), Detection("go", 12.0, 0.65)],
        [Detection("go", 1.2, 0.99), Detection("go", 3.0, 0.85), Detection("stop", 4.0, 0.99)],
    ]
    return judge(POINTS, [first, second], found)


def test_the_false_accept_that_is_farthest_above_its_threshold_comes_first(judged: Judged) -> None:
    found = [(where.name, one.time_s) for where, one in sounds.worst_false_accepts(judged)]
    assert found == [("b", 3.0), ("b", 4.0), ("a", 9.0), ("a", 12.0)]  # 0.25, 0.19, 0.10, 0.05
    assert len(sounds.worst_false_accepts(judged, 2)) == 2


def test_what_came_of_a_burst_can_be_gone_by(judged: Judged) -> None:
    found = sounds.worst_false_accepts(judged, 1, lambda _, one: one.time_s / 10)
    assert [(where.name, one.time_s) for where, one in found] == [("a", 12.0)]


def test_the_miss_that_is_farthest_below_its_threshold_comes_first(judged: Judged) -> None:
    peaks = {5.0: 0.30, 20.0: 0.45, 30.0: 0.55}  # 0.30, 0.35 and 0.05 were lacking
    found = sounds.worst_misses(judged, lambda _, event: peaks[event.start_s])
    assert [(where.name, event.start_s) for where, event in found] == [
        ("a", 20.0),
        ("a", 5.0),
        ("b", 30.0),
    ]
    assert len(sounds.worst_misses(judged, lambda *_: 0.0, limit=2)) == 2


def test_mistakes_that_are_equally_bad_stay_in_order(judged: Judged) -> None:
    found = sounds.worst_misses(judged, lambda _, event: POINTS[event.keyword].threshold)
    assert [event.start_s for _, event in found] == [5.0, 20.0, 30.0]


def test_both_kinds_are_made_into_sounds_the_worst_first(tmp_path: Path, judged: Judged) -> None:
    whole = np.random.default_rng(0).integers(-10_000, 10_000, 60 * RATE_HZ).astype(np.int16)
    path = tmp_path / "a.wav"
    soundfile.write(path, whole, RATE_HZ)
    recordings = tuple(Recording(one.name, (path,), 60.0, one.events) for one in judged.recordings)
    there = Judged(judged.points, recordings, judged.outcomes)

    def traces(where: Recording, keyword: str) -> Trace:
        times_s = np.arange(0, 60, 0.1)
        scores = np.full(len(times_s), 0.2 if (where.name, keyword) == ("a", "stop") else 0.1)
        scores[123] = 0.97 if (where.name, keyword) == ("a", "go") else 0.1
        return times_s, scores

    alarms, misses = sounds.worst(there, traces, limit=3)
    assert [one.title for one in alarms] == [
        "go, 0.97, heard at 0:12.0 in a",  # its burst went on to rise
        "go, 0.85, heard at 0:03.0 in b",
        "stop, 0.99, heard at 0:04.0 in b",
    ]
    assert [one.title for one in misses] == [
        "stop, missed at 0:20.0 in a",
        "go, missed at 0:05.0 in a",
        "go, missed at 0:30.0 in b",
    ]
    np.testing.assert_array_equal(alarms[1].waveform, whole[24_000:64_000])
    np.testing.assert_array_equal(misses[1].waveform, whole[64_000:104_000])


# ------------------------------------------------------------------------------------ what is said


def alarm(scores: Trace = NO_SCORES, **about: Any) -> Sound:
    where = recording(duration_s=100.0, **about)
    found = Detection("go", 10.0, 0.61)
    return sounds.false_accept(where, found, POINTS["go"], lambda *_: scores, 1.0)


def missed(event: Event, scores: Trace = NO_SCORES, **about: Any) -> Sound:
    where = recording(duration_s=100.0, **about)
    return sounds.miss(where, event, POINTS[event.keyword], lambda *_: scores, 1.0)


@pytest.mark.parametrize(
    ("about", "note"),
    [
        ({}, "no keyword was said; 0.60 was needed"),
        ({"may_hold": True}, "what was said is not known; 0.60 was needed"),
        (
            {"events": (Event("stop", 9.0, 9.5),), "tags": {"noise": "rain", "snr_db": "-5"}},
            "“stop” was said at 0:09.0, noise rain, at −5 dB SNR; 0.60 was needed",
        ),
        (
            {"events": (Event("stop", 8.6, 9.1), Event("go", 9.4, 9.8))},
            "“go” was said at 0:09.4; 0.60 was needed",
        ),
        ({"events": (Event("stop", 8.0, 8.9),)}, "no keyword was said; 0.60 was needed"),
        (
            {"said": (Said("let it go on", 0.0, 12.0),), "tags": {"speaker": "ls84"}},
            "within “let it go on”, said by ls84; 0.60 was needed",
        ),
    ],
)
def test_a_false_accept_tells_what_was_said_there(about: dict[str, Any], note: str) -> None:
    assert alarm(**about).note == note


def test_a_long_text_is_cut_short() -> None:
    note = alarm(said=(Said("word " * 200, 0.0, 60.0),)).note
    assert "word …”" in note
    assert len(note) < sounds.MOST_LETTERS + 50


def test_a_false_accept_shows_the_highest_score_of_its_burst() -> None:
    times_s = np.arange(0, 20, 0.5)
    scores = np.where(times_s == 10.5, 0.93, 0.2)
    found = alarm((times_s, scores))
    assert found.title == "go, 0.93, heard at 0:10.0 in mix-0004"
    assert [*found.trace[0]] == [8.5, 9.0, 9.5, 10.0, 10.5, 11.0]
    assert (found.start_s, found.duration_s, found.mark_s) == (8.5, 2.5, (10.0, 10.0))


def test_a_false_accept_at_the_very_start_begins_with_the_silence_before_it(tmp_path: Path) -> None:
    whole = (1 + np.arange(3 * RATE_HZ) % 9_999).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", whole, RATE_HZ)
    where = Recording("a", (tmp_path / "a.wav",), 3.0)
    scores = trace(0.0, 0.61, 0.7, 0.1)  # the first is due at 0, that of the detection at 0.5
    early = Detection("go", 0.5, 0.61)
    found = sounds.false_accept(where, early, POINTS["go"], lambda *_: scores, 1.0)
    assert found.title == "go, 0.70, heard at 0:00.5 in a"
    assert (found.start_s, found.duration_s) == (-1.0, 2.5)
    assert not found.waveform[:RATE_HZ].any()
    np.testing.assert_array_equal(found.waveform[RATE_HZ:], whole[: RATE_HZ * 3 // 2])


def test_a_miss_tells_what_is_known_of_it() -> None:
    event = Event("stop", 70.4, 71.0, {"speaker": "ab12", "snr_db": "10"})
    times_s = np.arange(0, 100, 0.1)
    scores = np.where(np.isclose(times_s, 71.9), 0.41, 0.05)
    found = missed(event, (times_s, scores), tags={"noise": "rain", "speaker": "not this one"})
    assert found.title == "stop, missed at 1:10.4 in mix-0004"
    assert found.note == (
        "said by ab12, at 10 dB SNR, noise rain; the highest score was 0.41, 0.80 was needed"
    )
    assert (found.start_s, found.duration_s, found.mark_s) == (69.4, 2.6, (70.4, 71.0))


def test_a_miss_of_which_nothing_is_known_has_its_scores() -> None:
    found = missed(Event("go", 5.0, 5.5), trace(*[0.7] * 20))
    assert found.note == (
        "the highest score was 0.70, 0.60 was needed, and the detection was not its own"
    )
