"""What is said in recordings: counting words in texts, and references that cannot be meant."""

from __future__ import annotations

import math
import re

import pytest

from watchword.errors import DataError
from watchword.long_audio.reference import (
    LONGEST_EVENT_S,
    SLACK_S,
    Event,
    Recording,
    Said,
    check,
    hours,
    refuse_strangers,
)


def recording(*events: Event, said: tuple[Said, ...] = (), duration_s: float = 60.0) -> Recording:
    return Recording("r", (), duration_s, events, said)


@pytest.mark.parametrize(
    ("text", "keyword", "count"),
    [
        ("NO, I know: nobody knows no one.", "no", 3),
        ("Write it right, said Mr Wright at the rite", "right", 4),
        ("he won one to two for four", "two", 2),
        ("ate eight", "eight", 2),
        ("know", "No", 1),
        ("to write", "stop", 0),
        ("stop-and-go: Stop! stops stop's", "stop", 2),
        ("", "go", 0),
        ("LOS GEHTS, ÜBER", "über", 1),
    ],
)
def test_a_text_counts_a_keyword_and_what_sounds_like_it(
    text: str, keyword: str, count: int
) -> None:
    assert Said(text, 0, 1).counts(keyword) == count


def test_homophones_count_in_one_direction_only() -> None:
    assert Said("no", 0, 1).counts("know") == 0


def test_a_recording_without_events_is_negative() -> None:
    assert recording(said=(Said("stop", 0, 1),)).is_negative
    assert not recording(Event("stop", 0, 1)).is_negative


def test_hours_are_those_of_all_recordings() -> None:
    assert hours([recording(duration_s=900), recording(duration_s=2_700)]) == 1.0
    assert hours([]) == 0.0


@pytest.mark.parametrize(
    "one",
    [
        recording(),
        recording(Event("stop", 59, 60 + SLACK_S)),
        recording(Event("stop", 1, 1 + LONGEST_EVENT_S)),
        recording(Event("stop", 1, 2), Event("stop", 2, 3)),
        recording(Event("stop", 1, 2), Event("go", 1.5, 3)),
        recording(said=(Said("a", 0, 60), Said("b", 30, 45))),
    ],
)
def test_what_can_be_meant_is_let_through(one: Recording) -> None:
    check([one], "m.jsonl")


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (
            recording(Event("stop", 2, 2)),
            "m.jsonl: r: 'stop' from 2 to 2 s does not end after it starts, needed two times",
        ),
        (recording(Event("stop", 3, 2)), "'stop' from 3 to 2 s does not end after it starts"),
        (recording(Event("stop", math.nan, 2)), "'stop' from nan to 2 s does not end after"),
        (recording(Event("stop", 1, math.inf)), "'stop' from 1 to inf s does not end after"),
        (
            recording(Event("stop", -0.1, 1)),
            "'stop' from -0.1 to 1 s lies outside the recording, which lasts 60 s, needed times "
            "within it, in seconds: divide milliseconds by 1,000",
        ),
        (recording(Event("stop", 59, 60.06)), "'stop' from 59 to 60.06 s lies outside"),
        (recording(Event("stop", 1_200, 1_700)), "'stop' from 1200 to 1700 s lies outside"),
        (
            recording(Event("stop", 12, 22.1)),
            "'stop' from 12 to 22.1 s lasts longer than 10 s, needed the start and end of one word",
        ),
        (
            recording(Event("go", 1, 2), Event("stop", 3, 5), Event("go", 1.9, 2.5)),
            "two events of 'go' overlap, from 1 to 2 and from 1.9 to 2.5 s, needed one after the "
            "other: mend their times or remove one",
        ),
        (
            recording(said=(Said("a b", 5, 4),)),
            "m.jsonl: r: the text from 5 to 4 s does not end after it starts",
        ),
        (recording(said=(Said("a b", 5, 61),)), "the text from 5 to 61 s lies outside"),
    ],
)
def test_what_cannot_be_meant_is_named(one: Recording, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        check([one], "m.jsonl")


@pytest.mark.parametrize("recordings", [[], [recording(duration_s=0)]])
def test_no_audio_is_no_evidence(recordings: list[Recording]) -> None:
    with pytest.raises(
        DataError, match=r"m\.jsonl holds no audio, found \d recordings of 0 hours, needed at least"
    ):
        check(recordings, "m.jsonl")


def test_two_recordings_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"two recordings are called r, needed a name for each"):
        check([recording(), recording()], "m.jsonl")


def test_an_event_of_a_word_that_the_model_does_not_know_is_refused() -> None:
    known = recording(Event("stop", 1, 2))
    refuse_strangers([known], ["stop", "go"], "m.jsonl")
    with pytest.raises(
        DataError,
        match=r"m\.jsonl: r has an event 'stopp', and the model does not know this keyword: did "
        r"you mean stop\? There are: stop, go",
    ):
        refuse_strangers([known, recording(Event("stopp", 1, 2))], ["stop", "go"], "m.jsonl")
