"""Names of shipped models: the same for every command, their files as they were shipped."""

from __future__ import annotations

import fnmatch
import io
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import rich.console

from conftest import PYTHON, ROOT, Ask, World
from finished import finished_run
from watchword import checkpoint, model_jobs, ship, shipped
from watchword.config import load_settings
from watchword.console import Console
from watchword.doors import eval_door
from watchword.errors import CheckpointError


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models."""
    folder = tmp_path_factory.mktemp("models")
    run = finished_run(folder / "out")
    for name in ("demo-12", "demo-12-k2"):
        ship.ship([run], name, folder / "shelf")
    return folder / "shelf"


@pytest.fixture
def shelf(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with both, to be spoilt, and an empty working folder."""
    folder, work = shutil.copytree(models, tmp_path / "shelf"), tmp_path / "work"
    (folder / "__pycache__").mkdir()
    work.mkdir()
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package without models."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)


# ---------------------------------------------------------------------------------------- the list


def test_models_are_listed_for_programs_and_for_people(
    ask: Ask, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask("models", "--json")
    assert (answer.code, answer.err) == (0, "")
    records = json.loads(answer.out)
    keys = ["name", "architecture", "task", "parameters", "macs", "bytes", "licence"]
    assert [list(record) for record in records] == [keys, keys]
    assert [record["name"] for record in records] == ["demo-12", "demo-12-k2"]
    size = (shelf / "demo-12" / "model.safetensors").stat().st_size
    assert (records[0]["bytes"], records[0]["licence"]) == (size, "CC-BY-4.0")
    (counted,) = model_jobs.info("lambda_resnet18", width=0.25, outputs=12, frames=98, mels=None)
    assert all(records[0][key] == counted[key] for key in ("parameters", "macs"))
    monkeypatch.setenv("COLUMNS", "80")
    shown = ask("models").out
    assert max(map(len, shown.splitlines())) <= 80
    assert all(word in shown for word in ("demo-12-k2", f"{size:,}", "CC-BY-4.0"))


def test_listing_models_loads_nothing_heavy() -> None:
    code = (
        "import sys; from watchword.cli import run, app; import contextlib\n"
        "with contextlib.suppress(SystemExit): run(app, 'watchword', ['models', '--json'])\n"
        "print([x for x in ('torch', 'numpy', 'ruamel', 'matplotlib') if x in sys.modules])"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_card_is_shown_by_name(ask: Ask, shelf: Path) -> None:
    card = ask("models", "demo-12").out
    assert card.startswith("# demo-12\n")
    assert (shelf / "demo-12" / "card.md").read_text().endswith(card)
    told = json.loads(ask("models", "demo-12", "--json").out)
    assert told == json.loads((shelf / "demo-12" / "card.json").read_text())


def test_a_card_is_drawn_on_a_terminal_and_plain_elsewhere() -> None:
    def shown(*, is_terminal: bool) -> str:
        stream, console = io.StringIO(), Console()
        console.results = rich.console.Console(
            file=stream, force_terminal=is_terminal, width=40, markup=False, highlight=False
        )
        console.page("# name\n\n[x] **bold**\n")
        return stream.getvalue()

    assert shown(is_terminal=False) == "# name\n\n[x] **bold**\n"
    drawn = shown(is_terminal=True)
    assert "\x1b[1mbold\x1b[0m" in drawn
    assert "**" not in drawn


def test_no_models_is_a_state_like_any_other(ask: Ask, empty: None) -> None:
    answer = ask("models")
    assert (answer.code, answer.out, answer.err) == (
        *(0, "no models are shipped with this version: train one\n", ""),
    )
    assert ask("models", "--json").out == "[]\n"
    assert ask("models", "demo-12").line == (
        "watchword: no model is called 'demo-12': this version ships none; give the path of a "
        "checkpoint that training wrote, such as best.pth.tar"
    )


def test_what_this_checkout_ships_is_whole_and_small() -> None:
    for name in shipped.names():
        file = shipped.find(Path(name)) if not Path(name).exists() else shipped.FOLDER / name
        assert file.parent == shipped.FOLDER / name
        assert shipped.card(name)["name"] == name
        assert shipped.card(name)["bytes"] == file.stat().st_size <= ship.MOST_BYTES
        assert shipped.page(name).startswith("---\nlicense: cc-by-4.0\n")


# ---------------------------------------------------------------------------- names where paths go


def test_a_name_is_taken_where_a_path_is(shelf: Path) -> None:
    assert shipped.find(Path("demo-12")) == shelf / "demo-12" / "model.safetensors"
    for path in ("best.pth.tar", "a/b", ".", "Demo", "/x/demo-12"):
        assert shipped.find(Path(path)) == Path(path)
    loaded = checkpoint.load(Path("demo-12"))
    assert loaded.settings == load_settings(Path("demo-12"))[0]


def test_a_path_that_exists_wins_over_a_name(shelf: Path) -> None:
    mine = Path("demo-12")
    mine.write_bytes(b"mine")
    assert shipped.find(mine) == mine
    with pytest.raises(CheckpointError, match="demo-12 is damaged, cut short or no checkpoint"):
        checkpoint.load(mine)
    mine.unlink()
    mine.mkdir()
    assert shipped.find(mine) == shelf / "demo-12" / "model.safetensors"  # no folder is weights
    assert shipped.find(mine, shipped.ANSWERS) == mine  # but it may hold answers


def test_an_unknown_name_is_answered_with_the_nearest(ask: Ask, shelf: Path) -> None:
    told = "no model is called 'demo12': did you mean demo-12? There are: demo-12, demo-12-k2"
    picture = ["-o", "x.png"]
    for words in (
        ["eval", "demo12"],
        ["train", "demo12"],
        ["plot", "roc", "demo12", *picture],
        ["plot", "training", "demo12", *picture],
        ["models", "demo12"],
        ["models", "demo12", "--json"],
    ):
        assert told in ask(*words).line, words
    line = ask("info", "demo12").line
    assert "no model is called 'demo12': did you mean demo-12? There are: lambda_resnet18, " in line
    assert line.endswith(", demo-12, demo-12-k2")
    assert told in ask("--model", "demo12", program=eval_door).line


def test_info_tells_what_the_card_says_too(ask: Ask, shelf: Path) -> None:
    record = json.loads(ask("info", "demo-12", "--json").out)
    card = shipped.card("demo-12")
    assert record["name"] == "demo-12"
    assert all(record[key] == card[key] for key in ("parameters", "macs", "bytes", "licence"))
    assert record["test"] == "100.0 % (120/120; 95 % 96.9–100.0)"
    assert record["card"] == "watchword models demo-12"
    assert "licence" in ask("info", "demo-12").out
    assert record["operating_point"].startswith("threshold 0.")
    assert "demo-12 is a bundle and has its own sizes" in ask("info", "demo-12", "--width", 2).line
    (shelf / "demo-12-k2" / "model.watchword").unlink()  # as old ones had none
    assert json.loads(ask("info", "demo-12-k2", "--json").out)["outputs"] == 12
    by_path = json.loads(ask("info", shelf / "demo-12" / "model.safetensors", "--json").out)
    assert "licence" not in by_path


def test_a_name_can_be_evaluated_and_nothing_is_written_into_the_package(
    ask: Ask, shelf: Path, world: World
) -> None:
    before = sorted(shelf.rglob("*"))
    words = ["--data", world.speech, "--split", "test", "--json"]
    answer = ask("eval", "demo-12", *words, "--env", world.env)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    home = world.folder / "output" / "demo-12"
    assert record["report"] == f"{home}/eval-12-test-speech/report.md"
    assert record["provenance"]["checkpoint"] == "demo-12"
    door = ask("--model", "demo-12", "--config_env", world.env, *words, program=eval_door)
    assert json.loads(door.out)["accuracy"] == record["accuracy"]
    assert sorted(shelf.rglob("*")) == before


def test_names_can_be_drawn(ask: Ask, shelf: Path) -> None:
    for kind, names in (
        ("training", ["demo-12", "demo-12-k2"]),
        ("curves", ["demo-12", "demo-12-k2"]),
        ("confusion", ["demo-12"]),
    ):
        assert ask("plot", kind, *names, "-o", "x.png").out == "x.png\n"


def test_settings_are_compared_with_a_name(shelf: Path) -> None:
    assert model_jobs.differs(Path("demo-12"), Path("demo-12-k2")) == ""
    Path("other.yml").write_text(
        (shelf / "demo-12" / "config.yml").read_text().replace("name: default", "name: other")
    )
    told = model_jobs.differs(Path("other.yml"), Path("demo-12"))
    assert told == "other.yml differs from demo-12 in name (other, not default)"


# ---------------------------------------------------------------------------- damaged and tampered


@pytest.mark.parametrize("name", ["model.safetensors", "scores.npz", "metrics.jsonl"])
def test_a_file_that_is_not_what_was_shipped_is_refused(shelf: Path, name: str) -> None:
    file = shelf / "demo-12" / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    message = rf"{name} is damaged or was changed: its SHA-256 begins with \w+ and its card says"
    for path in (Path("demo-12"), file):
        with pytest.raises(CheckpointError, match=message):
            shipped.find(path, name)
    file.unlink()
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(No such file.*install"):
        shipped.find(Path("demo-12"), name)


def test_weights_of_another_model_are_refused_by_every_command(ask: Ask, shelf: Path) -> None:
    file = shelf / "demo-12" / "model.safetensors"
    loaded = checkpoint.load(file)
    name = next(name for name in loaded.weights if name.endswith("bias"))
    loaded.weights[name] = loaded.weights[name] + 1
    file.write_bytes(checkpoint.to_bytes(loaded))
    for words in (["info", "demo-12"], ["eval", "demo-12"], ["info", file], ["eval", file]):
        assert "is damaged or was changed: its SHA-256 begins" in ask(*words).line


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"format": 1}', '{"format": 1, "sha256": {}}', "no JSON"]
)
def test_a_damaged_card_is_refused(ask: Ask, shelf: Path, content: str) -> None:
    (shelf / "demo-12" / "card.json").write_text(content)
    for words in (["models"], ["models", "--json"], ["models", "demo-12"], ["eval", "demo-12"]):
        assert "demo-12/card.json is damaged or no card of a model, and nothing" in ask(*words).line


def test_a_card_of_another_version_is_refused(shelf: Path) -> None:
    file = shelf / "demo-12" / "card.json"
    file.write_text(json.dumps({**shipped.card("demo-12"), "format": 2}))
    with pytest.raises(CheckpointError, match="has format 2, this program reads format 1: use the"):
        shipped.card("demo-12")


def test_a_page_that_is_gone_is_said(shelf: Path) -> None:
    (shelf / "demo-12" / "card.md").unlink()
    with pytest.raises(CheckpointError, match=r"card.md cannot be read and belongs to a shipped"):
        shipped.page("demo-12")


# --------------------------------------------------------------------------------------- the wheel


def test_models_are_part_of_the_wheel() -> None:
    """The wheel takes the package whole but for what git ignores; no part of a model is."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["src/watchword"]}
    assert Path(shipped.__file__).parent == ROOT / "src" / "watchword" / "shipped"
    ignored = (ROOT / ".gitignore").read_text().split()
    parts = (shipped.CARD, shipped.PAGE, shipped.WEIGHTS, shipped.SETTINGS, *shipped.HASHED)
    for part in (*parts, "shipped", "commands-12"):
        assert not [line for line in ignored if fnmatch.fnmatch(part, line.strip("/"))], part
