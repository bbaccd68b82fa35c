"""Where a training begins: the weights of another one.

In comes a checkpoint, out goes a network and a front end that go on from it. A room because a model
is mended more often than made: it hears new negatives, or a few recordings of its user, and what it
knew must fit what it shall learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from watchword import checkpoint
from watchword.adjust import as_trained
from watchword.checkpoint import refuse_other_weights
from watchword.config import Settings
from watchword.errors import ConfigError

EAR, NETWORK = "ear.", "network."


def begin_from(
    path: Path, settings: Settings, labels: Sequence[str], ear: nn.Module, network: nn.Module
) -> str:
    """Give a network and a front end the weights of a checkpoint.

    Args:
        path: A checkpoint, or the name of a shipped model.
        settings: Those of the training that begins.
        labels: Its outputs.
        ear: Its front end, changed in place.
        network: Its network, changed in place.

    Returns:
        The run that the checkpoint came from.

    Raises:
        CheckpointError: If it cannot be read, or its weights are of another network.
        ConfigError: If it has another front end or other outputs.
    """
    other = as_trained(checkpoint.load(path))
    if tuple(other.labels) != tuple(labels):
        raise ConfigError(
            f"train.start_from: {path} answers with {', '.join(other.labels)}, needed the outputs "
            f"of this task, {', '.join(labels)}: choose a checkpoint of the same task"
        )
    if other.settings.features != settings.features:
        raise ConfigError(
            f"train.start_from: {path} hears through another front end, needed the same section "
            "features: copy it from the settings beside the checkpoint"
        )
    try:
        for module, prefix in ((ear, EAR), (network, NETWORK)):
            own = {
                name.removeprefix(prefix): value
                for name, value in other.weights.items()
                if name.startswith(prefix)
            }
            module.load_state_dict(own)
    except RuntimeError as error:
        raise refuse_other_weights(error, other.settings) from error
    return str(other.provenance.get("run") or path.name)
