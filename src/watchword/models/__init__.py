"""The table of models: every network by its name.

In comes a name, out goes a network that maps features ``(batch, mels, frames)`` to logits
``(batch, classes)``. A room because a name on a command line, in a settings file and in a report
must mean the same network. Models know tensors only: no settings, no files, no labels.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args, get_origin

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from watchword.errors import ConfigError, nearest
from watchword.models.bc_resnet import BcResNet
from watchword.models.ds_cnn import DsCnn
from watchword.models.kwt import Kwt
from watchword.models.lambda_cast import LambdaCast
from watchword.models.lambda_resnet import LambdaResNet18
from watchword.models.layers import FORMS, Form, TemporalLambda, fold_norms, set_form
from watchword.models.matchboxnet import MatchboxNet
from watchword.models.mhatt_rnn import MhattRnn
from watchword.models.res15 import Res15
from watchword.models.tc_resnet import CHANNELS_8, TcResNet, TcResNetPaper

__all__ = [
    "FORMS",
    "MODELS",
    "Form",
    "Size",
    "TemporalLambda",
    "check_options",
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
        frames: Frames of the features of a second that it was published with, or of our default.
    """

    make: Callable[..., nn.Module]
    mels: int
    title: str
    frames: int = 98


MODELS: dict[str, Entry] = {
    "lambda_resnet18": Entry(LambdaResNet18, 40, "LambdaResNet18"),
    "lambda_cast": Entry(LambdaCast, 40, "LambdaCast"),
    "tc_resnet14": Entry(TcResNet, 40, "TC-ResNet14, as published"),
    "tc_resnet14_paper": Entry(TcResNetPaper, 40, "TC-ResNet14 of the lambda paper's experiments"),
    "tc_resnet8": Entry(partial(TcResNet, channels=CHANNELS_8), 40, "TC-ResNet8"),
    "res15": Entry(Res15, 40, "Res15"),
    "mhatt_rnn": Entry(MhattRnn, 20, "MHAtt-RNN"),
    "bc_resnet": Entry(BcResNet, 40, "BC-ResNet-τ, width τ"),
    "kwt": Entry(Kwt, 40, "KWT-1, -2 and -3, width 1, 2 and 3"),
    "matchboxnet": Entry(MatchboxNet, 64, "MatchboxNet-3x2x64"),
    "ds_cnn": Entry(DsCnn, 10, "DS-CNN of MLPerf Tiny", frames=49),
}


RESERVED = ("mels", "frames", "classes", "width", "channels")
"""What options may not set: ``create`` or the table itself does."""


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
    name: str,
    *,
    classes: int,
    width: float = 1.0,
    mels: int | None = None,
    frames: int | None = None,
    **options: Any,
) -> nn.Module:
    """Return a freshly initialised network.

    Args:
        name: A key of ``MODELS``.
        classes: Number of outputs, at least 1.
        width: Width multiplier, above 0.
        mels: Bands of the features; those the model was published with where not given.
        frames: Frames of the features, likewise; most networks take any number.
        options: The network's own keyword arguments.

    Raises:
        ConfigError: If the name is unknown, an option is not the network's, or a number makes no
            network.

    Example:
        >>> sum(p.numel() for p in create("lambda_resnet18", classes=35).parameters())
        87423
    """
    row = entry(name)
    bands = row.mels if mels is None else mels
    length = row.frames if frames is None else frames
    if classes < 1 or bands < 1 or not 0 < width < math.inf:
        raise ConfigError(
            f"{name} with {classes} outputs, {bands} bands and width {width:g} cannot be built: "
            "all three must be above 0 and finite"
        )
    if length < 1:
        raise ConfigError(
            f"{name} with {length} frames cannot be built: give the frames of its clips"
        )
    check_options(name, options)
    shape = {"mels": bands}
    if "frames" in inspect.signature(row.make).parameters:
        shape["frames"] = length
    try:
        return row.make(**shape, classes=classes, width=width, **options)
    except (RuntimeError, TypeError, ValueError) as error:
        given = ", ".join(f"{option} = {value!r}" for option, value in options.items())
        raise ConfigError(
            f"{name} cannot be built with {given}: {error}; change model.options"
        ) from error


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Refuse what are no options of a network.

    Args:
        name: A key of ``MODELS``.
        options: Keyword arguments, without those that ``create`` names itself.

    Raises:
        ConfigError: If there is no such model, or an option is not the network's or not of the type
            its signature says.
    """
    signature = inspect.signature(entry(name).make, eval_str=True)
    hints = {key: p.annotation for key, p in signature.parameters.items() if key not in RESERVED}
    for option, value in options.items():
        if option not in hints:
            known = nearest(option, [*hints]) if hints else "it has none, so leave it out"
            raise ConfigError(f"{name} has no option {option!r}: {known}")
        needed = _what_is_needed(value, hints[option])
        if needed:
            raise ConfigError(
                f"{name} with {option} = {value!r} cannot be built: it needs {needed}; "
                "change model.options"
            )


def _what_is_needed(value: object, hint: Any) -> str:
    """Return in words what an option must be, or nothing if its value is that.

    Every whole number of a network counts something, so it must be 1 or more.
    """
    if get_origin(hint) is Literal:
        return "" if value in get_args(hint) else f"one of {', '.join(get_args(hint))}"
    if hint is bool:
        return "" if isinstance(value, bool) else "true or false"
    is_number = not isinstance(value, bool)
    if hint in (Sequence[int], int | Sequence[int]) and isinstance(value, list | tuple):
        return next(filter(None, (_what_is_needed(item, int) for item in value)), "")
    if hint == Sequence[int]:
        return "a list of whole numbers"
    if hint in (int, int | Sequence[int]):
        is_count = is_number and isinstance(value, int) and value >= 1
        return "" if is_count else "a whole number of at least 1"
    return "" if is_number and isinstance(value, hint | int) else "a number"


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Args:
        parameters: Trained numbers; buffers are not counted.
        macs: Multiplications of one forward pass over one clip, with lambda layers in their
            published form.
        frames: Length of the clip they were counted on.
    """

    parameters: int
    macs: int
    frames: int


def measure_size(network: nn.Module, *, mels: int, frames: int) -> Size:
    """Count a network's parameters and multiply-accumulates.

    One counter for all: it sees every matrix product and convolution that reaches the processor,
    functional ones and those inside einsum included. Lambda layers are counted in the ``convolve``
    form, as published, whatever form they run in. Normalisation, activation and pooling are not
    multiplications by weights and do not count.

    Args:
        network: Any network of the table; it is left as it was.
        mels: Bands of the features.
        frames: Frames of the features.

    Raises:
        ConfigError: If the clip is too short for the network.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters())
    twin = copy.deepcopy(network).eval()
    set_form(twin, "convolve")
    features = next(twin.parameters()).new_zeros(1, mels, frames)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            twin(features)
    except RuntimeError as error:
        raise ConfigError(
            f"{frames} frames of {mels} bands do not fit this network: {error}; give as many bands "
            "as it was built for, and more frames"
        ) from error
    return Size(parameters, counter.get_total_flops() // 2, frames)
