"""Studies: what a file may say, the runs it makes, and the command that collects them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import PYTHON, ROOT, Ask
from watchword.config import dump_settings, load_settings
from watchword.errors import ConfigError, DataError
from watchword.study.plan import Run, Study, load_study

BASE = "num_labels: 12\nmodel: {name: tc_resnet8, width: 0.25}\ntrain: {epochs: 2}\n"
TWO = """\
name: steps
base: base.yml
seeds: [0, 7]
common: {train.batch_size: 64}
settings:
  first:
  second: {model.width: 2, augment.mask: {frames: 5}, model.options: {}}
  third:
    - train.epochs=3
    - augment.shift=
"""


def write(place: Path, text: str = TWO, base: str = BASE) -> Path:
    """Write a study, its base and an environment into a folder."""
    (place / "base.yml").write_text(base)
    (place / "env.yml").write_text(f"datasets: {place}\noutput: {place / 'out'}\n")
    (place / "study.yml").write_text(text)
    return place / "study.yml"


def study_of(place: Path, text: str = TWO) -> Study:
    return load_study(write(place, text), environment=place / "env.yml")


def finish(run: Run, rate: float = 0.5, part: str = "valid", epoch: int = 1) -> None:
    """Write what a finished run leaves, as far as a study reads it."""
    lines = [{"epoch": n + 1, "valid_accuracy": rate, "seconds": 30.0} for n in range(2)]
    folder = run.folder / f"eval-12-{part}"
    folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "config.yml").write_text(dump_settings(run.settings))
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = {"epoch": epoch, "commit": "abc", "parameters": 7, "macs": "1,200 at 98 frames"}
    parts = {"commands": {"accuracy": rate}, "silence": None}
    report = {"accuracy": rate, "count": 10, "parts": parts, "provenance": told}
    (folder / "report.json").write_text(json.dumps(report))


def refusal(place: Path, text: str, base: str = BASE) -> str:
    """Return the one error of a study, without where it lies."""
    with pytest.raises(ConfigError) as error:
        load_study(write(place, text, base))
    return str(error.value).replace(f"{place}/", "")


# -------------------------------------------------------------------------------------------- plan


def test_every_variant_runs_with_every_seed_and_none_share_a_folder(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert [run.label for run in study.runs] == [
        *("first seed 0", "second seed 0", "third seed 0"),  # something to compare early
        *("first seed 7", "second seed 7", "third seed 7"),
    ]
    assert study.runs[4].folder == tmp_path / "out" / "tc_resnet8-k2-task-12-steps--second-seed7"
    assert len({run.folder for run in study.runs}) == 6
    assert study.folder == tmp_path / "out" / "steps"
    assert study.file.parts == ("valid",)
    assert study.notes == ("num_labels: 12 is read as task: 12",)


def test_what_runs_are_made_from_is_what_the_command_line_makes_of_it(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    first, second, third = (run.settings for run in study.runs[:3])
    assert {run.settings.train.batch_size for run in study.runs} == {64}
    assert (first.train.epochs, third.train.epochs) == (2, 3)
    assert second.augment.mask is not None
    assert second.augment.mask.frames == 5
    for run in study.runs:
        assert load_settings(study.base, run.changes)[0] == run.settings
    assert study.runs[1].changes == (
        "train.batch_size=64",
        *("model.width=2", 'augment.mask={"frames": 5}', "model.options={}"),
        *("name=steps--second", "seed=0"),
    )


def test_words_of_yaml_1_1_are_names_of_variants(tmp_path: Path) -> None:
    study = study_of(tmp_path, "{name: on, base: base.yml, seeds: [0], settings: {off: , no: {}}}")
    assert [run.settings.name for run in study.runs] == ["on--off", "on--no"]


def test_the_base_is_beside_the_study_or_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    path = write(tmp_path).rename(tmp_path / "studies" / "study.yml")
    monkeypatch.chdir(tmp_path)
    assert load_study(path).base == Path("base.yml")
    (tmp_path / "studies" / "base.yml").write_text(BASE)
    assert load_study(path).base == tmp_path / "studies" / "base.yml"


def test_a_folder_takes_the_place_of_the_first_corpus(tmp_path: Path) -> None:
    path = write(tmp_path)
    (run, *_) = load_study(path, data=tmp_path).runs
    assert run.settings.data.corpora[0].folder == str(tmp_path)
    with pytest.raises(DataError, match=r"nowhere is no folder: give the folder that holds the sp"):
        load_study(path, data=Path("nowhere"))


PAIR = "name: pair\nbase: base.yml\nseeds: [0, 1]\nsettings: {a: , b: {model.width: 0.5}}\n"
HEAD = "name: a\nbase: base.yml\nseeds: [0]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "study.yml holds a list where sections"),
        ("a: b: c", "study.yml line 1 is not valid YAML"),
        (f"{HEAD}setings: {{}}", "line 4: setings: no such setting (did you mean settings?)"),
        (HEAD, "study.yml has 1 fault: settings: is needed and is not there"),
        (f"{HEAD}settings: {{}}", "line 4: settings: a section found, should have at least one"),
        (f"{HEAD}settings: [a, b]", "line 4: settings: a list found, should be a section"),
        (f"{HEAD}settings: {{a--b: }}", "settings.a--b: 'a--b' found, should hold no '--', which"),
        (f"{HEAD}settings: {{a b: }}", "'a b' found, should be made of letters, digits"),
        (f"{HEAD}settings: {{a: 3}}", "line 4: settings.a: should be overrides, a mapping such as"),
        (f"{HEAD}settings: {{a: [1]}}", "line 4: settings.a: should be overrides, a mapping such"),
        (f"{HEAD}settings: {{a: {{seed: 3}}}}", "settings.a: seed=3 found, and name and seed are"),
        (f"{HEAD}settings: {{a: [name=b]}}", "settings.a: name=b found, and name and seed are"),
        (f"{HEAD}settings: {{a: }}\nparts: [test]", "line 5: parts: valid is missing, and choices"),
        (
            f"{HEAD}settings: {{a: }}\nparts: [dev]",
            "line 5: parts.0: 'dev' found, should be 'train'",
        ),
        ("name: a--\nbase: b\nseeds: []", "line 1: name: 'a--' found, should hold no '--'"),
        ("name: a\nbase: b\nseeds: []", "line 3: seeds: a list found, should have at least one"),
        ("name: a\nbase: b\nseeds: [1, 1]", "line 3: seeds: 1 is named twice: keep one of them"),
        ("name: a\nbase: b\nseeds: [x]", "line 3: seeds.0: 'x' found, should be a whole number"),
        (f"{HEAD}settings: {{a: , a: }}", "is not valid YAML"),
        (
            "name: a\nbase: no.yml\nseeds: [0]\nsettings: {a: }",
            "study.yml line 2: base: no file no.yml beside the study or in the working folder",
        ),
    ],
)
def test_a_study_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    assert message in refusal(tmp_path, text)


def test_faults_in_settings_come_at_once_with_their_lines_and_the_nearest_key(
    tmp_path: Path,
) -> None:
    text = f"""{HEAD}settings:
  good: {{train.epochs: 3}}
  typo:
    train.epochs: 3
    train.epoch: 3
  list:
    - train.epochs=3
    - model.with=2
  kind: {{train.epochs: many}}
  word: [train.epochs]
  both: {{data.unknown_share: 0.6, data.silence_share: 0.6}}
"""
    assert refusal(tmp_path, text) == (
        "study.yml has 5 faults: "
        "line 8: settings.typo: train.epoch: no such setting (did you mean epochs?); "
        "line 11: settings.list: model.with: no such setting (did you mean width?); "
        "line 12: settings.kind: train.epochs: 'many' found, should be a whole number; "
        "line 13: settings.word: 'train.epochs' is no setting: write key=value, such as "
        "train.epochs=2; "
        # each alone would leave room: the fault is the variant's
        "line 14: settings.both: base.yml has 1 fault: command line: data: unknown_share and "
        "silence_share sum to 1.2 and leave no room for keywords: their sum must stay below 1"
    )


def test_a_fault_in_common_is_told_once(tmp_path: Path) -> None:
    text = f"{HEAD}common:\n  train.epoch: 3\nsettings: {{a: , b: , c: }}"
    assert refusal(tmp_path, text) == (
        "study.yml has 1 fault: line 5: common: train.epoch: no such setting (did you mean epochs?)"
    )


def test_faults_of_the_base_are_told_by_its_own_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, f"{HEAD}settings: {{a: }}", base="seed: 0\ntrian: {}\n")
    assert message == "base.yml has 1 fault: line 2: trian: no such setting (did you mean train?)"


# ------------------------------------------------------------------------------------ the command


def test_collecting_starts_nothing_and_answers_programs(ask: Ask, tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR)
    words = ["study", study.path, "--collect-only", "--config_env", tmp_path / "env.yml"]
    assert "no run of study pair is finished in" in ask(*words).line
    finish(study.runs[0])
    answer = ask(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert record["page"] == str(tmp_path / "out" / "pair" / "study.md")
    assert record["failures"] == {}
    assert record["variants"][0]["parts"]["valid"]["all"]["by_seed"] == {"0": 0.5}
    answer = ask(*words)
    assert "3 of 4 runs are not in the table" in answer.out
    assert answer.out.endswith(f"table: {tmp_path}/out/pair/study.md\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("pair", study.runs[0].folder.name)
    ]


def test_collecting_loads_no_torch(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR)
    finish(study.runs[0])
    code = (
        "import sys; from watchword.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    assert 'torch' not in sys.modules"
    )
    words = ["study", str(study.path), "--collect-only", "--env", str(tmp_path / "env.yml")]
    done = subprocess.run([PYTHON, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--at-once", "0"], "see watchword --help"),
        (["--threads", "0"], "see watchword --help"),
        (["--data", "nowhere"], "nowhere is no folder"),
        (["--env", "nowhere.yml"], "nowhere.yml cannot be read"),
        ([], "settings.bad: no model is called 'tc_resnet9': did you mean tc_resnet8?"),
    ],
)
def test_a_study_is_refused_in_one_line_before_anything_is_trained(
    ask: Ask, tmp_path: Path, words: list[str], message: str
) -> None:
    path = write(tmp_path, f"{HEAD}settings: {{good: , bad: {{model.name: tc_resnet9}}}}", base="")
    words = words if "--env" in words else [*words, "--env", str(tmp_path / "env.yml")]
    assert message in ask("study", path, *words).line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base.yml", "env.yml", "study.yml"]


# --------------------------------------------------------------------------------------- the page


def test_the_study_that_the_documents_show_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    base = (ROOT / "configs" / "demo.yml").read_text()
    (tmp_path / "study.yml").write_text(shown.replace("../demo.yml", "demo.yml"))
    (tmp_path / "demo.yml").write_text(base)
    study = load_study(tmp_path / "study.yml")
    assert [run.variant for run in study.runs[:3]] == ["default", "none", "wider"]
    default, none, wider = (run.settings.augment.mask for run in study.runs[:3])
    assert default is not None
    assert none is None
    assert wider is not None
    assert (default.bands, wider.bands, wider.frames) == (5, 8, 30)
