"""The page about hours of audio: what it says, and what it says where nothing was measured."""

from __future__ import annotations

from typing import Any

from test_long_audio_report import BOOK, HUM, RAIN, TALK, judged, many, record
from watchword.long_audio import page
from watchword.long_audio.reference import Event, Recording

FIGURES = ("det.png", "latency.png", "frr_by_snr.png")
ALONE = judged(BOOK, TALK)


def text(of: Any = None, *figures: str, **changes: Any) -> str:
    return page.markdown(record(of, **changes), figures)


# ---------------------------------------------------------------------------------------- headline


def test_the_headline_by_hand() -> None:
    assert page.headline(record()) == (
        "FRR 40.0 % (2/5; 95 % 11.8–76.9); "
        "false accepts 1.50 per hour (3 in 2 h; 95 % 0.31–4.38) in recordings without a keyword; "
        "median latency 100 ms (95 % −100 to 300)"
    )
    assert f"**{page.headline(record())}**" in text()


def test_no_false_accept_is_told_as_at_most() -> None:
    line = page.headline(record(judged(RAIN, BOOK, TALK, heard={})))
    assert "false accepts at most 1.8 per hour (none in 2 h; 95 %) in recordings without" in line
    assert line.startswith("FRR 100.0 % (3/3; 95 % 43.9–100.0)")
    assert "latency" not in line


def test_a_headline_without_keywords_says_so() -> None:
    assert page.headline(record(ALONE, curves={})).startswith(
        "no keyword was said in these recordings; false accepts 1.50 per hour (3 in 2 h; "
    )


def test_a_headline_without_negative_hours_says_so() -> None:
    line = page.headline(record(judged(RAIN, HUM)))
    assert (
        "; false accepts 1.00 per hour (1 in 1 h; 95 % 0.03–5.57) in recordings with keywords"
        in line
    )


# ------------------------------------------------------------------------------------------ tables


def test_what_stands_beside_the_headline() -> None:
    told = text()
    assert (
        "- heard: 3.00 h in 4 recordings; 2.00 h in 2 recordings without a keyword (the *negative "
        "hours*), 1.00 h in 2 recordings with keywords, of which 5 were listened for\n"
    ) in told
    assert "- mean of the keywords' own false reject rates: 41.7 %\n" in told
    assert (
        "- false accepts in recordings with keywords: 1.00 per hour (1 in 1 h; 95 % 0.03–5.57)\n"
    ) in told


def test_each_keyword_has_its_row() -> None:
    told = text()
    assert "| false accepts in recordings without a keyword |" in told
    assert (
        "| `stop` | 33.3 % (1/3; 95 % 6.1–79.2) | 1.00 per hour (2 in 2 h; 95 % 0.12–3.61) | "
        "0 ms (95 % −100 to 100) |"
    ) in told
    assert (
        "| `go` | 50.0 % (1/2; 95 % 9.5–90.5) | 0.50 per hour (1 in 2 h; 95 % 0.01–2.79) | "
        "300 ms (95 % 300 to 300) |"
    ) in told


def test_operating_points_are_told() -> None:
    told = text()
    assert "| `stop` | 0.700 | mean of 3 scores | 1,000 ms |" in told
    assert "| `go` | 0.800 | mean of 2 scores | 500 ms |" in told


def test_false_rejects_by_snr_and_by_tag_are_told() -> None:
    told = text()
    assert "| SNR (dB) | FRR |\n| --- | --- |\n| `0` | 50.0 % (1/2; 95 % 9.5–90.5) |" in told
    assert "| not told | 100.0 % (1/1; 95 % 20.7–100.0) |" in told
    assert "| noise | FRR |\n| --- | --- |\n| `hum` | 50.0 % (1/2; " in told
    assert "| room | FRR |\n| --- | --- |\n| `dry` | 0.0 % (0/2; 95 % 0.0–65.8) |" in told


def test_rounded_snrs_are_called_so() -> None:
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, {"snr_db": str(n)}) for n in range(31)]
    assert "| SNR (dB, rounded to 5) | FRR |" in text(judged(Recording("r", (), 900.0, (*events,))))


def test_the_worst_speakers_are_told() -> None:
    told = text(many([True] * 4, [True, False] * 3, [False] * 5))
    assert (
        "2 of 3 speakers said 5 keywords or more: the mean of their false reject rates is 25.0 %. "
        "Those who are missed most:\n\n| speaker | FRR |\n| --- | --- |\n"
        "| `s1` | 50.0 % (3/6; 95 % 18.8–81.2) |\n| `s2` | 0.0 % (0/5; 95 % 0.0–43.4) |"
    ) in told


def test_what_the_hours_are_is_told() -> None:
    told = text()
    assert (
        "| without a keyword (the negative hours) | 2 | 2.00 | "
        "1.50 per hour (3 in 2 h; 95 % 0.31–4.38) | 1 |\n"
        "| with keywords | 2 | 1.00 | 1.00 per hour (1 in 1 h; 95 % 0.03–5.57) | 0 |\n"
        "| all | 4 | 3.00 | 1.33 per hour (4 in 3 h; 95 % 0.36–3.41) | 1 |"
    ) in told
    assert (
        "| negative hours by corpus | recordings | hours | false accepts |\n"
        "| --- | --- | --- | --- |\n"
        "| `books` | 1 | 1.00 | 2.00 per hour (2 in 1 h; 95 % 0.24–7.22) |\n"
        "| `talks` | 1 | 1.00 | 1.00 per hour (1 in 1 h; 95 % 0.03–5.57) |"
    ) in told
    assert "2 of 2 speakers who said no keyword were taken to say one at least once." in told
    assert "| `r1` | 2.00 per hour (2 in 1 h; 95 % 0.24–7.22) |" in told


def test_mistakes_to_listen_to_are_named() -> None:
    told = text()
    assert (
        "The surest false accepts, of 4:\n\n| recording | taken for | at | score |\n"
        "| --- | --- | --- | --- |\n| `book-1` | `stop` | 200.00 s | 0.950 |\n"
    ) in told
    assert "Misses to listen to first, of 2; the least noise first:" in told
    assert (
        "| `rain-1` | `go` | 3.00–3.40 s | noise `rain`, speaker `cd`, snr_db `0`, room `hall` |"
    ) in told
    bare = Recording("r", (), 60.0, (Event("stop", 3.0, 4.0),))
    assert "| `r` | `stop` | 3.00–4.00 s | – |" in text(judged(bare))


def test_the_page_names_ten_mistakes_of_many() -> None:
    told = text(many([True] * 12))
    assert "Misses to listen to first, of 12; " in told
    assert told.count("| `many` | `stop` |") == 10


def test_latency_is_told_and_explained() -> None:
    assert (
        "Median 100 ms (95 % −100 to 300); nine tenths by 260 ms; from −100 ms to 300 ms, 3 "
        "detections. Latency is the time of the detection minus the end of the keyword"
    ) in text()


def test_the_page_says_what_was_counted_and_where_it_comes_from() -> None:
    told = text()
    assert "between their start and 1 s after their end, divided by all that were said" in told
    assert "exact Poisson, 95 %; where there was none, its upper end is told" in told
    assert "**Excused** detections are no false accepts" in told
    assert "- **Keywords may occur unmarked** in 1.00 h in 1 recording: some of" in told
    assert "| commit | `0123abc` |" in told
    assert '"batch": 8' in told


def test_figures_are_shown_where_they_are() -> None:
    shown = text(None, *FIGURES)
    assert [f"]({name})" in shown for name in FIGURES] == [True] * 3
    assert "A hollow mark had no false accept at all" in shown
    assert ".png" not in text()


# ------------------------------------------------------------------------------------- no evidence


def test_where_nothing_was_said_the_page_says_so() -> None:
    told = text(ALONE, curves={})
    assert "no recording with keywords, of which 0 were listened for" in told
    assert (
        "| `stop` | never said | 1.00 per hour (2 in 2 h; 95 % 0.12–3.61) | never found |" in told
    )
    assert "The signal-to-noise ratio of no keyword is told." in told
    assert "No speaker is known who said enough keywords to be judged alone." in told
    assert "No keyword was said." in told
    assert "No keyword was found, so there is no latency." in told
    assert "| with keywords | 0 | 0.00 | no such recording | 0 |" in told
    assert "mean of the keywords" not in told
    assert "FRR 0.0 %" not in told


def test_where_there_are_no_negative_hours_the_page_says_so() -> None:
    told = text(judged(RAIN, HUM))
    assert "| without a keyword (the negative hours) | 0 | 0.00 | no such recording | 0 |" in told
    assert "; no recording without a keyword (the *negative hours*), 1.00 h in 2 recordings" in told
    assert "| keyword | FRR (missed/said; 95 %) | false accepts | median latency |" in told
    assert "negative hours by" not in told
    assert "speakers who said no keyword" not in told
    assert "may occur unmarked" not in told


def test_where_all_went_well_the_page_says_so_without_zeros() -> None:
    heard = {"hum-1": [("go", 2.8, 0.9), ("stop", 9.5, 0.9)]}
    told = text(judged(HUM, BOOK, heard=heard))
    assert (
        "**FRR 0.0 % (0/2; 95 % 0.0–65.8); false accepts at most 3.7 per hour (none in 1 h;" in told
    )
    assert "There was no false accept." in told
    assert "No keyword was missed." in told
    assert "0 of 1 speakers who said no keyword were taken to say one at least once.\n" in told
    assert "The surest to be" not in told
