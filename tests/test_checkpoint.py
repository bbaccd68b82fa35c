"""Checkpoints: what is saved comes back, and what is foreign, damaged or hostile is refused."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from watchword import build, checkpoint
from watchword.checkpoint import Checkpoint, load, load_tensors, provenance, save
from watchword.config import ModelSettings, Settings
from watchword.errors import CheckpointError, DataError

KINDS = ("best.safetensors", "best.pth.tar")


def made(**changes: Any) -> Checkpoint:
    """A model with random weights."""
    settings = Settings(model=ModelSettings(width=0.25), seed=5)
    labels = settings.find_task().labels
    torch.manual_seed(0)
    weights = build.classifier(settings, len(labels)).state_dict()
    told = {"seed": 5, "commit": "abc", "command": "watchword train", "valid_accuracy": 0.5}
    return replace(Checkpoint(settings, labels, weights, told), **changes)


def card(**changes: Any) -> str:
    """The card of that model, with other entries; None takes an entry away."""
    content = json.loads(made().card) | changes
    return json.dumps({key: value for key, value in content.items() if value is not None})


def write(path: Path, text: str, weights: dict[str, Any] | None = None) -> Path:
    """Write a file of either kind with any card."""
    weights = made().weights if weights is None else weights
    if path.suffix == ".safetensors":
        save_file(weights, path, metadata={checkpoint.KEY: text})
    else:
        torch.save({checkpoint.KEY: text, "state_dict": weights}, path)
    return path


# ----------------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_comes_back_to_the_bit(tmp_path: Path, kind: str) -> None:
    saved = made()
    save(saved, tmp_path / "new" / "best")
    again = load(tmp_path / "new" / kind)
    assert (again.settings, again.labels, again.provenance) == (
        *(saved.settings, saved.labels, saved.provenance),
    )
    assert list(again.weights) == list(saved.weights) or kind == "best.safetensors"
    assert again.weights.keys() == saved.weights.keys()
    assert all(torch.equal(again.weights[name], value) for name, value in saved.weights.items())


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    save(made(), tmp_path / "run.1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("run.1.pth.tar", "run.1.safetensors")
    ]


def test_the_published_file_needs_no_unpickling_of_objects(tmp_path: Path) -> None:
    save(made(), tmp_path / "best")
    content = torch.load(tmp_path / "best.pth.tar", weights_only=True)
    assert sorted(content) == ["state_dict", "watchword"]
    build.classifier(made().settings, 12).load_state_dict(content["state_dict"])


def test_views_and_gradients_are_saved_as_plain_values(tmp_path: Path) -> None:
    wide = torch.arange(12.0).reshape(3, 4).requires_grad_()
    save(made(weights={"a": wide.T, "b": wide[:, 1]}), tmp_path / "x")
    for kind in (".safetensors", ".pth.tar"):
        again = load(tmp_path / f"x{kind}").weights
        assert torch.equal(again["a"], wide.detach().T)
        assert not again["b"].requires_grad


def test_a_full_disk_leaves_the_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(made(), tmp_path / "best")

    def no_room(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(DataError, match="No space left"):
        save(made(provenance={"seed": 6}), tmp_path / "best")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(KINDS)
    assert {load(tmp_path / kind).provenance["seed"] for kind in KINDS} == {5}


# ---------------------------------------------------------------------------------- what is refused


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "best.pth.tar"):
        with pytest.raises(CheckpointError, match=r"is no file: give a checkpoint that training"):
            load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    save(made(), tmp_path / "best")
    whole = (tmp_path / kind).read_bytes()
    lengths = [0, 1, 3, 4, 8, 9, 100, 1_000, len(whole) // 2, len(whole) - 100, len(whole) - 1]
    for length in lengths:
        (tmp_path / kind).write_bytes(whole[:length])
        message = rf"is damaged, cut short or no checkpoint \({length:,} bytes\): copy it again"
        with pytest.raises(CheckpointError, match=message):
            load(tmp_path / kind)


@pytest.mark.parametrize("name", ["noise.pth.tar", "noise.safetensors", "noise.wav"])
def test_noise_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(4_000))
    with pytest.raises(CheckpointError, match="damaged, cut short or no checkpoint"):
        load(tmp_path / name)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pth.tar", "w") as file:
        file.writestr("a.txt", "hello")
    with pytest.raises(CheckpointError, match="damaged, cut short or no checkpoint"):
        load(tmp_path / "x.pth.tar")


class Hostile:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("wrap", ["alone", "in the weights", "plain pickle"])
def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path: Path, wrap: str) -> None:
    trap, path = tmp_path / "trap", tmp_path / "best.pth.tar"
    if wrap == "alone":
        torch.save(Hostile(trap), path)
    elif wrap == "in the weights":
        torch.save({"watchword": card(), "state_dict": {"a": Hostile(trap)}}, path)
    else:
        path.write_bytes(pickle.dumps(Hostile(trap)))
    with pytest.raises(CheckpointError, match=r"objects other than tensors|no checkpoint"):
        load(path)
    with pytest.raises(CheckpointError):
        load_tensors(path)
    assert not trap.exists()
    if wrap != "plain pickle":  # the trap would have worked
        torch.load(path, weights_only=False)
        assert trap.exists()


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"watchword": 3}, [1, 2], "text"])
def test_a_foreign_checkpoint_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "foreign.pth")
    with pytest.raises(
        CheckpointError, match=r"is a checkpoint of another program: it has no 'wat"
    ):
        load(tmp_path / "foreign.pth")


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    save_file(made().weights, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match=r"is a checkpoint of another program"):
        load(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_another_format_is_refused_by_its_number(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / kind, card(format=2, settings={"of": "the future"}))
    with pytest.raises(CheckpointError, match="has format 2, this program reads format 1: use the"):
        load(path)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "3",
        "{}",
        card(settings=None),
        card(settings=[1]),
        card(settings={"train": {"epocs": 3}}),
        card(settings={"task": "99"}),
        card(labels=None),
        card(labels=7),
        card(labels=["yes", "no"]),
        card(settings=Settings(task="35").model_dump(mode="json")),
        card(provenance=3),
    ],
)
def test_a_card_that_says_nothing_to_this_version_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "best.pth.tar", text)
    with pytest.raises(
        CheckpointError, match="settings, labels or weights that this version cannot"
    ):
        load(path)


@pytest.mark.parametrize("weights", [3, [1], {"a": 1.0}, {"a": [torch.zeros(1)]}])
def test_weights_that_are_none_are_refused(tmp_path: Path, weights: Any) -> None:
    path = write(tmp_path / "best.pth.tar", card(), weights)
    with pytest.raises(
        CheckpointError, match="settings, labels or weights that this version cannot"
    ):
        load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_another_network_are_refused(tmp_path: Path, kind: str) -> None:
    wider = Settings(model=ModelSettings(width=0.5)).model_dump(mode="json")
    found = load(write(tmp_path / kind, card(settings=wider)))
    with pytest.raises(
        CheckpointError, match=r"not those of lambda_resnet18 at width 0.5 \(.+\): the"
    ):
        build.trained(found)


def test_weights_that_are_no_numbers_are_refused() -> None:
    weights = {name: value.clone() for name, value in made().weights.items()}
    next(v for v in weights.values() if v.is_floating_point()).flatten()[0] = float("nan")
    with pytest.raises(CheckpointError, match=r"not finite: the run had diverged"):
        build.trained(made(weights=weights))


# ----------------------------------------------------------------------------------- where from


def test_provenance_is_plain_and_says_seed_versions_and_command() -> None:
    told = provenance(3)
    assert json.loads(json.dumps(told)) == told
    assert told["seed"] == 3
    assert told["torch"] == torch.__version__
    assert told.keys() >= {"watchword", "commit", "command"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_package_inside_the_checkout_of_something_else_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "checkpoint.py"
    package.parent.mkdir()
    package.touch()
    monkeypatch.setattr(checkpoint, "__file__", str(package))
    assert provenance(0)["commit"] == "unknown"
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert provenance(0)["commit"] == "unknown"
    for command in (["add", "."], [*who, "commit", "-q", "-m", "ours"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert len(provenance(0)["commit"]) == 12
    package.write_text("changed")
    assert provenance(0)["commit"].endswith("-dirty")
