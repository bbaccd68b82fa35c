"""The command line: answers for programs, lines for people, exit code 2 for mistakes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import watchword
from conftest import Ask, World, listing
from watchword import checkpoint, jobs, model_jobs, scores
from watchword.checkpoint import Checkpoint
from watchword.config import (
    CorpusSettings,
    DataSettings,
    ModelSettings,
    Settings,
    load_environment,
    load_settings,
)
from watchword.data import synth


def unchanged(folder: Path, act: Callable[[], Any]) -> Any:
    """Return what an act returns, having seen that it leaves a folder as it was."""
    before = listing(folder)
    answer = act()
    assert listing(folder) == before
    return answer


def write_checkpoint(stem: Path, settings: Settings) -> Path:
    """Write an untrained model."""
    from watchword import build

    labels = settings.find_task().labels
    weights = build.classifier(settings, len(labels)).state_dict()
    checkpoint.save(Checkpoint(settings, labels, weights, {}), stem)
    return stem.with_name(f"{stem.name}.pth.tar")


def test_the_version_is_told(ask: Ask) -> None:
    answer = ask("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"watchword {watchword.__version__}\n", "")


# -------------------------------------------------------------------------------------------- info


def test_info_answers_programs_with_one_object(ask: Ask) -> None:
    words = "info lambda_resnet18 --width 2 --outputs 35 --frames 101 --json"
    answer = ask(*words.split())
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert {key: record[key] for key in ("model", "outputs", "frames", "parameters")} == {
        **{"model": "lambda_resnet18", "outputs": 35, "frames": 101, "parameters": 267_099}
    }
    assert record["macs"] == pytest.approx(5.620e6, abs=500)  # SPEC §2.1


def test_info_lists_every_model_in_80_columns(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = ask("info")
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 80
    names = [record["model"] for record in json.loads(ask("info", "--json").out)]
    assert names == [
        *("lambda_resnet18", "lambda_cast", "tc_resnet14", "tc_resnet14_paper", "tc_resnet8"),
        *("res15", "mhatt_rnn", "bc_resnet", "kwt", "matchboxnet", "ds_cnn"),
    ]
    assert all(name in answer.out for name in names)
    assert "86,020" in answer.out  # SPEC §2.1: 85,959 + 61 for the twelfth output


def test_info_tells_what_a_checkpoint_is(ask: Ask, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "best", Settings(model=ModelSettings(width=0.25)))
    record = json.loads(ask("info", path, "--json").out)
    assert (record["model"], record["width"], record["outputs"]) == ("lambda_resnet18", 0.25, 12)
    assert record["labels"].startswith("yes no up")
    assert "lambda_resnet18" in ask("info", path).out


@pytest.mark.parametrize("option", ["--width", "--outputs", "--frames", "--mels"])
def test_a_checkpoint_is_not_asked_for_other_sizes(ask: Ask, tmp_path: Path, option: str) -> None:
    path = write_checkpoint(tmp_path / "best", Settings(model=ModelSettings(width=0.25)))
    line = ask("info", path, option, 1).line
    assert f"{option} was given with {path}, and a checkpoint has its own sizes: leave" in line


def test_info_refuses_what_is_no_model(ask: Ask, tmp_path: Path) -> None:
    assert "no model is called 'res16': did you mean res15?" in ask("info", "res16").line
    for path in (tmp_path / "best.pth.tar", "best.safetensors"):
        assert "is no file: give a checkpoint" in ask("info", path).line
    assert "all three must be above 0" in ask("info", "res15", "--width", "0").line
    assert (
        "found features of 1 frames, needed at least 3"
        in ask("info", "lambda_resnet18", "--frames", 1).line
    )


def test_a_file_that_is_called_like_a_model_does_not_hide_it(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("res15").touch()
    assert json.loads(ask("info", "res15", "--json").out)["model"] == "res15"


# -------------------------------------------------------------------------------------------- eval


def test_eval_answers_programs_with_one_object(ask: Ask, trained: World, tmp_path: Path) -> None:
    words = ["--data", trained.speech, "--task", "core-10", "--split", "test", "--json"]
    answer = ask("eval", trained.checkpoint, *words, "--env", trained.env, "--output", tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("\n") == 1
    record = json.loads(answer.out)
    assert (record["task"], record["split"]) == ("core-10", "test")
    assert record["count"] == 10  # eight commands, one unknown, one silence
    assert record["accuracy"] == record["correct"] / record["count"]
    low, high = record["interval"]
    assert 0 <= low <= record["accuracy"] <= high <= 1
    assert record["report"] == str(tmp_path / "report.md")
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("scores.npz", "report.json", "report.md", "confusion.png", "roc.png", "det.png")
    }


def test_eval_tells_people_the_headline_and_where_the_report_is(
    ask: Ask, trained: World, tmp_path: Path
) -> None:
    other = shutil.copytree(trained.speech, tmp_path / "other")
    moved = shutil.copytree(trained.run, tmp_path / "run") / "best.safetensors"
    (other / "yes").rename(other / "house")  # a word that is never heard
    shutil.copytree(other / "house", other / "yes")
    answer = ask("eval", moved, "--data", other, "--env", trained.env)
    assert answer.code == 0
    headline, where = answer.out.splitlines()
    assert headline.startswith("accuracy ")
    assert "task 12, valid" in headline
    # other data, other folder: one report never takes the place of another
    assert where == f"report: {tmp_path}/run/eval-12-valid-other/report.md"


def test_a_folder_that_training_knows_keeps_its_section(trained: World, tmp_path: Path) -> None:
    def section(data: Path, *folders: str) -> CorpusSettings | None:
        corpora = [CorpusSettings(folder=name, hold_out=(name,)) for name in folders]
        return jobs._section_of(data, corpora, load_environment(trained.env))

    known = trained.speech
    link = tmp_path / "link"
    link.symlink_to(known)
    assert section(known, "other", "speech").hold_out == ("speech",)  # below the data folder
    assert section(link, str(known)).hold_out == (str(known),)  # by its place
    assert section(tmp_path / "mine", "/elsewhere/mine", "x").hold_out == ("/elsewhere/mine",)
    assert section(known.parent / "." / "speech", "x/speech").hold_out == ("x/speech",)
    assert section(tmp_path / "other", "speech", str(known)) is None


def test_eval_takes_the_words_of_a_folder_as_training_did(
    ask: Ask, trained: World, tmp_path: Path
) -> None:
    known = checkpoint.load(trained.checkpoint)
    section = CorpusSettings(folder="speech", words={"seven": "yes"}, hold_out=("happy",))
    settings = known.settings.model_copy(update={"data": DataSettings(corpora=(section,))})
    checkpoint.save(replace(known, settings=settings), tmp_path / "best")
    renamed = shutil.copytree(trained.speech, tmp_path / "renamed")
    words = ["eval", tmp_path / "best.pth.tar", "--env", trained.env, "--data"]
    told, heard = {}, {}
    for folder in (trained.speech, renamed):
        answer = ask(*words, folder, "--output", tmp_path / "report")
        assert answer.code == 0
        told[folder] = "words taken as spelled" in answer.err
        found = scores.load(tmp_path / "report" / "scores.npz")
        spoken = zip(found.words, found.targets, found.heard, strict=True)
        heard[folder] = {(str(w), found.labels[t], bool(h)) for w, t, h in spoken}
    assert told == {trained.speech: False, renamed: True}
    assert {("seven", "yes", True), ("happy", "_unknown_", False)} <= heard[trained.speech]
    assert ("seven", "_unknown_", True) in heard[renamed]


def test_a_model_may_be_asked_its_own_task_by_name(trained: World, ask: Ask) -> None:
    words = ["--task", "12", "--split", "nowhere"]
    assert "no split is called 'nowhere'" in ask("eval", trained.checkpoint, *words).line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "35"], "the model has no output for zero, one, two"),
        (["--task", "13"], "no task is called '13'"),
        (["--split", "dev"], "no split is called 'dev': choose train, valid, test"),
        (["--gpu", "3"], "--gpu 3 was asked for and this machine has no GPU"),
        (["--gpu", "x"], "see watchword --help"),
        (["--data", "nowhere"], "nowhere is no folder: give the folder that holds the speech"),
        (["--env", "nowhere.yml"], "nowhere.yml cannot be read (No such file or directory)"),
        (["--colour"], "No such option: --colour"),
    ],
)
def test_eval_refuses_in_one_line(
    ask: Ask, trained: World, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    answer = unchanged(trained.folder, lambda: ask("eval", trained.checkpoint, *words))
    assert message in answer.line
    assert answer.line.startswith("watchword: ")


def test_eval_refuses_an_empty_folder_and_one_of_other_words(
    ask: Ask, trained: World, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ["eval", trained.checkpoint, "--env", trained.env, "--data"]
    assert "empty: no utterances found, needed a folder for each word" in ask(*words, empty).line
    assert list(empty.iterdir()) == []
    shutil.copytree(trained.speech / "happy", tmp_path / "other" / "happy")
    assert "of task core-10 in other" in ask(*words, tmp_path / "other", "--task", "core-10").line


@pytest.mark.parametrize("kind", ["best.pth.tar", "best.safetensors"])
def test_eval_refuses_a_checkpoint_that_is_cut_short(
    ask: Ask, trained: World, tmp_path: Path, kind: str
) -> None:
    whole = (trained.run / kind).read_bytes()
    (tmp_path / kind).write_bytes(whole[: len(whole) // 2])
    line = unchanged(tmp_path, lambda: ask("eval", tmp_path / kind)).line
    assert "is damaged, cut short or no checkpoint" in line


def test_eval_says_where_it_may_not_write(
    ask: Ask, trained: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["eval", trained.checkpoint, "--env", trained.env, "--output"]
    line = unchanged(tmp_path, lambda: ask(*words, tmp_path / "file" / "x")).line
    assert "scores.npz cannot be written (Not a directory)" in line

    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)
    answer = ask(*words, tmp_path / "full")
    assert "scores.npz cannot be written (No space left on device)" in answer.line
    assert listing(tmp_path) == {"file": b"in the way"}


# ------------------------------------------------------------------------------------------- train


def test_train_keeps_what_eval_needs(trained: World) -> None:
    names = {path.name for path in trained.run.iterdir()}
    assert names == {
        *("best.pth.tar", "best.safetensors", "last.pth.tar", "last.safetensors"),
        *("config.yml", "metrics.jsonl", "state.ckpt", "tensorboard", "eval-12-valid"),
    } | {name for name in names if name.startswith("eval-")}
    settings, notes = load_settings(trained.run / "config.yml")
    assert settings.train.epochs == 2
    assert settings.data.corpora[0].folder == str(trained.speech)
    assert notes == []


def test_a_finished_run_is_not_trained_again(ask: Ask, trained: World) -> None:
    state = (trained.run / "state.ckpt").read_bytes()
    words = ["--data", trained.speech, "--env", trained.env, "--json"]
    answer = ask("train", trained.config, *words)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert record["checkpoint"] == str(trained.checkpoint)
    assert record["report"] == str(trained.run / "eval-12-valid" / "report.md")
    assert 0 <= record["valid_accuracy"] <= 1
    assert (trained.run / "state.ckpt").read_bytes() == state


def test_a_run_of_other_settings_is_not_written_over(ask: Ask, trained: World) -> None:
    words = ["train", trained.config, "--data", trained.speech, "--env", trained.env]
    answer = unchanged(trained.folder, lambda: ask(*words, "train.epochs=3"))
    assert answer.code == 2
    assert "holds a run of other settings" in answer.err.splitlines()[-1]
    assert "name=" in answer.err


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("trian: {}\nseed: x", [], "has 2 faults: line 1: trian: no such setting"),
        ("num_lables: 13", [], "line 1: task: no task is called '13'"),
        ("num_labels: 12\ntask: 12", [], "gives the task 2 times"),
        ("model: {name: lambda}", [], "no model is called 'lambda'"),
        ("features: {window_samples: 600}", [], "do not fit together"),
        ("seed: 1", ["train.epochs"], "'train.epochs' is no setting: write key=value"),
        ("seed: 1", ["train.epoch=2"], "command line: train.epoch: no such setting"),
        ("seed: 1", ["--gpu", "3"], "--gpu 3 was asked for and this machine has no GPU"),
        ("seed: 1", ["--processes", "0"], "--processes 0 was asked for"),
        ("seed: 1", ["--nodes", "0"], "see watchword --help"),
        ("seed: 1", ["--data", "nowhere"], "nowhere is no folder"),
        ("data: {corpora: [{folder: nowhere}]}", [], "nowhere: no such folder, needed a corpus"),
        ("task: {keywords: [yes, zebra]}", [], "training clips of zebra and the data has none"),
    ],
)
def test_train_refuses_in_one_line_and_leaves_nothing(
    ask: Ask,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    (tmp_path / "x.yml").write_text(text)
    (tmp_path / "env.yml").write_text(
        f"datasets: {tmp_path}\noutput: {tmp_path}/out\ncache: {world.folder}/prepared\n"
    )
    if "zebra" in text:
        words = ["--data", str(world.speech)]
    command = ["train", tmp_path / "x.yml", *words, "--env", tmp_path / "env.yml"]
    assert message in unchanged(tmp_path, lambda: ask(*command)).line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env.yml", "x.yml"]


def test_train_says_where_it_may_not_write(ask: Ask, world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "env.yml").write_text(f"cache: {world.folder}/prepared\noutput: {tmp_path}/file\n")
    words = ["train", world.config, "--data", world.speech, "--env", tmp_path / "env.yml"]
    answer = unchanged(tmp_path, lambda: ask(*words))
    assert answer.code == 2
    assert "config.yml cannot be written (Not a directory)" in answer.err.splitlines()[-1]


def test_a_folder_whose_name_looks_like_yaml_is_a_folder(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "a: [b] #c"
    strange.mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yml").write_text("")
    assert "a: [b] #c: no utterances found" in ask("train", "x.yml", "--data", strange).line


def test_curves_are_logged_for_tensorboard(trained: World) -> None:
    (events,) = (trained.run / "tensorboard").iterdir()
    content = events.read_bytes()
    for name in ("loss", "valid_accuracy", "learning_rate"):
        assert name.encode() in content


# -------------------------------------------------------------------------------------------- plot


@pytest.mark.parametrize("kind", ["training", "curves", "roc", "det", "confusion"])
def test_every_figure_is_drawn_and_named(
    ask: Ask, trained: World, tmp_path: Path, kind: str
) -> None:
    runs = [trained.run] if kind == "training" else [trained.run / "eval-12-valid"]
    answer = ask("plot", kind, *runs, "--output", tmp_path / "new" / "x.png")
    assert (answer.code, answer.out) == (0, f"{tmp_path}/new/x.png\n")
    assert (tmp_path / "new" / "x.png").read_bytes().startswith(b"\x89PNG")


def test_figures_that_cannot_be_drawn_are_refused(ask: Ask, trained: World, tmp_path: Path) -> None:
    report, other, output = trained.run / "eval-12-valid", tmp_path / "other", tmp_path / "x.png"
    other.mkdir()
    for kind in ("training", "curves", "roc", "det", "confusion"):
        assert "cannot be read" in ask("plot", kind, other, "-o", output).line
    shutil.copy(report / "scores.npz", other)
    message = "2 reports were given and one confusion matrix is drawn: give one"
    assert message in ask("plot", "confusion", report, other, "-o", output).line
    assert "names no PNG" in ask("plot", "roc", report, "-o", tmp_path / "x.pdf").line
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


# ---------------------------------------------------------------------------------- the whole line


@pytest.mark.parametrize("words", [[], ["data"], ["plot"]])
def test_no_command_is_answered_with_the_commands_there_are(ask: Ask, words: list[str]) -> None:
    answer = ask(*words)
    assert answer.code == 2
    assert "Usage" in answer.out
    assert answer.err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["data", "chek"], "No such command 'chek'"),
        (["eval"], "Missing argument"),
        (["info", "res15", "--width", "wide"], "Invalid value for '--width'"),
        (["plot", "roc"], "Missing argument"),
    ],
)
def test_a_slip_of_the_pen_is_one_line(ask: Ask, words: list[str], message: str) -> None:
    line = ask(*words).line
    assert message in line
    assert line.endswith("see watchword --help")


def test_an_interrupted_command_says_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model_jobs, "info", interrupted)
    answer = ask("info")
    assert answer.code == 130
    assert answer.err.endswith(
        "interrupted; trainings go on where they stopped when the same command is given\n"
    )


def test_what_the_system_refuses_is_one_line(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_words: object, **_named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/secret/place")

    monkeypatch.setattr(model_jobs, "info", refused)
    assert ask("info").line.startswith(
        "watchword: /secret/place: Permission denied; check the path"
    )


def test_our_own_mistakes_are_not_hidden(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchword import cli

    def broken(*_words: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(model_jobs, "info", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info"])

    def missing(*_words: object, **_named: object) -> None:
        raise ModuleNotFoundError("no such room", name="watchword.cellar")

    monkeypatch.setattr(model_jobs, "info", missing)
    with pytest.raises(ModuleNotFoundError, match="no such room"):
        cli.main(["info"])


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("requests", ["data", "fetch", "speech_commands_v0.01", "--env", "env.yml"], "train"),
        ("matplotlib", ["plot", "roc", "."], "plot"),
        ("torch", ["info"], "train"),
        ("espeakng_loader", ["data", "synth", "x"], "synth"),
    ],
)
def test_a_missing_package_is_answered_with_its_install_command(
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    words: list[str],
    extra: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("env.yml").write_text("datasets: .\n")
    if package == "requests":
        monkeypatch.setitem(sys.modules, package, None)
    else:  # the rooms that need it are there already: fail as their import would

        def missing(*_words: object, **_named: object) -> None:
            raise ModuleNotFoundError(f"No module named '{package}'", name=f"{package}.part")

        for owner, name in ((model_jobs, "info"), (jobs, "plot"), (synth, "synthesise")):
            monkeypatch.setattr(owner, name, missing)
    line = ask(*words).line
    assert f"is not installed, and this needs it: pip install 'watchword[{extra}]'" in line
    assert line.startswith(f"watchword: {package}")
