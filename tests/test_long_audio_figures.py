"""Figures on hours of audio: the axes hold what they say, and nothing is drawn at zero per hour."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from test_long_audio_report import BOOK, CURVES, HUM, POINTS, RAIN, TALK, curve, judged, record
from watchword.canvas import save
from watchword.long_audio import figures
from watchword.long_audio.judge import judge
from watchword.long_audio.reference import Event, Recording
from watchword.report import POOLED

AT_MOST = 3.689 / 2
"""Per hour, after two hours without a false accept."""


def panel_of(figure: Figure | None) -> Axes:
    assert figure is not None
    (panel,) = figure.axes
    return panel


def line(panel: Axes, start: str) -> Line2D:
    """The line whose label starts like this."""
    found: Line2D = next(x for x in panel.lines if str(x.get_label()).startswith(start))
    return found


def labels(panel: Axes) -> list[str]:
    return [str(text.get_text()) for text in panel.get_legend().get_texts()]


def keywords(*names: str) -> dict[str, Any]:
    """Curves of some keywords, and the pooled one."""
    return {**{name: CURVES["stop"] for name in names}, POOLED: CURVES[POOLED]}


# --------------------------------------------------------------------------------------------- det


def test_the_det_curve_has_false_accepts_per_hour_across_and_false_rejects_up() -> None:
    panel = panel_of(figures.det(record()))
    assert (panel.get_xlabel(), panel.get_ylabel()) == (
        "false accepts per hour",
        "false reject rate",
    )
    assert panel.get_xscale() == "log"
    assert panel.get_title(loc="left") == "DET: 5 keywords said, 2.0 h"
    pooled = line(panel, POOLED)
    assert list(pooled.get_xdata()) == [1.5, 20.0]
    assert list(pooled.get_ydata()) == pytest.approx([40, 20])


def test_no_false_accept_is_drawn_hollow_where_it_is_at_most() -> None:
    panel = panel_of(figures.det(record()))
    alone = line(panel, "no false accept: at most")
    assert list(alone.get_xdata()) == pytest.approx([AT_MOST], abs=1e-3)
    assert list(alone.get_ydata()) == [60]  # the better of the two thresholds without one
    assert to_rgba(alone.get_markerfacecolor()) == to_rgba("white")
    (arrow,) = panel.texts
    assert arrow.xy[0] < arrow.xyann[0] == pytest.approx(AT_MOST, abs=1e-3)
    left, right = panel.get_xlim()
    assert 0 < left < 0.5 < AT_MOST < right


def test_the_band_holds_the_intervals_of_both_rates() -> None:
    panel = panel_of(figures.det(record()))
    (band,) = panel.patches
    corners = band.get_path().vertices[:-1]
    assert len(corners) == 8  # there and back along four thresholds
    # at 0.7: 3 in 2 h and 2 of 5
    assert corners[2] == pytest.approx([0.619 / 2, 11.8], abs=0.05)
    assert corners[5] == pytest.approx([8.767 / 2, 76.9], abs=0.05)
    assert corners[-1] == pytest.approx([AT_MOST, 96.4], abs=0.05)  # at 0.95: none, 4 of 5


def test_the_operating_point_is_marked_with_its_intervals() -> None:
    panel = panel_of(figures.det(record()))
    star = line(panel, "operating point: 40.0 %, 1.5 per hour")
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([1.5], [40.0])
    spans = [list(x.get_xdata()) for x in panel.lines if list(x.get_ydata()) == [40.0, 40.0]]
    assert spans == [pytest.approx([0.619 / 2, 8.767 / 2], abs=1e-3)]


def test_an_operating_point_without_a_false_accept_is_hollow_and_at_most() -> None:
    panel = panel_of(figures.det(record(judged(RAIN, BOOK, TALK, heard={}))))
    star = line(panel, "operating point: 100.0 %, at most 1.8 per hour")
    assert list(star.get_xdata()) == pytest.approx([AT_MOST], abs=1e-3)
    assert star.get_markerfacecolor() == "white"


def test_few_keywords_have_a_stroke_and_many_stay_pale() -> None:
    panel = panel_of(figures.det(record(curves=keywords("stop", "go", "left"))))
    assert [x for x in labels(panel) if x in ("stop", "go", "left")] == ["go", "stop", "left"]
    panel = panel_of(figures.det(record(curves=keywords("a", "b", "go", "stop", "c"))))
    told = labels(panel)
    assert told[3:6] == ["go", "stop", "a"]  # go has the higher FRR, a has none
    assert told[6:] == ["the other 2", "95 % interval"]
    panel = panel_of(figures.det(record(curves=keywords("a", "b", "go", "stop"))))
    assert labels(panel)[6] == "b"


def test_lines_differ_without_colour() -> None:
    panel = panel_of(figures.det(record(curves=keywords("stop", "go", "left"))))
    looks = [
        (str(line(panel, x).get_linestyle()), line(panel, x).get_marker())
        for x in labels(panel)[:-1]
    ]
    assert len(set(looks)) == len(looks) == 6


@pytest.mark.parametrize("curves", [keywords("stop"), {"stop": CURVES["stop"]}])
def test_one_keyword_is_one_curve(curves: dict[str, Any]) -> None:
    alone = judge({"stop": POINTS["stop"]}, (HUM, BOOK), [[], []])
    told = labels(panel_of(figures.det(record(alone, curves=curves))))
    assert told[0] == (POOLED if POOLED in curves else "stop")
    assert told[1].startswith("no false accept")
    assert told[2].startswith("operating point")
    assert told[3:] == ["95 % interval"]


def test_the_operating_point_is_that_of_the_curve_it_stands_beside() -> None:
    panel = panel_of(figures.det(record(curves={"stop": CURVES["stop"]})))
    star = line(panel, "operating point: 33.3 %, 1 per hour")  # of stop alone
    assert list(star.get_xdata()) == [1.0]


def test_more_false_accepts_than_anybody_bears_are_cut_off() -> None:
    flood = curve((0.1, 0, 2_000), (0.2, 1, 400), (0.7, 2, 3))
    left, right = panel_of(figures.det(record(curves={POOLED: flood}))).get_xlim()
    assert left < 1.5
    assert right == figures.MOST_PER_HOUR


def test_points_are_joined_in_order_of_threshold_however_they_come() -> None:
    shuffled = {POOLED: [CURVES[POOLED][place] for place in (2, 0, 3, 1)]}
    drawn = line(panel_of(figures.det(record(curves=shuffled))), POOLED)
    assert list(drawn.get_xdata()) == [1.5, 20.0]


@pytest.mark.parametrize(
    "curves",
    [
        {},
        {POOLED: []},
        {POOLED: curve((0.7, 0, 3), events=0)},
        {POOLED: curve((0.7, 1, 0), hours=0)},
    ],
)
def test_no_evidence_is_no_curve(curves: dict[str, Any]) -> None:
    assert figures.det(record(curves=curves)) is None


def test_a_curve_that_never_has_a_false_accept_is_a_hollow_mark_alone() -> None:
    panel = panel_of(figures.det(record(curves={POOLED: curve((0.5, 1, 0), (0.9, 2, 0))})))
    assert list(line(panel, POOLED).get_xdata()) == []
    assert list(line(panel, "no false accept").get_ydata()) == [20]


# ------------------------------------------------------------------------------------------ others


def test_latencies_are_drawn_with_their_median() -> None:
    panel = panel_of(figures.latency(record()))
    assert [bar.get_height() for bar in panel.patches] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (panel.patches[0].get_x(), panel.patches[0].get_width()) == (-100, 50)
    assert panel.get_xlabel() == "detection − end of the keyword (ms)"
    assert panel.get_ylabel() == "keywords found"
    assert panel.get_title(loc="left") == "Latency: 3 detections"
    assert labels(panel) == ["median 100 ms", "nine tenths by 260 ms", "end of the keyword"]
    assert list(line(panel, "median").get_xdata()) == pytest.approx([100, 100])


def test_false_rejects_by_snr_are_drawn_with_their_intervals() -> None:
    panel = panel_of(figures.by_snr(record()))
    assert [x.get_text() for x in panel.get_xticklabels()] == ["0\n(2)", "10\n(2)"]
    points = next(x for x in panel.lines if x.get_marker() == "o")
    assert list(points.get_ydata()) == [50, 0]
    first, second, *_ = panel.lines
    assert list(first.get_ydata()) == pytest.approx([9.5, 90.5], abs=0.05)
    assert list(second.get_ydata()) == pytest.approx([0, 65.8], abs=0.05)
    assert labels(panel) == ["all keywords said: 40.0 %"]
    assert "95 % interval" in panel.get_ylabel()


def test_snrs_have_a_minus_that_is_one_and_words_stay() -> None:
    tags = ["-5", "half-loud"]
    events = [Event("stop", 9.0 * n, 9.0 * n + 1, {"snr_db": tag}) for n, tag in enumerate(tags)]
    panel = panel_of(figures.by_snr(record(judged(Recording("r", (), 60.0, (*events,))))))
    assert [x.get_text() for x in panel.get_xticklabels()] == ["−5\n(1)", "half-loud\n(1)"]


def test_nothing_found_is_no_latency_and_one_snr_is_no_comparison() -> None:
    assert figures.latency(record(judged(RAIN, heard={}))) is None
    assert figures.by_snr(record(judged(HUM))) is None
    assert figures.by_snr(record(judged(BOOK), curves={})) is None


def test_figures_are_named_as_files_and_are_of_a_size_to_show(tmp_path: Any) -> None:
    drawn = figures.draw(record())
    assert list(drawn) == ["det.png", "latency.png", "frr_by_snr.png"]
    assert list(figures.draw(record(judged(BOOK), curves={})).values()) == [None] * 3
    for name, figure in drawn.items():
        assert figure is not None
        assert 10_000 < save(figure, tmp_path / name).stat().st_size < 100_000
