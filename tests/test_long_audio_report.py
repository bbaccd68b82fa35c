"""Reports on hours of audio: every number by hand, None where there is no evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from watchword import canvas
from watchword.decision import Detection, OperatingPoint
from watchword.errors import DataError
from watchword.long_audio.judge import Judged, judge
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.report import build_report, write_report
from watchword.long_audio.sweep import SweepPoint
from watchword.report import POOLED

PROVENANCE = {"seed": 0, "config": {"batch": 8}, "commit": "0123abc", "command": "watchword x"}
POINTS = {"stop": OperatingPoint(0.7), "go": OperatingPoint(0.8, 2, 500.0)}
RAIN = Recording(
    "rain-1",
    (),
    1_800.0,
    (
        Event("stop", 1.0, 1.4, {"speaker": "ab", "snr_db": "10", "room": "dry"}),
        Event("go", 3.0, 3.4, {"speaker": "cd", "snr_db": "0", "room": "hall"}),
        Event("stop", 5.0, 5.5, {"speaker": "ab", "snr_db": "0", "room": "dry"}),
    ),
    tags={"noise": "rain"},
)
HUM = Recording(
    "hum-1",
    (),
    1_800.0,
    (Event("go", 2.0, 2.5, {"speaker": "ab", "snr_db": "10"}), Event("stop", 9.0, 9.4)),
    tags={"noise": "hum"},
)
BOOK = Recording(
    "book-1",
    (),
    3_600.0,
    said=(Said("please do not go there", 10.0, 12.0),),
    tags={"corpus": "books", "speaker": "r1"},
)
TALK = Recording("talk-1", (), 3_600.0, may_hold=True, tags={"corpus": "talks", "speaker": "r2"})
HEARD = {
    "rain-1": [("stop", 1.5, 0.9), ("stop", 5.4, 0.75), ("go", 20.0, 0.82)],
    "hum-1": [("go", 2.8, 0.9)],
    "book-1": [("go", 11.0, 0.99), ("stop", 100.0, 0.9), ("stop", 200.0, 0.95)],
    "talk-1": [("go", 50.0, 0.85)],
}
"""Found at +100, −100 and +300 ms; one of five false alarms is excused by a text."""


def judged(*recordings: Recording, heard: dict[str, Any] = HEARD) -> Judged:
    """What became of the detections in some recordings; in all four where none is named."""
    some = recordings or (RAIN, HUM, BOOK, TALK)
    return judge(POINTS, some, [[Detection(*one) for one in heard.get(r.name, [])] for r in some])


def curve(*points: tuple[float, int, int], events: int = 5, hours: float = 2.0) -> list[SweepPoint]:
    """Points of a curve from thresholds, misses and false accepts."""
    return [SweepPoint(at, misses, events, accepts, hours) for at, misses, accepts in points]


CURVES = {
    "stop": curve((0.9, 2, 0), (0.7, 1, 2), events=3),
    "go": curve((0.9, 1, 0), (0.7, 1, 1), events=2),
    POOLED: curve((0.5, 1, 40), (0.7, 2, 3), (0.9, 3, 0), (0.95, 4, 0)),
}


def record(of: Judged | None = None, curves: Any = CURVES, **changes: Any) -> dict[str, Any]:
    """The record of the four recordings, or of others."""
    return build_report(of or judged(), curves, **{"provenance": PROVENANCE, **changes})


def many(*speakers: Sequence[bool]) -> Judged:
    """An hour of ``stop``, said every ten seconds by speakers ``s0``, ``s1`` …: missed or not."""
    said = [(f"s{place}", missed) for place, some in enumerate(speakers) for missed in some]
    events = [
        Event("stop", 10.0 * n, 10.0 * n + 0.5, {"speaker": who}) for n, (who, _) in enumerate(said)
    ]
    heard = [
        ("stop", 10.0 * n + 0.7, 0.9) for n, (_, is_missed) in enumerate(said) if not is_missed
    ]
    return judged(Recording("many", (), 3_600.0, tuple(events)), heard={"many": heard})


# ------------------------------------------------------------------------------------------ counts


def test_what_was_heard_by_hand() -> None:
    found = record()
    assert found["heard"] == {
        "negative": {"recordings": 2, "hours": 2.0},
        "positive": {"recordings": 2, "hours": 1.0},
        "all": {"recordings": 4, "hours": 3.0},
    }
    assert found["may_hold"] == {"recordings": 1, "hours": 1.0}
    assert found["counted_over"] == "negative"
    assert (found["events"], found["tolerance_s"]) == (5, 1.0)
    assert found["points"] == [
        {
            "keyword": keyword,
            "threshold": threshold,
            "smoothing_scores": scores,
            "refractory_ms": rest_ms,
            "patience": None,
        }
        for keyword, threshold, scores, rest_ms in [("stop", 0.7, 3, 1e3), ("go", 0.8, 2, 500.0)]
    ]


def test_false_rejects_by_hand() -> None:
    found = record()
    overall = found["false_rejects"]
    assert (overall["misses"], overall["events"], overall["rate"]) == (2, 5, 0.4)
    assert overall["interval"] == pytest.approx([0.118, 0.769], abs=5e-4)
    stop, go = found["keywords"]
    assert (stop["keyword"], go["keyword"]) == ("stop", "go")
    assert (stop["false_rejects"]["misses"], stop["false_rejects"]["events"]) == (1, 3)
    assert (go["false_rejects"]["misses"], go["false_rejects"]["events"]) == (1, 2)
    assert found["mean_keyword_false_reject_rate"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_false_accepts_by_hand() -> None:
    found = record()
    accepts = found["false_accepts"]
    assert {name: (part["count"], part["hours"]) for name, part in accepts.items()} == {
        "negative": (3, 2.0),
        "positive": (1, 1.0),
        "all": (4, 3.0),
    }
    assert accepts["negative"]["per_hour"] == 1.5
    assert accepts["negative"]["interval"] == pytest.approx([0.619 / 2, 8.767 / 2], abs=1e-3)
    assert accepts["negative"]["text"] == "1.50 per hour (3 in 2 h; 95 % 0.31–4.38)"
    stop, go = found["keywords"]
    assert [stop["false_accepts"][part]["count"] for part in accepts] == [2, 0, 2]
    assert [go["false_accepts"][part]["count"] for part in accepts] == [1, 1, 2]
    assert found["excused"] == {"negative": 1, "positive": 0, "all": 1}


def test_no_false_accept_in_two_hours_is_never_zero() -> None:
    quiet = record(judged(RAIN, BOOK, TALK, heard={}))["false_accepts"]["negative"]
    assert (quiet["count"], quiet["per_hour"]) == (0, 0.0)
    assert quiet["interval"] == pytest.approx([0, 1.844], abs=1e-3)
    assert quiet["text"] == "at most 1.8 per hour (none in 2 h; 95 %)"


def test_latency_by_hand() -> None:
    found = record()
    latency = found["latency"]
    assert latency["count"] == 3
    assert latency["median_s"] == pytest.approx(0.1)
    assert latency["interval_s"] == pytest.approx([-0.1, 0.3])  # too few: the whole range
    assert latency["p90_s"] == pytest.approx(0.26)
    assert (latency["lowest_s"], latency["highest_s"]) == pytest.approx((-0.1, 0.3))
    assert found["keywords"][0]["latency"]["count"] == 2
    assert found["keywords"][1]["latency"]["median_s"] == pytest.approx(0.3)
    bins = found["latency_histogram"]
    assert bins["edges_ms"] == [50.0 * place for place in range(-2, 8)]
    assert bins["counts"] == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_a_wide_histogram_has_wider_bins() -> None:
    spread = Recording("r", (), 60.0, (Event("stop", 1.0, 9.0), Event("stop", 20.0, 20.5)))
    heard = {"r": [("stop", 1.0, 0.9), ("stop", 21.0, 0.9)]}  # −8 s and +0.5 s
    bins = record(judged(spread, heard=heard))["latency_histogram"]
    assert (bins["edges_ms"][0], bins["edges_ms"][1]) == (-8_000, -7_600)
    assert (bins["edges_ms"][-1], len(bins["counts"]), sum(bins["counts"])) == (800, 22, 2)


# ------------------------------------------------------------------------------------------- lists


def test_every_false_accept_is_listed_the_surest_first() -> None:
    assert [tuple(one.values()) for one in record()["false_accept_list"]] == [
        ("book-1", "stop", 200.0, 0.95),
        ("book-1", "stop", 100.0, 0.9),
        ("talk-1", "go", 50.0, 0.85),
        ("rain-1", "go", 20.0, 0.82),
    ]


def test_every_miss_is_listed_the_least_noise_first() -> None:
    assert record()["miss_list"] == [
        {
            "recording": "rain-1",
            "keyword": "go",
            "start_s": 3.0,
            "end_s": 3.4,
            "tags": {"noise": "rain", "speaker": "cd", "snr_db": "0", "room": "hall"},
        },
        {
            "recording": "hum-1",
            "keyword": "stop",
            "start_s": 9.0,
            "end_s": 9.4,
            "tags": {"noise": "hum"},
        },
    ]
    values = ["0", "clean", "20"]
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, {"snr_db": v}) for n, v in enumerate(values)]
    misses = record(judged(Recording("r", (), 90.0, tuple(events))))["miss_list"]
    assert [miss["tags"]["snr_db"] for miss in misses] == ["clean", "20", "0"]


def test_what_is_known_of_a_word_outweighs_what_is_known_of_its_recording() -> None:
    guest = Event("stop", 1.0, 2.0, {"speaker": "guest"})
    found = record(
        judged(Recording("r", (), 60.0, (guest,), tags={"speaker": "host", "dog": "yes"}))
    )
    assert found["miss_list"][0]["tags"] == {"speaker": "guest", "dog": "yes"}


# ------------------------------------------------------------------------------------------ curves


def test_the_points_of_a_curve_by_hand() -> None:
    first, *_, last = record()["curves"][POOLED]
    assert first["threshold"] == 0.5
    assert (first["false_rejects"]["misses"], first["false_rejects"]["rate"]) == (1, 0.2)
    assert first["false_accepts"]["per_hour"] == 20.0
    assert first["false_rejects"]["interval"] == pytest.approx([0.036, 0.624], abs=5e-4)
    assert last["false_accepts"]["interval"] == pytest.approx([0, 1.844], abs=1e-3)
    assert [point["threshold"] for point in record()["curves"]["go"]] == [0.9, 0.7]


def test_a_point_without_keywords_or_without_hours_has_no_rate() -> None:
    point = SweepPoint(0.7, misses=0, events=0, false_accepts=1, hours=4.0)
    assert str(point.false_accepts_per_hour) == "0.25 per hour (1 in 4 h; 95 % 0.01–1.39)"
    with pytest.raises(DataError, match="no rate without evidence: found 0 clips"):
        _ = point.false_reject_rate
    still = SweepPoint(0.7, misses=1, events=4, false_accepts=0, hours=0.0)
    assert str(still.false_reject_rate) == "25.0 % (1/4; 95 % 4.6–69.9)"
    with pytest.raises(DataError, match="0 false accepts in 0 hours, needed some audio"):
        _ = still.false_accepts_per_hour
    rows = record(curves={"stop": [point, still]})["curves"]["stop"]
    assert [row["false_rejects"] is None for row in rows] == [True, False]
    assert [row["false_accepts"] is None for row in rows] == [False, True]


# ------------------------------------------------------------------------------------ no evidence


def test_recordings_without_keywords_have_no_false_reject_rate() -> None:
    found = record(judged(BOOK, TALK), curves={})
    nothing = ("false_rejects", "mean_keyword_false_reject_rate", "latency", "latency_histogram")
    assert [found[name] for name in (*nothing, "by_snr", "speakers")] == [None] * 6
    assert found["false_accepts"]["positive"] is None
    assert (found["by_tag"], found["miss_list"], found["events"]) == ({}, [], 0)
    for row in found["keywords"]:
        assert (row["false_rejects"], row["latency"]) == (None, None)


def test_recordings_with_keywords_alone_have_no_negative_hours() -> None:
    found = record(judged(RAIN, HUM))
    assert found["counted_over"] == "all"
    assert found["false_accepts"]["negative"] is None
    assert found["false_accepts"]["all"]["count"] == 1
    assert (found["hours_by_tag"], found["negative_speakers"]) == ({}, None)


def test_a_keyword_that_is_not_listened_for_is_not_asked_for() -> None:
    other = Recording("r", (), 60.0, (Event("left", 1.0, 2.0), Event("stop", 3.0, 4.0)))
    found = record(judged(other))
    assert found["events"] == 1
    assert [miss["keyword"] for miss in found["miss_list"]] == ["stop"]
    assert found["mean_keyword_false_reject_rate"] == 1.0  # of stop alone: go was never said


# ------------------------------------------------------------------------------------------- files


def test_a_record_is_plain_json() -> None:
    found = record()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("recordings", [[], [Recording("r", (), 0.0)]])
def test_a_report_without_audio_is_refused(recordings: list[Recording]) -> None:
    empty = judge(POINTS, recordings, [[] for _ in recordings])
    message = rf"found {len(recordings)} recordings of 0 hours, needed at least one that lasts"
    with pytest.raises(DataError, match=message):
        record(empty)


def test_a_result_without_its_origin_is_a_rumour() -> None:
    with pytest.raises(DataError, match="without seed, commit is a rumour"):
        record(provenance={"config": "x", "command": "y"})


def test_a_report_is_a_folder(tmp_path: Path) -> None:
    page = write_report(record(), tmp_path / "new")
    assert page == tmp_path / "new" / "report.md"
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == record()
    for name in ("det.png", "latency.png", "frr_by_snr.png"):
        assert (tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG")
        assert f"]({name})" in page.read_text()


def test_figures_that_an_older_report_had_are_not_left_over(tmp_path: Path) -> None:
    write_report(record(), tmp_path)
    page = write_report(record(judged(BOOK, TALK), curves={}), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]
    assert ".png" not in page.read_text()


def test_the_record_is_safe_before_a_figure_can_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DataError("no room")

    monkeypatch.setattr(canvas, "save", fail)
    with pytest.raises(DataError, match="no room"):
        write_report(record(), tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == record()
    assert not (tmp_path / "report.md").exists()


def test_a_record_is_made_without_anything_heavy() -> None:
    heavy = ("torch", "pydantic", "sklearn", "scipy", "matplotlib")
    code = (
        f"import sys, watchword.long_audio.report; print([x for x in {heavy} if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
