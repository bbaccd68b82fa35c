"""What a bundle computes, from waveform to posteriors, of operators that every runtime has.

In come a front end and a network, out go two modules that export can trace: one hears a clip, the
other a chunk of a stream with its state. A room because a Fourier transform, a frame and a state
look different where only matrix products are quick, and because both modules must agree with the
training code to the last decimals that float32 has.

A stream's features are computed once a frame and kept; every score hop, the network hears those of
the last clip's length. So a score is what the network says of that clip cut out of the stream: no
training for streams, no approximation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.errors import ConfigError
from watchword.features import LogMel, Mfcc
from watchword.units import CLIP_SAMPLES, Frames, Samples


class Spectra(nn.Module):
    """Frames side by side -> energies of the mel bands, by two steps of matrix products.

    A transform of ``N = a · b`` points is ``a``-point transforms of every ``b``-th sample, then
    ``b``-point ones across them. For N = 512 that is a seventh of the multiplications of one
    matrix, and both steps are products that runtimes are quickest at. Of the first step's results
    half are the other half's conjugates and left out.

    Args:
        window: The window, shape ``(window_samples,)``.
        filters: Mel filters, shape ``(mels, N // 2 + 1)``.

    Source:
        Cooley & Tukey (1965); the twiddle factors are part of the second step's matrices.
    """

    window: Tensor
    first: Tensor
    second: Tensor
    bands: Tensor

    def __init__(self, window: Tensor, filters: Tensor) -> None:
        super().__init__()
        points = 2 * (filters.shape[1] - 1)
        outer = _outer_points(points)
        inner = points // outer
        halves = outer // 2 + 1
        rows = -(-window.shape[0] // inner)
        self.rows, self.inner, self.halves = rows, inner, halves
        padded = F.pad(window, (0, rows * inner - window.shape[0]))
        self.spare = rows * inner - window.shape[0]
        self.register_buffer("window", padded[:, None])
        # first[2 · p + (0 re, 1 im), r] of sample r · inner + c
        turns = torch.arange(halves)[:, None] * torch.arange(rows)[None] / outer
        angles = -2 * math.pi * turns.double()
        first = torch.stack([angles.cos(), angles.sin()], 1).reshape(2 * halves, rows)
        self.register_buffer("first", first.float())
        # second[p, (re, im) · q, (re, im) · c] for bin p + outer · q
        bins = torch.arange(halves)[:, None] + outer * torch.arange(inner)[None]  # (p, q)
        turns = (bins[:, :, None] * torch.arange(inner)).remainder(points) / points  # (p, q, c)
        angles = -2 * math.pi * turns.double()
        real, imaginary = angles.cos(), angles.sin()
        top, bottom = (
            torch.cat([real, -imaginary], 2),
            torch.cat([imaginary, real], 2),
        )
        self.register_buffer("second", torch.cat([top, bottom], 1).float())
        self.register_buffer("bands", _bands_of(bins, filters, points))

    def forward(self, frames: Tensor) -> Tensor:
        """Return mel energies, shape ``(batch, mels, frames)``.

        Args:
            frames: Samples of each frame, shape ``(batch, window_samples, frames)``.
        """
        if self.spare:
            frames = F.pad(frames, (0, 0, 0, self.spare))
        count = frames.shape[2]
        x = (frames * self.window).reshape(-1, self.rows, self.inner * count)
        x = (self.first @ x).reshape(-1, self.halves, 2 * self.inner, count)
        x = (self.second @ x).reshape(-1, self.halves, 2, self.inner, count)
        powers = x.square().sum(2).reshape(-1, self.halves * self.inner, count)
        return self.bands @ powers


def _outer_points(points: int) -> int:
    """Return the length of the first transforms: of all divisors the one with least work."""
    divisors = [n for n in range(1, points + 1) if points % n == 0]

    def work(outer: int) -> int:
        halves, inner = outer // 2 + 1, points // outer
        return 2 * halves * points + halves * (2 * inner) ** 2

    return min(divisors, key=work)


def _bands_of(bins: Tensor, filters: Tensor, points: int) -> Tensor:
    """Return mel filters for bins in the order of the second step, each bin counted once."""
    folded = torch.minimum(bins, points - bins).flatten().tolist()
    placed = torch.zeros(filters.shape[0], len(folded))
    seen: set[int] = set()
    for column, place in enumerate(folded):
        if place not in seen:
            placed[:, column] = filters[:, place].cpu()
            seen.add(place)
    return placed


class Front(nn.Module):
    """Samples -> features, frame by frame, of a trained front end.

    Args:
        front_end: What the network was trained with.
    """

    def __init__(self, front_end: LogMel) -> None:
        super().__init__()
        self.hop, self.window = front_end.hop_samples, front_end.window_samples
        self.blocks = -(-self.window // self.hop)
        """Hops that a frame touches."""
        self.floor = front_end.floor
        filters = front_end.filters.detach().cpu()
        self.spectra = Spectra(torch.hann_window(self.window), filters)
        gain = 1.0 / front_end.deviation.detach().cpu().double()
        offset = -front_end.mean.detach().cpu().double() * gain
        if isinstance(front_end, Mfcc):
            matrix: Tensor | None = front_end.transform.detach().cpu().double() * gain[:, None]
        else:
            matrix = None
        self.register_buffer("matrix", None if matrix is None else matrix.float())
        self.register_buffer("gain", gain.float()[:, None])
        self.register_buffer("offset", offset.float()[:, None])

    matrix: Tensor | None
    gain: Tensor
    offset: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """Return the features of all frames that end with a hop, ``(batch, mels, frames)``.

        Args:
            samples: Whole hops, the first ``blocks - 1`` of which are there for the first frame;
                shape ``(batch, hops * hop_samples)``.
        """
        hops = samples.reshape(samples.shape[0], -1, self.hop).transpose(1, 2)  # (b, hop, hops)
        count = hops.shape[2] - self.blocks + 1
        touched = torch.cat([hops[:, :, i : i + count] for i in range(self.blocks)], 1)
        unused = self.blocks * self.hop - self.window
        energies = self.spectra(touched[:, unused:])
        logs = (energies + self.floor).log()
        logs = logs * self.gain if self.matrix is None else self.matrix @ logs
        features: Tensor = logs + self.offset
        return features


@dataclass(frozen=True)
class Plan:
    """How a network's clip lies in samples, and a stream of them in score hops.

    Args:
        clip_samples: Samples of a clip.
        used_samples: Samples of it that reach a frame.
        score_samples: Samples between two scores.
        frames: Frames of a clip.
        hop_samples: Step between two frames.
        is_centred: Whether the first and last frames are made of mirrored audio, so that no frame
            of a stream can be used twice.
    """

    clip_samples: Samples
    used_samples: Samples
    score_samples: Samples
    frames: Frames
    hop_samples: Samples
    is_centred: bool

    @property
    def lead_samples(self) -> Samples:
        """Zeros before a stream, so that a whole clip has been heard when a score is due."""
        return -self.used_samples % self.score_samples

    @property
    def warm_up_scores(self) -> int:
        """Scores at the start of a stream that heard less than a clip, and mean nothing."""
        return (self.used_samples + self.lead_samples) // self.score_samples - 1

    @property
    def score_frames(self) -> Frames:
        """Frames between two scores."""
        return self.score_samples // self.hop_samples


def plan(front_end: LogMel, score_samples: Samples) -> Plan:
    """Return how a front end's clips and streams lie in samples.

    Args:
        front_end: The front end.
        score_samples: Samples between two scores.

    Raises:
        ConfigError: If scores do not fall on frames.

    Example:
        >>> plan(LogMel(), 1_280).lead_samples, plan(LogMel(), 1_280).warm_up_scores
        (640, 12)
    """
    hop = front_end.hop_samples
    if score_samples < 1 or score_samples % hop:
        raise ConfigError(
            f"a score every {score_samples} samples was asked for, and a frame comes every {hop}; "
            f"needed is a multiple of that: {max(1, round(score_samples / hop)) * hop} is nearest"
        )
    frames = front_end.frames(CLIP_SAMPLES)
    used = CLIP_SAMPLES
    if not front_end.is_centred:
        used = (frames - 1) * hop + front_end.window_samples
    return Plan(CLIP_SAMPLES, used, score_samples, frames, hop, front_end.is_centred)


class ClipFront(nn.Module):
    """Waveform ``(batch, samples)`` -> features ``(batch, mels, frames)``.

    Args:
        front_end: What the network was trained with.
        lies: How clips lie in samples.
    """

    def __init__(self, front_end: LogMel, lies: Plan) -> None:
        super().__init__()
        self.plan, self.front = lies, Front(front_end)
        self.edge = front_end.filters.shape[1] - 1 if lies.is_centred else 0
        """Samples mirrored at both ends."""

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features of clips, ``(batch, mels, frames)``.

        Args:
            waveform: Shape ``(batch, clip_samples)``.
        """
        front, lies = self.front, self.plan
        start = 0
        if lies.is_centred:
            waveform = F.pad(waveform, (self.edge, self.edge), mode="reflect")
            start = self.edge - front.window // 2
        needed = (lies.frames - 1) * front.hop + front.window
        waveform = waveform[:, start : start + needed]
        features: Tensor = front(F.pad(waveform, (front.blocks * front.hop - front.window, 0)))
        return features


class StreamFront(nn.Module):
    """Whole score hops and state -> features of the clip before each score, and state.

    The state is the audio that the next frame begins with and the features that the next score
    still hears; zeros at the start.

    Args:
        clip: The same for clips.
        mels: Bands of the features.
    """

    names = ("audio", "features")

    def __init__(self, clip: ClipFront, mels: int) -> None:
        super().__init__()
        self.front, self.plan = clip.front, clip.plan
        self.shapes: tuple[tuple[int, ...], ...] = (
            ((self.front.blocks - 1) * self.front.hop,),
            (mels, self.plan.frames - self.plan.score_frames),
        )

    def forward(self, chunk: Tensor, audio: Tensor, features: Tensor) -> tuple[Tensor, ...]:
        """Return features ``(streams * scores, mels, frames)`` and the next state.

        Args:
            chunk: Audio, shape ``(streams, scores * score_samples)``.
            audio: State, shape ``(streams, samples)``.
            features: State, shape ``(streams, mels, frames)``.
        """
        lies = self.plan
        samples = torch.cat([audio, chunk], 1)
        heard = torch.cat([features, self.front(samples)], 2)
        scores = chunk.shape[1] // lies.score_samples
        return (
            _clips_within(heard, scores, lies.score_frames, lies.frames),
            samples[:, samples.shape[1] - self.shapes[0][0] :],
            heard[:, :, heard.shape[2] - self.shapes[1][1] :],
        )


class MirroredFront(nn.Module):
    """The same where the first and last frames of a clip are mirrored: no frame is kept.

    The state is the audio of a clip but for the newest score hop; each score measures its features
    anew.

    Args:
        clip: The same for clips.
    """

    names = ("audio",)

    def __init__(self, clip: ClipFront) -> None:
        super().__init__()
        self.clip, self.plan = clip, clip.plan
        self.shapes: tuple[tuple[int, ...], ...] = (
            (self.plan.clip_samples - self.plan.score_samples,),
        )

    def forward(self, chunk: Tensor, audio: Tensor) -> tuple[Tensor, ...]:
        """Return features ``(streams * scores, mels, frames)`` and the next state.

        Args:
            chunk: Audio, shape ``(streams, scores * score_samples)``.
            audio: State, shape ``(streams, samples)``.
        """
        lies = self.plan
        heard = torch.cat([audio, chunk], 1)
        scores = chunk.shape[1] // lies.score_samples
        clips = _clips_within(heard[:, None], scores, lies.score_samples, lies.clip_samples)
        return self.clip(clips[:, 0]), heard[:, heard.shape[1] - self.shapes[0][0] :]


def _clips_within(heard: Tensor, scores: int, step: int, length: int) -> Tensor:
    """Return every ``step`` a piece of a stream, ``(streams * scores, rows, length)``.

    Args:
        heard: Shape ``(streams, rows, steps)``.
        scores: How many pieces of each stream.
        step: From the start of one to that of the next.
        length: Length of a piece.
    """
    starts = torch.arange(scores, device=heard.device) * step
    places = starts[:, None] + torch.arange(length, device=heard.device)
    return heard[:, :, places].transpose(1, 2).reshape(-1, heard.shape[1], length)


class Ears(nn.Module):
    """Features ``(batch, mels, frames)`` -> posteriors ``(batch, classes)``.

    Args:
        network: A network frozen for the frames of a clip.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        """Return posteriors, ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        logits: Tensor = self.network(features)
        return logits.softmax(1)
