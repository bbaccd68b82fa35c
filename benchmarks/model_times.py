"""Time of every model for one second, in one process on one thread: eager, compiled, with features.

    python benchmarks/model_times.py --rounds 30 --compiled --json docs/results/times.json

Batch 1. Models take turns, so that a noisy machine slows all of them; the ratio of a model's time
to that of LambdaResNet18 at width 1, in the same round and of the same way of running, is what
counts. *Compiled* is ``torch.compile`` of the whole graph, where a C++ compiler is found; compiling
all takes some minutes. *With features* adds the model's own front end, from the waveform on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import names
import torch
import turns
import zoo
from times_page import WAYS
from torch import Tensor, nn

from watchword import build
from watchword.config import FeatureSettings
from watchword.files import write_whole
from watchword.portable import portable
from watchword.units import CLIP_SAMPLES

COMPILERS = ("g++", "clang++", "c++")

Part = Callable[[Tensor], Tensor] | str
"""A network or front end to run, or why it cannot be."""


def main() -> None:
    """Measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=[], help="all of the table, if not given")
    parser.add_argument("--compiled", action="store_true", help="with torch.compile as well")
    parser.add_argument("--json", type=Path, help="where to save what was measured")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    told = {"machine": turns.machine(), "threads": asked.threads, "rounds": asked.rounds}
    found = {**told, **measure(asked.models, asked.rounds, is_compiled=asked.compiled)}
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if asked.json:
        write_whole(asked.json, text.encode())
    print(text, end="")


def measure(only: Sequence[str], rounds: int, *, is_compiled: bool) -> dict[str, Any]:
    """Return a row for each model with its times, and why some were not compiled.

    Args:
        only: Names in the table of models; all where none is given.
        rounds: How often each model is timed.
        is_compiled: Whether to compile as well.
    """
    lacking = why_not_compiled(is_asked=is_compiled)
    members = zoo.members(only)
    with torch.no_grad():
        ears = _ears(members, is_compiled=not lacking)
        jobs: dict[str, turns.Job] = {}
        reasons: dict[str, str] = {}
        for number, member in enumerate(members):
            more, reason = _jobs(member, ears[str(member.features)], is_compiled=not lacking)
            jobs |= {f"{number} {way}": job for way, job in more.items()}
            reasons |= {member.title: reason} if reason else {}
            _say(f"{member.title} is ready ({number + 1} of {len(members)})")
        seconds = turns.take_turns(
            jobs, rounds, timed=turns.averaged, told=lambda a, b: _say(f"round {a} of {b}")
        )
    return {
        "baseline": names.title(*names.BASELINE),
        "compiled": lacking or "torch.compile",
        "not_compiled": reasons,
        "rows": [_row(member, number, seconds) for number, member in enumerate(members)],
    }


def why_not_compiled(*, is_asked: bool) -> str:
    """Return why nothing is compiled, or "" where it can be.

    Args:
        is_asked: Whether it was asked for.
    """
    if not is_asked:
        return "not asked for (--compiled)"
    asked = os.environ.get("CXX")
    has_one = any(map(shutil.which, [asked] if asked else COMPILERS))
    return "" if has_one else "no C++ compiler was found"


def _ears(members: Sequence[zoo.Member], *, is_compiled: bool) -> dict[str, tuple[Part, Part]]:
    """Return each front end that is needed, eager and compiled."""
    found: dict[str, FeatureSettings] = {
        str(member.features): member.features for member in members
    }
    waveform = torch.zeros(1, CLIP_SAMPLES)
    ears = {key: build.ear(features).eval() for key, features in found.items()}
    return {key: (ear, compiled(ear, waveform) if is_compiled else "") for key, ear in ears.items()}


def _jobs(
    member: zoo.Member, ears: tuple[Part, Part], *, is_compiled: bool
) -> tuple[dict[str, turns.Job], str]:
    """Return what is timed of a model by way of running, and why something is not."""
    features = torch.randn(1, member.features.bands, member.frames)
    waveform = 0.1 * torch.randn(1, CLIP_SAMPLES)
    parts: list[tuple[Part, Part]] = [(ears[0], member.network)]
    if is_compiled:
        parts.append((ears[1], compiled(member.network, features)))
    jobs: dict[str, turns.Job] = {}
    for way, (ear, network) in zip(WAYS[::2], parts, strict=False):
        if isinstance(network, str):
            return jobs, network
        jobs[way] = partial(network, features)
        if isinstance(ear, str):
            return jobs, f"its front end: {ear}"
        jobs[f"{way}, with features"] = partial(_after, ear, network, waveform)
    return jobs, ""


def _after(ear: Callable[..., Tensor], network: Callable[..., Tensor], waveform: Tensor) -> object:
    return network(ear(waveform))


def compiled(module: nn.Module, x: Tensor) -> Part:
    """Return a module compiled as one graph for one input, or in a line why it cannot be.

    Args:
        module: A network or a front end in evaluation mode.
        x: An input, as all others will be.
    """
    try:
        ready = torch.compile(module, fullgraph=True, dynamic=False)
        ready(x)
    except RuntimeError as error:  # whatever the compiler of this version cannot do
        return str(portable(str(error).strip().partition("\n")[0]))
    return ready


def _row(member: zoo.Member, number: int, seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return what was found of one model; the baseline is the first."""
    ways = [way for way in WAYS if f"{number} {way}" in seconds and f"0 {way}" in seconds]
    return {
        "model": member.model,
        "width": member.width,
        "title": member.title,
        "features": f"{member.features.kind} {member.features.bands} × {member.frames}",
        "parameters": member.size.parameters,
        "macs": member.size.macs,
        "times": {
            way: turns.summary(seconds[f"{number} {way}"], seconds[f"0 {way}"]) for way in ways
        },
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
