"""Audio → posteriors, by a bundle's graphs: clips at once, streams chunk by chunk.

In comes a bundle, then waveforms; out come posteriors. A room because a stream's state is kept here
and nowhere else, and as a value: what a stream has heard is in the ``State`` that ``step``
returned, so that a stream can be copied, stored, begun anew, or heard beside a thousand others by
one session.

Chunks have any length. They are gathered until a score is due; every score then hears exactly one
clip's length of audio. Before a stream there is half a clip of silence, so that its first word has
been in the middle of a clip, too, and the first score comes after half a clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from watchword.bundle import CLIP, CLIP_INT8, STREAM, STREAM_INT8, Bundle
from watchword.decision import Posteriors
from watchword.errors import AudioError, BundleError, ConfigError
from watchword.facts import CHUNK, LONGEST_REASON, POSTERIORS
from watchword.units import SAMPLE_RATE_HZ, Samples, Seconds

Waveforms = NDArray[np.float32]
CLIPS_AT_ONCE: Final = 32
"""Scores times streams computed in one go: more leave the processor's cache, fewer are slower."""
MOST_THREADS: Final = 256
FLUSH_S: Final[Seconds] = 0.5
"""Silence heard after the end of a recording: half a clip, so that its last word has been in the
middle of one."""
LOG_FATAL: Final = 4
FLOAT: Final = np.dtype(np.float32)


@dataclass(frozen=True)
class State:
    """What some streams have heard.

    Args:
        arrays: The graph's state, each ``(streams, ...)``.
        pending: Audio that no score has heard yet, shape ``(streams, samples)``.
        scores: Scores computed so far, those of the warm-up included.
    """

    arrays: tuple[NDArray[np.float32], ...]
    pending: Waveforms
    scores: int

    @property
    def streams(self) -> int:
        """How many streams."""
        return int(self.pending.shape[0])


class Runner:
    """Runs the graphs of a bundle; it keeps nothing of what it heard, and may serve many streams.

    Args:
        bundle: The model.
        is_int8: Whether to use its 8-bit graphs.
        threads: Threads a call may use.

    Raises:
        BundleError: If a graph cannot be run, or the bundle has no 8-bit graphs.
        ConfigError: If the number of threads makes no sense.
    """

    def __init__(self, bundle: Bundle, *, is_int8: bool = False, threads: int = 1) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise ConfigError(
                f"{threads} threads were asked for, needed from 1 to {MOST_THREADS}: 1 is best for "
                "models as small as these"
            )
        self.facts, self.timing = bundle.facts, bundle.facts.timing
        self._bundle, self._threads = bundle, threads
        self._clip_name = CLIP_INT8 if is_int8 else CLIP
        self._stream_name = STREAM_INT8 if is_int8 else STREAM
        bundle.graph(self._stream_name)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def clips(self, waveforms: Waveforms) -> Posteriors:
        """Return posteriors of clips, shape ``(batch, classes)``.

        Args:
            waveforms: Shape ``(batch, clip_samples)``, in [-1, 1].

        Raises:
            AudioError: If they are not of that shape.
            BundleError: If the graph cannot be run, or answers in another shape than it should.
        """
        needed = self.timing.clip_samples
        if waveforms.ndim != 2 or waveforms.shape[1] != needed:
            raise AudioError(
                f"clips of shape {waveforms.shape} came in, needed (clips, {needed:,}): cut the "
                "audio or pad it with zeros"
            )
        given = {"waveform": waveforms.astype(np.float32, copy=False)}
        shape = len(waveforms), len(self.facts.labels)
        posteriors: Posteriors = self._run(self._clip_name, given, {POSTERIORS: shape})[0]
        return posteriors

    @property
    def digest(self) -> str:
        """SHA-256 of the graph that hears streams, in hexadecimal."""
        return self.facts.files[self._stream_name].sha256

    def prepare(self) -> None:
        """Load the graph that hears streams now, and not when the first audio comes.

        Raises:
            BundleError: If it cannot be run.
        """
        self._session(self._stream_name)

    def start(self, streams: int = 1) -> State:
        """Return the state of streams that have heard nothing.

        Args:
            streams: How many are heard side by side, at least 1.

        Raises:
            ConfigError: If there shall be none.
        """
        if streams < 1:
            raise ConfigError(f"{streams} streams were asked for, needed at least 1: name how many")
        arrays = tuple(np.zeros((streams, *part.shape), np.float32) for part in self.facts.state)
        before = self.timing.lead_samples + self.timing.silence_samples
        return State(arrays, np.zeros((streams, before), np.float32), 0)

    def step(self, chunk: Waveforms, state: State) -> tuple[Posteriors, State]:
        """Return the posteriors that are due, and the next state.

        Args:
            chunk: Audio in [-1, 1] of any length, shape ``(streams, samples)``.
            state: What ``start`` or the last ``step`` returned.

        Returns:
            Posteriors ``(streams, scores, classes)``, often with no score at all, and the state.

        Raises:
            AudioError: If there are not as many rows of audio as streams.
            BundleError: If the graph cannot be run, or answers in another shape than it should.
        """
        if chunk.ndim != 2 or chunk.shape[0] != state.streams:
            raise AudioError(
                f"a chunk of shape {chunk.shape} came in for {state.streams} streams, needed "
                f"({state.streams}, samples): give one row of audio for each stream"
            )
        audio = np.concatenate([state.pending, chunk.astype(np.float32, copy=False)], axis=1)
        due = audio.shape[1] // self.timing.score_samples
        arrays, found = state.arrays, []
        at_once = max(1, CLIPS_AT_ONCE // state.streams)
        for first in range(0, due, at_once):
            last = min(due, first + at_once)
            samples = slice(first * self.timing.score_samples, last * self.timing.score_samples)
            posteriors, arrays = self._hear(audio[:, samples], arrays)
            found.append(posteriors)
        rows = np.concatenate(found, axis=1) if found else self._none(state.streams)
        warm = max(0, self.timing.warm_up_scores - state.scores)
        rest = audio[:, due * self.timing.score_samples :].copy()
        return rows[:, warm:], State(arrays, rest, state.scores + due)

    def flush_samples(self, heard: Samples) -> Samples:
        """Return how many zeros end a stream, so that all its audio has been in a score.

        Args:
            heard: Samples of audio before them; after none, none are needed.
        """
        if not heard:
            return 0
        least = self.timing.used_samples - self.timing.silence_samples - heard
        missing = max(round(FLUSH_S * SAMPLE_RATE_HZ), least)
        return missing + -(heard + self.timing.lead_samples + missing) % self.timing.score_samples

    def _hear(
        self, audio: Waveforms, arrays: Sequence[NDArray[np.float32]]
    ) -> tuple[Posteriors, tuple[NDArray[np.float32], ...]]:
        """Return posteriors of whole score hops, and the next state, some rows at a time."""
        parts = [slice(row, row + CLIPS_AT_ONCE) for row in range(0, len(audio), CLIPS_AT_ONCE)]
        if len(parts) == 1:
            return self._hear_at_once(audio, arrays)
        each = [self._hear_at_once(audio[rows], [one[rows] for one in arrays]) for rows in parts]
        posteriors, after = zip(*each, strict=True)
        return np.concatenate(posteriors), tuple(map(np.concatenate, zip(*after, strict=True)))

    def _hear_at_once(
        self, audio: Waveforms, arrays: Sequence[NDArray[np.float32]]
    ) -> tuple[Posteriors, tuple[NDArray[np.float32], ...]]:
        """Return the same for rows that fit the processor's cache together."""
        given = {part.given: array for part, array in zip(self.facts.state, arrays, strict=True)}
        due = audio.shape[1] // self.timing.score_samples
        shapes: dict[str, tuple[int, ...]] = {
            POSTERIORS: (len(audio), due, len(self.facts.labels)),
            **{part.returned: (len(audio), *part.shape) for part in self.facts.state},
        }
        posteriors, *after = self._run(self._stream_name, {CHUNK: audio, **given}, shapes)
        return posteriors, tuple(after)

    def _none(self, streams: int) -> Posteriors:
        """Return no scores."""
        return np.empty((streams, 0, len(self.facts.labels)), np.float32)

    def _run(
        self, name: str, given: dict[str, NDArray[np.float32]], shapes: dict[str, tuple[int, ...]]
    ) -> list[Any]:
        """Return what a graph computes: arrays of these names and shapes."""
        session = self._session(name)
        given = {key: np.ascontiguousarray(value) for key, value in given.items()}
        try:
            found = session.run([*shapes], given)
        except _faults() as error:
            raise _unusable(self._bundle, name, str(error)) from error
        for (key, shape), array in zip(shapes.items(), found, strict=True):
            if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (shape, FLOAT):
                kind = getattr(array, "dtype", type(array).__name__), getattr(array, "shape", ())
                reason = f"{key} is {kind[0]} {kind[1]}, needed {FLOAT} {shape}"
                raise _unusable(self._bundle, name, reason)
        return list(found)

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """Return the session of a graph, loaded when it is asked for first."""
        if name not in self._sessions:
            self._sessions[name] = _session(self._bundle, name, self._threads)
        return self._sessions[name]


def _session(bundle: Bundle, name: str, threads: int) -> onnxruntime.InferenceSession:
    """Return a session of a graph, on the CPU alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = LOG_FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(
            bundle.graph(name), options, providers=["CPUExecutionProvider"]
        )
    except _faults() as error:
        raise _unusable(bundle, name, str(error)) from error


@cache
def _faults() -> tuple[type[BaseException], ...]:
    """Return what onnxruntime raises: classes of its own that have no common root but these."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [k for k in vars(state).values() if isinstance(k, type) and issubclass(k, Exception)]
    return (*own, ValueError, RuntimeError)


def _unusable(bundle: Bundle, name: str, reason: str) -> BundleError:
    """Return the error for a graph that cannot be used."""
    line = "".join(sign if sign.isprintable() else " " for sign in reason[:LONGEST_REASON])
    return BundleError(
        f"{bundle.source}: {name} cannot be run ({line}): update onnxruntime, or export the model "
        "again"
    )
