"""The processes of a study: how many, what becomes of those that fail, and that it goes on."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import PYTHON, Ask, World
from test_study import PAIR, finish, study_of
from test_train import untimed
from watchword import checkpoint
from watchword.console import BETWEEN_LINES_S, Console
from watchword.study import jobs, runs, watch
from watchword.study.plan import Study, load_study
from watchword.study.processes import DONE, ELSEWHERE, FAILED, Job, Shared
from watchword.study.watch import WAITING, State, StudyWatch

SHARED = Shared(environment=None, gpu=None, threads=1)
PATIENCE_S = 120.0


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def is_locked(study: Study, label: str) -> bool:
    """Tell whether a process works on a run."""
    path = study.folder / "logs" / f"{label.replace(' seed ', '-seed')}.log"
    if not path.exists():
        return False
    with path.open("ab") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# ------------------------------------------------------------------------------------ real training

REAL = """\
name: real
base: tiny.yml
seeds: [0]
parts: [valid, test]
settings:
  plain: {model.name: tc_resnet8}
  bursts: {train.learning_rate: 1e+30}
"""


def write_study(world: World, place: Path, text: str) -> list[Any]:
    """Write a study and its environment; return the words of its command."""
    (place / "study.yml").write_text(text)
    (place / "tiny.yml").write_text(world.config.read_text())
    cache = world.folder / "prepared"
    (place / "env.yml").write_text(
        f"datasets: {world.folder}\noutput: {place / 'out'}\ncache: {cache}\n"
    )
    env = place / "env.yml"
    return ["study", place / "study.yml", "--data", world.speech, "--env", env]


def test_a_run_that_fails_stops_no_other_and_finished_runs_are_not_done_again(
    ask: Ask, world: World, tmp_path: Path
) -> None:
    words = [*write_study(world, tmp_path, REAL), "--at-once", "2", "--threads", "1"]
    answer = ask(*words, "--json")
    assert (answer.code, answer.err) == (1, "")
    record = json.loads(answer.out)
    why = record["failures"]["bursts seed 0"]
    assert why.startswith("the loss of epoch 1 is nan: lower train.learning_rate")
    plain, bursts = record["variants"]
    assert (plain["seeds"], bursts["seeds"]) == ([0], [])
    study = load_study(tmp_path / "study.yml", environment=tmp_path / "env.yml", data=world.speech)
    for part in ("valid", "test"):
        report = json.loads((runs.report_folder(study.runs[0], part) / "report.json").read_text())
        assert plain["parts"][part]["all"]["mean"] == report["accuracy"]
        assert report["split"] == part
    provenance = report["provenance"]
    assert provenance["command"].startswith(f"watchword train {tmp_path}/tiny.yml ")
    assert checkpoint.load(study.runs[0].folder / "best.safetensors").provenance["threads"] == 1
    log = tmp_path / "out" / "real" / "logs" / "plain-seed0.log"
    before = log.read_text()
    assert [line.split()[:3] for line in before.splitlines() if line.startswith("$ ")] == [
        *(["$", "watchword", "train"], ["$", "watchword", "eval"])
    ]
    (tmp_path / "study.yml").write_text(REAL.replace("  bursts", "  # bursts"))
    answer = ask(*words)
    assert (answer.code, answer.err) == (0, "note: num_lables: 12 is read as task: 12\n")
    assert log.read_text() == before  # no process worked on it
    assert answer.out.endswith(f"table: {tmp_path}/out/real/study.md\n")


KILLED = """\
name: killed
base: tiny.yml
seeds: [0]
common: {model.name: tc_resnet8, train.epochs: 8, train.save_minutes: 1e-9}
settings: {a: }
"""


def interrupted(ask: Ask, words: list[Any], study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press the key after two epochs."""

    def press(_watch: StudyWatch, _states: object) -> None:
        if len(runs.epochs(study.runs[0])) >= 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StudyWatch, "show", press)
        answer = ask(*words)
    assert (answer.code, answer.out) == (130, "")
    assert (
        "interrupted; trainings go on where they stopped when the same command is given\n"
        in answer.err
    )
    assert not is_locked(study, study.runs[0].label)  # its process ended with it
    assert len(runs.epochs(study.runs[0])) < 8


def killed(words: list[Any], study: Study) -> None:
    """Kill the study, so that nothing can end its process."""
    command = [PYTHON, "-m", "watchword", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(runs.epochs(study.runs[0])) >= 2)
    process.kill()
    process.wait()
    assert is_locked(study, study.runs[0].label)


@pytest.mark.parametrize("is_killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_study_that_was_ended_goes_on_to_the_same_bits(
    ask: Ask, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    threads = str(torch.get_num_threads())  # bits are those of as many threads
    words = [*write_study(world, tmp_path, KILLED), "--threads", threads]
    study = load_study(tmp_path / "study.yml", environment=tmp_path / "env.yml", data=world.speech)
    (run,) = study.runs
    if is_killed:
        killed(words, study)
    else:
        interrupted(ask, words, study, monkeypatch)
    answer = ask(*words)
    assert (answer.code, "failed" in answer.err) == (0, False)
    # a process that outlived its study is waited for
    assert (f"{run.label}: in another process" in answer.err) == is_killed
    log = (study.folder / "logs" / "a-seed0.log").read_text()
    assert [log.count(f"epoch   {epoch}/8") for epoch in (1, 8)] == [1, 1]  # not started anew
    elsewhere = tmp_path / "whole.yml"
    elsewhere.write_text((tmp_path / "env.yml").read_text().replace("/out", "/whole"))
    alone = ask("train", study.base, *run.changes, "--env", elsewhere, "--json")
    folders = (run.folder, Path(json.loads(alone.out)["run"]))
    mine, theirs = (checkpoint.load(folder / "last.safetensors").weights for folder in folders)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert untimed(folders[0]) == untimed(folders[1])


# ------------------------------------------------------------------------------------ one process


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A run whose command is harmless: it exits with 2 and one line, without torch."""
    monkeypatch.setattr(Job, "command", lambda _job, _step: ["no-such-command"])
    study = study_of(tmp_path, PAIR)
    return Job(study, study.runs[0], SHARED)


def go_on(job: Job) -> State:
    """Work on a run to its end."""

    def has_ended() -> bool:
        job.go_on()
        return not job.is_busy

    wait_until(has_ended)
    return job.state


def test_a_process_that_fails_is_known_by_the_last_line_of_its_log(job: Job) -> None:
    assert (job.state, job.is_busy) == (State(WAITING), False)
    kind, why = go_on(job)
    assert kind == FAILED
    assert why == "No such command 'no-such-command': see watchword --help"
    assert job.log_path.read_text().startswith("$ watchword no-such-command\n")


def test_a_process_that_a_signal_ended_says_which(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "command", lambda _job, _step: ["study", "/dev/tty0"])
    job.go_on()
    assert job.process is not None
    job.process.send_signal(signal.SIGKILL)
    kind, why = go_on(job)
    assert (kind, why.partition("; ")[0]) == (FAILED, "ended by SIGKILL")


def test_a_process_that_ends_well_and_leaves_nothing_has_failed(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "command", lambda _job, _step: ["--help"])
    kind, why = go_on(job)
    assert kind == FAILED
    assert why == f"training ended well and left no report: see {job.log_path}"


def test_a_run_that_another_process_has_is_left_to_it(job: Job) -> None:
    job.log_path.parent.mkdir(parents=True)
    with job.log_path.open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        job.go_on()
        assert (job.state.kind, job.process) == (ELSEWHERE, None)
        assert job.is_busy  # it takes one of the places
        finish(job.run)
    job.go_on()  # the other one is through
    assert job.state.kind == DONE


def test_steps_follow_each_other_with_what_the_study_was_given(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR + "parts: [valid, test]")
    run = study.runs[0]
    job = Job(study, run, Shared(tmp_path / "env.yml", -1, 3))
    given = ["--env", str(tmp_path / "env.yml"), "--gpu", "-1"]
    changes = ["name=pair--a", "seed=0"]
    assert job.command("training") == ["train", str(tmp_path / "base.yml"), *changes, *given]
    output = str(run.folder / "eval-12-test")
    model = str(run.folder / "best.safetensors")
    words = ["eval", model, "--split", "test", "--output", output, *given]
    assert job.command("test") == words


def test_runs_of_the_past_need_no_process(tmp_path: Path) -> None:
    study = study_of(tmp_path, PAIR)
    finish(study.runs[0])
    assert Job(study, study.runs[0], SHARED).state == State(DONE)
    other = study_of(tmp_path, PAIR.replace("a: ,", "a: {train.epochs: 3},"))
    assert Job(other, other.runs[0], SHARED).state == State(FAILED, runs.OTHER)


# ---------------------------------------------------------------------------------- all processes


class Fake(Job):
    """A run that takes so many turns, without any process."""

    def __init__(self, study: Study, place: int, turns: int) -> None:
        super().__init__(study, study.runs[place], SHARED)
        self.turns = turns

    def go_on(self) -> None:
        self.turns -= 1
        self.state = State("training") if self.turns >= 0 else State(DONE)


def test_no_more_runs_are_worked_on_at_a_time_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(tmp_path, PAIR)
    fakes = [Fake(study, place, turns) for place, turns in enumerate((3, 1, 2, 1))]
    seen: list[str] = []

    def look(_seconds: float) -> None:
        seen.append("".join("x" if fake.is_busy else fake.state.kind[0] for fake in fakes))

    monkeypatch.setattr(jobs.time, "sleep", look)
    with Console(is_quiet=True) as console:
        assert jobs.run_all(fakes, 2, console) == {}
    # a place that gets free is taken in the same turn, in the order of the runs
    assert seen == ["xxww", "xdxw", "xdxw", "dddx", "dddd"]


def test_whatever_happens_no_process_is_left(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    left = []

    def interrupted(_watch: StudyWatch, _states: object) -> None:
        left.append(job.process)
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyWatch, "show", interrupted)
    with Console(is_quiet=True) as console, pytest.raises(KeyboardInterrupt):
        jobs.run_all([job], 1, console)
    assert left[0] is not None
    assert left[0].returncode == -signal.SIGTERM
    assert job.state == State(WAITING)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_interrupt_a_study_and_nothing_else(name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # nohup may have it ignored
    try:
        with pytest.raises(KeyboardInterrupt), jobs._signals_interrupt():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with jobs._signals_interrupt():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


# ------------------------------------------------------------------------------------ what is seen


def test_far_from_a_terminal_a_line_tells_what_is_new(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: clock[0])
    states = {"a seed 0": State("training"), "b seed 0": State(WAITING)}
    with Console() as console, StudyWatch(console) as shown:
        for epoch in range(4):
            shown.show(states)
            states["a seed 0"] = State("training", f"epoch {epoch + 1} of 4")
            clock[0] += 0.4 * BETWEEN_LINES_S
        states["a seed 0"] = State("failed", "no [room]")
        shown.show(states)
    assert capsys.readouterr().err.splitlines() == [
        "a seed 0: training",
        "a seed 0: training: epoch 3 of 4",  # by then 1.2 times the time between two lines
        "a seed 0: failed: no [room]",
    ]


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        """Say that this is one."""
        return True


def test_on_a_terminal_every_run_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80"), ("LINES", "24")):
        monkeypatch.setenv(name, value)
    with Console() as console, StudyWatch(console) as shown:
        shown.show({"a seed 0": State("training", "epoch 2 of 4"), "b seed 0": State(WAITING)})
    seen = screen.getvalue()
    assert "a seed 0  training: epoch 2 of 4" in seen
    assert "b seed 0  waiting" in seen
