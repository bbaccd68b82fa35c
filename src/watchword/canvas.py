"""The paper that every figure is drawn on: size, ink, strokes, and saving.

In comes a size, out goes an empty figure in the house's hand; later a figure becomes a PNG, whole
or not at all. It is a room because all figures shall look alike and be readable in grey: two lines
differ by stroke and marker, never by colour alone. No global state of matplotlib is touched.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from watchword.errors import missing_extra
from watchword.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 150
FONT_POINTS: Final = 9
INK: Final = "#1a1a1a"
PALE: Final = "#8f8f8f"
FAINT: Final = "#d9d9d9"
STROKES: Final[tuple[dict[str, Any], ...]] = (
    {"color": "#000000", "linestyle": "-", "marker": "o"},
    {"color": "#b5480a", "linestyle": "--", "marker": "s"},
    {"color": "#2f6db3", "linestyle": "-.", "marker": "^"},
    {"color": "#5f8a3a", "linestyle": (0, (1, 1.2)), "marker": "D"},
    {"color": "#7a4a9c", "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "marker": "v"},
    {"color": "#8a6d00", "linestyle": (0, (8, 2)), "marker": "P"},
)
"""Strokes that stay different when printed in grey: each has its own dashes and its own marker."""


def matplotlib(module: str) -> Any:
    """Return a module of matplotlib, or say how to get it.

    Args:
        module: Its name below ``matplotlib``, e.g. ``figure``.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError as fault:
        raise missing_extra("matplotlib", "plot") from fault


def sheet(width_in: float, height_in: float, **layout: Any) -> tuple[Figure, list[Axes]]:
    """Return an empty figure and its panels, row by row.

    Args:
        width_in: Width in inches.
        height_in: Height in inches.
        layout: What ``Figure.subplots`` takes, e.g. ``nrows=2, sharex=True``.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    figure: Figure = matplotlib("figure").Figure(
        figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained"
    )
    panels: list[Axes] = np.ravel(np.asarray(figure.subplots(**layout))).tolist()
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(PALE)
        panel.tick_params(labelsize=FONT_POINTS - 1, color=PALE, labelcolor=INK)
        panel.set_axisbelow(True)
    return figure, panels


def caption(panel: Axes, title: str, x: str, y: str) -> None:
    """Write a panel's title, at the left, and what its axes hold."""
    panel.set_title(title, loc="left", fontsize=FONT_POINTS + 1, color=INK)
    panel.set_xlabel(x, fontsize=FONT_POINTS, color=INK)
    panel.set_ylabel(y, fontsize=FONT_POINTS, color=INK)


def legend(panel: Axes, **where: Any) -> None:
    """Add the legend, if anything has a name."""
    if panel.get_legend_handles_labels()[1]:
        panel.legend(
            **{"fontsize": FONT_POINTS - 1.5, "frameon": False, "handlelength": 3.2, **where}
        )


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all.

    Returns:
        The path.

    Raises:
        DataError: If the file cannot be written.
    """
    with written_whole(path) as file:
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return path


def save_all(figures: Mapping[str, Figure | None], folder: Path) -> list[str]:
    """Write figures into a folder; those that an older report had and this one has not are removed.

    Args:
        figures: Figures by file name; None where there is no evidence for one.
        folder: Where to.

    Returns:
        The names of those that are there.

    Raises:
        DataError: If a file cannot be written.
    """
    for name, figure in figures.items():
        if figure is None:
            (folder / name).unlink(missing_ok=True)
        else:
            save(figure, folder / name)
    return [name for name, figure in figures.items() if figure is not None]
