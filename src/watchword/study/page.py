"""The record of a study → ``study.json``, a page of Markdown, and a figure.

In comes what ``runs.collect`` returned, out go three files and the rows that a terminal shows. A
room because wording and numbers change for different reasons; nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchword.canvas import FAINT, INK, PALE, caption, save, sheet
from watchword.errors import WatchwordError
from watchword.files import write_whole
from watchword.study.comparison import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADINGS: Final = {
    "kept": "clips that v0.02 kept",
    "never heard": "words never heard",
    "archive": "weighed as the archive",
}
"""Measures whose column says more than their name."""
FIGURE: Final = "study.png"
PANELS_A_ROW: Final = 3

Record = Mapping[str, Any]


def write(record: Record, folder: Path) -> Path:
    """Write record, figure and page of a study, each file whole or not at all.

    Args:
        record: What ``runs.collect`` returned.
        folder: Where to; made if need be.

    Returns:
        Path of the page.

    Raises:
        DataError: If something cannot be written.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / "study.json", text.encode())
    try:
        figure = draw(record)
    except WatchwordError as error:  # the table stands without it
        record = {**record, "notes": [*record["notes"], f"no figure: {error}"]}
        (folder / FIGURE).unlink(missing_ok=True)
    else:
        save(figure, folder / FIGURE)
    page = markdown(record, has_figure=(folder / FIGURE).is_file())
    write_whole(folder / "study.md", page.encode())
    return folder / "study.md"


def markdown(record: Record, *, has_figure: bool = False) -> str:
    """Return the page.

    Args:
        record: What ``runs.collect`` returned.
        has_figure: Whether the figure lies beside it.
    """
    blocks = [f"# Study {record['study']}", f"From `{record['base']}`, {_seeds(record)}."]
    for part in record["parts"]:
        blocks += [f"## {part}", *_about(part), _table(rows(record, part))]
    if has_figure:
        blocks.append(f"![Each seed and the mean]({FIGURE})")
        blocks.append("*On valid: hollow, each seed; filled, the mean of the seeds.*")
    blocks += ["## Notes", "\n".join(f"- {note}" for note in record["notes"])]
    blocks += ["## Settings", _table(_settings_rows(record))]
    return "\n\n".join([*blocks, "## Runs", _table(_run_rows(record))]) + "\n"


def rows(record: Record, part: str) -> list[dict[str, str]]:
    """Return the table of one part as text, a row for each variant, empty columns left out.

    Args:
        record: What ``runs.collect`` returned.
        part: The part.
    """
    shown = measures_with_evidence(record, part)
    table = []
    for row in record["variants"]:
        cells = row["parts"].get(part, {})
        table.append(
            {
                "variant": row["variant"],
                "seeds": " ".join(map(str, row["seeds"])) or "–",
                **{f"{HEADINGS.get(name, name)}, %": cell(cells.get(name)) for name in shown},
                **_cost(row),
            }
        )
    return table


def narrow(record: Record) -> list[tuple[str, list[dict[str, str]]]]:
    """Return the same as titles and tables that fit on a terminal.

    Args:
        record: What ``runs.collect`` returned.
    """
    tables = []
    first, *others = record["variants"]
    for part in record["parts"]:
        shown = measures_with_evidence(record, part)
        title = f"{record['study']}, {part}: % of clips, mean ± deviation over seeds"
        tables.append((title, _narrow_rows(record["variants"], part, shown, mean)))
        if others:
            title = f"{record['study']}, {part}: points above {first['variant']} ± standard error"
            tables.append((title, _narrow_rows(others, part, shown, step)))
    costs = [{"variant": row["variant"], **_cost(row)} for row in record["variants"]]
    return [*tables, (f"{record['study']}: what it costs", costs)]


def _narrow_rows(
    variants: Sequence[Record], part: str, shown: Sequence[str], say: Callable[[Any], str]
) -> list[dict[str, str]]:
    return [
        {"variant": row["variant"]}
        | {name: say(row["parts"].get(part, {}).get(name)) or "–" for name in shown}
        for row in variants
    ]


def _cost(row: Record) -> dict[str, str]:
    """Return the size of a variant's network, its time, and the source that trained it."""
    return {
        "parameters": _number(row["parameters"]),
        "MACs": _number(row["macs"]),
        "minutes": "–" if row["minutes"] is None else f"{row['minutes']:.1f}",
        "commit": ", ".join(row["commits"]) or "–",
    }


def measures_with_evidence(record: Record, part: str) -> list[str]:
    """Return the measures that some variant has on a part, in their order.

    Args:
        record: What ``runs.collect`` returned.
        part: The part.
    """
    cells = [row["parts"].get(part, {}) for row in record["variants"]]
    return [name for name in MEASURES if any(one.get(name, {}).get("n") for one in cells)]


def cell(found: Record | None) -> str:
    """Return a mean with its deviation, and the difference with its standard error, in percent.

    Args:
        found: A cell of ``comparison.compare``, or None.

    Example:
        >>> more = {"n": 3, "mean": 0.012, "standard_error": 0.004}
        >>> cell({"n": 3, "mean": 0.9534, "deviation": 0.0021, "difference": more})
        '95.34 ± 0.21 (+1.20 ± 0.40)'
        >>> cell({"n": 1, "mean": 0.5, "deviation": None, "difference": None})
        '50.00'
    """
    return f"{mean(found)} ({step(found)})" if step(found) else mean(found)


def mean(found: Record | None) -> str:
    """Return the mean of a cell with its deviation, in percent; a dash without evidence.

    Args:
        found: A cell of ``comparison.compare``, or None.
    """
    if not found or not found["n"]:
        return "–"
    return f"{100 * found['mean']:.2f}{_give_or_take(found['deviation'])}"


def step(found: Record | None) -> str:
    """Return the difference of a cell with its standard error, in points; "" if it has none.

    Args:
        found: A cell of ``comparison.compare``, or None.
    """
    if not found or not found["difference"]:
        return ""
    more = found["difference"]
    return f"{100 * more['mean']:+.2f}{_give_or_take(more['standard_error'])}"


def _give_or_take(fraction: float | None) -> str:
    return "" if fraction is None else f" ± {100 * fraction:.2f}"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _seeds(record: Record) -> str:
    """Return how many settings and seeds there are, in words."""
    listed = ", ".join(map(str, record["seeds"]))
    return f"{len(record['settings'])} settings × n = {len(record['seeds'])} seeds ({listed})"


def _about(part: str) -> list[str]:
    """Return what must be known about a table before it is read."""
    text = (
        "Mean ± sample deviation over seeds; in brackets the difference to the first variant, seed "
        "by seed, ± its standard error, in points."
    )
    chosen = "Choices are made on valid; this only says what became of them. "
    return [("" if part == "valid" else chosen) + text]


def _settings_rows(record: Record) -> list[dict[str, str]]:
    """Return what each variant changes in the base."""
    changed = {"(all)": record["common"]} if record["common"] else {}
    changed |= record["settings"]
    return [
        {"variant": name, "changes": ", ".join(f"`{one}`" for one in changes) or "none"}
        for name, changes in changed.items()
    ]


def _run_rows(record: Record) -> list[dict[str, str]]:
    """Return a row for each run, finished or not."""
    return [
        {
            "run": f"`{run['run']}`",
            "state": run["state"],
            **{
                f"{part}, %": _percent(run.get("rates", {}).get(part, {}).get("all"))
                for part in record["parts"]
            },
            "epoch": str(run.get("epoch") or "–"),
            "commit": run.get("commit") or "–",
        }
        for run in record["runs"]
    ]


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.2f}"


def _table(records: Sequence[Mapping[str, str]]) -> str:
    """Return records as a Markdown table; a bar inside a cell is escaped."""
    lines = [list(records[0]), ["---"] * len(records[0]), *(list(r.values()) for r in records)]
    cells = [[one.replace("|", "\\|").replace("\n", " ") for one in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


# ------------------------------------------------------------------------------------------ figure


def draw(record: Record, part: str = "valid") -> Figure:
    """Draw every measure of a part as dots: hollow for each seed, filled for the mean.

    Args:
        record: What ``runs.collect`` returned.
        part: The part.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    shown = measures_with_evidence(record, part)
    names = [row["variant"] for row in record["variants"]]
    columns = min(len(shown), PANELS_A_ROW)
    lines = -(-len(shown) // columns)
    size = (1.6 + 2.5 * columns, lines * (1.0 + 0.34 * len(names)))
    figure, panels = sheet(*size, nrows=lines, ncols=columns, sharey=True)
    for panel, measure in zip(panels, shown, strict=False):
        _draw_measure(panel, record, part, measure)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)  # the first variant on top
    return figure


def _draw_measure(panel: Axes, record: Record, part: str, measure: str) -> None:
    """Draw one measure: a line of dots for each variant."""
    for height, row in enumerate(record["variants"]):
        found = row["parts"].get(part, {}).get(measure)
        if not found or not found["n"]:
            continue
        rates = [100 * rate for rate in found["by_seed"].values()]
        hollow: dict[str, Any] = {
            "markerfacecolor": "none",
            "markeredgecolor": PALE,
            "markersize": 6,
        }
        panel.plot(rates, [height] * len(rates), "o", linestyle="", **hollow)
        panel.plot(100 * found["mean"], height, "D", color=INK, markersize=5)
    panel.grid(axis="both", color=FAINT, linewidth=0.6)
    panel.set_xlim(right=min(panel.get_xlim()[1], 100.5))
    panel.xaxis.set_major_formatter("{x:g} %")
    caption(panel, HEADINGS.get(measure, measure), "", "")
