from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from conftest import Ask, World
from watchword import bundle, shipped


def test_a_checkpoint_becomes_a_bundle_beside_it_that_hears(
    trained: World, ask: Ask, tmp_path: Path
) -> None:
    model = shutil.copy(trained.checkpoint, tmp_path / "best.pth.tar")
    answer = ask("export", model, "--env", trained.env, "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    path = tmp_path / "best.watchword"
    assert told["path"] == str(path)
    assert told["bytes"] == path.stat().st_size
    assert told["name"] == trained.run.name
    made = bundle.read(path)
    assert {*made.graphs} == {*bundle.GRAPHS}
    assert made.facts.told["int8"]["heard"] == "validation clips of speech"
    clip = next((trained.speech / "yes").glob("*.wav"))
    heard = ask("spot", clip, "--model", path, "--threshold", 0.01, "--json")
    assert heard.code == 0, heard.err
    assert all(json.loads(line)["recording"] == str(clip) for line in heard.out.splitlines())


def test_an_export_shows_the_table_in_80_columns_and_what_8_bits_cost(
    trained: World, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "mine.watchword"
    answer = ask("export", trained.checkpoint, "--env", trained.env, "-o", path)
    assert answer.code == 0, answer.err
    assert " stream.int8.onnx " in answer.err
    cost = bundle.read(path).facts.told["int8"]
    assert (
        f"8 bits: {100 * cost['int8_accuracy']:.2f} % of {cost['clips']} validation clips of "
        f"speech are right, in float {100 * cost['float_accuracy']:.2f} %; "
    ) in answer.err


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxscript"])
def test_without_its_extra_an_export_names_it_before_any_work(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = f"{package} is not installed, and this needs it: pip install 'watchword[export]'"
    assert ask("export", "best.safetensors").line == f"watchword: {said}"


def test_a_bundle_is_not_taken_for_a_damaged_checkpoint(ask: Ask, tmp_path: Path) -> None:
    path = shutil.copy(shipped.find_bundle(shipped.names()[0]), tmp_path / "mine.watchword")
    for command in ("export", "eval"):
        line = ask(command, path).line
        assert "mine.watchword is a bundle, needed a checkpoint: give that from which" in line


def test_without_its_speech_a_model_is_exported_in_float_alone(
    trained: World, ask: Ask, tmp_path: Path
) -> None:
    model = shutil.copy(trained.run / "best.safetensors", tmp_path / "mine.safetensors")
    env = tmp_path / "env.yml"
    env.write_text(f"datasets: {tmp_path / 'none'}\noutput: {tmp_path}\n")
    shutil.move(trained.speech, trained.folder / "away")  # the settings name it by its place
    try:
        line = ask("export", model, "--env", env).line
        assert "8-bit ranges are measured on the speech a model was trained with" in line
        assert line.endswith("or export without them: --no-int8")
        answer = ask("export", model, "--env", env, "--no-int8", "--name", "mine")
    finally:
        shutil.move(trained.folder / "away", trained.speech)
    assert answer.code == 0, answer.err
    assert "stream.onnx" in answer.err
    assert "8 bits:" not in answer.err
    assert answer.out.startswith(f"bundle: {tmp_path / 'mine.watchword'} (")
    assert bundle.read(tmp_path / "mine.watchword").facts.name == "mine"


def test_a_shipped_model_is_exported_under_its_name_and_not_into_the_package(
    ask: Ask, tmp_path: Path
) -> None:
    name = shipped.names()[0]
    env = tmp_path / "env.yml"
    env.write_text(f"output: {tmp_path}\n")
    answer = ask("export", name, "--env", env, "--no-int8", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["name"] == name
    assert Path(told["path"]).is_relative_to(tmp_path)


def test_a_folder_of_other_things_is_refused_before_any_work(
    trained: World, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    line = ask("export", trained.checkpoint, "-o", tmp_path, "--no-int8").line
    assert str(tmp_path) in line
    assert (tmp_path / "letter.txt").read_text() == "dear"
