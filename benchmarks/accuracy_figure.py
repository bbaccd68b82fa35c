"""Rows of accuracy against size → one figure of two panels, readable in grey.

In come rows and published weights, out goes a PNG that carries a digest of what it shows, so that a
figure which is stale can be told without drawing it anew. A room because names must be laid beside
dozens of marks without covering each other, which nothing else here needs.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import names
from accuracy import Row
from published import CLIPS, PEERS

from watchword.canvas import DOTS_PER_INCH, FAINT, FONT_POINTS, INK, PALE, caption, sheet
from watchword.files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIGEST: Final = "Description"
"""The text chunk of the PNG that holds the digest."""
KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ours": ("lambda networks", {"color": INK, "markerfacecolor": INK}),
    "comparator": ("others, trained here", {"color": INK, "markerfacecolor": "#b9b9b9"}),
    "published": (
        "published weights: the full archive, other clips",
        {"color": PALE, "markerfacecolor": "white"},
    ),
}
SIZES: Final = {"*": 11, "P": 8, "X": 8}
LABEL_POINTS: Final = FONT_POINTS - 2.5
MARK_POINTS: Final = 10.0
REACHES: Final = (6.0, 11.0, 17.0, 24.0, 32.0)
"""Points between a mark and its name, the nearest tried first."""
DIRECTIONS: Final = 12

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """One network in the figure.

    Args:
        label: Its name.
        kind: A key of ``KINDS``.
        marker: Its shape.
        macs: Multiplications of a clip.
        parameters: Trained numbers.
        percent: Accuracy.
        low: Lower end of the 95 % interval, in percent.
        high: Upper end.
    """

    label: str
    kind: str
    marker: str
    macs: float
    parameters: int
    percent: float
    low: float | None = None
    high: float | None = None


def marks(rows: Sequence[Row], task: str) -> list[Mark]:
    """Return what is drawn of a task: its rows, then the published weights.

    Args:
        rows: All rows.
        task: The task.
    """
    mine = [row for row in rows if row.task == task]
    titles = [row.network for row in mine]
    trained = [
        Mark(
            label=row.network + f", {row.settings['name']}" * (titles.count(row.network) > 1),
            kind="ours" if row.is_ours else "comparator",
            marker=names.MARKERS.get(row.model, names.OTHER_MARKER),
            macs=row.macs,
            parameters=row.parameters,
            percent=100 * row.test,
            low=100 * row.interval[0],
            high=100 * row.interval[1],
        )
        for row in mine
    ]
    peers = [
        Mark(
            label=peer.network.partition(" (")[0].partition(",")[0],
            kind="published",
            marker=names.MARKERS[peer.family],
            macs=peer.macs,
            parameters=peer.parameters,
            percent=peer.accuracy[task],
        )
        for peer in (PEERS if task in CLIPS else ())
    ]
    return trained + peers


def digest(shown: Sequence[Mark]) -> str:
    """Return what tells one figure from another: what it shows, and the code that draws it.

    Args:
        shown: What it shows.
    """
    text = json.dumps([asdict(mark) for mark in shown], sort_keys=True)
    code = Path(__file__).read_text(encoding="utf-8")
    return hashlib.sha256(f"{text}\n{code}".encode()).hexdigest()


def is_fresh(file: Path, shown: Sequence[Mark]) -> bool:
    """Tell whether a figure is there and shows just this.

    Args:
        file: The figure.
        shown: What it should show.
    """
    if not file.is_file():
        return False
    from PIL import Image

    with Image.open(file) as picture:
        return picture.info.get(DIGEST) == digest(shown)


def write(file: Path, shown: Sequence[Mark], task: str) -> None:
    """Draw and write the figure, whole or not at all.

    Args:
        file: Where to.
        shown: What it shows.
        task: The task.

    Raises:
        DataError: If the file cannot be written.
        WatchwordError: If matplotlib is not installed.
    """
    figure = draw(shown, task)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    from PIL import Image, PngImagePlugin

    told = PngImagePlugin.PngInfo()
    told.add_text(DIGEST, digest(shown))
    with Image.open(drawn) as picture, written_whole(file) as target:
        picture.convert("L").save(target, format="PNG", pnginfo=told, optimize=True)


def draw(shown: Sequence[Mark], task: str) -> Figure:
    """Return the figure: accuracy against MACs beside accuracy against parameters.

    Args:
        shown: What it shows.
        task: The task.
    """
    figure, panels = sheet(10.0, 4.9, ncols=2, sharey=True)
    for panel, size, words in zip(
        panels, ("macs", "parameters"), ("MACs of a second", "parameters"), strict=True
    ):
        for mark in shown:
            _draw_mark(panel, mark, getattr(mark, size))
        panel.set_xscale("log")
        panel.margins(x=0.12, y=0.06)
        panel.grid(which="major", color=FAINT, linewidth=0.6)
        caption(panel, "", words, "")
    caption(panels[0], f"Task {task}, open test", "MACs of a second", "accuracy, %")
    _legend(figure, panels[0], {mark.kind for mark in shown})
    figure.draw_without_rendering()  # names are laid where the panels come to stand
    for panel, size in zip(panels, ("macs", "parameters"), strict=True):
        _name_marks(panel, shown, [(getattr(mark, size), mark.percent) for mark in shown])
    return figure


def _draw_mark(panel: Axes, mark: Mark, x: float) -> None:
    """Draw one mark, with its interval where it has one."""
    if mark.low is not None and mark.high is not None:
        panel.plot([x, x], [mark.low, mark.high], "-", color=PALE, linewidth=0.8, zorder=1)
    style = KINDS[mark.kind][1]
    size = SIZES.get(mark.marker, 6)
    panel.plot(x, mark.percent, mark.marker, markersize=size, markeredgewidth=0.9, **style)


def _legend(figure: Figure, panel: Axes, kinds: set[str]) -> None:
    """Say what fillings and lines mean."""
    for kind, (words, style) in KINDS.items():
        if kind in kinds:
            panel.plot([], [], "o", markersize=6, label=words, **style)
    panel.plot([], [], "-", color=PALE, linewidth=0.8, label="95 % interval of the clips")
    handles, words_of = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        words_of,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=FONT_POINTS - 1,
    )


# --------------------------------------------------------------------------------- names of marks


def _name_marks(panel: Axes, shown: Sequence[Mark], points: Sequence[tuple[float, float]]) -> None:
    """Write each mark's name beside it, with a hairline where it had to go further away."""
    scale = 72 / DOTS_PER_INCH
    places = [(scale * x, scale * y) for x, y in panel.transData.transform(points)]
    frame = panel.get_window_extent()
    inside = (scale * frame.x0, scale * frame.y0, scale * frame.x1, scale * frame.y1)
    sizes = [_size_of_name(mark) for mark in shown]
    middles = laid_out(places, sizes, inside)
    for mark, point, place, size, (x, y) in zip(shown, points, places, sizes, middles, strict=True):
        away = math.dist(place, (x, y)) > REACHES[1] + size[0] / 2
        note = panel.annotate(
            mark.label,
            point,
            (x - place[0], y - place[1]),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=LABEL_POINTS,
            color=INK,
            weight="bold" if mark.kind == "ours" else "normal",
            style="italic" if mark.kind == "published" else "normal",
            arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.4} if away else None,
        )
        note.set_in_layout(False)


def _size_of_name(mark: Mark) -> tuple[float, float]:
    """Return about how wide and high a name is, in points."""
    width = 0.66 if mark.kind == "ours" else 0.57  # of a letter, in heights: bold is wider
    return width * LABEL_POINTS * len(mark.label), 1.3 * LABEL_POINTS


def laid_out(
    places: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], inside: Box
) -> list[tuple[float, float]]:
    """Return where the middle of each name goes: near its mark, over no other, inside the panel.

    Names take turns; each takes the nearest free place around its mark, or that which covers least.

    Args:
        places: Middles of the marks.
        sizes: Width and height of the names.
        inside: Left, lower, right and upper end of the panel, in the same unit.
    """
    taken = [_box(place, (MARK_POINTS, MARK_POINTS)) for place in places]
    found = []
    for place, size in zip(places, sizes, strict=True):
        middle = _freest(place, size, taken, inside)
        taken.append(_box(middle, size))
        found.append(middle)
    return found


def _freest(
    place: tuple[float, float], size: tuple[float, float], taken: Sequence[Box], inside: Box
) -> tuple[float, float]:
    """Return the first middle of a name that covers least."""
    return min(_around(place, size), key=lambda at: _covered(_box(at, size), taken, inside))


def _around(place: tuple[float, float], size: tuple[float, float]) -> Iterable[tuple[float, float]]:
    """Yield middles of a name around its mark, the nearest first, from the right and around."""
    for reach in REACHES:
        for turn in range(DIRECTIONS):
            angle = 2 * math.pi * turn / DIRECTIONS
            across = math.cos(angle) * (reach + size[0] / 2)
            yield place[0] + across, place[1] + math.sin(angle) * (reach + size[1] / 2)


def _box(middle: tuple[float, float], size: tuple[float, float]) -> Box:
    (x, y), (width, height) = middle, size
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _covered(box: Box, taken: Sequence[Box], inside: Box) -> float:
    """Return the area of a box that covers others or sticks out of the panel."""
    own = (box[2] - box[0]) * (box[3] - box[1])
    return own - _common(box, inside) + sum(_common(box, other) for other in taken)


def _common(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, up)
