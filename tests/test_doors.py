"""The user's two commands, word for word."""

from __future__ import annotations

import json
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from conftest import PYTHON, ROOT, TINY_SETTINGS, Ask, World
from watchword import jobs, model_jobs
from watchword.doors import eval_door, train_door

RUN = "output/google_commands/lambda_resnet18-k0.25-task-12-tiny-seed0"


@dataclass(frozen=True)
class Shell:
    """Runs ``python -u train.py …`` in this process, as the shell would in its own."""

    patch: pytest.MonkeyPatch

    def __call__(self, line: str) -> int:
        """Return the exit code of a command line."""
        python, unbuffered, script, *words = shlex.split(line)
        assert (python, unbuffered) == ("python", "-u")
        self.patch.setattr(sys, "argv", [script, *words])
        with pytest.raises(SystemExit) as exit_:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        assert isinstance(exit_.value.code, int)
        return exit_.value.code


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Shell:
    """A working folder with the settings, the environment and the data of the user's page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    configs = tmp_path / "configs" / "google_commands"
    configs.mkdir(parents=True)
    corpora = "data: {corpora: [{folder: mine}]}\n"
    (configs / "CONFIG.yml").write_text(TINY_SETTINGS + corpora)
    (configs / "OTHER.yml").write_text("num_lables: 35\nmodel: {name: res15}\n")
    (configs / "WIDE.yml").write_text("num_lables: 35\nmodel: {width: 2}\n")
    (configs.parent / "env.yml").write_text(
        f"datasets: datasets\noutput: output/google_commands\ncache: {world.folder}/prepared\n"
    )
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mine").symlink_to(world.speech)
    return Shell(monkeypatch)


def test_the_two_commands_of_the_users_page_work_as_written(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = "--config_env configs/env.yml --config_exp configs/google_commands/CONFIG.yml"
    assert shell(f"python -u train.py {both}") == 0
    out, err = capsys.readouterr()
    assert "num_lables: 12 is read as task: 12" in err
    assert "epoch   2/2" in err
    assert out.splitlines()[-1] == f"checkpoint: {RUN}/best.pth.tar"
    assert shell(f"python -u eval.py {both} --model {RUN}/best.pth.tar") == 0
    out, err = capsys.readouterr()
    headline, where = out.splitlines()
    assert headline.startswith("accuracy ")
    assert "task 12, test" in headline
    assert where == f"report: {RUN}/eval-12-test/report.md"
    assert err == ""
    assert (tmp_path / RUN / "eval-12-test" / "report.md").read_text().startswith("# ")
    # the checkpoint alone, without any settings
    assert shell(f"python -u eval.py --config_env configs/env.yml --model {RUN}/last.pth.tar") == 0
    capsys.readouterr()
    # settings that describe something else
    words = f"python -u eval.py --model {RUN}/best.pth.tar --config_env configs/env.yml"
    assert shell(f"{words} --config_exp configs/google_commands/WIDE.yml --json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["task"] == "12"
    assert err == (
        "note: configs/google_commands/WIDE.yml differs from best.pth.tar in task (35, not 12), "
        "model.width (2.0, not 0.25), name (default, not tiny) and 6 more; the checkpoint's own "
        "settings are used\n"
    )
    assert shell(f"{words} --config_exp configs/google_commands/OTHER.yml") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "holds a lambda_resnet18 and configs/google_commands/OTHER.yml describes a res15" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("script", ["train.py", "eval.py"])
def test_a_gpu_that_is_not_there_is_refused(
    shell: Shell, trained: World, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    words = f"--model {trained.checkpoint}" if script == "eval.py" else ""
    config = "--config_env configs/env.yml --config_exp configs/google_commands/CONFIG.yml"
    assert shell(f"python -u {script} {config} --gpu 3 {words}") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == (
        f"{script}: --gpu 3 was asked for and this machine has no GPU: choose one of them, or "
        "leave --gpu out to use what there is"
    )
    assert not Path("output").exists()


def test_the_doors_take_overrides_data_and_json(ask: Ask, trained: World) -> None:
    config = ["--config_exp", trained.config, "--data", trained.speech]
    refused = ask(*config, "train.epoch=1", program=train_door)
    assert "train.py: " in refused.line
    assert "command line: train.epoch: no such setting" in refused.line
    words = ["--model", trained.checkpoint, "--data", trained.speech, "--task", "core-10", "--json"]
    env = ["--config_env", trained.env]
    record = json.loads(ask(*words, *env, "--split", "valid", program=eval_door).out)
    assert (record["task"], record["split"]) == ("core-10", "valid")


def test_training_may_be_spread_over_processes_and_machines(
    ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(jobs, "train", lambda *_words, **named: asked.update(named))
    words = ["--config_exp", world.config, "--processes", 2, "--nodes", 3, "--gpu", -1]
    assert ask(*words, program=train_door).code == 0
    assert [asked[key] for key in ("processes", "nodes", "gpu")] == [2, 3, -1]
    assert "-1 for the CPU" in " ".join(ask("-h", program=train_door).out.split())


def test_settings_are_compared_key_by_key(trained: World, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    for change, told in (
        ({}, ""),
        ({"train.epochs": 3}, " differs from best.pth.tar in train.epochs (3, not 2)"),
        ({"augment": {}}, " differs from best.pth.tar in augment.shift"),
        ({"task": {"keywords": ["yes"]}}, " differs from best.pth.tar in task"),
        (
            {"seed": 1, "features.mels": 20, "name": "x"},
            " differs from best.pth.tar in features.mels (20, not 40), name (x, not tiny), "
            "seed (1, not 0)",
        ),
    ):
        tree = YAML().load((trained.run / "config.yml").read_text())
        for key, value in change.items():
            *above, last = key.split(".")
            reduce(dict.__getitem__, above, tree)[last] = value
        with other.open("w") as file:
            YAML().dump(tree, file)
        difference = model_jobs.differs(other, trained.checkpoint)
        assert difference == (f"{other}{told}" if told else "")


def test_the_doors_say_what_they_lack(ask: Ask) -> None:
    assert "Missing option '--config_exp'" in ask(program=train_door).line
    assert "Missing option '--model'" in ask(program=eval_door).line
    for door, script in ((train_door, "train.py"), (eval_door, "eval.py")):
        shown = ask("-h", program=door)
        assert shown.code == 0
        assert f"Example: python -u {script} --" in " ".join(shown.out.split())


def test_a_mistake_is_one_line_and_exit_code_2_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("train: {epochs: 0}\n")
    command = [PYTHON, "-u", str(ROOT / "train.py"), "--config_exp", "x.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "train.py: x.yml has 1 fault: line 1: train.epochs: 0 found, should be greater than 0\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x.yml"]
