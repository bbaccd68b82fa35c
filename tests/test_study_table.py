"""The table of a study: arithmetic by hand, what run folders tell, and how it is shown."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t as student

from conftest import ROOT
from test_study import PAIR, finish, study_of
from watchword.errors import DataError
from watchword.study import comparison, page, runs
from watchword.study.comparison import MEASURES, Outcome, cautions, compare, difference, spread
from watchword.study.plan import Run

# ------------------------------------------------------------------------------------- arithmetic


def test_mean_and_deviation_are_those_of_a_sample() -> None:
    # 0.02, 0, -0.02 around 0.92: sum of squares 0.0008, over n - 1 = 2, its root
    assert spread([0.94, 0.92, 0.90]) == pytest.approx({"n": 3, "mean": 0.92, "deviation": 0.02})


def test_differences_are_taken_seed_by_seed() -> None:
    mine, theirs = {0: 0.96, 1: 0.90, 2: 0.99}, {0: 0.95, 1: 0.87, 3: 0.10}
    # +0.01 and +0.03 where both have a seed: deviation 0.01·√2, over √2
    found = difference(mine, theirs)
    assert found == pytest.approx({"n": 2, "mean": 0.02, "standard_error": 0.01})
    alone = difference({0: 0.5}, {0: 0.25})
    assert alone == {"n": 1, "mean": 0.25, "standard_error": None}
    assert difference({0: 0.5}, {1: 0.25}) is None


def test_student_s_t_is_that_of_scipy() -> None:
    for degrees, value in enumerate(comparison.T_95, start=1):
        assert comparison.t_95(degrees) == value
        assert value == pytest.approx(student.ppf(0.975, degrees), abs=5e-4)  # three decimals
    assert comparison.t_95(50) == comparison.T_95[-1] > student.ppf(0.975, 50)


def made(variant: str, seed: int, rate: float, **other: Any) -> Outcome:
    rates = {"valid": {name: None for name in MEASURES} | {"all": rate, "silence": 1.0}}
    return Outcome(variant, seed, rates, **{"commit": "abc", "clips": {"valid": 10}} | other)


def test_the_row_of_a_variant_is_its_mean_and_its_step_from_the_first() -> None:
    outcomes = [
        made("a", 0, 0.5, minutes=1.0, parameters=7, macs=9),
        made("a", 1, 0.7, minutes=2.0, parameters=7, macs=9),
        made("b", 0, 0.6),
        made("b", 1, 0.9),
    ]
    first, second, third = compare(outcomes, ["a", "b", "c"])
    assert (first["variant"], first["seeds"], first["minutes"]) == ("a", [0, 1], 1.5)
    assert (first["parameters"], first["macs"], first["commits"]) == (7, 9, ["abc"])
    assert first["parts"]["valid"]["all"]["difference"] is None
    cell = second["parts"]["valid"]["all"]
    assert cell["mean"] == pytest.approx(0.75)
    assert cell["by_seed"] == {"0": 0.6, "1": 0.9}
    # +0.1 and +0.2: mean 0.15, deviation 0.1/√2, over √2
    step = {"n": 2, "mean": 0.15, "standard_error": 0.05}
    assert cell["difference"] == pytest.approx(step)
    assert second["parts"]["valid"]["kept"]["n"] == 0
    assert (third["seeds"], third["parts"]["valid"]["all"]["mean"]) == ([], None)


def test_measures_are_read_from_a_report() -> None:
    place = ROOT / "docs/results/tc_resnet14-k1-task-core-10-default-seed0/valid/report.json"
    report = json.loads(place.read_text())
    found = comparison.measures(report)
    assert tuple(found) == MEASURES
    assert found["all"] == 2441 / 2525
    assert found["kept"] == 2164 / 2219
    assert found["never heard"] == 2 / 5
    assert found["archive"] is None
    report["archive_weighted"] = {"accuracy": 0.96}
    report["parts"] |= {"dropped": None, "silence": None}
    found = comparison.measures(report)
    assert (found["archive"], found["kept"], found["silence"]) == (0.96, None, None)


def test_what_must_be_known_before_a_table_is_believed_is_said() -> None:
    assert cautions([made("a", 0, 1.0)], 1) == [
        "n = 1 seed: nothing here tells a difference from what another seed would change"
    ]
    outcomes = [
        made("a", 0, 1.0, data={"x": "1", "y": "1"}),
        made("a", 1, 1.0, commit="abd-dirty", clips={"valid": 1_000}),
        made("b", 0, 1.0, commit="abd-dirty", data={"x": "2", "y": "1"}),
        made("b", 1, 1.0, commit=None),
    ]
    few, *others = cautions(outcomes, 4)
    assert few.startswith("n = 4 seeds is few")
    assert "its 95 % interval reaches 3.2 of them either way" in few
    assert others == [
        "runs come from different commits, which may differ in more "
        "(abc: a; abd-dirty: a, b; unknown: b)",
        "no commit holds the source of runs from abd-dirty, unknown",
        "runs are judged on different clips of valid (10, 1,000)",
        "the data changed between runs: x",
    ]


# ------------------------------------------------------------------------------------ run folders


def write_card(run: Run, epoch: int) -> None:
    """Write the head of a checkpoint, without any weights."""
    card = json.dumps({"provenance": {"epoch": epoch}})
    header = json.dumps({"__metadata__": {"watchword": card}}).encode()
    (run.folder / "best.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def test_a_run_is_finished_when_its_log_and_its_reports_are(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR + "parts: [valid, test]")
    run = study.runs[0]
    assert (runs.state(study, run), runs.next_step(study, run)) == ("not started", "training")
    finish(run)
    assert runs.next_step(study, run) == "test"
    assert runs.state(study, run) == "not finished: epoch 2 of 2, valid 50.0 %"
    finish(run, part="test")
    assert (runs.state(study, run), runs.next_step(study, run)) == ("finished", None)
    log = run.folder / "metrics.jsonl"
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    assert runs.next_step(study, run) == "training"
    assert runs.how_far(run) == "epoch 1 of 2, valid 50.0 %"


def test_a_report_of_another_epoch_s_model_does_not_count(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR + "parts: [valid, test]")
    run = study.runs[0]
    finish(run, epoch=2)
    finish(run, part="test", epoch=1)  # evaluated by hand while training went on
    write_card(run, 2)
    assert runs.next_step(study, run) == "test"
    finish(run, part="test", epoch=2)
    assert runs.next_step(study, run) is None
    (run.folder / "eval-12-valid" / "report.json").write_text("{")
    assert runs.next_step(study, run) == "training"


def test_a_folder_of_other_settings_is_not_taken_for_the_run(tmp_path: Path) -> None:
    finish(study_of(tmp_path, PAIR).runs[0])
    study = study_of(tmp_path, PAIR.replace("a: ,", "a: {train.epochs: 3},"))
    assert runs.is_of_other_settings(study.runs[0])
    assert runs.state(study, study.runs[0]).startswith("its folder holds a run of other settings")
    (study.runs[0].folder / "config.yml").write_text("{")
    assert runs.is_of_other_settings(study.runs[0])
    (study.runs[0].folder / "metrics.jsonl").unlink()  # nothing of the other run is left
    assert not runs.is_of_other_settings(study.runs[0])


# ------------------------------------------------------------------------------------- the table


@pytest.fixture
def collected(tmp_path: Path) -> dict[str, Any]:
    """The record of a study of two settings and two seeds: 50, 60 %; 70 % and not yet."""
    study = study_of(tmp_path, PAIR)
    for run, rate in zip(study.runs, (0.5, 0.7, 0.6), strict=False):
        finish(run, rate)
    return runs.collect(study, {"b seed 1": "ended by SIGKILL; epoch 1/2"})


def test_the_record_has_runs_rows_and_notes(collected: dict[str, Any]) -> None:
    assert json.loads(json.dumps(collected)) == collected
    first, second = collected["variants"]
    assert (first["minutes"], first["macs"], first["parameters"]) == (1.0, 1_200, 7)
    assert first["parts"]["valid"]["all"]["mean"] == pytest.approx(0.55)
    step = {"n": 1, "mean": 0.2, "standard_error": None}  # 70 − 50 %: seed 1 has no pair
    assert second["parts"]["valid"]["all"]["difference"] == pytest.approx(step)
    assert [run["state"] for run in collected["runs"]] == [
        *["finished"] * 3,
        "failed: ended by SIGKILL; epoch 1/2",
    ]
    assert collected["notes"][0] == "1 of 4 runs are not in the table"


def test_the_page_is_the_record_in_words(collected: dict[str, Any], tmp_path: Path) -> None:
    path = page.write(collected, tmp_path / "pair")
    text = path.read_text()
    assert json.loads((tmp_path / "pair" / "study.json").read_text()) == collected
    assert "| a | 0 1 | 55.00 ± 7.07 | 55.00 ± 7.07 | 7 | 1,200 | 1.0 | abc |" in text
    assert "| b | 0 | 70.00 (+20.00) | 70.00 (+20.00) | 7 | 1,200 | 1.0 | abc |" in text
    assert "silence" not in text  # no run has evidence for it
    assert "2 settings × n = 2 seeds (0, 1)" in text
    assert "- 1 of 4 runs are not in the table" in text
    assert "| b | `model.width=0.5` |" in text
    assert "failed: ended by SIGKILL" in text
    assert "](study.png)" in text
    assert (tmp_path / "pair" / "study.png").read_bytes().startswith(b"\x89PNG")


def test_a_terminal_gets_means_steps_and_costs_apart(collected: dict[str, Any]) -> None:
    (means, steps, costs) = page.narrow(collected)
    assert means[1][0] == {"variant": "a", "all": "55.00 ± 7.07", "commands": "55.00 ± 7.07"}
    assert steps[1] == [{"variant": "b", "all": "+20.00", "commands": "+20.00"}]
    assert costs[1][1] == {
        **{"variant": "b", "parameters": "7", "MACs": "1,200", "minutes": "1.0", "commit": "abc"}
    }


def test_a_figure_shows_each_seed_and_the_mean(collected: dict[str, Any]) -> None:
    figure = page.draw(collected)
    panel, other = figure.axes
    dots = [
        (line.get_marker(), list(line.get_xdata()), line.get_ydata()[0]) for line in panel.lines
    ]
    assert dots == [
        *[("o", [50.0, 60.0], 0), ("D", [pytest.approx(55.0)], 0)],
        *[("o", [70.0], 1), ("D", [70.0], 1)],
    ]
    assert [panel.get_title(loc="left"), other.get_title(loc="left")] == ["all", "commands"]
    assert panel.get_ylim() == (1.5, -0.5)  # the first variant on top
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["a", "b"]


def test_without_matplotlib_the_table_stands_alone(
    collected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write(collected, tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    text = page.write(collected, tmp_path).read_text()
    assert "- no figure: matplotlib is not installed, and this needs it: pip install" in text
    assert "study.png" not in text
    assert not (tmp_path / "study.png").exists()


def test_of_nothing_finished_there_is_no_table(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR)
    with pytest.raises(DataError, match=re.escape("no run of study pair is finished in ")) as error:
        runs.collect(study)
    assert "a seed 0: not started; b seed 0: not started" in str(error.value)
    assert "start it, with the --env and --data it is collected with" in str(error.value)
