from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import bundles
from conftest import Ask
from watchword import bundle, shipped
from watchword.bundle_card import card
from watchword.long_audio.rates import PerHour
from watchword.metrics import Rate


def test_info_tells_what_a_bundle_is(ask: Ask) -> None:
    path = shipped.find_bundle(shipped.names()[0])
    answer = ask("info", path, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["name"] == shipped.names()[0]
    assert told["parameters"] == shipped.card(shipped.names()[0])["parameters"]
    assert told["score_every_ms"] == 80
    assert re.search(r"\d of \d+ scores, rest", told["operating_point_stop"])
    assert told["target"] == (
        "at most 0.5 false accepts per hour, within 350 ms of each keyword's end (median)"
    )
    assert told["accuracy_int8"].endswith(" %")
    assert "Speech Commands (CC-BY-4.0)" in told["attribution"]
    page = ask("info", path)
    assert "keywords" in page.out
    assert "yes no up down left right on off stop go" in " ".join(page.out.split())


def test_a_bundle_that_says_little_has_a_card_all_the_same(tmp_path: Path) -> None:
    point = {"threshold": 0.5, "smoothing_scores": 1, "refractory_ms": 0.0}
    deciding = {"default": point, "keywords": {"loud": {**point, "threshold": 0.25}}}
    path = bundles.write(
        tmp_path / "x.watchword", operating_point={**deciding, "is_calibrated": True}
    )
    told = card(bundle.read(path))
    assert told["parameters"] is None
    assert told["largest_difference"] is None
    assert "accuracy" not in told
    assert told["operating_point"] == "threshold 0.5, mean of 1 scores, rest 0 ms"
    assert told["operating_point_loud"].startswith("threshold 0.25")


@pytest.mark.parametrize(
    "odd", [{"parity": {"rows": [1]}}, {"int8": {"clips": 3}}, {"attribution": ["me"]}]
)
def test_facts_that_no_export_wrote_are_one_line(
    ask: Ask, tmp_path: Path, odd: dict[str, object]
) -> None:
    path = bundles.write(tmp_path / "x.watchword", **odd)
    assert "cannot be read" in ask("info", path).line


def test_a_bundle_has_its_own_sizes(ask: Ask, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "x.watchword")
    assert "is a bundle and has its own sizes" in ask("info", path, "--width", 2).line


def test_info_of_a_folder_that_is_a_bundle(ask: Ask, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "folder")
    assert json.loads(ask("info", path, "--json").out)["name"] == "loud"


POINT = {"threshold": 0.5, "smoothing_scores": 1, "refractory_ms": 0.0}


def calibrated(**changes: Any) -> dict[str, Any]:
    """What a bundle says that ``watchword calibrate`` wrote."""
    accepts, rejects = changes.pop("accepts", PerHour(0, 7.5)), Rate(3, 40)
    evidence = {
        "target": {"fa_per_hour": 0.5},
        "expected_fa_per_hour": 0.4812,
        "mean_frr": 0.075,
        "false_accepts": {
            "count": accepts.count,
            "hours": accepts.hours,
            "per_hour": accepts.value,
            "interval": list(accepts.interval),
        },
        "false_rejects": {
            "count": rejects.hits,
            "events": rejects.count,
            "rate": rejects.value,
            "interval": list(rejects.interval),
        },
        "tolerance_s": 1.0,
        "listening_for": ["loud"],
        "recordings": {"mix-valid": 0.5, "read-speech:valid": 7.5},
        "scores": "ab12",
        "calibration_error": {"before": 0.1234, "after": 0.04},
        "command": "watchword calibrate",
        **changes,
    }
    return {
        "default": POINT,
        "keywords": {"loud": {**POINT, "threshold": 0.25, "evidence": {"keyword": "loud"}}},
        "is_calibrated": True,
        "temperature": 1.5,
        "evidence": evidence,
    }


def told(folder: Path, **changes: Any) -> dict[str, Any]:
    """The card of a bundle that says so."""
    return card(bundle.read(bundles.write(folder / "x.watchword", **changes)))


def test_a_calibrated_bundle_tells_what_its_points_were_chosen_for_and_on(tmp_path: Path) -> None:
    shown = told(tmp_path, operating_point=calibrated())
    assert shown["temperature"] == 1.5
    assert shown["target"] == "at most 0.5 false accepts per hour"
    assert shown["expected_false_accepts"] == "0.48 per hour elsewhere"
    assert shown["false_accepts"] == "at most 0.49 per hour (none in 7.5 h; 95 %)"
    assert shown["false_rejects"] == "7.5 % (3/40; 95 % 2.6–19.9)"
    assert shown["calibration_error"] == "12.3 % before, 4.0 % after"
    assert shown["listening_for"] == "loud"
    assert shown["calibrated_on"] == "mix-valid (0.5 h), read-speech:valid (7.5 h)"
    assert shown["operating_point_loud"].startswith("threshold 0.25")


@pytest.mark.parametrize("hours", [0.02, 7.5, 2_345.6])
@pytest.mark.parametrize("count", [0, 1, 1_234])
def test_rates_are_shown_as_everywhere_else(tmp_path: Path, count: int, hours: float) -> None:
    shown = told(tmp_path, operating_point=calibrated(accepts=PerHour(count, hours)))
    assert shown["false_accepts"] == str(PerHour(count, hours))
    assert shown["false_rejects"] == str(Rate(3, 40))


def test_a_target_of_misses_is_told_in_percent(tmp_path: Path) -> None:
    shown = told(tmp_path, operating_point=calibrated(target={"frr": 0.05}))
    assert shown["target"] == "at most 5 % of the keywords missed, on average"


@pytest.mark.parametrize("changes", [{"is_calibrated": False}, {"evidence": None}, {"evidence": 1}])
def test_without_evidence_a_card_tells_of_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    shown = told(tmp_path, operating_point={**calibrated(), **changes})
    assert not {"target", "false_accepts", "calibrated_on"} & {*shown}


@pytest.mark.parametrize(
    "odd",
    [
        {"false_accepts": {"count": 1}},
        {"recordings": ["a"]},
        {"target": None},
        {"calibration_error": {"before": "much", "after": 0}},
    ],
)
def test_evidence_that_nobody_wrote_so_is_one_line(
    ask: Ask, tmp_path: Path, odd: dict[str, Any]
) -> None:
    path = bundles.write(tmp_path / "x.watchword", operating_point=calibrated(**odd))
    line = ask("info", path).line
    assert "tells of evidence, parity, 8 bits or attribution cannot be read" in line


def test_info_shows_the_evidence(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path = bundles.write(tmp_path / "x.watchword", operating_point=calibrated())
    page = " ".join(ask("info", path).out.split())
    assert "false accepts at most 0.49 per hour (none in 7.5 h; 95 %)" in page
    assert "temperature 1.5" in page
