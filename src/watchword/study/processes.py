"""A run → the processes that work on it, one after the other.

In comes a run, out go a ``watchword train`` and then a ``watchword eval`` for each part, and how
they fare. A room because processes are started, watched and ended here and nowhere else. The log of
a run is locked while a process works on it, also while one does that outlived its study: no run is
trained twice at the same time.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from watchword.study import runs
from watchword.study.plan import Run, Study
from watchword.study.watch import DONE, WAITING, State
from watchword.units import Seconds

GRACE_S: Final[Seconds] = 10.0
TAIL_BYTES: Final = 8_192
ELSEWHERE, FAILED = "in another process", "failed"
ENDED: Final = (DONE, FAILED)


class Shared(NamedTuple):
    """What the commands of all runs share.

    Args:
        environment: Environment file.
        gpu: Number of the one GPU; -1 for the CPU.
        threads: Threads of each process.
    """

    environment: Path | None
    gpu: int | None
    threads: int


class Job:
    """One run, and the process that works on it.

    Args:
        study: The study.
        run: One of its runs.
        shared: What its commands share with those of the others.
    """

    def __init__(self, study: Study, run: Run, shared: Shared) -> None:
        self.study, self.run, self.shared = study, run, shared
        self.log_path = study.folder / "logs" / f"{run.variant}-seed{run.seed}.log"
        self.log: IO[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.step: str | None = None
        self.state = State(WAITING)
        if runs.is_of_other_settings(run):
            self.state = State(FAILED, runs.OTHER)
        elif runs.next_step(study, run) is None:
            self.state = State(DONE)

    @property
    def is_busy(self) -> bool:
        """Whether a process works on the run, of this study or of another."""
        return self.state.kind not in (WAITING, *ENDED)

    def command(self, step: str) -> list[str]:
        """Return the words behind ``watchword`` that do a step.

        Args:
            step: What ``runs.next_step`` returned.
        """
        if step == runs.TRAINING:
            words = ["train", str(self.study.base), *self.run.changes]
        else:
            output = runs.report_folder(self.run, step)
            model = self.run.folder / runs.MODEL
            words = ["eval", str(model), "--split", step, "--output", str(output)]
        if self.shared.environment is not None:
            words += ["--env", str(self.shared.environment)]
        return [*words, *([] if self.shared.gpu is None else ["--gpu", str(self.shared.gpu)])]

    def go_on(self) -> None:
        """Look how the process fares; where there is none or it has ended, start the next one."""
        if self.process is None:
            self._take()
            return
        code = self.process.poll()
        if code is None:
            self.state = self._progress()
        elif code:
            self._let_go(State(FAILED, _why(code, self.log_path)))
        else:
            self._start_next()

    def _take(self) -> None:
        """Take the run, unless another process has it."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log = self.log_path.open("ab")
        if _lock(self.log):
            self._start_next()
        else:
            self._let_go(State(ELSEWHERE, runs.how_far(self.run)))

    def _start_next(self) -> None:
        """Start what the run needs next, if anything."""
        assert self.log is not None
        before, self.step = self.step, runs.next_step(self.study, self.run)
        if self.step is None:
            self._let_go(State(DONE))
        elif self.step == before:
            left = f"{before} ended well and left no report: see {self.log_path}"
            self._let_go(State(FAILED, left))
        else:
            words = self.command(self.step)
            self.log.write(f"$ {shlex.join(['watchword', *words])}\n".encode())
            self.log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "watchword", *words],
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": str(self.shared.threads)},
                start_new_session=True,  # a key pressed here is for the study, not for its runs
            )
            self.state = self._progress()

    def _progress(self) -> State:
        """Return how far the process has come."""
        if self.step == runs.TRAINING:
            return State(runs.TRAINING, runs.how_far(self.run))
        return State(f"evaluating on {self.step}")

    def _let_go(self, state: State) -> None:
        """Be done with the run for now; its lock goes with its log."""
        self.state, self.process = state, None
        if self.log is not None:
            self.log.close()

    def stop(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            _signal(self.process, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for a while until the process has ended, then end it."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_S)
        if self.process.poll() is None:
            _signal(self.process, signal.SIGKILL)
            self.process.wait()
        self._let_go(State(WAITING))


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and those it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _lock(log: IO[bytes]) -> bool:
    """Lock a log until the last process that writes to it ends; return False if one still does."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this file system knows no locks
        return True
    return True


def _why(code: int, log: Path) -> str:
    """Return why a process failed: what ended it, and the last line of its log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    by = f"ended by {signal.Signals(-code).name}; " if code < 0 else ""
    return by + last.removeprefix("watchword: ")
