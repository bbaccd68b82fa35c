from __future__ import annotations

import json
from pathlib import Path

import pytest

import bundles
from conftest import Ask
from watchword import bundle, shipped
from watchword.bundle_card import card


def test_info_tells_what_a_bundle_is(ask: Ask) -> None:
    path = shipped.find_bundle(shipped.names()[0])
    answer = ask("info", path, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["name"] == shipped.names()[0]
    assert told["parameters"] == shipped.card(shipped.names()[0])["parameters"]
    assert told["score_every_ms"] == 80
    assert "not calibrated" in told["operating_point"]
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
