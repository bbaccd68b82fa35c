#!/usr/bin/env python3
"""Draw what a trained model's lambda layers look at, over the spectrogram of a clip.

python scripts/debug_lambda.py output/google_commands/RUN/best.pth.tar clip.wav --layer 0 --out
lambda.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from watchword import audio, build, checkpoint, plots
from watchword.errors import ConfigError, WatchwordError
from watchword.models import TemporalLambda

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=Path, help="checkpoint of a network with lambda layers")
parser.add_argument("clip", type=Path, help="a second of speech, WAV, FLAC or OGG")
parser.add_argument("--layer", type=int, default=0, help="number of the lambda layer, from 0")
parser.add_argument("--out", type=Path, default=Path("lambda.png"), help="picture to write")


@torch.no_grad()
def draw(model: Path, clip: Path, layer: int, out: Path) -> str:
    """Draw one layer and return what was drawn."""
    loaded = checkpoint.load(model)
    network = build.trained(loaded)
    layers = [part for part in network.modules() if isinstance(part, TemporalLambda)]
    if not 0 <= layer < len(layers):
        raise ConfigError(
            f"layer {layer} was asked for and {model} has {len(layers)} lambda layers: "
            "choose one of them with --layer, from 0"
        )
    waveform = torch.from_numpy(audio.read(clip)[0]).unsqueeze(0)
    heard: list[torch.Tensor] = []
    layers[layer].register_forward_pre_hook(lambda _layer, inputs: heard.append(inputs[0]))
    posteriors = network(waveform).softmax(1)[0]
    answer = loaded.labels[int(posteriors.argmax())]
    _, keys, _ = layers[layer].parts(heard[0])
    maps = (
        layers[layer].maps(heard[0])[0].sum(dim=2)
    )  # over the intra-depth: (heads, frames, frames)
    title = f"{clip.name}: {answer} ({posteriors.max():.0%}), layer {layer} of {len(layers)}"
    figure = plots.lambda_maps(
        network.ear(waveform)[0].numpy(), keys[0].flatten(0, 1).numpy(), maps.numpy(), title=title
    )
    plots.save(figure, out)
    return f"{title}: {out}"


if __name__ == "__main__":
    arguments = parser.parse_args()
    try:
        print(draw(arguments.model, arguments.clip, arguments.layer, arguments.out))
    except WatchwordError as error:
        print(f"debug_lambda.py: {error}", file=sys.stderr)
        sys.exit(2)
