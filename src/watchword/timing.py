"""How long each model takes, all of them in turn in one process.

In come a number of outputs and a length, out goes a row for each model. A room because a time
without a baseline from the same run is a rumour: models take turns, and the ratio to the first one
is measured round by round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from watchword import models
from watchword.models import FORMS, Form

BASELINE = "lambda_resnet18"
BASELINE_FORM: Form = "skew"
WIDTHS: dict[str, tuple[float, ...]] = {BASELINE: (1, 2), "bc_resnet": (1, 2, 8)}


def time_models(
    *,
    outputs: int = 12,
    frames: int | None = None,
    threads: int = 1,
    rounds: int = 15,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """Return parameters, multiplications and the median time of one clip, for every model.

    Args:
        outputs: Number of outputs.
        frames: Length of the features; that which each model was published with where not given.
        threads: Threads that torch may use.
        rounds: How often each model is timed.
        told: Called with the rounds done and the rounds in all.

    Returns:
        A row a model; ``ratio`` is its time over that of LambdaResNet18 at width 1 in the same
        round, the median over rounds; ``form`` is how its lambda layers are computed.
    """
    torch.set_num_threads(threads)
    rows, networks = _line_up(outputs, frames)
    inputs = [torch.randn(1, row["mels"], row["frames"]) for row in rows]
    times: list[list[float]] = [[] for _ in rows]
    with torch.no_grad():
        for turn in range(rounds + 1):
            for number, network in enumerate(networks):
                spent = _time(network, inputs[number])
                if turn:  # the first round warms up
                    times[number].append(spent)
            told(turn, rounds)
    base = next(i for i, row in enumerate(rows) if row["form"] == BASELINE_FORM)  # width 1 first
    for row, spent_all in zip(rows, times, strict=True):
        ratios = [mine / other for mine, other in zip(spent_all, times[base], strict=True)]
        row["ms"] = round(1e3 * statistics.median(spent_all), 3)
        row["ratio"] = round(statistics.median(ratios), 2)
    return rows


def _line_up(outputs: int, frames: int | None) -> tuple[list[dict[str, Any]], list[nn.Module]]:
    """Return a row and a network in eval mode for each model, width and form."""
    rows, networks = [], []
    for name, entry in models.MODELS.items():
        length = entry.frames if frames is None else frames
        for width in WIDTHS.get(name, (1,)):
            for form in FORMS if name == BASELINE else ("",):
                options: dict[str, Any] = {"form": form} if form else {}
                network = models.create(
                    name, classes=outputs, width=width, frames=length, **options
                )
                size = models.measure_size(network, mels=entry.mels, frames=length)
                networks.append(models.fold_norms(network.eval()))
                rows.append(
                    {
                        "model": name,
                        "width": width,
                        "form": form,
                        "mels": entry.mels,
                        "frames": length,
                        "parameters": size.parameters,
                        "macs": size.macs,
                    }
                )
    return rows, networks


def _time(network: nn.Module, features: torch.Tensor) -> float:
    """Return the seconds of one pass, averaged over enough passes to fill some milliseconds."""
    started = time.perf_counter()
    network(features)
    passes = max(1, min(20, int(0.02 / max(time.perf_counter() - started, 1e-5))))
    started = time.perf_counter()
    for _ in range(passes):
        network(features)
    return (time.perf_counter() - started) / passes
