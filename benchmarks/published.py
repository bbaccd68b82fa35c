"""What published weights reach on the official test archive, measured side by side.

Numbers only. A room because these networks learned from the whole archive and were heard on other
clips than ours: they stand in a table of their own and are hollow in the figure, never in a row
with networks of the same budget.

Source:
    Measured for this project in 2026, before it began: each network's published weights with its
    own front end, on the official v0.02 test archive of task 12 (Warden 2018, arXiv 1804.03209).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CLIPS: Final = {"12": 4_890, "core-10": 4_092}
"""Clips of the archive behind each task; core-10 is without ``on``, ``off`` and their outputs."""

# network, family, trained on, parameters, MACs in millions; then percent: task 12, core-10, core-10
# with silence at a tenth of its volume, core-10 without silence, eight commands, unknown, silence
TABLE: Final = """
BC-ResNet-8 (third party)           | bc_resnet | v0.02 | 321068 | 85.9 | 98.08 | 98.41 | –     | 98.24 | 98.69 | 94.6 | 100
Res15, triplet loss and neighbours  | res15     | v0.02 | 237330 | 1701 | 97.03 | 97.68 | –     | 97.48 | 97.89 | 94.1 | 99.5
BC-ResNet-1 (third party)           | bc_resnet | v0.02 | 9232   | 2.48 | 96.01 | 96.80 | –     | 96.44 | 97.13 | 90.9 | 100
KWT-1                               | kwt       | v0.02 | 607308 | 73.7 | 92.68 | 92.42 | 98.19 | 97.99 | 98.20 | 96.3 | 42.2
DS-CNN of MLPerf Tiny, int8         | ds_cnn    | v0.02 | 23180  | 2.66 | 91.57 | 92.45 | –     | 91.78 | 90.84 | 99.3 | 98.5
DS-CNN-L                            | ds_cnn    | v0.01 | 413736 | 28.3 | 91.60 | 92.01 | 94.53 | 93.92 | 94.51 | 89.2 | 74.8
Res15-narrow (third party)          | res15     | v0.02 | 42648  | 171  | 91.15 | 91.30 | 95.21 | 94.76 | 96.06 | 84.3 | 60.0
Res8                                | res15     | v0.01 | 110442 | 37.2 | 90.18 | 90.40 | 93.67 | 93.05 | 93.74 | 87.5 | 66.4
"""  # noqa: E501 - a table one can see whole


@dataclass(frozen=True)
class Peer:
    """Published weights of one network.

    Args:
        network: What it is called.
        family: The model of our table that is drawn by the same marker.
        trained_on: Version of Speech Commands, all of it.
        parameters: Trained numbers.
        macs: Multiplications of a clip.
        accuracy: Task → accuracy in percent.
        parts: The other columns of core-10 as they are printed, in percent.
    """

    network: str
    family: str
    trained_on: str
    parameters: int
    macs: float
    accuracy: Mapping[str, float]
    parts: tuple[str, ...]


def _peer(line: str) -> Peer:
    network, family, trained_on, parameters, macs, *rates = map(str.strip, line.split("|"))
    accuracy = {task: float(rate) for task, rate in zip(CLIPS, rates, strict=False)}
    parts = tuple(rates[len(CLIPS) :])
    return Peer(network, family, trained_on, int(parameters), 1e6 * float(macs), accuracy, parts)


PEERS: Final = tuple(map(_peer, TABLE.strip().splitlines()))
