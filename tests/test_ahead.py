"""Hearing ahead: the same bits as hearing in time, faults that are told, processes that end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from test_train import StopAfter, start, untimed, weights, write_tones
from watchword import ahead
from watchword.data.clips import ClipStore, prepare
from watchword.errors import DataError
from watchword.hearing import Batch, Heard, Hearing
from watchword.progress import Watcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    place = tmp_path_factory.mktemp("ahead")
    return prepare(write_tones(place / "tones"), place / "cache")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def others() -> int:
    return len(multiprocessing.active_children())


def steps(run: object, count: int = 5) -> list[Batch]:
    clips = run.plan.epoch(0)
    return [Batch(clips[4 * i : 4 * i + 4], 0, i) for i in range(count)]


@pytest.mark.parametrize("processes", [1, 2, 7])
def test_processes_hear_the_same_bits_in_order(
    tones: ClipStore, tmp_path: Path, processes: int
) -> None:
    run = start(tones, tmp_path)
    run.learn_normalisation()
    listeners = ahead.Ahead(run.hearing, processes, 4, 40, 98)
    for _ in range(2):  # an epoch leaves nothing behind for the next
        found = list(listeners.hear(steps(run)))
        assert len(found) == 5
        for step, heard in zip(steps(run), found, strict=True):
            expected = run.hearing.batch(step)
            assert heard.features.stride() == expected.features.stride()
            assert torch.equal(heard.features, expected.features)
            assert torch.equal(heard.soft, expected.soft)
            assert torch.equal(heard.targets, expected.targets)
    listeners.end()
    assert others() == 0


def test_the_next_step_is_heard_while_this_one_is_learned_from(
    tones: ClipStore, tmp_path: Path
) -> None:
    listeners = ahead.Ahead(start(tones, tmp_path).hearing, 1, 4, 40, 98)
    told = []

    class Told(list):
        def __iter__(self):
            for step in list.__iter__(self):
                told.append(step.number)
                yield step

    heard = listeners.hear(Told(steps(start(tones, tmp_path))))
    next(heard)
    assert told == [0, 1]  # step 1 was asked for before step 0 was handed out
    listeners.end()


def test_a_run_that_hears_ahead_ends_with_the_same_bits(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path / "in-time", "train.hear_ahead=never", "train.epochs=2").fit(Watcher())
    start(tones, tmp_path / "ahead", "train.hear_ahead=always", "train.epochs=2").fit(Watcher())
    expected, found = weights(tmp_path / "in-time"), weights(tmp_path / "ahead")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert untimed(tmp_path / "in-time") == untimed(tmp_path / "ahead")
    assert others() == 0
    assert torch.get_num_threads() == 1


def test_a_run_goes_on_whoever_hears(tones: ClipStore, tmp_path: Path) -> None:
    start(tones, tmp_path / "whole", "train.epochs=2").fit(Watcher())
    words = ("train.epochs=2", "train.save_minutes=1e-9")
    first = start(tones, tmp_path / "broken", "train.hear_ahead=always", *words)
    with pytest.raises(KeyboardInterrupt):
        first.fit(StopAfter(7))
    assert others() == 0
    start(tones, tmp_path / "broken", "train.hear_ahead=never", *words).fit(Watcher())
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


class Killing(Watcher):
    """Kills the process that hears ahead."""

    def batch_done(self) -> None:
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)


def test_a_process_that_dies_ends_the_run_with_one_line(tones: ClipStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hears ahead has ended \(exit code -9\).*goes on where"):
        start(tones, tmp_path, "train.hear_ahead=always").fit(Killing())
    assert others() == 0


def test_a_fault_while_hearing_is_the_run_s_fault(
    tones: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Heard:
        raise DataError("no such clip")

    monkeypatch.setattr(Hearing, "batch", fail)
    with pytest.raises(DataError, match="no such clip"):
        start(tones, tmp_path, "train.hear_ahead=always").fit(Watcher())
    assert others() == 0


def test_half_of_several_threads_hear_and_a_gpu_needs_none() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert [ahead.processes_for("auto", cpu, threads) for threads in (1, 2, 3, 8)] == [0, 1, 1, 4]
    assert ahead.processes_for("always", cpu, 1) == 1
    assert ahead.processes_for("never", cpu, 8) == 0
    assert ahead.processes_for("always", gpu, 8) == 0


def killed_run(hearing: Hearing, told: Connection) -> None:
    """Start processes that hear ahead, tell which, and be killed."""
    listeners = ahead.Ahead(hearing, 2, 4, 40, 98)
    told.send([listener.process.pid for listener in listeners.listeners])
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_end_with_a_run_that_is_killed(tones: ClipStore, tmp_path: Path) -> None:
    hear, told = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    run = context.Process(target=killed_run, args=(start(tones, tmp_path).hearing, told))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks
        run.start()
    processes = hear.recv()
    run.join()
    assert run.exitcode == -signal.SIGKILL
    assert len(processes) == 2
    deadline = time.monotonic() + 30
    while any(is_alive(process) for process in processes):
        assert time.monotonic() < deadline, "a process outlived its run"
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    """Tell whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
