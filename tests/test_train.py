"""Training: what it learns, that it goes on exactly, and that several processes equal one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from watchword import adjust, build, checkpoint, devices
from watchword.config import Settings, dump_settings, parse_settings
from watchword.data.clips import ClipStore, prepare
from watchword.data.rows import Source
from watchword.errors import CheckpointError, ConfigError, DataError
from watchword.models.layers import GatedLambda, TemporalLambda
from watchword.pictures import LOG_NAME, read_log
from watchword.progress import STATE_FILE, Watcher
from watchword.train import Run

WORDS = ("left", "right", "up", "bed")
TINY = """
name: tiny
task: {name: tones, keywords: [left, right, up]}
augment:
  shift: {milliseconds: 50}
  noise: {probability: 0.5, lowest_db: 10, highest_db: 20}
  mask: {time_masks: 1, frames: 5, frequency_masks: 1, bands: 3}
model: {options: {scope: 5, query_depth: 4}}
train:
  {epochs: 3, batch_size: 16, optimizer: adamw, learning_rate: 1e-2, warmup_epochs: 0.5, ema_decay:
  0.8, settle_batches: 2}
"""


def write_tones(folder: Path, speakers: int = 24) -> Path:
    """Write a corpus whose words are tones, in the public archive's layout."""
    from watchword import audio

    rng = np.random.default_rng(0)
    seconds = np.arange(16_000) / 16_000
    lists: dict[str, list[str]] = {"validation": [], "testing": []}
    for word, hz in zip(WORDS, (300, 700, 1500, 3000), strict=True):
        for speaker in range(speakers):
            name = f"{word}/{speaker:08x}_nohash_0.wav"
            tone = 0.3 * np.sin(2 * np.pi * hz * (1 + 0.02 * rng.standard_normal()) * seconds)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = 0.01 * rng.standard_normal(16_000)
            audio.write(path, (tone * np.hanning(16_000) + noise).astype(np.float32))
            if speaker % 4 == 3:
                lists["validation" if speaker % 8 == 3 else "testing"].append(name)
    for split, names in lists.items():
        (folder / f"{split}_list.txt").write_text("".join(f"{name}\n" for name in names))
    return folder


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    place = tmp_path_factory.mktemp("tones")
    return prepare(write_tones(place / "tones"), place / "cache")


def settings(*overrides: str) -> Settings:
    return parse_settings(TINY, overrides)[0]


def start(tones: ClipStore, folder: Path, *overrides: str) -> Run:
    chosen = settings(*overrides)
    return Run(chosen, [Source("tones", tones)], folder, devices.fabric(chosen.train, processes=1))


def weights(folder: Path, stem: str = "last") -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / f"{stem}.safetensors").weights


class StopAfter(Watcher):
    """Breaks off a run after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch_done(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def untimed(folder: Path) -> list[dict[str, float]]:
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "clips_per_second")}
        for line in read_log(folder)
    ]


def test_tones_are_learned_to_near_perfection(tones: ClipStore, tmp_path: Path) -> None:
    plain = ("augment.mask=null", "augment.noise=null", "augment.shift=null")
    run = start(
        tones, tmp_path, "train.epochs=16", "train.batch_size=8", "train.settle_batches=8", *plain
    )
    run.fit(Watcher())
    # 10 of 11 right: chance would do that once in five million runs
    assert max(line["valid_accuracy"] for line in read_log(tmp_path)) > 0.9


@pytest.mark.parametrize("batches", [1, 4, 7])
def test_a_run_broken_off_at_any_batch_ends_with_the_same_bits(
    tones: ClipStore, tmp_path: Path, batches: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    start(tones, whole).fit(Watcher())
    with pytest.raises(KeyboardInterrupt):
        start(tones, broken, "train.save_minutes=1e-9").fit(StopAfter(batches))
    # how often the state is saved is a setting of the run, so the later process must be told the
    # same
    start(tones, broken, "train.save_minutes=1e-9").fit(Watcher())
    expected, found = weights(whole), weights(broken)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert untimed(whole) == untimed(broken)


def test_a_run_broken_off_while_it_validates_ends_with_the_same_bits(
    tones: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    start(tones, whole, "train.save_minutes=1e-9").fit(Watcher())
    with monkeypatch.context() as patch:
        patch.setattr(Run, "settled_average", lambda _run: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            start(tones, broken, "train.save_minutes=1e-9").fit(Watcher())
    start(tones, broken, "train.save_minutes=1e-9").fit(Watcher())
    expected, found = weights(whole), weights(broken)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert untimed(whole) == untimed(broken)


def test_a_finished_run_is_not_trained_again(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path, "train.epochs=1").fit(Watcher())
    before = (tmp_path / STATE_FILE).read_bytes()
    start(tones, tmp_path, "train.epochs=1").fit(StopAfter(0))
    assert (tmp_path / STATE_FILE).read_bytes() == before


def test_a_run_goes_on_from_the_weights_of_another(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path / "first", "train.epochs=2").fit(Watcher())
    best = tmp_path / "first" / "best.safetensors"
    run = start(tones, tmp_path / "second", "train.epochs=1", f"train.start_from={best}")
    run.begin()
    classifier = {f"ear.{name}": value for name, value in run.ear.state_dict().items()}
    classifier |= {f"network.{name}": value for name, value in run.network.state_dict().items()}
    for name, value in weights(tmp_path / "first", "best").items():
        assert torch.equal(classifier[name], value), name
        if name.startswith("network."):  # the average starts there too, and not at random
            assert torch.equal(run.average.state[name.removeprefix("network.")], value), name
    start(tones, tmp_path / "second", "train.epochs=1", f"train.start_from={best}").fit(Watcher())
    told = checkpoint.load(tmp_path / "second" / "last.safetensors").settings.train.start_from
    assert told == best


def test_adjusted_logits_change_what_is_kept_and_not_what_is_learned(
    tones: ClipStore, tmp_path: Path
) -> None:
    runs = {}
    for name, adjustment in (("plain", 0), ("adjusted", 0.5)):
        run = start(
            tones, tmp_path / name, "train.epochs=1", f"train.logit_adjustment={adjustment}"
        )
        run.fit(Watcher())
        runs[name] = run, checkpoint.load(tmp_path / name / "last.safetensors")
    (plain, as_learned), (adjusted, lowered) = runs["plain"], runs["adjusted"]
    for ours, theirs in zip(plain.network.parameters(), adjusted.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert checkpoint.SHIFT not in as_learned.provenance
    shift = torch.tensor(lowered.provenance[checkpoint.SHIFT])
    taken = as_learned.weights["network.classify.bias"] - lowered.weights["network.classify.bias"]
    assert torch.allclose(taken, shift, atol=1e-6)
    assert (shift < 0).all()
    assert torch.allclose(
        adjust.as_trained(lowered).weights["network.classify.bias"],
        as_learned.weights["network.classify.bias"],
        atol=1e-6,
    )


def test_a_start_from_another_front_end_task_or_network_is_refused(
    tones: ClipStore, tmp_path: Path
) -> None:
    start(tones, tmp_path / "first", "train.epochs=1").fit(Watcher())
    begun = f"train.start_from={tmp_path / 'first' / 'best.safetensors'}"
    others = "task={name: tones, keywords: [left, right]}"
    with pytest.raises(ConfigError, match="another front end, needed the same section features"):
        start(tones, tmp_path / "other", begun, "features.low_hz=50").begin()
    with pytest.raises(ConfigError, match="needed the outputs of this task, left, right, _unknown"):
        start(tones, tmp_path / "other", begun, others).begin()
    with pytest.raises(CheckpointError, match="model"):
        start(tones, tmp_path / "other", begun, "model.width=2").begin()
    missing = f"train.start_from={tmp_path / 'none.safetensors'}"
    with pytest.raises(CheckpointError, match="is no file"):
        start(tones, tmp_path / "other", missing).begin()


def test_a_folder_of_other_settings_is_refused(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path, "train.epochs=1").fit(Watcher())
    with pytest.raises(
        CheckpointError, match=r"other settings or other data: give this one another"
    ):
        start(tones, tmp_path, "train.epochs=2").fit(Watcher())


def test_a_damaged_state_is_refused(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path, "train.epochs=1").fit(Watcher())
    state = tmp_path / STATE_FILE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"damaged or no checkpoint|cut short"):
        start(tones, tmp_path, "train.epochs=1").fit(Watcher())


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    tones: ClipStore, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        start(tones, tmp_path / name, "train.epochs=1", f"seed={seed}").fit(Watcher())
    a, b, c = (weights(tmp_path / name)["network.classify.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_a_batch_larger_than_the_epoch_is_learned_from_and_measured(
    tones: ClipStore, tmp_path: Path
) -> None:
    start(tones, tmp_path, "train.epochs=1", "train.batch_size=500").fit(Watcher())
    assert weights(tmp_path)["network.stem.0.norm.num_batches_tracked"] == 1
    assert weights(tmp_path)["network.stem.0.norm.running_mean"].abs().max() > 0


def test_a_diverged_run_with_clipping_says_so_too(tones: ClipStore, tmp_path: Path) -> None:
    wild = ("train.learning_rate=1e30", "train.warmup_epochs=0", "train.gradient_clip=1e30")
    with pytest.raises(DataError, match=r"loss of epoch 1 is nan: .* give the run another name"):
        start(tones, tmp_path, *wild).fit(Watcher())


def test_a_foreign_state_is_refused(tones: ClipStore, tmp_path: Path) -> None:
    for content in ([1, 2], {"card": "x"}):
        torch.save(content, tmp_path / STATE_FILE)
        with pytest.raises(CheckpointError, match=r"is no state of a run: remove that folder"):
            start(tones, tmp_path).fit(Watcher())


def test_a_diverged_run_says_so_and_keeps_its_last_checkpoint(
    tones: ClipStore, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"loss of epoch 1 is nan: lower train.learning_rate"):
        start(tones, tmp_path, "train.learning_rate=1e30", "train.warmup_epochs=0").fit(Watcher())
    assert not (tmp_path / "best.safetensors").exists()


# ------------------------------------------------------------ the paper's silent faults (SPEC §2.1)


def test_validation_does_not_touch_the_network(tones: ClipStore, tmp_path: Path) -> None:
    run = start(tones, tmp_path)
    network = run.settled_average()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    training = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.validate(network)
    assert not network.training
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
    assert all(torch.equal(training[n], v) for n, v in run.network.state_dict().items())


def test_the_best_epoch_is_chosen_on_validation_clips_and_test_clips_are_never_read(
    tones: ClipStore, tmp_path: Path
) -> None:
    run = start(tones, tmp_path)
    run.fit(Watcher())
    heard = {tones.utterance(row).split for row in run.valid.row if row >= 0}
    assert heard == {"valid"}
    learned = {tones.utterance(row).split for row in run.plan.epoch(0).row if row >= 0}
    assert learned == {"train"}
    log = read_log(tmp_path)
    best = max(line["valid_accuracy"] for line in log)
    told = checkpoint.load(tmp_path / "best.safetensors").provenance
    assert told["valid_accuracy"] == best
    assert told["epoch"] == next(x["epoch"] for x in log if x["valid_accuracy"] == best)


def preset(name: str) -> Settings:
    folder = Path(__file__).parent.parent / "configs" / "google_commands"
    return parse_settings((folder / f"{name}.yml").read_text())[0]


def test_default_posteriors_can_reach_one_and_published_ones_cannot() -> None:
    x = torch.randn(64, 40, 98)
    top = {}
    for name in ("lambda_resnet18", "lambda_resnet18_paper"):
        torch.manual_seed(0)
        network = build.network(preset(name), 12).eval()
        with torch.no_grad():
            network.classify.weight.mul_(1e4)
            top[name] = float(network(x).softmax(1).max())
    assert top["lambda_resnet18"] > 0.99
    # a unit vector of 12 classes has at best one output 1 and the rest -(1/11)**0.5 … the bound of
    # SPEC §2.1
    assert top["lambda_resnet18_paper"] < 0.22


def lambda_layers(network: nn.Module) -> list[TemporalLambda]:
    """Return the lambda layers of a network, in order."""
    return [part for part in network.modules() if isinstance(part, TemporalLambda)]


def test_default_position_path_starts_small_and_the_published_one_does_not() -> None:
    ratios = {}
    for name in ("lambda_resnet18", "lambda_resnet18_paper"):
        torch.manual_seed(0)
        (layer, *_) = lambda_layers(build.network(preset(name), 12))
        queries, keys, values = layer.parts(torch.randn(32, 24, 50))
        content = layer._content(queries, keys, values)
        position = layer._convolve(queries, values)
        ratios[name] = (position.std() / content.std()).item()
    # SPEC §2.1 measured 7 to 26 times; here V is white noise, whose mean over time almost cancels
    assert ratios["lambda_resnet18_paper"] > 7
    assert ratios["lambda_resnet18"] < ratios["lambda_resnet18_paper"] / 10


def test_default_taps_can_all_be_reached_at_one_second() -> None:
    network = build.network(preset("lambda_resnet18"), 12)
    x = torch.randn(4, 40, 98)
    for part in network.modules():
        if isinstance(part, GatedLambda):
            torch.nn.init.ones_(part.gate.weight)
    network(x).square().sum().backward()
    for layer in lambda_layers(network):
        assert (layer.embedding.grad != 0).any(dim=0).all()


# ------------------------------------------------------------------------------------- weight decay


def test_weight_decay_spares_norms_and_biases() -> None:
    network = build.network(settings(), 4)
    groups = build.optimizer(settings().train, network).param_groups
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert groups[1]["weight_decay"] == 0
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


# --------------------------------------------------------------------- real processes, real signals


def command(place: Path, data: Path, *words: str) -> list[str]:
    (place / "tiny.yml").write_text(dump_settings(settings()))
    (place / "env.yml").write_text(f"datasets: {place}\noutput: {place}/output\n")
    start = [sys.executable, "-m", "watchword", "train", str(place / "tiny.yml")]
    return [*start, *words, "--data", str(data), "--env", str(place / "env.yml")]


def run_folder(place: Path, name: str = "tiny") -> Path:
    return place / "output" / f"lambda_resnet18-k1-task-tones-{name}-seed0"


def test_two_processes_hear_every_clip_once_and_match_one_with_the_doubled_batch(
    tones: ClipStore, tmp_path: Path
) -> None:
    data = tones.manifest.folder
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    common = ("train.epochs=2", "train.precision=64")
    two = command(
        tmp_path,
        data,
        *common,
        "name=two",
        "train.batch_size=8",
        "--processes",
        "2",
    )
    one = command(
        tmp_path,
        data,
        *common,
        "name=one",
        "train.batch_size=16",
        "--processes",
        "1",
    )
    for words in (two, one):
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
    logs = [read_log(run_folder(tmp_path, name)) for name in ("two", "one")]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]
    # float64 networks on float32 features: what is left is float32 rounding of the losses, 6e-8,
    # that a few dozen steps of a young network blow up (in float32 throughout, the same steps blow
    # it up to 1e-2)
    for mine, other in zip(*logs, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)
    a, b = (weights(run_folder(tmp_path, name)) for name in ("two", "one"))
    for name, value in a.items():
        if value.is_floating_point():
            assert torch.allclose(value, b[name], rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("fault", ["no speech", "no room"])
def test_of_two_processes_one_says_what_is_wrong_in_one_line(
    tones: ClipStore, tmp_path: Path, fault: str
) -> None:
    data = tones.manifest.folder
    if fault == "no speech":
        data = tmp_path / "empty"
        data.mkdir()
    words = command(tmp_path, data, "name=two", "--processes", "2")
    if fault == "no room":  # a file stands where only the first process will write
        run_folder(tmp_path, "two").parent.mkdir(parents=True)
        run_folder(tmp_path, "two").write_text("")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("watchword: ") == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_bits(tones: ClipStore, tmp_path: Path) -> None:
    data = tones.manifest.folder
    words = ("train.epochs=30", "train.save_minutes=1e-9")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = command(tmp_path, data, *words, "name=whole")
    subprocess.run(whole, check=True, capture_output=True, env=environment)
    killed = command(tmp_path, data, *words, "name=killed")
    for epochs in (2, 11, 19):
        process = subprocess.Popen(killed, env=environment, stderr=subprocess.DEVNULL)
        log = run_folder(tmp_path, "killed") / LOG_NAME
        deadline = time.monotonic() + 300
        while not log.is_file() or len(log.read_text().splitlines()) < epochs:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, "the run is stuck"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(killed, check=True, capture_output=True, env=environment)
    a, b = (weights(run_folder(tmp_path, name)) for name in ("whole", "killed"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert untimed(run_folder(tmp_path, "whole")) == untimed(run_folder(tmp_path, "killed"))


def test_a_checkpoint_tells_where_it_comes_from(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path, "train.epochs=1").fit(Watcher())
    for suffix in ("safetensors", "pth.tar"):
        kept = checkpoint.load(tmp_path / f"last.{suffix}")
        assert kept.labels == ("left", "right", "up", "_unknown_", "_silence_")
        assert kept.settings == settings("train.epochs=1")
        assert kept.provenance["data"] == {"tones": tones.fingerprint}
        assert {"seed", "commit", "command", "epoch", "threads"} <= set(kept.provenance)
    assert torch.load(tmp_path / "last.pth.tar", weights_only=True)["state_dict"]
    line = json.loads((tmp_path / LOG_NAME).read_text().splitlines()[0])
    assert {"epoch", "step", "loss", "valid_accuracy", "valid_count", "learning_rate"} <= set(line)


def test_a_checkpoint_tells_who_taught_it(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path / "teacher", "train.epochs=1").fit(Watcher())
    teacher = tmp_path / "teacher" / "best.safetensors"
    taught = f"train.distill={{teachers: [{teacher}], weight: 0.5}}"
    start(tones, tmp_path / "pupil", "train.epochs=1", taught).fit(Watcher())
    told = checkpoint.load(tmp_path / "pupil" / "last.safetensors").provenance["teachers"]
    assert told == {str(teacher): checkpoint.load(teacher).digest}
