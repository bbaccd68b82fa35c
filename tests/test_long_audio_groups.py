"""Rates by condition and by speaker: every number by hand, in the order of the values."""

from __future__ import annotations

from typing import Any

import pytest

from test_long_audio_report import BOOK, HEARD, TALK, judged, many, record
from watchword.long_audio.reference import Event, Recording


def rows_of(rows: list[dict[str, Any]]) -> list[tuple[str | None, int, int]]:
    return [(row["value"], row["misses"], row["events"]) for row in rows]


def test_false_rejects_by_snr_and_by_tag() -> None:
    found = record()
    assert found["by_snr"]["rounded_to_db"] is None
    assert rows_of(found["by_snr"]["rows"]) == [("0", 1, 2), ("10", 0, 2), (None, 1, 1)]
    assert set(found["by_tag"]) == {"noise", "room"}
    assert rows_of(found["by_tag"]["noise"]) == [("hum", 1, 2), ("rain", 1, 3)]
    assert rows_of(found["by_tag"]["room"]) == [("dry", 0, 2), ("hall", 1, 1), (None, 1, 2)]


def test_snrs_are_ordered_by_size_and_words_come_after_numbers() -> None:
    values = ["clean", "10", "-5", "9", "0", "inf"]
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, {"snr_db": v}) for n, v in enumerate(values)]
    found = record(judged(Recording("r", (), 90.0, tuple(events))))
    order = [row["value"] for row in found["by_snr"]["rows"]]
    assert order == ["-5", "0", "9", "10", "clean", "inf"]


def test_many_snrs_are_rounded_to_five_decibels() -> None:
    values = [f"{0.5 * n:.1f}" for n in range(31)]  # 0 to 15 dB
    tags = [{"snr_db": value} for value in values] + [{"snr_db": "clean"}, {}]
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, some) for n, some in enumerate(tags)]
    found = record(judged(Recording("r", (), 900.0, tuple(events))))["by_snr"]
    assert found["rounded_to_db"] == 5
    counts = [(row["value"], row["events"]) for row in found["rows"]]
    # 2.5, 7.5 and 12.5 lie between two steps and go to the even one
    assert counts == [("0", 6), ("5", 9), ("10", 11), ("15", 5), ("clean", 1), (None, 1)]


@pytest.mark.parametrize(("values", "is_told"), [(1, False), (2, True), (30, True), (31, False)])
def test_a_tag_is_a_condition_if_it_has_some_values_and_not_too_many(
    values: int, is_told: bool
) -> None:
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, {"take": str(n)}) for n in range(values)]
    books = [Recording(f"b{n}", (), 60.0, tags={"shelf": str(n)}) for n in range(values)]
    found = record(judged(Recording("r", (), 900.0, tuple(events)), *books))
    assert ("take" in found["by_tag"]) == is_told
    assert ("shelf" in found["hours_by_tag"]) == is_told


def test_speakers_by_hand() -> None:
    yes, no = True, False
    few, half, all_found = [yes] * 4, [yes, yes, no, no, yes, no], [no] * 5
    found = record(many(few, half, all_found, [*half, *half]))["speakers"]
    assert (found["known"], found["judged"], found["fewest_events"]) == (4, 3, 5)
    assert found["mean_false_reject_rate"] == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert rows_of(found["worst"]) == [("s3", 6, 12), ("s1", 3, 6), ("s2", 0, 5)]
    assert found["worst"][1]["interval"] == pytest.approx([0.188, 0.812], abs=5e-4)


def test_no_more_than_ten_of_the_worst_speakers_are_told() -> None:
    found = record(many(*([place < 3] * 5 for place in range(12))))["speakers"]
    assert (found["judged"], len(found["worst"])) == (12, 10)
    assert [row["rate"] for row in found["worst"]] == [1.0] * 3 + [0.0] * 7


def test_negative_hours_by_tag_and_by_speaker() -> None:
    found = record()
    rows = found["hours_by_tag"]["corpus"]
    assert [(r["value"], r["recordings"], r["count"], r["hours"]) for r in rows] == [
        ("books", 1, 2, 1.0),
        ("talks", 1, 1, 1.0),
    ]
    assert set(found["hours_by_tag"]) == {"corpus"}
    speakers = found["negative_speakers"]
    assert (speakers["known"], speakers["taken"]) == (2, 2)
    assert [(row["value"], row["count"]) for row in speakers["worst"]] == [("r1", 2), ("r2", 1)]


def test_a_speaker_who_is_never_taken_for_a_keyword_is_not_among_the_worst() -> None:
    speakers = record(judged(BOOK, TALK, heard={"book-1": HEARD["book-1"]}))["negative_speakers"]
    assert (speakers["known"], speakers["taken"]) == (2, 1)
    assert [row["value"] for row in speakers["worst"]] == ["r1"]
