"""Time and memory of listening: graphs, front end, streams, a fresh process; a page and JSON.

    python benchmarks/listening.py --rounds 30 --hours 24 --save docs/results

One process, one thread; what is compared takes turns, and ratios within a round count. Networks of
the first table hear features that are ready; the *published form* is eager PyTorch as its authors
run it, all others are graphs in onnxruntime. Their weights are random: time does not depend on
them.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import listening_page
import numpy as np
import onnx
import onnxruntime
import torch
import turns
from torch import Tensor, nn

from watchword import build, graph, shipped, trace
from watchword.config import load_settings
from watchword.features import LogMel
from watchword.files import write_whole
from watchword.models import create, set_form
from watchword.models.frozen import frozen
from watchword.spotter import Spotter, open_bundle, runner
from watchword.stream import Runner
from watchword.units import CLIP_SAMPLES

CONFIGS: Final = Path(__file__).parent.parent / "configs" / "google_commands"
NETWORKS: Final = {
    "LambdaResNet18 k=1": ("commands_12.yml", "", 1.0),
    "LambdaResNet18 k=2": ("commands_12_k2.yml", "", 2.0),
    "LambdaCast": ("commands_12_cast.yml", "", 1.0),
    "TC-ResNet14": ("commands_12.yml", "tc_resnet14", 1.0),
    "Res15": ("commands_12.yml", "res15", 1.0),
    "BC-ResNet-1": ("commands_12.yml", "bc_resnet", 1.0),
}
BASELINE: Final = "LambdaResNet18 k=1"
PUBLISHED: Final = "LambdaResNet18 k=1, published form, eager"
BATCHES: Final = (1, 64, 1_000)
HOP: Final = 1_280
HOP_S: Final = 0.08
LONG_CHUNK: Final = 64 * HOP


def main() -> None:
    """Measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--hours", type=float, default=1.0, help="audio heard to watch memory")
    parser.add_argument("--save", type=Path, help="folder for listening.json and listening.md")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = {
        "machine": turns.machine() | {"onnxruntime": onnxruntime.__version__},
        "rounds": asked.rounds,
        "baseline": BASELINE,
        "networks": networks(asked.rounds),
        "fronts": fronts(asked.rounds),
        "streams": [streams(name, asked.rounds) for name in shipped.names()],
        "memory": memory(asked.hours),
        "fresh": fresh_process(min(asked.rounds, 15)),
    }
    page = listening_page.page(found)
    if asked.save:
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        write_whole(asked.save / "listening.json", text.encode())
        write_whole(asked.save / "listening.md", page.encode())
    print(page, end="")


# ---------------------------------------------------------------------------------------- networks


def networks(rounds: int) -> list[dict[str, Any]]:
    """Return the times of networks alone, on features of one clip.

    Args:
        rounds: How often each is timed.
    """
    jobs: dict[str, turns.Job] = {}
    for title, (file, name, width) in NETWORKS.items():
        _say(f"tracing {title}")
        network, bands, frames = _network(file, name, width)
        features = np.zeros((1, bands, frames), np.float32)
        jobs[title] = partial(_session(_ears(network, bands, frames)).run, None, {"x": features})
    paper = create("lambda_resnet18", classes=12, mels=40, frames=98).eval()
    set_form(paper, "convolve")
    jobs[PUBLISHED] = partial(_eager, paper, torch.zeros(1, 40, 98))
    seconds = turns.take_turns(jobs, rounds, timed=turns.averaged, told=_round)
    base = seconds[BASELINE]
    return [{"title": title, **turns.summary(mine, base)} for title, mine in seconds.items()]


def _network(file: str, name: str, width: float) -> tuple[nn.Module, int, int]:
    """Return a network, its bands and its frames."""
    settings, _ = load_settings(CONFIGS / file)
    ear = build.ear(settings.features)
    bands, frames = settings.features.bands, ear.frames(CLIP_SAMPLES)
    options = {} if name else settings.model.options
    name = name or settings.model.name
    network = create(name, classes=12, width=width, mels=bands, frames=frames, **options)
    return network.eval(), bands, frames


def _ears(network: nn.Module, bands: int, frames: int) -> onnx.ModelProto:
    """Return a network as its bundle would hold it, alone."""
    ears = graph.Ears(frozen(network, mels=bands, frames=frames))
    return trace.alone(ears, torch.zeros(2, bands, frames))


@torch.no_grad()
def _eager(network: nn.Module, features: Tensor) -> Tensor:
    found: Tensor = network(features)
    return found


# ------------------------------------------------------------------------------------------ fronts


class OneMatrix(nn.Module):
    """The same features by one matrix of sines and cosines, as a plain export has them.

    Args:
        front: The front end.
    """

    matrix: Tensor

    def __init__(self, front: graph.Front) -> None:
        super().__init__()
        self.front = front
        points = 512
        turns_ = torch.arange(points // 2 + 1)[:, None] * torch.arange(front.window) / points
        angles = 2 * torch.pi * turns_.double()
        window = torch.hann_window(front.window).double()
        matrix = torch.cat([angles.cos(), -angles.sin()]) * window
        self.register_buffer("matrix", matrix.float())
        self.register_buffer("filters", LogMel().filters)

    filters: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """Return log-mel energies, ``(batch, mels, frames)``.

        Args:
            waveform: Shape ``(batch, samples)``.
        """
        front = self.front
        hops = waveform.reshape(waveform.shape[0], -1, front.hop).transpose(1, 2)
        count = hops.shape[2] - front.blocks + 1
        frames = torch.cat([hops[:, :, i : i + count] for i in range(front.blocks)], 1)
        spectrum = (self.matrix @ frames).square()
        bins = spectrum.shape[1] // 2
        return (self.filters @ (spectrum[:, :bins] + spectrum[:, bins:]) + front.floor).log()


def fronts(rounds: int) -> list[dict[str, Any]]:
    """Return the times of the network, of the front end, of a plain one, and of the whole graph.

    Args:
        rounds: How often each is timed.
    """
    network, bands, frames = _network(*NETWORKS[BASELINE])
    ear = LogMel()
    clip = graph.ClipFront(ear, graph.plan(ear, HOP))
    ears = graph.Ears(frozen(network, mels=bands, frames=frames))
    waveform = np.random.default_rng(0).uniform(-0.1, 0.1, (1, CLIP_SAMPLES)).astype(np.float32)
    modules: dict[str, tuple[nn.Module, np.ndarray]] = {
        "network alone": (ears, np.zeros((1, bands, frames), np.float32)),
        "front end alone": (clip, waveform),
        "front end of one matrix, alone": (OneMatrix(clip.front), waveform),
        "front end and network (clip.onnx)": (nn.Sequential(clip, ears), waveform),
    }
    jobs: dict[str, turns.Job] = {}
    for title, (module, given) in modules.items():
        _say(f"tracing {title}")
        model = trace.alone(module.eval(), torch.zeros(2, *given.shape[1:]))
        jobs[title] = partial(_session(model).run, None, {"x": given})
    seconds = turns.take_turns(jobs, rounds, timed=turns.averaged, told=_round)
    base = seconds["network alone"]
    return [{"title": title, **turns.summary(mine, base)} for title, mine in seconds.items()]


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


# ----------------------------------------------------------------------------------------- streams


def streams(name: str, rounds: int) -> dict[str, Any]:
    """Return what a score of a shipped model costs, in float and in 8 bits.

    Args:
        name: The model.
        rounds: How often each is timed.
    """
    _say(f"streams of {name}")
    noise = np.random.default_rng(1).integers(-3_000, 3_000, HOP).astype(np.int16)
    who, small = Spotter(name), Spotter(name, is_int8=True)
    jobs: dict[str, turns.Job] = {
        "spotter, 1 stream": partial(who.feed, noise),
        "spotter, 1 stream, 8 bits": partial(small.feed, noise),
    }
    counts = {"spotter, 1 stream": 1, "spotter, 1 stream, 8 bits": 1}
    for is_int8 in (False, True):
        for count in BATCHES[1:]:
            title = f"{count:,} streams in a batch" + ", 8 bits" * is_int8
            jobs[title] = _batch(runner(name, is_int8=is_int8), count)
            counts[title] = count
    seconds = turns.take_turns(jobs, rounds, timed=turns.averaged, told=_round)
    rows = [
        {
            "title": title,
            "ms": float(np.median(mine)) * 1e3 / counts[title],
            "real_time_factor": float(np.median(mine)) / counts[title] / HOP_S,
        }
        for title, mine in seconds.items()
    ]
    return {"name": name, "rows": rows}


def _batch(hears: Runner, count: int) -> Callable[[], None]:
    """Return a job that feeds a hop to streams side by side, their state going on."""
    rng = np.random.default_rng(2)
    chunk = rng.uniform(-0.1, 0.1, (count, HOP)).astype(np.float32)
    held = [hears.start(count)]

    def step() -> None:
        held[0] = hears.step(chunk, held[0])[1]

    return step


def memory(hours: float) -> dict[str, Any]:
    """Return the memory of this process before, while and after it hears so much audio.

    Args:
        hours: Hours of audio, heard as fast as the machine can.
    """
    who = Spotter(shipped.names()[0])
    chunk = np.random.default_rng(3).integers(-3_000, 3_000, LONG_CHUNK).astype(np.int16)
    chunks = max(10, round(hours * 3_600 * 16_000 / LONG_CHUNK))
    who.feed(chunk)
    gc.collect()
    marks, started = [_resident_mb()], time.perf_counter()
    for done in range(1, chunks + 1):
        who.feed(chunk)
        if done % (chunks // 10) == 0:
            marks.append(_resident_mb())
            _say(f"heard {done * LONG_CHUNK / 16_000 / 3_600:.1f} of {hours:g} h")
    spent = time.perf_counter() - started
    return {"hours": who.heard_s / 3_600, "seconds": spent, "resident_mb": marks}


def _resident_mb() -> float:
    """Return the memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


FRESH: Final = """
import time, sys
start = time.perf_counter()
import watchword as ww
imported = time.perf_counter()
spotter = ww.Spotter(sys.argv[1])
import numpy as np
spotter.feed(np.zeros(8_320, np.int16))  # the first score is due
scored = time.perf_counter()
assert "torch" not in sys.modules
largest = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(imported - start, scored - start, int(largest.split()[1]) * 1024 / 1e6)
"""


def fresh_process(times: int) -> dict[str, Any]:
    """Return the time of import and to the first score in a new process, and its memory.

    Args:
        times: How many processes.
    """
    rows = []
    for _ in range(times):
        started = time.perf_counter()
        answer = subprocess.run(
            [sys.executable, "-c", FRESH, shipped.names()[0]],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append([*map(float, answer.stdout.split()), time.perf_counter() - started])
    import_s, score_s, resident_mb, whole_s = np.median(np.array(rows), axis=0).tolist()
    model = open_bundle(shipped.names()[0])
    return {
        "model": model.facts.name,
        "processes": times,
        "import_s": import_s,
        "first_score_s": score_s,
        "whole_s": whole_s,
        "largest_resident_mb": resident_mb,
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _round(done: int, total: int) -> None:
    if done == total:
        _say(f"{total} rounds")


Record = Mapping[str, Any]

if __name__ == "__main__":
    main()
