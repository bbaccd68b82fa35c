"""Robustness: what is asked for is what a model hears, the same for every model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from answers import LABELS, answers
from conftest import Answer, Ask, World, listing
from sounds import SAMPLES, decibels, noise, word
from watchword import audio, build, checkpoint, robust, robust_jobs, speech
from watchword.checkpoint import Checkpoint
from watchword.config import (
    CorpusSettings,
    DataSettings,
    ModelSettings,
    Settings,
    load_environment,
)
from watchword.data.recordings import NoisePool, Recordings, noise_pool
from watchword.data.rows import Source
from watchword.data.tasks import find_task
from watchword.doors import eval_door
from watchword.errors import DataError
from watchword.evaluate import score
from watchword.robust_report import CLEAN, ROOM, SILENT, SPOKEN, Condition
from watchword.scores import Scores

WORDS = ["yes", "no", "yes", "no", "_unknown_"]


@pytest.fixture(autouse=True)
def few_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge silence by fewer seconds, for speed."""
    monkeypatch.setattr(robust, "CUTS", 20)


def recording(seed: int, samples: int = 40_000) -> np.ndarray:
    return audio.to_int16(noise(samples, seed=seed).clamp(-1, 1).numpy())


POOL = noise_pool("noise", [recording(1), recording(2)])


def impulse(place: int, height: float = 0.5, samples: int = 4_000) -> np.ndarray:
    response = np.zeros(samples, np.int16)
    response[place] = round(32_768 * height)
    return response


def rooms(*waveforms: np.ndarray) -> Tensor:
    names = tuple(f"{n}.wav" for n in range(len(waveforms)))
    return robust.responses(Recordings("rooms", names, waveforms, is_listed=False))


def sounds(*waveforms: np.ndarray) -> robust.Sounds:
    return robust.Sounds(POOL, rooms=rooms(*waveforms) if waveforms else None)


def spoken(silent: int = 0) -> Scores:
    """Scores of five spoken clips, of which only names and targets matter, and of silence."""
    targets = [LABELS.index(text) for text in WORDS] + [3] * silent
    return answers(targets, targets, words=[*WORDS, *["_silence_"] * silent])


def clips() -> Tensor:
    """Five words of different levels, their samples as 16 bits hold them."""
    levels = torch.tensor([0.02, 0.1, 0.3, 0.6, 1.0])
    x = torch.cat([word(3_000 + 500 * n, 12_000, hz=300 + 100 * n) for n in range(5)])
    return torch.round(x * levels[:, None] * 32_768) / 32_768


def under(condition: Condition, x: Tensor, sounds: robust.Sounds, clean: Scores) -> Tensor:
    done = robust.change(condition, sounds, clean)
    assert done is not None
    return done(x, slice(0, len(x)))


# ------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("snr_db", [20, 10, 5, 0])
def test_the_ratio_of_powers_is_the_one_asked_for(snr_db: float) -> None:
    x = clips()
    mixed = under(Condition("noise", snr_db), x, sounds(), spoken())
    added = (mixed - x).double()
    found = decibels(x.double().square().mean(1) / added.square().mean(1))
    # float32 holds a sample to 6e-8; noise of 0.002 (the softest) so to 3e-5, or 3e-4 dB
    assert (found - snr_db).abs().max() < 1e-3


def test_a_mixture_beyond_full_scale_is_turned_down_and_keeps_its_ratio() -> None:
    x = torch.sign(clips()[:1]) * 0.9
    (start,) = POOL.choose(robust.keys(spoken().names[:1], 0, "noise"))
    second = torch.from_numpy(POOL.samples[start : start + SAMPLES].astype(np.float64) / 32_768)
    mixed = under(Condition("noise", 0), x, sounds(), spoken())[0].double()
    assert mixed.abs().max().item() == pytest.approx(1)
    parts = torch.stack([x[0].double(), second], dim=1)
    shares = torch.linalg.lstsq(parts, mixed[:, None]).solution[:, 0]
    assert torch.dist(parts @ shares, mixed) < 1e-3  # nothing else is in it: float32 of 16,000
    assert shares[0] < 0.9
    powers = (parts * shares).square().mean(0)
    assert decibels(powers[0] / powers[1]).item() == pytest.approx(0, abs=1e-3)


def test_silence_and_digital_zero_get_no_noise() -> None:
    x = torch.cat([clips(), noise(2, SAMPLES)])
    x[1] = 0
    mixed = under(Condition("noise", 0), x, sounds(), spoken(silent=2))
    same = [torch.equal(a, b) for a, b in zip(mixed, x, strict=True)]
    assert same == [False, True, False, False, False, True, True]


def test_every_ratio_has_the_same_noise_and_every_seed_another() -> None:
    x = clips()[:2]
    done = {
        (snr_db, seed): robust.change(Condition("noise", snr_db), sounds(), spoken(), seed=seed)
        for snr_db in (0, 20)
        for seed in (0, 1)
    }
    added = {key: apply(x, slice(0, 2)) - x for key, apply in done.items() if apply}
    # a tenth of the amplitude at 20 dB more; the rest is rounding of samples near 0.05
    torch.testing.assert_close(added[20, 0] * 10, added[0, 0], rtol=0, atol=1e-6)
    alike = torch.cosine_similarity(added[0, 0], added[0, 1])
    assert alike.abs().max() < 0.1  # seconds of white noise that have nothing to do with each other


def test_noise_of_a_folder_goes_before_the_background() -> None:
    hum = NoisePool("noise", np.full(SAMPLES, 100, np.int16), np.zeros(1, np.int64))
    both = robust.Sounds(POOL, noise=hum)
    added = under(Condition("noise", 10), clips(), both, spoken()) - clips()
    assert added.std(dim=1).max() < 1e-6  # constant, as nothing in the background is
    assert [pool.name for pool in both.pools] == ["noise", "noise"]


@pytest.mark.parametrize("condition", [c for c in SPOKEN if c != CLEAN], ids=lambda c: c.name)
def test_a_mixture_depends_on_the_name_alone(condition: Condition) -> None:
    x, given = clips(), sounds(recording(3, 2_000), recording(4, 3_000), recording(5, 4_000))
    whole = under(condition, x, given, spoken())
    done = robust.change(condition, given, spoken())
    assert done is not None
    parts = torch.cat([done(x[:2], slice(0, 2)), done(x[2:], slice(2, 5))])
    order = torch.tensor([3, 1, 4, 0, 2])
    clean = spoken()
    turned = replace(clean, names=clean.names[order], targets=clean.targets[order])
    # Fourier transforms of other batches may round otherwise
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        under(condition, x[order], given, turned), whole[order], rtol=0, atol=1e-6
    )


# ---------------------------------------------------------------------------- level, shift and room


@pytest.mark.parametrize("gain_db", [-10, -20, -30])
def test_a_level_is_exact(gain_db: float) -> None:
    x = clips()
    y = under(Condition("level", gain_db), x, sounds(), spoken())
    torch.testing.assert_close(y, x * 10 ** (gain_db / 20), rtol=1e-6, atol=0)  # one rounding


@pytest.mark.parametrize(("ms", "samples"), [(50, 800), (200, 3_200), (-100, -1_600)])
def test_a_shift_is_one_of_so_many_samples(ms: float, samples: int) -> None:
    x = noise(5, SAMPLES)
    y = under(Condition("shift", ms), x, sounds(), spoken())
    wanted = torch.zeros_like(x)
    if samples > 0:
        wanted[:, samples:] = x[:, :-samples]
    else:
        wanted[:, :samples] = x[:, -samples:]
    assert torch.equal(y, wanted)


def test_a_room_that_is_one_impulse_changes_nothing_wherever_it_lies() -> None:
    x = clips()
    given = sounds(impulse(0), impulse(700, 0.9), impulse(3_999, -0.2, samples=20_000))
    y = under(ROOM, x, given, spoken())
    # the energy is kept, the sign of a response is not; a Fourier transform rounds to 1e-7
    torch.testing.assert_close(y.abs(), x.abs(), rtol=0, atol=1e-6)


def test_a_room_rings_on_as_its_response_does() -> None:
    echo = impulse(100)
    echo[900] = echo[100] // 2
    x = clips()[2:3]
    wanted = x.clone()
    wanted[:, 800:] += 0.5 * x[:, :-800]
    wanted *= (x.square().sum() / wanted.square().sum()).sqrt()
    y = under(ROOM, x, sounds(echo), spoken())
    torch.testing.assert_close(y, wanted, rtol=0, atol=1e-6)


def test_responses_are_kept_from_the_direct_path_as_far_as_a_clip_hears() -> None:
    found = rooms(impulse(700), impulse(17_000, -0.5, samples=40_000))
    assert found.shape == (2, SAMPLES)
    assert found[:, 0].tolist() == [0.5, -0.5]
    assert found[:, 1:].abs().max() == 0


def test_a_silent_response_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"rooms/1\.wav is silent, needed an impulse response"):
        rooms(impulse(0), np.zeros(100, np.int16))


def test_what_fits_full_scale_is_left_as_it_is() -> None:
    x = torch.tensor([[0.5, -1.0], [0.0, 0.0], [4.0, -1.0]])
    assert robust.within_full_scale(x).tolist() == [[0.5, -1.0], [0.0, 0.0], [1.0, -0.25]]


# ----------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize("condition", SILENT[1:], ids=lambda c: c.name)
def test_silence_has_the_peak_asked_for(condition: Condition) -> None:
    found = robust.silence(POOL, condition.value, cuts=7)
    assert found.shape == (7, SAMPLES)
    peak = round(32_767 * 10 ** (condition.value / 20))
    assert np.abs(found.astype(int)).max(axis=1).tolist() == [peak] * 7


def test_every_level_has_the_same_seconds() -> None:
    loud, soft = (robust.silence(POOL, peak, cuts=5).astype(float) for peak in (0, -20))
    assert len({row.tobytes() for row in loud}) > 1
    np.testing.assert_allclose(soft, loud / 10, rtol=0, atol=0.55)  # both are whole numbers


def test_digital_zero_is_one_clip() -> None:
    found = robust.silence(POOL, -np.inf, cuts=5)
    assert found.shape == (1, SAMPLES)
    assert not found.any()


def test_what_cannot_be_tested_is_left_out() -> None:
    twelve, ten = find_task("12"), find_task("10")
    whole = robust.conditions(sounds(impulse(0)), twelve)
    assert whole == [*SPOKEN, *SILENT]
    assert ROOM not in robust.conditions(sounds(), twelve)
    assert robust.conditions(sounds(), ten) == [one for one in SPOKEN if one != ROOM]


# ---------------------------------------------------------------------------------------- a model


@pytest.fixture(scope="module")
def loaded(world: World) -> Checkpoint:
    """A network that learned nothing: what it is asked is tested here, not what it answers.

    A lambda network as young as that of ``trained`` answers full-scale noise with NaN.
    """
    data = DataSettings(corpora=(CorpusSettings(folder="speech"),))
    settings = Settings(data=data, model=ModelSettings(name="tc_resnet8"))
    torch.manual_seed(0)
    weights = build.classifier(settings, 12).eval().state_dict()
    return Checkpoint(settings, settings.find_task().labels, weights, {"seed": 0})


@pytest.fixture(scope="module")
def corpora(world: World, loaded: Checkpoint) -> list[Source]:
    return speech.sources(loaded.settings, load_environment(world.env))


@pytest.fixture(scope="module")
def model(loaded: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    place = tmp_path_factory.mktemp("model") / "best"
    checkpoint.save(loaded, place)
    return place.with_name("best.pth.tar")


def test_every_condition_is_one_of_the_same_clips(
    loaded: Checkpoint, corpora: list[Source]
) -> None:
    told: list[tuple[int, int]] = []
    asked = (loaded, corpora, find_task("12"), "valid", sounds(impulse(9)))
    found = robust.score_conditions(*asked, told=lambda *words: told.append(words))
    assert [*found] == [*SPOKEN, *SILENT]
    clean = score(loaded, corpora, find_task("12"), "valid")
    assert np.array_equal(found[CLEAN].logits, clean.logits)
    for condition in SPOKEN:
        assert np.array_equal(found[condition].names, clean.names)
        assert (condition == CLEAN) == np.array_equal(found[condition].logits, clean.logits)
    # a room of one impulse: rounding of 1e-7, which eight layers make some 1e-4 of the largest
    np.testing.assert_allclose(
        found[ROOM].logits, clean.logits, rtol=0, atol=1e-3 * np.abs(clean.logits).max()
    )
    assert np.array_equal(found[ROOM].predictions, clean.predictions)
    quiet = clean.is_target("_silence_")
    noisy = found[Condition("noise", 0)]
    np.testing.assert_array_equal(noisy.logits[quiet], clean.logits[quiet])
    assert [len(found[one]) for one in SILENT] == [1, *[robust.CUTS] * 6]
    assert {word for one in SILENT for word in found[one].words} == {"_silence_"}
    total = len(SPOKEN) * len(clean) + len(SILENT) * robust.CUTS
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    again = robust.score_conditions(*asked)
    assert all(np.array_equal(again[one].logits, found[one].logits) for one in found)
    other = robust.score_conditions(*asked, seed=1)
    same = [one for one in found if np.array_equal(other[one].logits, found[one].logits)]
    assert {one.kind for one in same} == {"clean", "level", "shift", "room", "silence"}
    assert [one.name for one in same if one.kind == "silence"] == ["silence_zero"]


def test_answers_that_are_no_numbers_are_refused_with_their_condition(
    loaded: Checkpoint, corpora: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object, **__: object) -> Scores:
        return replace(spoken(), logits=np.full((5, 4), np.nan))

    monkeypatch.setattr(robust, "score_silence", overflow)
    with pytest.raises(DataError, match="silence, digital zero: scores cannot be used: found log"):
        robust.score_conditions(loaded, corpora, find_task("12"), "valid", sounds())


# ----------------------------------------------------------------------------------- command line


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A folder of noise with a list and a folder of rooms without one."""
    for seed, name in enumerate(("a", "b", "c")):
        place = tmp_path / "noise" / f"{name}.wav"
        place.parent.mkdir(exist_ok=True)
        soundfile.write(place, recording(seed), 16_000)
    (tmp_path / "noise" / "noise.csv").write_text(
        "file,split\na.wav,train\nb.wav,test\nc.wav,test\n"
    )
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "hall.wav", impulse(30), 16_000)
    return tmp_path


Eval = Callable[..., Answer]


@pytest.fixture
def evaluate(ask: Ask, world: World, model: Path, tmp_path: Path) -> Eval:
    """Run ``watchword eval`` on the model, reports going to a folder of this test."""
    words = ("eval", model, "--split", "test", "--output", tmp_path / "out")

    def run(*more: object, env: Path = world.env) -> Answer:
        return ask(*words, "--env", env, *more)

    return run


def test_eval_robust_answers_programs_with_one_object(evaluate: Eval, folders: Path) -> None:
    given = ("--noise", folders / "noise", "--rooms", folders / "rooms")
    answer = evaluate("--robust", *given, "--json")
    assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", 1)
    record = json.loads(answer.out)
    assert record["report"] == str(folders / "out" / "robust" / "report.md")
    assert [row["name"] for row in record["conditions"]] == [one.name for one in SPOKEN]
    assert {row["count"] for row in record["conditions"]} == {12}
    assert {row["noise"] for row in record["silence"]} == {"background", "noise"}
    assert (record["sounds"]["noise"]["recordings"], record["sounds"]["noise"]["seconds"]) == (2, 5)
    assert record["sounds"]["rooms"]["is_listed"] is False
    assert "noise: 2 recordings, 5 s, those its list gives to this split" in record["notes"][0]
    assert "rooms: 1 recordings, 0 s, all it holds" in record["notes"][1]
    assert record["provenance"]["seed of the mixtures"] == 0


def test_eval_robust_tells_people_tables_and_what_was_left_out(
    evaluate: Eval, folders: Path
) -> None:
    answer = evaluate("--robust")
    assert answer.code == 0
    assert "no folder of noise was given: clips are mixed with the test part of" in answer.err
    assert "no folder of impulse responses was given: reverberation is left out" in answer.err
    lines = [line.strip() for line in answer.out.splitlines()]
    assert any(line.startswith("5 dB SNR ") for line in lines)
    assert any(line.startswith("digital zero ") for line in lines)
    assert not any(line.startswith("in a room") for line in lines)
    assert lines[-2].startswith("clean accuracy ")
    assert lines[-1] == f"report: {folders}/out/robust/report.md"
    assert "reverberation is left out" in (folders / "out" / "robust" / "report.md").read_text()


def test_the_environment_may_name_the_folders_and_the_command_line_goes_first(
    evaluate: Eval, folders: Path, world: World
) -> None:
    env = folders / "env.yml"
    text = f"noise: {folders}/noise\nrooms: {folders}/rooms\n"
    env.write_text(world.env.read_text() + text)
    shutil.copytree(folders / "rooms", folders / "halls")
    words = ("--robust", "--json", "--rooms", folders / "halls")
    told = json.loads(evaluate(*words, env=env).out)["sounds"]
    assert told["noise"]["folder"] == "noise"
    assert told["rooms"]["folder"] == "halls"
    shutil.copytree(folders / "noise", folders / "streets")
    told = json.loads(evaluate(*words, "--noise", folders / "streets", env=env).out)["sounds"]
    assert told["noise"]["folder"] == "streets"
    plain = evaluate("--json", env=env)  # only a test of robustness asks for them
    assert "conditions" not in json.loads(plain.out)


def test_the_published_command_tests_robustness_too(
    ask: Ask, world: World, model: Path, folders: Path
) -> None:
    moved = shutil.copytree(model.parent, folders / "run") / model.name
    words = ["--config_env", world.env, "--model", moved, "--robust"]
    answer = ask(*words, "--noise", folders / "noise", program=eval_door)
    assert answer.code == 0
    report = folders / "run" / "eval-12-test-speech" / "robust" / "report.md"
    assert answer.out.endswith(f"\nreport: {report}\n")
    assert report.with_name("robust.png").is_file()


def test_a_task_without_silence_says_so(evaluate: Eval) -> None:
    answer = evaluate("--robust", "--task", "10", "--json")
    record = json.loads(answer.out)
    assert record["silence"] == []
    assert record["notes"][-1] == "task 10 has no class of silence: its levels are left out"


def test_backgrounds_that_were_held_out_are_named(
    ask: Ask, world: World, loaded: Checkpoint, tmp_path: Path
) -> None:
    data = loaded.settings.data.model_copy(update={"hold_out_backgrounds": ("white_noise",)})
    settings = loaded.settings.model_copy(update={"data": data})
    checkpoint.save(replace(loaded, settings=settings), tmp_path / "best")
    words = ("eval", tmp_path / "best.pth.tar", "--env", world.env, "--robust", "--json")
    note, *_ = json.loads(ask(*words, "--split", "test").out)["notes"]
    assert note.endswith("the test part of the background recordings, and all of white_noise")


def test_without_backgrounds_clips_are_mixed_with_noise_of_three_colours(
    loaded: Checkpoint, corpora: list[Source]
) -> None:
    bare = [replace(one, store=replace(one.store, background_spans=())) for one in corpora]
    pool, told = robust_jobs._background(loaded, bare, "test")
    assert told == "noise of three colours, as the corpora have no background recordings"
    assert len(pool.samples) == 180 * SAMPLES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--noise", "noise"], "--noise was given, which only --robust uses: add --robust"),
        (["--rooms", "rooms"], "--rooms was given, which only --robust uses: add --robust"),
        (["--robust", "--noise", "nowhere"], "nowhere is no folder: give the folder that holds"),
        (["--robust", "--noise", "empty"], "empty: no recordings found, needed .wav"),
        (["--robust", "--rooms", "empty"], "empty: no recordings found, needed .wav"),
        (
            ["--robust", "--noise", "noise", "--split", "valid"],
            "noise.csv lists no valid recording, found test 2, train 1",
        ),
    ],
)
def test_eval_robust_refuses_in_one_line_and_writes_nothing(
    evaluate: Eval,
    folders: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    (folders / "empty").mkdir()
    monkeypatch.chdir(folders)
    before = listing(folders)
    assert message in evaluate(*words).line
    assert listing(folders) == before
