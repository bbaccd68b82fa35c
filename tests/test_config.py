"""Settings: read as they are meant, or refused with every fault and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchword.config import (
    AugmentSettings,
    CorpusSettings,
    DataSettings,
    Environment,
    ModelSettings,
    OwnTask,
    Settings,
    dump_settings,
    load_environment,
    load_settings,
    parse_settings,
)
from watchword.errors import ConfigError


def read(text: str, *overrides: str) -> Settings:
    return parse_settings(text, overrides)[0]


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_settings(text, overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


# ----------------------------------------------------------------------------------- what is read


def test_nothing_is_the_default() -> None:
    for text in ("", "# only a comment\n", "{}"):
        assert parse_settings(text) == (Settings(), [])


def test_four_commands_are_words_and_no_truth_values() -> None:
    task = read("task: {keywords: [yes, no, on, off]}").find_task()
    assert task.keywords == ("yes", "no", "on", "off")


def test_words_stay_words_as_keys_and_values() -> None:
    (corpus,) = read(
        "data: {corpora: [{folder: on, words: {no: yes, off: _unknown_}, hold_out: [off]}]}"
    ).data.corpora
    assert corpus == CorpusSettings(
        folder="on", words={"no": "yes", "off": "_unknown_"}, hold_out=("off",)
    )


@pytest.mark.parametrize("number", ["1e-3", "0.001", "1.0e-3", "1E-3", "+.001"])
def test_a_number_may_be_written_in_every_usual_way(number: str) -> None:
    assert read(f"train: {{weight_decay: {number}}}").train.weight_decay == 0.001
    assert read("", f"train.weight_decay={number}").train.weight_decay == 0.001


def test_a_whole_number_is_a_number() -> None:
    model = read("model: {width: 2}").model
    assert model.width == 2.0
    assert isinstance(model.width, float)


@pytest.mark.parametrize("alias", ["num_labels", "num_lables"])
def test_the_published_name_of_the_task_is_understood_and_said(alias: str) -> None:
    settings, notes = parse_settings(f"{alias}: 35")
    assert settings.find_task().name == "35"
    assert notes == [f"{alias}: 35 is read as task: 35"]
    settings, notes = parse_settings("task: 12", [f"{alias}=core-10"])
    assert settings.task == "core-10"
    assert notes == [f"{alias}=core-10 is read as task=core-10"]


def test_an_augmentation_without_anything_behind_it_is_said_to_be_off() -> None:
    settings, notes = parse_settings("augment:\n  lowpass:\n  shift: {}")
    assert settings.augment.lowpass is None
    assert settings.augment.shift is not None
    assert notes == ["augment.lowpass is empty and so not done: to do it write lowpass: {}"]


def test_options_of_a_network_keep_their_types() -> None:
    model = read("model: {options: {a: 1, b: 1.5, c: true, d: no, e: [1, 2]}}").model
    assert model.options == {"a": 1, "b": 1.5, "c": True, "d": "no", "e": (1, 2)}
    assert [type(value) for value in model.options.values()] == [int, float, bool, str, tuple]


def test_a_name_that_looks_like_a_number_is_a_name() -> None:
    assert read("name: 7").name == "7"
    assert read("", "name=7").name == "7"


def test_an_anchored_truth_value_stays_one() -> None:
    text = "train: {is_nesterov: &flag false, sync_batch_norm: *flag}"
    assert read(text).train.sync_batch_norm is False


EVERYTHING = """\
name: all-of_it.2
task: {name: mine, keywords: [yes, no], unknown: none, has_silence: true}
seed: 9
data:
  corpora:
    - {folder: a, share: 0.5, words: {know: no}, hold_out: [x], leave_out: [y/1.wav], cut: pieces}
    - {folder: b, is_rebuilt: true}
  train_on_dropped: false
features: {kind: mfcc, coefficients: 13, low_hz: 0}
augment: {resample: {}, noise: {probability: 0.5, lowest_db: -5}, mixup: {alpha: 0.4}, lowpass: {}}
model: {name: tc_resnet14, width: 1.5, options: {channels: [16, 24], dropout: 0.1}}
train: {gradient_clip: 1, optimizer: adamw, precision: bf16}
"""


def test_settings_written_and_read_again_are_the_same() -> None:
    for settings in (Settings(), read(EVERYTHING)):
        assert parse_settings(dump_settings(settings)) == (settings, [])
        assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().train.epochs = 3  # type: ignore[misc]


def test_augmentations_are_all_off_unless_they_are_named() -> None:
    assert all(getattr(AugmentSettings(), name) is None for name in AugmentSettings.model_fields)


# ------------------------------------------------------------------------------------- run folder


def test_runs_that_differ_in_what_names_them_never_share_a_folder() -> None:
    runs = [
        Settings(),
        Settings(seed=1),
        Settings(name="other"),
        Settings(task="35"),
        Settings(task=OwnTask(keywords=("yes",))),
        *(Settings(model=ModelSettings(width=width)) for width in (2, 1.5, 1.0000001, 0.1)),
        Settings(model=ModelSettings(name="res15")),
    ]
    assert len({settings.run_name for settings in runs}) == len(runs)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "with space"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    needed = "should be made of letters, digits, dots, hyphens and underscores"
    assert needed in refusal(f'name: "{name}"')
    assert needed in refusal(f'task: {{name: "{name}", keywords: [yes]}}')


# ------------------------------------------------------------------------------------- overrides


def test_an_override_changes_one_setting() -> None:
    settings = read("train: {epochs: 9, momentum: 0.5}", "train.epochs=2", "model.width=2")
    assert (settings.train.epochs, settings.train.momentum, settings.model.width) == (2, 0.5, 2.0)


def test_an_override_opens_sections_that_the_file_leaves_out() -> None:
    settings = read("seed: 1", "augment.noise.lowest_db=-3", "augment.lowpass={}")
    assert settings.augment.noise is not None
    assert settings.augment.noise.lowest_db == -3.0
    assert settings.augment.lowpass is not None


def test_an_override_without_a_value_switches_off() -> None:
    assert read("augment: {noise: {}}", "augment.noise=").augment.noise is None
    assert read("train: {gradient_clip: 1}", "train.gradient_clip=null").train.gradient_clip is None


def test_an_override_reaches_into_lists() -> None:
    text = "data: {corpora: [{folder: a, share: 0.5}, {folder: b}]}"
    corpora = read(
        text, "data.corpora.0.folder=c", "data.corpora.1.hold_out=[on, off]"
    ).data.corpora
    assert corpora[0] == CorpusSettings(folder="c", share=0.5)
    assert corpora[1].hold_out == ("on", "off")


def test_an_override_reaches_into_a_list_that_stands_in_the_defaults() -> None:
    (corpus,) = read("seed: 1", "data.corpora.0.folder=/mine").data.corpora
    assert corpus == CorpusSettings(folder="/mine")
    assert DataSettings().corpora[0].folder == "speech_commands_v0.02"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "'train.epochs' is no setting: write key=value, such as train.epochs=2"),
        ("=3", "'=3' is no setting"),
        ("train..epochs=3", "is no setting"),
        ("train.epochs=[1", "'train.epochs=[1' line 1 is not valid YAML"),
        ("train.epochs=a: b: c", "is not valid YAML"),
        ("seed.x=1", "seed is a value and holds no settings"),
        ("data.corpora.0.folder.x=1", "folder is a value and holds no settings"),
        ("data.corpora.1.folder=x", "'1' names none of the entries there: the only entry is 0"),
        ("data.corpora.x.folder=x", "'x' names none of the entries there"),
        ("data.corpora.-1=x", "'-1' names none of the entries there"),
        ("data.hold_out_backgrounds.0=x", "the list is empty"),
        ("train.epochs=-1", "command line: train.epochs: -1 found, should be greater than 0"),
        ("train.epoch=2", "command line: train.epoch: no such setting (did you mean epochs?)"),
        ("trian.epochs=2", "command line: trian: no such setting (did you mean train?)"),
        ("train=", "command line: train: nothing found, should be a section"),
        ("train={epochs: 0}", "command line: train.epochs: 0 found"),
        ("num_lables=13", "command line: task: no task is called '13'"),
    ],
)
def test_a_bad_override_is_refused_by_its_own_words(override: str, message: str) -> None:
    assert message in refusal("data: {corpora: [{folder: a}]}\nseed: 1", override)


def test_a_longer_list_says_which_entries_there_are() -> None:
    text = "data: {corpora: [{folder: a}, {folder: b}]}"
    assert "use 0 to 1" in refusal(text, "data.corpora.2.folder=x")


# ---------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochs: many}", "line 1: train.epochs: 'many' found, should be a whole number"),
        ('train: {epochs: "40"}', "'40' found, should be a whole number"),
        ("train: {epochs: 2.5}", "2.5 found, should be a whole number"),
        ("train: {epochs: true}", "True found, should be a whole number"),
        ("train: {epochs: [1]}", "a list found, should be a whole number"),
        ('train: {learning_rate: "0.1"}', "'0.1' found, should be a number"),
        ("train: {learning_rate: .inf}", "inf found, should be a finite number"),
        ("train: {learning_rate: .nan}", "nan found"),
        ("train: {momentum: 1}", "1 found, should be less than 1"),
        ("train: {optimizer: adam}", "'adam' found, should be 'sgd' or 'adamw'"),
        ("train: [1, 2]", "train: a list found, should be a section, key: value on each line"),
        ("train:", "train: nothing found, should be a section"),
        ("train: {is_nesterov: yes}", "'yes' found, should be true or false"),
        ("train: {is_nesterov: off}", "'off' found, should be true or false"),
        ("train: {is_nesterov: 1}", "1 found, should be true or false"),
        ("name: 2024-10-10", "2024-10-10 found, should be text, in quotes"),
        ("seed: -1", "seed: -1 found, should be greater than or equal to 0"),
        ("task: 13", "task: no task is called '13'"),
        ("task: [yes, no]", "task: a list found, should be text"),
        ("task: {keywords: yes}", "task.keywords: 'yes' found, should be a list, such as [a, b]"),
        ("task: {keywords: []}", "task.keywords: a list found, should have at least one entry"),
        ("task: {name: x}", "task.keywords: is needed and is not there"),
        ("task: {keywords: [yes, yes]}", "names yes twice"),
        ("task: {keywords: [yes, 2]}", "task.keywords.1: 2 found, should be text"),
        ("task: {keyword: [yes]}", "task.keyword: no such setting (did you mean keywords?)"),
        ("data: {corpora: []}", "data.corpora: a list found, should have at least one entry"),
        ("data: {corpora: [{share: 0.5}]}", "data.corpora.0.folder: is needed and is not there"),
        ("data: {corpora: [{folder: a, share: 0}]}", "0 found, should be greater than 0"),
        (
            "data: {corpora: [{folder: a, cut: half}]}",
            "'half' found, should be 'whole' or 'pieces'",
        ),
        ("data: {corpora: [{folder: a, words: [x]}]}", "a list found, should be a section"),
        ("data: {unknown_share: 0.5, silence_share: 0.5}", "sum to 1 and leave no room"),
        ("model: {options: {x: {y: 1}}}", "model.options.x: an option is a number, a word"),
        ("augment: {noise: 3}", "augment.noise: 3 found, should be a section"),
        ("augment: {noize: {}}", "augment.noize: no such setting (did you mean noise?)"),
        ("zebra: 1", "no such setting (there are: name, task, seed, data"),
        ("num_labels: 12\ntask: 12", "gives the task 2 times (num_labels, task): keep one"),
        ("num_labels: 12\nnum_lables: 35", "gives the task 2 times (num_labels, num_lables)"),
    ],
)
def test_a_fault_is_named_with_what_was_found_and_what_is_needed(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\ntrain: {epochs: 1", "line 2 is not valid YAML"),
        ("seed: 1\nseed: 2", 'line 2 is not valid YAML (found duplicate key "seed"'),
        ("a: b: c", "line 1 is not valid YAML (mapping values are not allowed here)"),
        ("- a\n- b", "holds a list where sections such as 'train:' are needed"),
        ("just text", "holds a value where sections"),
        ("name: \x00", "is not valid YAML"),
        ("name: 2024-13-45", "is not valid YAML (month must be in 1..12)"),
        ("[" * 500, "is not valid YAML"),
        ("seed: !!python/object/apply:os.system [ls]", "seed: a list found"),
    ],
)
def test_text_that_is_no_settings_is_refused(text: str, message: str) -> None:
    assert message in refusal(text)


def test_all_faults_come_at_once_in_the_order_of_their_lines() -> None:
    text = """\
nme: x
num_lables: 13
data:
  corpora:
    - folder: 12
      shar: 0.5
train:
  epochs: 2.5
  optimiser: sgd
  is_nesterov: on
"""
    message = refusal(text, "train.seed=1")
    assert message == (
        "settings has 8 faults: "
        "line 1: nme: no such setting (did you mean name?); "
        "line 2: task: no task is called '13': There are: 35, 30, 20, 10, 2, 12, core-10, 17, or "
        "give your own words: task: {name: ..., keywords: [...]}; "
        "line 5: data.corpora.0.folder: 12 found, should be text, in quotes where it looks like "
        "something else; "
        "line 6: data.corpora.0.shar: no such setting (did you mean share?); "
        "line 8: train.epochs: 2.5 found, should be a whole number; "
        "line 9: train.optimiser: no such setting (did you mean optimizer?); "
        "line 10: train.is_nesterov: 'on' found, should be true or false; "
        "command line: train.seed: no such setting (there are: epochs, batch_size, optimizer, "
        "learning_rate, final_learning_rate, momentum, is_nesterov, weight_decay, "
        "decay_norms_and_biases, warmup_epochs, is_cosine_per_epoch, label_smoothing, "
        "logit_adjustment, ema_decay, settle_batches, gradient_clip, precision, sync_batch_norm, "
        "distill, start_from, save_minutes, hear_ahead)"
    )


# ----------------------------------------------------------------------------------------- files


def test_a_file_is_read_and_named_in_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("seed: 4")
    assert load_settings(path, ["train.epochs=1"])[0].seed == 4
    path.write_text("sede: 4")
    with pytest.raises(ConfigError, match=r"mine.yml has 1 fault: line 1: sede: no such setting"):
        load_settings(path)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no.yml cannot be read \(No such file or directory\)"):
        load_settings(tmp_path / "no.yml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load_settings(tmp_path)
    (tmp_path / "latin.yml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match=r"it is no UTF-8 text"):
        load_settings(tmp_path / "latin.yml")


def test_an_environment_says_where_things_live(tmp_path: Path) -> None:
    path = tmp_path / "env.yml"
    path.write_text("datasets: d\noutput: o\n")
    where = load_environment(path)
    assert where == Environment(datasets=Path("d"), output=Path("o"))
    assert where.prepared == Path("d/prepared")
    path.write_text("cache: c\n")
    assert load_environment(path).prepared == Path("c")
    assert load_environment(None) == Environment()


def test_an_environment_with_faults_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "env.yml"
    path.write_text("dataset: d\noutput: 3\n")
    with pytest.raises(ConfigError, match=r"2 faults: line 1: dataset: no such setting \(did you"):
        load_environment(path)
