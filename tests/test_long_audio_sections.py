"""What the page with sounds says of a record, and what it says where nothing was measured."""

from __future__ import annotations

from typing import Any

from test_long_audio_html import Reader, picture, record, sound
from watchword.long_audio.sections import header, sections


def words_of(record: dict[str, Any]) -> str:
    """All that is said of a record of which there are no pictures and no sounds."""
    told = sections(record, {}, [], [])
    return Reader("".join([header(record), *(body for _, _, body in told)])).text


def test_none_in_a_short_time_is_no_rate_of_zero() -> None:
    told = words_of(record(is_empty=True))
    assert "in hours without a keyword at most 0.92 per hour none in 4 h; 95 %" in told
    assert "0.00 per hour" not in told


def test_what_there_is_no_evidence_for_is_said_in_words() -> None:
    told = words_of(record(is_empty=True))
    for words in (
        "Heard 4.0 h in 1 recording without a keyword.",
        "none was said",
        "none was found",
        "No keyword was found, so there is no latency.",
        "The signal-to-noise ratio of no keyword is told.",
        "No speaker is known who said enough keywords to be judged alone.",
        "There was no false accept.",
        "None was said.",
    ):
        assert words in told
    assert "None" not in told.replace("None was said.", "")


def test_mistakes_that_cannot_be_heard_are_still_counted() -> None:
    told = words_of(record())
    assert "There are 4; none was cut out to be listened to." in told
    assert "alarm" not in told


def test_points_that_are_all_alike_take_one_row() -> None:
    alike = record()
    alike["points"][1] = {**alike["points"][0], "keyword": "stop"}
    assert "all 2 keywords 0.625" in words_of(alike)


def test_unmarked_keywords_weaken_the_numbers() -> None:
    weak = {**record(), "may_hold": {"recordings": 1, "hours": 0.5}}
    told = words_of(weak)
    assert "Unmarked keywords may occur in 30 min in 1 recording:" in told


def test_each_section_shows_what_belongs_to_it() -> None:
    found = {
        key: body
        for key, _, body in sections(
            record(), {"det.png": picture(), "more.png": picture()}, [sound("a")], [sound("b")]
        )
    }
    assert [key for key, body in found.items() if "<img " in body] == ["curves", "alarms", "misses"]
    assert [key for key, body in found.items() if "<audio " in body] == ["alarms", "misses"]
    assert found["curves"].count("<figure>") == 1  # a figure that nobody knows is left out
    assert '<h3><span class="rank">1</span>b</h3>' in found["misses"]
