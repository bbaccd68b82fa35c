"""Rows of accuracy against size: means, parts, budgets and leads by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import accuracy
import budgets
import pytest
import results_page

from collected import Collect, checkout, made_report, rows
from watchword.errors import DataError


@pytest.fixture
def collect(tmp_path: Path) -> Collect:
    return checkout(tmp_path)


# ----------------------------------------------------------------------------------------- by hand


def test_seeds_of_a_recipe_are_one_row_with_mean_and_deviation(
    collect: Collect, tmp_path: Path
) -> None:
    for seed, right in enumerate((90, 92, 97)):
        collect("lambda_resnet18", right, seed=seed)
    (row,) = rows(tmp_path)
    # weighed: 89, 91, 96 → mean 92, squares of deviations 9 + 1 + 16 = 26 over 2
    assert row.rates["test"]["n"] == 3
    assert row.test == pytest.approx(0.92)
    assert row.rates["test"]["deviation"] == pytest.approx(math.sqrt(13) / 100)
    # the ends are 87–91, 89–93, 94–98: their means
    assert row.interval == pytest.approx((0.90, 0.94))
    assert (row.macs, row.parameters) == (2_000_000, 1_000)


def test_each_column_is_the_part_it_says(collect: Collect, tmp_path: Path) -> None:
    collect("bc_resnet", 90)
    (row,) = rows(tmp_path)
    found = {name: row.rates[name]["mean"] for name in accuracy.MEASURES}
    assert found == {
        "test": 0.89,
        "commands": 70 / 80,
        "unknown": 0.55,  # the mean over words, as the archive weighs it
        "silence": 0.9,
        "never heard": None,
        "valid": 80 / 90,  # without the clips that v0.02 dropped
    }


def test_where_no_clip_was_dropped_valid_is_all_of_it(collect: Collect, tmp_path: Path) -> None:
    folder = collect("bc_resnet", 90)
    report = made_report(90, 1)
    report["parts"]["dropped"] = None
    (folder / "valid" / "report.json").write_text(json.dumps(report))
    assert rows(tmp_path)[0].rates["valid"]["mean"] == 0.9


def test_tasks_that_the_archive_does_not_weigh_count_every_clip(
    collect: Collect, tmp_path: Path
) -> None:
    collect("bc_resnet", 90, task="core-10")
    (row,) = rows(tmp_path)
    assert row.test == 0.9
    assert row.rates["unknown"]["mean"] == 0.6
    assert row.interval == pytest.approx((0.8, 0.9))


def test_task_12_comes_first_and_the_best_of_a_budget_before_the_others(
    collect: Collect, tmp_path: Path
) -> None:
    collect("bc_resnet", 99, task="10")
    collect("bc_resnet", 90)
    collect("ds_cnn", 93)
    assert [(row.task, row.model) for row in rows(tmp_path)] == [
        ("12", "ds_cnn"),
        ("12", "bc_resnet"),
        ("10", "bc_resnet"),
    ]


def test_other_epochs_are_another_budget_and_another_optimiser_is_a_note(
    collect: Collect, tmp_path: Path
) -> None:
    collect("bc_resnet", 90)
    collect("lambda_resnet18", 91)
    collect("kwt", 92, train={"optimizer": "adamw"})
    collect("ds_cnn", 95, train={"epochs": 7})
    found = {row.model: (row.budget, row.differs) for row in rows(tmp_path)}
    assert found["bc_resnet"] == found["lambda_resnet18"] == ("A", ())
    assert found["kwt"] == ("A", ("train.optimizer adamw, not sgd",))
    assert found["ds_cnn"] == ("B", ())
    lines = results_page.budget_lines(rows(tmp_path))
    assert lines[0].startswith("**Budget A**: ")
    assert lines[1] == "A\\* KWT-1 (default): `train.optimizer adamw, not sgd`."
    assert "not as A in `train.epochs 7, not " in lines[2]


def test_masks_of_equal_strength_are_equal_for_any_front_end() -> None:
    mask = {"frames": 20, "bands": 5}
    coarse = {"frames": 10, "bands": 8}  # hops twice as long, 64 bands for 40
    features = {"kind": "log_mel", "mels": 40, "coefficients": 20, "hop_samples": 160}
    other = {"kind": "mfcc", "mels": 40, "coefficients": 64, "hop_samples": 320}
    common: dict[str, Any] = {"data": {}, "train": {}}
    one = budgets.sections({**common, "augment": {"mask": mask}, "features": features})
    two = budgets.sections({**common, "augment": {"mask": coarse}, "features": other})
    assert one == two
    assert one["augment"]["mask"] == {"milliseconds": 200.0, "share of bands": 0.125}


def test_differences_say_what_is_there_and_what_is_not() -> None:
    mine = {"shift": {"ms": 100}, "mask": None, "corpora": [1]}
    theirs = {"shift": None, "mask": {"bands": 5}, "corpora": [2]}
    assert budgets.differences(mine, theirs) == ["with shift", "without mask", "corpora"]


def test_the_rival_is_the_best_of_the_budget_with_no_more_macs(
    collect: Collect, tmp_path: Path
) -> None:
    for seed, (ours, theirs) in enumerate([(95, 94), (97, 94)]):
        collect("lambda_resnet18", ours, seed=seed)
        collect("bc_resnet", theirs, seed=seed)
    collect("ds_cnn", 90, macs=1_000_000)
    collect("kwt", 99, macs=2_000_001)
    collect("lambda_cast", 99, macs=1_000)
    collect("tc_resnet8", 99, train={"epochs": 7})
    found = rows(tmp_path)
    ours = next(row for row in found if row.model == "lambda_resnet18")
    rival = results_page.best_comparator(ours, found)
    assert rival is not None
    assert rival.model == "bc_resnet"
    # apart by 1 and 3 points: mean 2, deviation √2, over √2 seeds
    lead = accuracy.lead(ours, rival)
    assert (lead["n"], lead["mean"]) == (2, pytest.approx(0.02))
    assert lead["standard_error"] == pytest.approx(0.01)


def test_without_a_seed_in_common_the_means_are_compared(collect: Collect, tmp_path: Path) -> None:
    collect("lambda_resnet18", 95, seed=0)
    collect("bc_resnet", 94, seed=1)
    ours, rival = rows(tmp_path)
    lead = accuracy.lead(ours, rival)
    assert lead == {"n": 0, "mean": pytest.approx(0.01), "standard_error": None}


# ---------------------------------------------------------------------------------------- refusals


def test_one_seed_collected_twice_is_refused(collect: Collect, tmp_path: Path) -> None:
    folder = collect("bc_resnet", 90)
    folder.rename(folder.with_name("again"))
    collect("bc_resnet", 91)
    with pytest.raises(
        DataError, match=r"again and .*seed0 are the same seed of the same settings"
    ):
        rows(tmp_path)


def test_a_report_without_sizes_or_none_at_all_is_refused(collect: Collect, tmp_path: Path) -> None:
    file = collect("bc_resnet", 90) / "test" / "report.json"
    file.write_text(json.dumps(made_report(90, 1, provenance={"parameters": 3})))
    with pytest.raises(DataError, match="does not say how large the network is: evaluate it again"):
        rows(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"no report that can be read on test .*: collect it again"):
        rows(tmp_path)
