"""Shipping: the best seed by a rule, a card computed from reports, nothing of the house."""

from __future__ import annotations

import getpass
import json
import os
import platform
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.licenses import canonicalize_license_expression
from ruamel.yaml import YAML
from typer.main import get_command

import bundles
from conftest import ROOT, Ask, listing
from finished import COMMAND, IMAGES, SPEECH, corpora, finished_run
from test_docs import check_command
from watchword import bundle, checkpoint, cli, licences, ship, shipped, weaknesses
from watchword.config import ModelSettings, load_settings
from watchword.decision import Detection, OperatingPoint
from watchword.errors import CheckpointError, ConfigError, DataError
from watchword.long_audio.judge import judge
from watchword.long_audio.reference import Event, Recording
from watchword.long_audio.report import build_report
from watchword.model_card import mean_and_deviation
from watchword.portable import portable


def text(place: Path, name: str) -> str:
    return (place / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped model of three seeds, beside the runs it came from."""
    folder = tmp_path_factory.mktemp("made")
    wrong = ((0, 2, 1), (1, 1, 4), (2, 3, 0))
    runs = [finished_run(folder / "out", *seed) for seed in wrong]
    assert ship.ship(runs, "demo-12", folder / "models")["seed"] == 1
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be read or spoilt."""
    return shutil.copytree(made / "models" / "demo-12", tmp_path / "models" / "demo-12")


# ---------------------------------------------------------------------------------- what is chosen


def test_the_best_seed_on_validation_is_shipped_whatever_the_order_and_the_test(
    tmp_path: Path,
) -> None:
    wrong = ((0, 2, 0), (1, 1, 10), (2, 3, 0))  # seed 1: best on validation, worst on the test
    runs = [finished_run(tmp_path / "out", *seed) for seed in wrong]
    for order in (runs, runs[::-1]):
        record = ship.ship(order, "demo-12", tmp_path / "models")
        assert record["seed"] == 1
        assert sorted(record["of_seeds"]) == [0, 1, 2]
        assert record["valid_accuracy"] == 1 - 1 / 120
    facts = json.loads(text(tmp_path / "models" / "demo-12", "card.json"))
    assert [(one["seed"], one["is_shipped"]) for one in facts["seeds"]] == [
        *((2, False), (1, True), (0, False))
    ]


def test_what_is_shipped_answers_as_the_run_does(place: Path, made: Path) -> None:
    before = checkpoint.load(made / "out" / facts(place)["seeds"][1]["run"] / "best.pth.tar")
    after = checkpoint.load(place / "model.safetensors")
    assert after.labels == before.labels
    assert after.weights.keys() == before.weights.keys()
    assert all(torch.equal(after.weights[k], value) for k, value in before.weights.items())
    assert (after.settings.model, after.settings.seed) == (before.settings.model, 1)


def facts(place: Path) -> dict[str, Any]:
    return shipped.read_card(place / "card.json")


def test_a_folder_holds_what_every_command_needs_and_is_small(place: Path) -> None:
    assert sorted(path.name for path in place.iterdir()) == [
        *(
            "card.json",
            "card.md",
            "config.yml",
            "metrics.jsonl",
            "model.safetensors",
            "model.watchword",
            "scores.npz",
        )
    ]
    told = facts(place)
    assert told["bytes"] == (place / "model.safetensors").stat().st_size < ship.MOST_BYTES
    files = {"model.safetensors", "model.watchword", "metrics.jsonl", "scores.npz"}
    assert set(told["sha256"]) == files
    assert (told["name"], told["task"], told["licence"]) == ("demo-12", "12", "CC-BY-4.0")
    settings, notes = load_settings(place / "config.yml")
    assert (settings.model_dump(mode="json"), notes) == (told["settings"], [])


def test_what_is_shipped_can_be_listened_with_under_its_name(place: Path) -> None:
    made = bundle.read(place / "model.watchword")
    assert made.facts.name == "demo-12"
    assert made.facts.told["provenance"]["seed"] == 1


def test_a_calibrated_bundle_is_preferred_and_its_hours_are_on_the_card(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out", 0, 1, 0)
    found = bundle.read(run / "best.watchword")
    told = {key: value for key, value in found.facts.told.items() if key not in ("format", "files")}
    told["operating_point"] = {**told["operating_point"], "is_calibrated": True}
    bundle.write(run / "calibrated.watchword", told, found.graphs)
    word = found.facts.keywords[0]
    point = OperatingPoint(0.9, 4, 500.0)
    said = Recording("m", (), 60.0, (Event(word, 1.0, 1.5),), tags={"source": "mix"})
    quiet = [Recording(name, (), 3_600.0, tags={"source": name}) for name in ("books", "rain")]
    heard = [[Detection(word, 1.7, 0.95)], [Detection(word, 9.0, 0.91)], []]
    made = {"config": "", "commit": "", "command": f"{tmp_path}/train"}
    known = {**made, **{key: told["provenance"][key] for key in ("seed", "epoch")}}
    record = build_report(judge({word: point}, [said, *quiet], heard), {}, provenance=known)
    (run / "eval-stream-test").mkdir()
    (run / "eval-stream-test" / "report.json").write_text(json.dumps(record))
    ship.ship([run], "demo-12", tmp_path / "models")
    place = tmp_path / "models" / "demo-12"
    assert bundle.read(place / "model.watchword").facts.is_calibrated
    page = text(place, "card.md")
    assert f"### In hours of recordings: {word}" in page
    assert "in an hour of sound is under *In hours of recordings*." in page
    assert "in an hour of sound was not measured" not in page
    assert "FRR 0.0 % (0/1; 95 % 0.0–79.3); false accepts 0.50 per hour (1 in 2 h;" in page
    assert "- false accepts in books: 1.00 per hour (1 in 1 h; 95 % 0.03–5.57)" in page
    assert "- false accepts in rain: at most 3.7 per hour (none in 1 h; 95 %)" in page
    row = f"| `{word}` | 0.9, mean of 4 scores | 0.0 % (0/1; 95 % 0.0–79.3) | 0.50 per hour (1 in 2"
    assert row in page
    assert "| 200 ms |" in page
    assert str(tmp_path) not in page


def test_a_run_that_was_not_exported_is_not_shipped(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    (run / "best.watchword").unlink()
    with pytest.raises(
        DataError, match=r"no best\.watchword, .* watchword export .*best\.safetensors"
    ):
        ship.ship([run], "demo-12", tmp_path / "models")


def test_a_bundle_of_another_epoch_is_not_shipped(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    bundles.write(run / "best.watchword", provenance={"seed": 0, "epoch": 2, "commit": "abc"})
    with pytest.raises(DataError, match=r"is of epoch 2 and best\.safetensors of epoch 3: export"):
        ship.ship([run], "demo-12", tmp_path / "models")


def test_a_model_of_that_name_is_replaced_whole(place: Path, tmp_path: Path) -> None:
    (place / "left.over").touch()
    again = finished_run(tmp_path / "other", 7)
    ship.ship([again], "demo-12", place.parent)
    assert facts(place)["seeds"][0]["seed"] == 7
    assert not (place / "left.over").exists()
    assert [path.name for path in place.parent.iterdir()] == ["demo-12"]


# ---------------------------------------------------------------------------------------- the card


def test_the_card_has_the_front_matter_that_a_model_hub_reads(place: Path) -> None:
    """Keys and shapes: Hugging Face hub documentation, Model Cards, metadata."""
    start, front, _ = text(place, "card.md").split("---\n", 2)
    yaml: Any = YAML(typ="safe", pure=True)
    tree = yaml.load(front)
    assert start == ""
    assert tree["license"] == "cc-by-4.0"
    assert tree["datasets"] == ["google/speech_commands"]
    assert tree["metrics"] == ["accuracy"]
    assert tree["pipeline_tag"] == "audio-classification"
    (model,) = tree["model-index"]
    (result,) = model["results"]
    assert model["name"] == "demo-12"
    assert result["task"]["type"] == "audio-classification"
    assert result["dataset"].keys() >= {"type", "name"}
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["accuracy"] == round(116 / 120, 4)
    assert all(metric["type"] == "accuracy" for metric in result["metrics"])


def test_the_card_says_what_the_reports_say(place: Path) -> None:
    card = text(place, "card.md")
    assert "| all clips | 96.7 % (116/120; 95 % 91.7–98.7) | 98.6 ± 1.7 % |" in card  # test
    assert "| `yes` | 90.0 % (9/10; 95 % 59.6–98.2) | 60.0 % (6/10; 95 % 31.3–83.2) |" in card
    assert "| 1 (these weights) | 99.2 % | 96.7 % |" in card
    assert "as the official test archive weighs it" in card
    assert "The rule: of the seeds given, the one that training found best on validation" in card
    told = facts(place)
    assert f"{told['parameters']:,} parameters, {told['macs']:,} multiply-accumulates" in card
    assert "98 frames, the features of 1 s (16,000 samples)" in card


def test_a_weakness_that_no_report_can_know_comes_first(ask: Ask, tmp_path: Path) -> None:
    run, note = finished_run(tmp_path / "out"), "It has never met a child."
    ask("ship", run, "--name", "demo-12", "--into", tmp_path, "--note", note)
    assert f"## Known weaknesses\n\n- {note}\n- " in text(tmp_path / "demo-12", "card.md")
    assert facts(tmp_path / "demo-12")["notes"] == [note]


def test_mean_and_deviation_by_hand() -> None:
    """Of 120 clips 119, 116, 120: mean 118 ⅓, squares 0.44 + 5.44 + 2.78, √(8.67 / 2) = 2.08."""
    assert mean_and_deviation([119 / 120, 116 / 120, 120 / 120]) == "98.6 ± 1.7 %"
    assert mean_and_deviation([0.9]) == "–"


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    ship.ship([finished_run(tmp_path / "out")], "demo-12", tmp_path)
    card = text(tmp_path / "demo-12", "card.md")
    assert facts(tmp_path / "demo-12")["notes"] == []
    assert "there is one seed, so that how far another one would be off is not known" in card
    assert "±" not in card
    assert "how often the model fires in an hour of sound was not measured." in card


def test_the_card_says_whose_audio_it_is_and_how_much_was_rebuilt(place: Path) -> None:
    card = text(place, "card.md")
    assert "These weights are CC-BY-4.0" in card
    assert "The code that trained and runs them is Apache-2.0" in card
    assert "Pete Warden and Google (2018)" in card
    # 50 of 100 clips of an epoch; on 40 of 40, yes 10 of 40; ten are cut silence
    assert "Of the 100 clips that an epoch hears, 50 (50.0 %) were rebuilt from mel images" in card
    assert "`yes` 25.0 %, `on` 100.0 %, `_unknown_` 0.0 %, `_silence_` 0.0 %" in card
    assert "10 of them are silence, cut from background recordings" in card
    assert "Learned mostly from rebuilt audio without anything above 4 kHz: `on` 100.0 %." in card
    assert facts(place)["rebuilt"]["by_class"]["yes"] == [10, 40]


def test_every_command_of_a_card_exists(place: Path) -> None:
    lines = [line[2:] for line in text(place, "card.md").splitlines() if line.startswith("$ ")]
    assert len(lines) == 3 + 3 + 3 + 1  # use; train and test of three seeds; ship
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        assert program == "watchword"
        check_command(get_command(cli.app), words)


def test_weaknesses_are_computed(place: Path) -> None:
    card = text(place, "card.md")
    worst = "Worst classes of the test: `yes` 60.0 % (6/10; 95 % 31.3–83.2), `no` 100.0 %"
    assert worst in card
    assert "Most often taken for another in the test: `yes` for `no` (4 of 10 clips)." in card
    assert (
        "called unknown in 50.0 % (10/20; 95 % 29.9–70.1) of the test's clips: `house` 10/20"
        in (card)
    )
    assert "What noise, distance and other levels cost was not measured." in card


def test_what_nobody_measured_is_said() -> None:
    nothing = {"held_out": None, "kept": None, "dropped": None}
    row = {"label": "yes", "count": 4, "correct": 4, "recall": 1.0, "recall_interval": [0.5, 1.0]}
    report = {
        "parts": nothing,
        "per_class": [row],
        "top_confusions": [],
        "unknown_words": [],
        "speakers": None,
        "accuracy": 1.0,
        "interval": [0.5, 1.0],
        "calibration": {"confidence": 0.9, "error": 0.1},
    }
    lines = weaknesses.weaknesses({"valid": report, "test": report}, {"by_class": {"yes": [0, 0]}})
    assert lines == [
        "Worst classes of the test: `yes` 100.0 % (4/4; 95 % 50.0–100.0).",
        "The test has no clip of a word that training never heard: how new words are met is not "
        "known.",
        "The test does not tell speakers apart: how unevenly they are served is not known.",
        "It is too unsure of itself: mean confidence 90.0 % where 100.0 % (95 % 50.0–100.0) are "
        "right; expected calibration error 10.0 %.",
        "What noise, distance and other levels cost was not measured.",
    ]


def test_noise_and_levels_are_told_where_they_were_measured(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out")
    rates = {"count": 100, "interval": [0.0, 1.0]}
    none = dict.fromkeys(("without_silence", "commands", "unknown", "silence"))

    def condition(label: str, kind: str, correct: int) -> dict[str, Any]:
        value = {**rates, "correct": correct, "accuracy": correct / 100}
        change = {"accuracy": (correct - 90) / 100}
        return {"label": label, "kind": kind, "to_clean": change, "parts": none, **value}

    quiet = {"name": "x", "label": "silence, peak −20 dBFS", "kind": "silence", "value": -20}
    record = {
        "task": "12",
        "split": "test",
        "notes": ["clips are mixed with noise of /srv/secret/noise"],
        "conditions": [condition("clean", "clean", 90), condition("5 dB SNR", "noise", 86)],
        "silence": [{**quiet, **rates, "noise": "noise", "correct": 80, "accuracy": 0.8}],
        "provenance": {"epoch": 3},
    }
    place = run / "eval-12-test" / "robust"
    place.mkdir()
    (place / "report.json").write_text(json.dumps(record))
    ship.ship([run], "demo-12", tmp_path / "models")
    card = text(tmp_path / "models" / "demo-12", "card.md")
    assert "| 5 dB SNR | 86.0 % (86/100; 95 % 0.0–100.0) | −4.0 | – | – | – | – |" in card
    assert "points at worst: 5 dB SNR −4.0." in card
    assert (
        "below 99.0 % in 1 of 1 tests by level; the lowest: silence, peak −20 dBFS, noise" in card
    )
    assert "- clips are mixed with noise of noise\n" in card
    assert "was not measured.\n- " not in card
    record["provenance"] = {"epoch": 2}  # of an older model: as if it were not there
    (place / "report.json").write_text(json.dumps(record))
    ship.ship([run], "demo-12", tmp_path / "models")
    assert "5 dB SNR" not in text(tmp_path / "models" / "demo-12", "card.md")


def test_other_reports_of_the_run_are_quoted(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out")
    other = run / "eval-core-10-test"
    other.mkdir()
    report = json.loads(text(run / "eval-12-test", "report.json"))
    (other / "report.json").write_text(json.dumps(report | {"task": "core-10"}))
    ship.ship([run], "demo-12", tmp_path / "models")
    card = text(tmp_path / "models" / "demo-12", "card.md")
    line = "- accuracy 100.0 % (120/120; 95 % 96.9–100.0), task core-10, test, speech-commands"
    assert f"### Other tasks and corpora\n\n{line}\n" in card


# ------------------------------------------------------------------------------------ the licences


def test_every_licence_is_an_spdx_expression() -> None:
    for licence in (licences.WEIGHTS, licences.CODE, *(c.licence for c in licences.CORPORA)):
        assert canonicalize_license_expression(licence) == licence


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("speech_commands_v0.02", "Speech Commands"),
        ("/srv/speech-commands-mel", "Speech Commands"),
        ("arabic-commands", "Arabic Speech Commands"),
        ("read-speech", "LibriSpeech"),
        ("noise", "Noise: ESC-10 (Piczak 2015), ambient loops, streets of Berlin"),
    ],
)
def test_a_corpus_is_known_by_its_folder(folder: str, title: str) -> None:
    assert licences.corpus_of(folder).title == title


def test_every_corpus_of_the_settings_files_has_a_licence() -> None:
    for path in (ROOT / "configs" / "google_commands").glob("*.yml"):
        for corpus in load_settings(path)[0].data.corpora:
            assert licences.corpus_of(corpus.folder).credit


@pytest.mark.parametrize("folder", ["speech", "noisy", "my_words"])
def test_audio_of_unknown_licence_is_not_shipped(tmp_path: Path, folder: str) -> None:
    run = finished_run(tmp_path / "out", data=corpora(f"/srv/{SPEECH}", folder))
    message = f"training heard {folder} and nobody knows under which licence: weights are shipped"
    with pytest.raises(DataError, match=message):
        ship.ship([run], "demo-12", tmp_path / "models")
    assert not (tmp_path / "models").exists()


# ---------------------------------------------------------------------------- nothing of the house


def test_what_is_shipped_tells_nothing_about_the_machine(place: Path, made: Path) -> None:
    for name, content in listing(place).items():
        for secret in ("/srv", "alice", str(made), str(ROOT)):
            assert secret.encode() not in content, (name, secret)
    told = facts(place)
    assert told["provenance"]["command"] == (
        "train.py --config_env env.yml --data=speech-commands seed=0"
    )
    assert [corpus["folder"] for corpus in told["settings"]["data"]["corpora"]] == [SPEECH, IMAGES]
    assert COMMAND not in text(place, "card.md")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/tmp/d/env.yml", "env.yml"),
        ("/srv/My Data/x y", "x y"),
        ("/srv/speech/", "speech"),
        ("~/x/env.yml", "env.yml"),
        ("~bob/env.yml", "env.yml"),
        ("../../a/b", "b"),
        ("C:\\Users\\me\\env.yml", "env.yml"),
        ("--data=/srv/My Data/x", "--data=x"),
        ("data={corpora: [{folder: /srv/x, share: 1}]}", "data={corpora: [{folder: x, share: 1}]}"),
        ("file:///srv/x", "x"),
        ("me@there:/srv/x", "x"),
        ("/srv/run1/best.safetensors", "run1/best.safetensors"),
        ("configs/a/b.yml", "configs/a/b.yml"),
        ("https://arxiv.org/abs/1804.03209", "https://arxiv.org/abs/1804.03209"),
        ("yes/abc_nohash_0.wav", "yes/abc_nohash_0.wav"),
        ("_unknown_", "_unknown_"),
        ({"a": ["/x/y", 3, None, True]}, {"a": ["y", 3, None, True]}),
    ],
)
def test_paths_are_cut_to_what_they_mean_anywhere(before: Any, after: Any) -> None:
    assert portable(before) == after
    assert portable(after) == after


def test_folders_named_after_user_or_machine_are_left_out() -> None:
    for name in filter(None, (getpass.getuser(), platform.node())):
        assert portable(f"--env {name}/configs/env.yml") == "--env configs/env.yml"


# --------------------------------------------------------------------------------- what is refused


def refused(tmp_path: Path, runs: list[Path], name: str = "demo-12") -> str:
    """What is said when runs are not shipped; nothing is left behind."""
    into = tmp_path / "models"
    with pytest.raises((CheckpointError, ConfigError, DataError)) as error:
        ship.ship(runs, name, into)
    assert not into.exists()
    return str(error.value)


@pytest.mark.parametrize(
    "name", ["", "Demo", "a/b", "../x", "best.pth.tar", "a_b", "-a", "a--b", "res15"]
)
def test_a_name_that_could_be_something_else_is_refused(tmp_path: Path, name: str) -> None:
    said = refused(tmp_path, [tmp_path], name)
    assert f"{name!r} cannot be the name of a model: needed are small letters, digits" in said


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, [tmp_path])
    assert said == f"{tmp_path} is no folder of a run: it has no best.safetensors; train first"
    assert "no run was given" in refused(tmp_path, [])


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_run_without_a_report_is_refused_with_the_command_that_makes_it(
    tmp_path: Path, split: str
) -> None:
    run = finished_run(tmp_path / "out")
    (run / f"eval-12-{split}").rename(run / "elsewhere")
    said = refused(tmp_path, [run])
    assert f"{run} has no eval-12-{split}/report.json, and nothing is shipped that was not" in said
    command = said.partition("measured: ")[2]
    assert command == (
        f"watchword eval {run}/best.safetensors --split {split} --output {run / split}"
    )
    check_command(get_command(cli.app), shlex.split(command)[1:])
    (run / "elsewhere").rename(run / split)  # where that command writes
    ship.ship([run], "demo-12", tmp_path / "models")


def test_reports_of_another_epoch_are_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out")
    file = run / "eval-12-test" / "report.json"
    report = json.loads(file.read_text())
    report["provenance"]["epoch"] = 2
    file.write_text(json.dumps(report))
    said = refused(tmp_path, [run])
    assert f"{run}: the report on test is of epoch 2 and best.safetensors of epoch 3: eval" in said
    file.write_text("half a rep")
    assert "report.json cannot be read as a report" in refused(tmp_path, [run])


def test_runs_of_different_recipes_are_no_seeds_of_one(tmp_path: Path) -> None:
    first = finished_run(tmp_path / "a", 0)
    wider = finished_run(tmp_path / "b", 1, model=ModelSettings(width=0.5))
    said = refused(tmp_path, [first, wider])
    assert f"{wider.name} and {first.name} differ in model: needed are runs that differ" in said
    elsewhere = finished_run(tmp_path / "c", 1, data=corpora(f"/mnt/{SPEECH}", f"/mnt/{IMAGES}"))
    ship.ship([first, elsewhere], "demo-12", tmp_path / "fine")  # another place, the same corpora


def test_a_seed_counts_once(tmp_path: Path) -> None:
    first, same = (finished_run(tmp_path / folder, 0) for folder in "ab")
    assert "seeds 0, 0: one was given twice; name it once" in refused(tmp_path, [first, same])
    assert ship.ship([first, first], "demo-12", tmp_path / "fine")["of_seeds"] == [0]


def test_weights_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished_run(tmp_path / "out")
    monkeypatch.setattr(ship, "MOST_BYTES", 10_000)
    said = refused(tmp_path, [run])
    assert "bytes of weights, and a shipped model has at most 10,000: train a narrower one" in said


def test_k2_fits(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "configs" / "google_commands" / "lambda_resnet18_k2.yml")[0]
    run = finished_run(tmp_path, model=settings.model, features=settings.features)
    ship.ship([run], "demo-12", tmp_path / "models")
    assert facts(tmp_path / "models" / "demo-12")["bytes"] > 1_000_000


@pytest.mark.parametrize("name", ["metrics.jsonl", "eval-12-test/scores.npz"])
def test_a_run_that_cannot_be_drawn_is_refused(tmp_path: Path, name: str) -> None:
    run = finished_run(tmp_path / "out")
    (run / name).unlink()
    assert f"{run / name} cannot be read (No such file or directory)" in refused(tmp_path, [run])


def test_what_is_no_shipped_model_is_never_replaced(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "out")
    for content in ({"thesis.tex": b"years of work"}, {"card.json": b"{}"}):
        mine = tmp_path / "models" / "docs"
        mine.mkdir(parents=True, exist_ok=True)
        for name, data in content.items():
            (mine / name).write_bytes(data)
        before = listing(mine)
        with pytest.raises(DataError, match=r"docs is there and is no shipped model of that name"):
            ship.ship([run], "docs", tmp_path / "models")
        assert listing(mine) == before


def test_a_full_disk_leaves_the_older_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listing(place.parent)
    run = finished_run(place.parents[1] / "other", 9)
    calls = []

    def no_room(_descriptor: int) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(DataError, match="No space left on device"):
        ship.ship([run], "demo-12", place.parent)
    assert listing(place.parent) == before
    assert [path.name for path in place.parent.iterdir()] == ["demo-12"]


def test_without_a_checkout_a_place_must_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished_run(tmp_path / "out")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "site" / "watchword" / "shipped")
    with pytest.raises(ConfigError, match=r"site/watchword, which is no checkout: say with --into"):
        ship.ship([run], "demo-12")
    package = tmp_path / "src" / "watchword" / "shipped"
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(shipped, "FOLDER", package)
    assert ship.ship([run], "demo-12")["folder"] == str(package / "demo-12")
    assert shipped.names() == ["demo-12"]


# ------------------------------------------------------------------------------------- the command


def test_the_command_says_which_seed_and_where(ask: Ask, tmp_path: Path) -> None:
    runs = [finished_run(tmp_path / "out", seed, 2 - seed) for seed in (0, 1, 2)]
    into = tmp_path / "models"
    answer = ask("ship", runs[0], "--name", "demo-12", "--into", into, "--seeds", *runs)
    assert (answer.code, answer.err) == (0, "")
    first, second = answer.out.splitlines()
    assert first.startswith("demo-12: seed 2, the best on validation (100.0 %) of 0, 1, 2; ")
    assert second == f"card: {into}/demo-12/card.md"
    record = json.loads(ask("ship", *runs, "--name", "b", "--into", into, "--json").out)
    assert (record["name"], record["seed"]) == ("b", 2)
    assert "is no folder of a run" in ask("ship", tmp_path, "--name", "c", "--into", into).line
    assert "Missing option '--name'" in ask("ship", tmp_path).line
