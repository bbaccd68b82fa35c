from __future__ import annotations

import json
import shutil
from pathlib import Path

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
