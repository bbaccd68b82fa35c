"""Numbers in words: units, denominators, intervals, and minus signs that are some."""

from __future__ import annotations

import pytest

from watchword.long_audio import phrases
from watchword.long_audio.rates import PerHour, accepts_record, rejects_record
from watchword.metrics import Rate


def test_rates_are_told_with_their_counts_and_intervals() -> None:
    assert phrases.false_rejects(rejects_record(Rate(2, 5))) == "40.0 % (2/5; 95 % 11.8–76.9)"
    told = phrases.false_accepts(accepts_record(PerHour(3, 2)))
    assert told == "1.50 per hour (3 in 2 h; 95 % 0.31–4.38)"


def test_a_latency_before_the_end_of_the_word_has_a_minus_sign() -> None:
    row = {"median_s": 0.09, "interval_s": [-0.1, 1.3]}
    assert phrases.median_latency(row) == "90 ms (95 % −100 to 1,300)"


def test_what_there_is_no_evidence_for_is_said_in_words() -> None:
    assert phrases.false_rejects(None, "never said") == "never said"
    assert phrases.median_latency(None, "never found") == "never found"
    assert phrases.false_accepts(None) == "no such recording"


@pytest.mark.parametrize(
    ("text", "told"),
    [("-10", "−10"), ("-2.5", "−2.5"), ("10", "10"), ("-x", "-x"), ("a-1", "a-1"), ("-", "-")],
)
def test_only_numbers_get_a_minus_sign(text: str, told: str) -> None:
    assert phrases.minus(text) == told
