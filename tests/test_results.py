"""The page of results: wording, marks, figure, staleness."""

from __future__ import annotations

import json
from pathlib import Path

import accuracy_figure
import names
import published
import pytest
import results
import results_page
import times_page

from collected import Collect, checkout, made_report, rows
from conftest import ROOT
from watchword import models
from watchword.config import Settings, dump_settings
from watchword.errors import DataError


@pytest.fixture
def collect(tmp_path: Path) -> Collect:
    return checkout(tmp_path)


# ---------------------------------------------------------------------------------------- refusals


def test_a_missing_mark_is_told(collect: Collect, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks <!-- models --> and its end <!-- /models -->"):
        results.rewritten("no marks", {"models": "table"})
    (tmp_path / "README.md").write_text("no marks")
    assert results.main(["--root", str(tmp_path)]) == 2


def test_a_run_without_reports_is_not_collected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 0 reports on valid, and one is needed"):
        results.collect(tmp_path, tmp_path / "place", has_figures=False)


def test_of_long_audio_page_and_figures_are_collected_and_no_sounds(tmp_path: Path) -> None:
    run, place = tmp_path / "run", tmp_path / "place"
    for folder in ("eval-12-valid", "eval-12-test", "long-audio", "long-audio-stop-go"):
        (run / folder).mkdir(parents=True)
        (run / folder / "report.json").write_text("{}")
        (run / folder / "report.md").write_text(f"{folder} of /home/me/out/run")
        (run / folder / "det.png").write_bytes(b"picture")
        (run / folder / "report.html").write_text("sounds")
        (run / folder / "stream-scores.npz").write_bytes(b"scores")
    for name in ("config.yml", "metrics.jsonl"):
        (run / name).write_text("")
    results.collect(run, place, has_figures=False)
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*.*")) == [
        *("config.yml", "long-audio-stop-go/det.png", "long-audio-stop-go/report.md"),
        *("long-audio/det.png", "long-audio/report.md", "metrics.jsonl"),
        *("test/report.json", "test/report.md", "valid/report.json", "valid/report.md"),
    ]
    assert (place / "long-audio" / "report.md").read_text() == "long-audio of .../run"


def test_times_that_no_benchmark_wrote_are_refused(
    collect: Collect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collect("bc_resnet", 90)
    file = tmp_path / "docs" / "results" / "times.json"
    for text, told in (("{}", "lacks 'rows'"), ("{", "is no JSON that a benchmark wrote")):
        file.write_text(text)
        assert results.main(["--root", str(tmp_path)]) == 2
        assert told in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- page


MACHINE = {
    **{"processor": "a processor", "cores": 2, "load": [0.1, 0.2, 0.3]},
    **{"python": "3.11", "torch": "2.5", "date": "2026-01-01"},
}


def test_what_was_not_measured_is_said_in_a_plain_line(collect: Collect, tmp_path: Path) -> None:
    assert times_page.times(None) == ["Not measured yet: `make bench` saves `times.json` here."]
    told = ["Not measured yet: `make bench` saves `training_speed.json` here."]
    assert times_page.speeds(None) == times_page.speeds([]) == told
    assert "No figure: nothing is collected." in results_page.page([], None, None, "")


def test_measured_times_stand_in_their_columns() -> None:
    eager = {"ms": 1.5, "range_ms": [1, 2], "ratio": 1.0}
    row = {"title": "A net", "features": "log_mel 40 × 98", "parameters": 1_000, "macs": 2.1e6}
    found = {
        **{"machine": MACHINE, "threads": 1, "rounds": 7, "baseline": "A net", "rows": [row]},
        **{"compiled": "no C++ compiler was found", "not_compiled": {}},
    }
    row["times"] = {"eager": eager}
    text = "\n".join(times_page.times(found))
    assert "| A net | log_mel 40 × 98 | 1,000 | 2.10 M | 1.50 (1.00) | – | – | – |" in text
    assert "Nothing is compiled: no C++ compiler was found." in text
    assert "on 2 cores (a processor), load 0.1 at the start; torch 2.5, Python 3.11." in text
    found |= {"compiled": "torch.compile", "not_compiled": {"A net": "it is recurrent"}}
    assert times_page.times(found)[-1] == "A net is not compiled: it is recurrent."


def test_training_speeds_stand_in_their_columns() -> None:
    one = {
        **{"model": "a net", "threads": 2, "whole_clips_per_second": 1_836, "corpus": "speech"},
        **{"bare_published_clips_per_second": 2_000, "ratio_median": 0.9, "machine": MACHINE},
        "ratio_range": [0.8, 1.0],
    }
    _, table, told = times_page.speeds([one, {**one, "threads": 3}])
    assert "| a net | 2 | 1,836 | 2,000 | 0.90 (0.80–1.00) |" in table
    assert told.endswith("Audio: speech.")


def test_the_page_marks_our_networks_and_sets_published_weights_apart(
    collect: Collect, tmp_path: Path
) -> None:
    for seed in (0, 1):
        collect("lambda_resnet18", 90 + seed, seed=seed)
    collect("bc_resnet", 90, macs=1_000_000)
    text = results_page.page(rows(tmp_path), None, None, "accuracy.png")
    line = (
        "| **LambdaResNet18 k=1** | default | A | 1,000 | 2.00 M | 2 | 89.50 ± 0.71 (87.5–91.5) |"
    )
    assert line in text
    assert "| LambdaResNet18 k=1 (default, A) | BC-ResNet-1 (1.00 M MACs) | +0.00 | 1 |" in text
    ours, _, apart = text.partition("## Published weights on the official archive")
    assert "trained on the full archive" not in ours.partition("![")[0]
    assert "**trained on the full archive** and **measured on other clips**" in apart
    for peer in published.PEERS:
        assert f"| {peer.network} | {peer.trained_on} | {peer.parameters:,} |" in apart


def test_the_readme_has_counts_for_one_seed_and_means_for_several(
    collect: Collect, tmp_path: Path
) -> None:
    collect("bc_resnet", 90)
    for seed in (0, 1):
        collect("kwt", 80 + seed, seed=seed)
    one, several = results_page.readme_results(rows(tmp_path)).splitlines()[2:]
    assert "| 88.9 % (80/90; 95 % 78.9–88.9) | 90.0 % (90/100; 95 % 80.0–90.0) |" in one
    assert one.endswith("| 89.00 (87.0–91.0) |")
    assert "seeds [0](docs/results/kwt-k1-task-12-default-seed0), [1](docs/results/" in several
    assert "| 78.33 ± 0.79 | 80.50 ± 0.71 |" in several  # 70/90 and 71/90; 80 and 81


def test_every_model_has_a_title_and_a_marker() -> None:
    assert set(models.MODELS) == set(names.TITLES) == set(names.MARKERS)
    assert set(names.OURS) <= set(models.MODELS)
    assert {peer.family for peer in published.PEERS} <= set(names.MARKERS)
    assert names.title("bc_resnet", 8.0) == "BC-ResNet-8"
    assert names.title("res15", 0.5) == "Res15 × 0.5"


# ----------------------------------------------------------------------------------------- figure


def test_names_cover_neither_each_other_nor_marks_nor_stick_out() -> None:
    places = [(50.0, 50.0), (54.0, 52.0), (50.0, 60.0), (95.0, 50.0)]
    sizes = [(30.0, 8.0)] * len(places)
    frame = (0.0, 0.0, 100.0, 100.0)
    found = accuracy_figure.laid_out(places, sizes, frame)
    boxes = [(x - 15, y - 4, x + 15, y + 4) for x, y in found]
    for number, (left, low, right, high) in enumerate(boxes):
        assert left >= 0
        assert low >= 0
        assert right <= 100
        assert high <= 100
        for other in boxes[:number]:
            assert right <= other[0] or left >= other[2] or high <= other[1] or low >= other[3]
        for x, y in places:
            assert not (left < x < right and low < y < high)


def test_published_weights_are_hollow_and_only_where_their_task_was_measured(
    collect: Collect, tmp_path: Path
) -> None:
    collect("bc_resnet", 90)
    shown = accuracy_figure.marks(rows(tmp_path), "12")
    assert [mark.kind for mark in shown] == ["comparator"] + ["published"] * len(published.PEERS)
    assert shown[0].percent == pytest.approx(89)
    assert shown[1].percent == published.PEERS[0].accuracy["12"]
    assert accuracy_figure.KINDS["published"][1]["markerfacecolor"] == "white"
    assert accuracy_figure.marks(rows(tmp_path), "35") == []


# ------------------------------------------------------------------------------------------- whole


def test_one_command_remakes_all_and_check_tells_what_is_stale(
    collect: Collect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = collect("lambda_resnet18", 90)
    at_root = ["--root", str(tmp_path)]
    place = tmp_path / "docs" / "results"
    assert results.main([*at_root, "--check"]) == 1
    told = capsys.readouterr().err
    assert "README.md" in told
    assert "accuracy.png" in told
    assert not (place / "accuracy.png").exists()

    assert results.main(at_root) == 0
    assert results.main([*at_root, "--check"]) == 0
    assert (place / "accuracy.png").stat().st_size < 100_000
    readme = (tmp_path / "README.md").read_text()
    assert "old" not in readme
    assert readme.endswith("<!-- /results -->\nThe end.\n")

    report = json.dumps(made_report(91, 2_000_000))
    (folder / "test" / "report.json").write_text(report)
    assert results.main([*at_root, "--check"]) == 1
    assert "accuracy.png" in capsys.readouterr().err
    assert results.main(at_root) == 0
    (place / "times.json").write_text("[]")
    assert results.main([*at_root, "--check"]) == 2  # no list of times


def test_a_run_is_collected_without_places_of_this_machine(
    collect: Collect, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for split in ("valid", "test"):
        place = run / f"eval-12-{split}"
        place.mkdir(parents=True)
        report = made_report(90, 1)
        report["provenance"]["command"] = "train.py --data /srv/my/speech"
        (place / "report.json").write_text(json.dumps(report))
        (place / "report.md").write_text("Text.\n\n![What](det.png)\n\n*What*\n\nMore.\n")
        (place / "det.png").write_bytes(b"picture")
    (run / "config.yml").write_text(dump_settings(Settings()))
    (run / "metrics.jsonl").write_text("{}\n")
    kept = tmp_path / "kept"
    results.collect(run, kept, has_figures=False)
    told = json.loads((kept / "test" / "report.json").read_text())
    assert told["provenance"]["command"] == "train.py --data .../speech"
    assert (kept / "test" / "report.md").read_text() == "Text.\n\nMore.\n"
    assert not (kept / "test" / "det.png").exists()
    results.collect(run, kept, has_figures=True)
    assert (kept / "test" / "det.png").read_bytes() == b"picture"


def test_page_figure_and_readme_of_this_checkout_are_what_is_saved() -> None:
    assert results.stale(ROOT) == {}
