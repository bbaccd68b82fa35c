"""Hearing ahead: processes that make what the network learns from next.

In come the steps of an epoch in order, out comes what is heard in each, in order. A room because
this is the only place where a run has other processes of its own: each hears one step ahead on one
core while the network learns on another, and gives it back through memory that both share. The
numbers are those that the run itself would hear, bit for bit, as long as it hears with one thread.

The processes are forked, so they know all the run knows and cost no start; they use one thread,
which is what makes a fork safe for torch (its own data loaders do the same), and this is done on
Linux only. They end with the run, also when it is killed: their pipe closes.
"""

from __future__ import annotations

import mmap
import multiprocessing
import signal
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Literal

import torch
from torch import Tensor

from watchword.errors import DataError
from watchword.hearing import Batch, Heard, Hearing

ENDED_SECONDS = 5.0


class Listener:
    """One process that hears a batch ahead.

    Args:
        hearing: What it hears with, on the CPU.
        clips: Most clips of a batch.
        bands: Bands of the features.
        frames: Frames of the features.
    """

    def __init__(self, hearing: Hearing, clips: int, bands: int, frames: int) -> None:
        # anonymous shared memory: gone with the last process that has it
        self.features = _shared((clips, frames, bands), torch.float32)
        self.soft = _shared((clips, hearing.classes), torch.float32)
        self.pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=self._listen, args=(hearing, theirs), daemon=True)
        with warnings.catch_warnings():
            # that a process with threads forks: see above
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        theirs.close()

    def ask(self, asked: Batch) -> None:
        """Ask for a batch.

        Args:
            asked: Which; the one before has been taken.

        Raises:
            DataError: If the process has ended.
        """
        try:
            self.pipe.send(asked)
        except OSError as error:
            raise self._ended() from error

    def take(self, asked: Batch) -> Heard:
        """Wait for the batch that was asked for and return it.

        Args:
            asked: The same again.

        Raises:
            DataError: If hearing failed, or the process has ended.
        """
        try:
            fault = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if fault is not None:
            raise DataError(fault)
        count = len(asked.clips)
        features = self.features[:count].clone().transpose(1, 2)
        return Heard(features, self.soft[:count].clone(), torch.from_numpy(asked.clips.target))

    def end(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.join(ENDED_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _ended(self) -> DataError:
        """Return what to raise when the process is gone."""
        self.process.join(ENDED_SECONDS)
        return DataError(
            f"the process that hears ahead has ended (exit code {self.process.exitcode}); needed "
            "is one that lives as long as the run, so perhaps memory ran out: start the run again, "
            "it goes on where it was, with train.hear_ahead=never if need be"
        )

    def _listen(self, hearing: Hearing, pipe: Connection) -> None:
        """Hear what is asked for until nobody asks any more; in the other process."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer
        self.pipe.close()  # or it would keep itself alive
        torch.set_num_threads(1)
        while True:
            try:
                asked = pipe.recv()
            except (EOFError, OSError):
                return
            fault = None
            try:
                heard = hearing.batch(asked)
                self.features[: len(heard.features)] = heard.features.transpose(1, 2)
                self.soft[: len(heard.soft)] = heard.soft
            except Exception as error:  # any fault is the run's to report
                fault = str(error) or type(error).__name__
            try:
                pipe.send(fault)
            except OSError:
                return


class Ahead:
    """Processes that hear the steps of an epoch, each a step ahead.

    Args:
        hearing: What they hear with, on the CPU.
        processes: How many.
        clips: Most clips of a batch.
        bands: Bands of the features.
        frames: Frames of the features.
    """

    def __init__(
        self, hearing: Hearing, processes: int, clips: int, bands: int, frames: int
    ) -> None:
        self.listeners = [Listener(hearing, clips, bands, frames) for _ in range(processes)]

    def hear(self, steps: Iterable[Batch]) -> Iterator[Heard]:
        """Yield what is heard in each step, in order; the next ones are heard meanwhile.

        Args:
            steps: The steps, in order.

        Yields:
            What the network learns from.

        Raises:
            DataError: If hearing failed, or a process has ended.
        """
        asked: deque[tuple[Listener, Batch]] = deque()
        free = deque(self.listeners)
        for step in steps:
            heard = None if free else self._next(asked, free)
            listener = free.popleft()
            listener.ask(step)
            asked.append((listener, step))
            if heard is not None:
                yield heard
        while asked:
            yield self._next(asked, free)

    def _next(self, asked: deque[tuple[Listener, Batch]], free: deque[Listener]) -> Heard:
        """Return the oldest batch that was asked for; its listener is free then."""
        listener, step = asked.popleft()
        heard = listener.take(step)
        free.append(listener)
        return heard

    def end(self) -> None:
        """End the processes, the last first: each has the pipes of those before it."""
        for listener in reversed(self.listeners):
            listener.end()


def _shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return an array that this process shares with those it forks."""
    count = torch.Size(shape).numel()
    return torch.frombuffer(mmap.mmap(-1, 4 * count), dtype=dtype, count=count).view(shape)


def processes_for(
    wish: Literal["auto", "always", "never"], device: torch.device, threads: int
) -> int:
    """Return how many of a run's threads shall rather be processes that hear ahead.

    Half of them: hearing and learning take about as long. A run of one thread does one after the
    other, unless it always shall hear ahead.

    Args:
        wish: Setting ``train.hear_ahead``.
        device: Where the network learns; only on a CPU is there anything to gain.
        threads: Threads the run may use.

    Example:
        >>> [processes_for("auto", torch.device("cpu"), threads) for threads in (1, 2, 5)]
        [0, 1, 2]
    """
    if wish == "never" or device.type != "cpu" or sys.platform != "linux":
        return 0
    return max(threads // 2, 1 if wish == "always" else 0)
