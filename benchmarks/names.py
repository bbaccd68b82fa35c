"""How networks are called, marked and lined up, in every table and figure of the results.

In comes a model's name in the table of models and a width, out goes what a reader calls it. A room
because README, page and figure must mean the same network by the same words; no torch here.
"""

from __future__ import annotations

from typing import Final

BASELINE: Final = ("lambda_resnet18", 1.0)
"""The network that times are compared with."""
OURS: Final = ("lambda_resnet18", "lambda_cast")
"""The lambda networks, which the others are compared with."""
WIDTHS: Final[dict[str, tuple[float, ...]]] = {
    "lambda_resnet18": (1, 2),
    "lambda_cast": (1, 1.95),
    "bc_resnet": (1, 2, 3, 8),
}
"""Widths that a model is listed in; 1 where not given."""
TITLES: Final = {
    "lambda_resnet18": "LambdaResNet18 k={}",
    "lambda_cast": "LambdaCast k={}",
    "tc_resnet14": "TC-ResNet14",
    "tc_resnet14_paper": "TC-ResNet14 (lambda paper)",
    "tc_resnet8": "TC-ResNet8",
    "res15": "Res15",
    "mhatt_rnn": "MHAtt-RNN",
    "bc_resnet": "BC-ResNet-{}",
    "kwt": "KWT-{}",
    "matchboxnet": "MatchboxNet-3x2x64",
    "ds_cnn": "DS-CNN",
}
MARKERS: Final = {
    "lambda_resnet18": "o",
    "lambda_cast": "*",
    "tc_resnet14": "^",
    "tc_resnet14_paper": "^",
    "tc_resnet8": "^",
    "res15": "X",
    "mhatt_rnn": "h",
    "bc_resnet": "s",
    "kwt": "D",
    "matchboxnet": "v",
    "ds_cnn": "P",
}
"""Families differ by shape, so that a figure can be read in grey."""
OTHER_MARKER: Final = "d"


def title(model: str, width: float) -> str:
    """Return what a reader calls a network.

    Args:
        model: Name in the table of models.
        width: Width multiplier.
    """
    pattern = TITLES.get(model, model)
    if "{}" in pattern:
        return pattern.format(f"{width:g}")
    return pattern if width == 1 else f"{pattern} × {width:g}"
