"""Training speed: the whole path against the bare model step of the published form, in one run.

    python benchmarks/training_speed.py --threads 2 --json docs/results/training_speed.json

*Whole path*: read from the prepared corpus, make silence, augment, features, mask, forward,
backward, optimiser step, average of weights, with the default settings. *Bare step*: forward,
backward, optimiser step of the published form (lambda layers by einsum and conv2d, three separate
projections) on features that are ready in memory. The two take turns, so that a noisy machine slows
both; the median of their ratios is what counts. Of two threads the whole path learns with one, and
hears with the other in a process of its own; a round starts with nothing heard and ends with
nothing left over. The bare step has both threads. Prints one JSON object; a file that is named
keeps one for each model and number of threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
import turns
from torch import Tensor, nn
from torch.nn import functional as F

from watchword import build, devices
from watchword.config import load_settings
from watchword.data.clips import prepare
from watchword.data.rows import Source
from watchword.data.synth import synthesise
from watchword.files import write_whole
from watchword.hearing import Batch
from watchword.memory import keep_freed_memory
from watchword.models import fused
from watchword.models.layers import TemporalLambda
from watchword.train import Run

CONFIG = Path(__file__).parent.parent / "configs" / "google_commands" / "lambda_resnet18.yml"


class PublishedLambda(nn.Module):
    """The lambda layer as usually published: three projections, einsum and a conv2d.

    Args:
        channels: Channels in and out.
        heads: Heads.
        depth: Query depth.
        scope: Frames of the position lambda.
    """

    def __init__(self, channels: int, heads: int = 4, depth: int = 16, scope: int = 23) -> None:
        super().__init__()
        self.heads, self.depth, values = heads, depth, channels // heads
        self.to_q = nn.Conv1d(channels, heads * depth, 1, bias=False)
        self.to_k = nn.Conv1d(channels, depth, 1, bias=False)
        self.to_v = nn.Conv1d(channels, values, 1, bias=False)
        self.norm_q, self.norm_v = nn.BatchNorm1d(heads * depth), nn.BatchNorm1d(values)
        self.position = nn.Conv2d(1, depth, (1, scope), padding=(0, scope // 2), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, ``(batch, channels, frames)``."""
        q = self.norm_q(self.to_q(x)).unflatten(1, (self.heads, self.depth))
        k = self.to_k(x).softmax(-1)
        v = self.norm_v(self.to_v(x))
        content = torch.einsum("bkm,bvm->bkv", k, v)
        y = torch.einsum("bhkn,bkv->bhvn", q, content)
        y = y + torch.einsum("bhkn,bkvn->bhvn", q, self.position(v.unsqueeze(1)))
        return y.flatten(1, 2)


def published(network: nn.Module) -> nn.Module:
    """Replace every lambda layer by its published form, in place."""
    for name, part in list(network.named_children()):
        if isinstance(part, TemporalLambda):
            channels = part.heads * part.value_depth
            setattr(network, name, PublishedLambda(channels, scope=part.scope))
        else:
            published(part)
    return network


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, default=40, help="batches in a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--data", type=Path, help="a prepared or plain corpus; synthetic speech if not given"
    )
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument(
        "--keep-memory",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep freed memory in the process, as training does",
    )
    parser.add_argument("--json", type=Path, help="file to keep the result in, beside others")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.keep_memory:
        keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.data or synthesise(Path(scratch, "speech"))
        found = measure(arguments, folder, Path(scratch, "cache"))
    if arguments.json:
        keep(arguments.json, found)
    print(json.dumps(found, indent=2))


def keep(file: Path, found: dict[str, Any]) -> None:
    """Write a result into a file of results, in place of one of the same model and threads.

    Args:
        file: The file; made if need be.
        found: What ``measure`` returned.
    """
    kept = {(one["model"], one["threads"]): one for one in turns.read_json(file) or []}
    kept[found["model"], found["threads"]] = found
    text = json.dumps([kept[key] for key in sorted(kept)], indent=2, ensure_ascii=False)
    write_whole(file, f"{text}\n".encode())


def measure(arguments: argparse.Namespace, folder: Path, cache: Path) -> dict[str, Any]:
    """Return clips per second of both, and their ratio."""
    settings, _ = load_settings(CONFIG, [f"model.width={arguments.width}"])
    source = Source(folder.name, prepare(folder, cache))
    fabric = devices.fabric(settings.train, processes=1)
    run = Run(settings, [source], cache, fabric)
    run.learn_normalisation()
    run.wrapped, run.optimizer = fabric.setup(run.network, run.optimizer)
    size = settings.train.batch_size
    clips = run.plan.epoch(0)

    bare = published(build.network(settings, len(run.task.labels)))
    bare_optimizer = build.optimizer(settings.train, bare)
    features, targets = torch.randn(size, 40, 98), torch.randint(len(run.task.labels), (size,))

    starts = [number * size % (len(clips) - size) for number in range(arguments.batches)]
    steps = [Batch(clips[at : at + size], 0, number) for number, at in enumerate(starts)]

    def whole() -> None:
        torch.set_num_threads(learning)
        for step, heard in zip(steps, hear(steps), strict=True):
            run.step(step, heard, 0.01)

    def one() -> None:
        torch.set_num_threads(arguments.threads)
        for _ in range(arguments.batches):
            torch.autograd.backward(F.cross_entropy(bare(features), targets))
            bare_optimizer.step()
            bare_optimizer.zero_grad()

    machine = turns.machine()
    with run.listening() as hear:
        learning = torch.get_num_threads()  # the other threads are processes that hear
        seconds = turns.take_turns({"whole": whole, "bare": one}, arguments.rounds)
    ratios = turns.ratios(seconds["bare"], seconds["whole"])  # of speeds
    speed = {
        name: round(size * arguments.batches / statistics.median(spent))
        for name, spent in seconds.items()
    }
    return {
        "model": f"lambda_resnet18 k={arguments.width:g}",
        "threads": arguments.threads,
        "batch": size,
        "rounds": arguments.rounds,
        "keep_memory": arguments.keep_memory,
        "threads_that_learn": learning,
        "compiled": fused.is_compiled(),
        "whole_clips_per_second": speed["whole"],
        "bare_published_clips_per_second": speed["bare"],
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "corpus": arguments.data.name if arguments.data else "synthetic speech",
        "machine": machine,
    }


if __name__ == "__main__":
    main()
