"""Jobs that take turns: order, warm-up, ratios; and the zoo that is timed."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import model_times
import names
import pytest
import torch
import training_speed
import turns
import zoo
from torch import nn

from watchword.errors import ConfigError, DataError


def test_jobs_take_turns_and_the_warm_up_does_not_count() -> None:
    done: list[str] = []
    clock = iter(range(100))
    told: list[tuple[int, int]] = []

    def timed(job: turns.Job) -> float:
        job()
        return float(next(clock))

    found = turns.take_turns(
        {"a": lambda: done.append("a"), "b": lambda: done.append("b")},
        2,
        timed=timed,
        told=lambda so_far, total: told.append((so_far, total)),
    )
    assert done == ["a", "b"] * 3
    assert found == {"a": [2.0, 4.0], "b": [3.0, 5.0]}  # 0 and 1 warmed up
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_summary_is_the_median_of_ratios_and_not_the_ratio_of_medians() -> None:
    found = turns.summary([0.001, 0.004, 0.009], [0.001, 0.002, 0.001])
    assert found == {"ms": 4.0, "range_ms": [1.0, 9.0], "ratio": 2.0}  # of 1, 2, 9


def test_short_jobs_are_averaged_over_many_passes_and_long_ones_over_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = {"now": 0.0}
    calls: list[float] = []
    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock["now"])

    def lasting(seconds: float) -> float:
        def job() -> None:
            calls.append(seconds)
            clock["now"] += seconds

        return turns.averaged(job)

    assert lasting(0.004) == pytest.approx(0.004)  # sums of binary fractions
    assert len(calls) == 1 + 5  # as many as fill 20 ms, and one to see how long it takes
    calls.clear()
    assert lasting(1.0) == pytest.approx(1.0)
    assert len(calls) == 1 + 1
    calls.clear()
    lasting(1e-6)
    assert len(calls) == 1 + turns.MOST_PASSES


def test_the_note_on_the_machine_tells_no_name() -> None:
    told = turns.machine()
    assert {"cores", "torch", "processor", "date"} <= set(told)
    assert platform.node() not in json.dumps(told).split('"')


def test_what_is_not_there_is_none_and_what_is_no_json_is_refused(tmp_path: Path) -> None:
    assert turns.read_json(tmp_path / "times.json") is None
    (tmp_path / "times.json").write_text("half a")
    with pytest.raises(DataError, match=r"times\.json is no JSON that a benchmark wrote"):
        turns.read_json(tmp_path / "times.json")


# --------------------------------------------------------------------------------------------- zoo


def test_the_zoo_begins_with_the_baseline_and_hears_what_its_settings_say() -> None:
    found = zoo.members(["ds_cnn"])
    assert (found[0].model, found[0].width) == names.BASELINE
    assert [one.title for one in found] == ["LambdaResNet18 k=1", "LambdaResNet18 k=2", "DS-CNN"]
    last = found[-1]
    assert (last.features.kind, last.features.bands, last.frames) == ("mfcc", 10, 49)
    assert (last.size.parameters, last.size.macs) == (23_180, 2_656_768)  # docs/models/ds_cnn.md
    assert not any(one.network.training for one in found)
    with pytest.raises(ConfigError, match="no model is called 'ds_cn'"):
        zoo.members(["ds_cn"])


def test_models_are_timed_with_and_without_their_front_end() -> None:
    found = model_times.measure(["ds_cnn"], 1, is_compiled=False)
    assert found["compiled"] == "not asked for (--compiled)"
    assert found["baseline"] == found["rows"][0]["title"]
    for row in found["rows"]:
        assert list(row["times"]) == ["eager", "eager, with features"]
        assert all(time["ms"] > 0 for time in row["times"].values())
    assert {time["ratio"] for time in found["rows"][0]["times"].values()} == {1.0}


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_times.shutil, "which", lambda name: None)
    assert model_times.why_not_compiled(is_asked=True) == "no C++ compiler was found"
    monkeypatch.setattr(model_times.shutil, "which", lambda name: name)
    assert model_times.why_not_compiled(is_asked=True) == ""


def test_what_cannot_be_compiled_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: nn.Module, **_options: object) -> nn.Module:
        raise RuntimeError("no recurrent layers in /home/alice/net.py\nand more")

    monkeypatch.setattr(torch, "compile", refuse)
    found = model_times.compiled(nn.Identity(), torch.zeros(1))
    assert found == "no recurrent layers in net.py"
    whole = model_times.measure(["ds_cnn"], 1, is_compiled=True)
    if whole["compiled"] == "torch.compile":  # a compiler was found
        assert set(whole["not_compiled"]) == {row["title"] for row in whole["rows"]}
    assert list(whole["rows"][0]["times"]) == ["eager", "eager, with features"]


def test_a_training_speed_replaces_that_of_the_same_threads(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    for threads, ratio in ((2, 0.5), (1, 0.6), (2, 0.7)):
        training_speed.keep(file, {"model": "a", "threads": threads, "ratio_median": ratio})
    kept = json.loads(file.read_text())
    assert [(one["threads"], one["ratio_median"]) for one in kept] == [(1, 0.6), (2, 0.7)]
