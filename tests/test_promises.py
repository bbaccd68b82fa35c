"""What is promised elsewhere: settings that build, imports that stay light, help that helps."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import PYTHON, ROOT
from watchword import build
from watchword.config import Settings, load_environment, load_settings
from watchword.study.plan import load_study

STUDIES = sorted((ROOT / "configs" / "studies").glob("*.yml"))
CONFIGS = sorted(
    path
    for path in set((ROOT / "configs").rglob("*.yml")) - set(STUDIES)
    if "env" not in path.stem.split("_")
)
ENVIRONMENTS = sorted(set((ROOT / "configs").rglob("*.yml")) - set(CONFIGS) - set(STUDIES))
CLASSES = 12
LIGHT_ROOMS = (
    *("units", "errors", "words", "files", "audio", "scores", "metrics", "groups"),
    *("report", "page", "plots", "pictures", "canvas", "cli", "doors"),
    *("robust_report", "robust_page"),
    *("shipped", "licences", "portable", "front_matter", "weaknesses", "model_card"),
    *("decision", "facts", "bundle", "stream", "spotter", "microphone", "meter"),
    *("data_commands", "model_commands", "spot_commands", "spot_jobs", "options"),
    *("study.comparison", "study.plan", "study.runs", "study.page", "study.jobs"),
)
COMMANDS = (
    *("", "train", "eval", "spot", "listen", "export", "calibrate", "mine", "study"),
    *("models", "ship", "info", "data", "plot"),
    *("data fetch", "data prepare", "data check", "data synth", "data mix", "data sentences"),
    *("plot training", "plot curves", "plot roc", "plot det", "plot confusion"),
)


def settings_of(path: Path) -> Settings:
    return load_settings(path)[0]


# ---------------------------------------------------------------------------------------- settings


def test_there_are_settings_files_and_environments() -> None:
    assert CONFIGS
    assert ENVIRONMENTS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_settings_file_loads_and_its_network_and_augmentation_are_built(path: Path) -> None:
    settings, notes = load_settings(path)
    assert all("num_la" in note for note in notes)
    build.check(settings)
    classes = len(settings.find_task().labels)
    torch.manual_seed(0)
    model = build.classifier(settings, classes)  # as at the first step: normalising by the batch
    noise = np.random.default_rng(0).integers(-3_000, 3_000, 40_000).astype(np.int16)
    chain = build.augmentation(settings.augment, noise, torch.device("cpu"), seed=settings.seed)
    draws = chain.draw(np.random.default_rng(0), 4)
    waveforms = torch.rand(4, 16_000, generator=torch.Generator().manual_seed(0)) - 0.5
    heard = model.ear(chain.on_waveforms(waveforms, draws, slice(0, 4)))
    heard, targets = chain.on_features(heard, torch.eye(4), draws, slice(0, 4))
    with torch.no_grad():
        logits = model.network(heard)
    assert logits.shape == (4, classes)
    assert torch.isfinite(logits).all()
    assert targets.shape == (4, 4)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_is_read_and_its_networks_are_built(path: Path) -> None:
    study = load_study(path)
    for run in study.runs[: len(study.file.settings)]:
        build.check(run.settings)


def test_no_two_settings_files_share_a_run_folder() -> None:
    names = [settings_of(path).run_name for path in CONFIGS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_every_environment_loads(path: Path) -> None:
    where = load_environment(path)
    assert not where.datasets.is_absolute()
    assert not where.output.is_absolute()


# ----------------------------------------------------------------------------- a process of its own

PROBE = """
import contextlib, importlib, io, json, sys

def loaded(names):
    return [name for name in names if name in sys.modules]

HEAVY = ["torch", "numpy", "pydantic", "lightning_fabric", "matplotlib", "sklearn"]
import watchword
answer = {"watchword": sorted(name for name in loaded([*HEAVY, "typer", "rich"]))}
from watchword.cli import main
answer["help"] = {}
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*words.split(), "--help"])
    answer["help"][words] = out.getvalue()
    answer.setdefault("after help", loaded(HEAVY))
# some versions of typer load pydantic themselves for the help of a subcommand
answer["after every help"] = sorted({*loaded(HEAVY)} - {"pydantic"})
for room in json.loads(sys.argv[2]):
    importlib.import_module(f"watchword.{room}")
answer["after light rooms"] = loaded(["torch", "lightning_fabric", "matplotlib", "sklearn"])
sys.modules["torch"] = None
answer["without torch"] = []
for words in (["info"], ["eval", "best.pth.tar"]):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        main(words)
    answer["without torch"].append(err.getvalue())
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(["info", "commands-12", "--json"])
answer["shipped without torch"] = json.loads(out.getvalue())
print(json.dumps(answer))
"""


@cache
def probe() -> dict[str, Any]:
    """What a fresh process answers: helps, and the packages that were loaded on the way."""
    words = [PYTHON, "-c", PROBE, json.dumps(COMMANDS), json.dumps(LIGHT_ROOMS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_importing_watchword_loads_nothing() -> None:
    assert probe()["watchword"] == []


def test_the_light_half_loads_no_torch() -> None:
    assert probe()["after light rooms"] == []


def test_help_loads_nothing_heavy() -> None:
    assert probe()["after help"] == []
    assert probe()["after every help"] == []


def test_without_torch_the_answer_is_an_install_command() -> None:
    said = "torch is not installed, and this needs it: pip install 'watchword[train]'"
    assert probe()["without torch"] == [f"watchword: {said}\n"] * 2


def test_without_torch_a_shipped_model_tells_of_its_points_and_its_card() -> None:
    told = probe()["shipped without torch"]
    assert told["name"] == "commands-12"
    assert told["operating_point_stop"].startswith("threshold 0.")
    assert told["card"] == "watchword models commands-12"


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_every_command_is_there(words: str) -> None:
    shown = " ".join(probe()["help"][words].split())
    assert f"Usage: watchword {words}".strip() in shown
    if words in ("", "data", "plot"):  # a list of commands, each of them named above
        names = [name.split() for name in COMMANDS if name.startswith(words) and name != words]
        below = {name[len(words.split())] for name in names}
        assert all(f"│ {name} " in shown for name in below)
    assert f"Example: watchword {words}".strip() in shown


def test_no_command_is_missing_above() -> None:
    from watchword import cli

    groups = {"": cli.app, "data": cli.data_app, "plot": cli.plot_app}
    named = {
        f"{group} {command.name or getattr(command.callback, '__name__', '')}".strip()
        for group, program in groups.items()
        for command in program.registered_commands
    }
    assert named | set(groups) == set(COMMANDS)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    words = [PYTHON, "-m", "watchword", "train", "no.yml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "watchword: no.yml cannot be read (No such file or directory): give a YAML settings file\n"
    )
