"""Every network of the table in its evaluation form, with the front end it hears through.

In come names, out go networks ready to be timed. A room because each model is timed on the features
of its own settings file: who compares times without the front end compares half of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import names
from torch import nn

from watchword import build, models
from watchword.config import FeatureSettings, load_settings
from watchword.units import CLIP_SAMPLES

CONFIGS: Final = Path(__file__).parent.parent / "configs" / "google_commands"
PRESET: Final = "default"


@dataclass(frozen=True)
class Member:
    """One network of the zoo.

    Args:
        model: Name in the table of models.
        width: Width multiplier.
        features: What it hears.
        frames: Frames of a second.
        size: Parameters and multiplications.
        network: In evaluation mode, norms folded where that can be.
    """

    model: str
    width: float
    features: FeatureSettings
    frames: int
    size: models.Size
    network: nn.Module

    @property
    def title(self) -> str:
        """What a reader calls it."""
        return names.title(self.model, self.width)


def members(only: Sequence[str] = (), *, outputs: int = 12) -> list[Member]:
    """Return the zoo, the baseline first.

    Args:
        only: Names in the table of models; all where none is given. The baseline is always there.
        outputs: Number of outputs.

    Raises:
        ConfigError: If there is no such model.
    """
    heard = front_ends()
    wanted = dict.fromkeys([names.BASELINE[0], *(only or models.MODELS)])
    return [
        _member(name, width, heard.get(name), outputs)
        for name in wanted
        for width in names.WIDTHS.get(name, (1,))
    ]


def front_ends() -> dict[str, FeatureSettings]:
    """Return the front end of each model that has a settings file of the default preset."""
    found = [load_settings(file)[0] for file in sorted(CONFIGS.glob("*.yml"))]
    return {one.model.name: one.features for one in found if one.name == PRESET}


def _member(name: str, width: float, heard: FeatureSettings | None, outputs: int) -> Member:
    """Return one network; a model without settings hears the default front end."""
    features = heard or FeatureSettings(mels=models.entry(name).mels)
    frames, bands = build.ear(features).frames(CLIP_SAMPLES), features.bands
    network = models.create(name, classes=outputs, width=width, mels=bands, frames=frames)
    size = models.measure_size(network, mels=bands, frames=frames)
    return Member(name, width, features, frames, size, models.fold_norms(network.eval()))
