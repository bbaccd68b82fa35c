"""The table of models: every network by its name.

In comes a name, out goes a network that maps features ``(batch, mels, frames)`` to logits ``(batch, classes)``. A
room because a name on a command line, in a settings file and in a report must mean the same network. Models know
tensors only: no settings, no files, no labels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from watchword.errors import ConfigError, nearest
from watchword.models.lambda_resnet import LambdaResNet18
from watchword.models.layers import FORMS, Form, TemporalLambda, fold_norms, set_form
from watchword.models.mhatt_rnn import MhattRnn
from watchword.models.res15 import Res15
from watchword.models.tc_resnet import CHANNELS_8, TcResNet, TcResNetPaper

__all__ = [
    "FORMS",
    "MODELS",
    "Form",
    "Size",
    "TemporalLambda",
    "create",
    "fold_norms",
    "measure_size",
    "set_form",
]


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Args:
        make: Builds the network from ``mels``, ``classes``, ``width`` and options of its own.
        mels: Bands of the features it was published with.
        title: What its paper calls it.
    """

    make: Callable[..., nn.Module]
    mels: int
    title: str


MODELS: dict[str, Entry] = {
    "lambda_resnet18": Entry(LambdaResNet18, 40, "LambdaResNet18"),
    "tc_resnet14": Entry(TcResNet, 40, "TC-ResNet14, as published"),
    "tc_resnet14_paper": Entry(TcResNetPaper, 40, "TC-ResNet14 of the lambda paper's experiments"),
    "tc_resnet8": Entry(partial(TcResNet, channels=CHANNELS_8), 40, "TC-ResNet8"),
    "res15": Entry(Res15, 40, "Res15"),
    "mhatt_rnn": Entry(MhattRnn, 20, "MHAtt-RNN"),
}


def entry(name: str) -> Entry:
    """Return a row of the table.

    Args:
        name: A key of ``MODELS``.

    Raises:
        ConfigError: If there is no such model; the message names those that exist.
    """
    if name not in MODELS:
        raise ConfigError(f"no model is called {name!r}: {nearest(name, list(MODELS))}")
    return MODELS[name]


def create(
    name: str, *, classes: int, width: float = 1.0, mels: int | None = None, **options: Any
) -> nn.Module:
    """Return a freshly initialised network.

    Args:
        name: A key of ``MODELS``.
        classes: Number of outputs, at least 1.
        width: Width multiplier, above 0.
        mels: Bands of the features; those the model was published with where not given.
        options: The network's own keyword arguments.

    Raises:
        ConfigError: If the name is unknown, an option is not the network's, or a number makes no network.

    Example:
        >>> sum(p.numel() for p in create("lambda_resnet18", classes=35).parameters())
        87423
    """
    row = entry(name)
    known = [key for key in inspect.signature(row.make).parameters if key not in RESERVED]
    for option in options:
        if option not in known:
            raise ConfigError(f"{name} has no option {option!r}: {nearest(option, known) or 'none'}")
    if classes < 1 or width <= 0 or (mels is not None and mels < 1):
        raise ConfigError(
            f"{name} with {classes} outputs, width {width} and {mels} bands cannot be built: "
            "all three must be above 0"
        )
    try:
        return row.make(mels=mels or row.mels, classes=classes, width=width, **options)
    except ValueError as error:
        raise ConfigError(f"{name} cannot be built: {error}") from error


RESERVED = ("mels", "classes", "width", "channels")


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Args:
        parameters: Trained numbers; buffers are not counted.
        macs: Multiplications of one forward pass over one clip, with lambda layers in their published form.
        frames: Length of the clip they were counted on.
    """

    parameters: int
    macs: int
    frames: int


def measure_size(network: nn.Module, *, mels: int, frames: int) -> Size:
    """Count a network's parameters and multiply-accumulates.

    One counter for all: it sees every matrix product and convolution that reaches the processor, functional ones
    and those inside einsum included. Lambda layers are counted in the ``convolve`` form, as published, whatever
    form they run in. Normalisation, activation and pooling are not multiplications by weights and do not count.

    Args:
        network: Any network of the table.
        mels: Bands of the features.
        frames: Frames of the features.

    Raises:
        ConfigError: If the clip is too short for the network.
    """
    was_training = network.training
    forms = {part: part.form for part in network.modules() if isinstance(part, TemporalLambda)}
    device = next(network.parameters()).device
    try:
        set_form(network.eval(), "convolve")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, mels, frames, device=device))
    except RuntimeError as error:
        raise ConfigError(f"{frames} frames are too short for this network: {error}") from error
    finally:
        network.train(was_training)
        for part, form in forms.items():
            part.form = form
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, counter.get_total_flops() // 2, frames)
