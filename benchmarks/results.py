"""Remake the page of results, its figure and the README's tables from what is saved.

    python benchmarks/results.py --collect output/google_commands/RUN --figures
    python benchmarks/results.py            # rewrite the page, the figure and README.md
    python benchmarks/results.py --check    # exit code 1 if one of them is not what is saved

Collecting copies a run's settings, log and reports of valid and test into ``docs/results/<run>/``,
of reports on long audio (``long-audio*``) the page and figures: the sounds stay where they are.
Rewriting reads those, ``times.json`` and ``training_speed.json`` beside them, and the models
themselves; in README.md it writes what stands between the marks ``<!-- models -->`` and
``<!-- results -->`` and their ends.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import accuracy
import accuracy_figure
import names
import results_page
import turns
from accuracy import SPLITS, Row

from watchword.errors import DataError, WatchwordError
from watchword.files import write_whole
from watchword.page import table

ROOT = Path(__file__).parent.parent
PLACE = Path("docs", "results")
FIGURE = "accuracy.png"
PAGES = {"tc_resnet14_paper": "tc_resnet14", "tc_resnet8": "tc_resnet14"}


def main(words: Sequence[str] | None = None) -> int:
    """Collect, rewrite or check; return the exit code.

    Args:
        words: The command line; that of the process where not given.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; tell what is stale")
    parser.add_argument("--collect", type=Path, nargs="+", default=[], help="folders of runs")
    parser.add_argument("--figures", action="store_true", help="collect the figures as well")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    asked = parser.parse_args(words)
    try:
        for run in asked.collect:
            collect(run, asked.root / PLACE / run.name, has_figures=asked.figures)
        found = stale(asked.root)
        for make in () if asked.check else found.values():
            make()
    except WatchwordError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.check and found:
        print(f"stale: {', '.join(map(str, found))}; run make results", file=sys.stderr)
    return int(asked.check and bool(found))


# ----------------------------------------------------------------------------------------- remaking


def stale(root: Path) -> dict[Path, Callable[[], None]]:
    """Return each file that is not as the saved reports and times say, and what makes it anew.

    Args:
        root: The checkout.

    Raises:
        WatchwordError: If what is saved cannot be read, or a mark of the README is missing.
    """
    rows = accuracy.rows(accuracy.read(root / PLACE))
    found: dict[Path, Callable[[], None]] = {
        file: partial(write_whole, root / file, text.encode())
        for file, text in texts(root, rows).items()
        if not (root / file).is_file() or (root / file).read_text(encoding="utf-8") != text
    }
    if not rows:
        return found
    task, figure = rows[0].task, root / PLACE / FIGURE
    shown = accuracy_figure.marks(rows, task)
    if not accuracy_figure.is_fresh(figure, shown):
        found[PLACE / FIGURE] = partial(accuracy_figure.write, figure, shown, task)
    return found


def texts(root: Path, rows: Sequence[Row]) -> dict[Path, str]:
    """Return the page and the README as they should be.

    Args:
        root: The checkout.
        rows: The rows of ``accuracy.rows``.
    """
    times = turns.read_json(root / PLACE / "times.json")
    speeds = turns.read_json(root / PLACE / "training_speed.json")
    readme = (root / "README.md").read_text(encoding="utf-8")
    tables = {"models": models_table(), "results": results_page.readme_results(rows)}
    try:
        page = results_page.page(rows, times, speeds, FIGURE if rows else "")
    except (KeyError, TypeError) as error:
        raise DataError(
            f"times.json or training_speed.json lacks {error}: both are written by make bench; "
            "measure again, or remove the file"
        ) from error
    return {PLACE / "README.md": page, Path("README.md"): rewritten(readme, tables)}


def rewritten(text: str, tables: dict[str, str]) -> str:
    """Return a text with what stands between each pair of marks replaced.

    Args:
        text: A page.
        tables: Mark → what shall stand there.

    Raises:
        DataError: If a mark or its end is not there.
    """
    for mark, new in tables.items():
        before, start, rest = text.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"\n<!-- /{mark} -->")
        if not end:
            raise DataError(
                f"README.md lacks <!-- {mark} --> and its end <!-- /{mark} -->: put both where the "
                "table belongs, each on a line of its own"
            )
        text = f"{before}{start}{new}{end}{after}"
    return text


@cache
def models_table(outputs: int = 12) -> str:
    """Return the sizes of all models, counted now, as a Markdown table.

    Args:
        outputs: Number of outputs.
    """
    from watchword import models

    rows = []
    for name, entry in models.MODELS.items():
        for width in names.WIDTHS.get(name, (1,)):
            network = models.create(name, classes=outputs, width=width)
            size = models.measure_size(network, mels=entry.mels, frames=entry.frames)
            page, bands = f"docs/models/{PAGES.get(name, name)}.md", entry.mels
            rows.append(
                [
                    *(f"[`{name}`]({page})", f"{width:g}", f"{bands} × {entry.frames}"),
                    *(f"{size.parameters:,}", f"{size.macs / 1e6:.2f} M"),
                ]
            )
    return table(("model", "width", "bands × frames", "parameters", "MACs"), rows)


# --------------------------------------------------------------------------------------- collecting


def collect(run: Path, place: Path, *, has_figures: bool) -> None:
    """Copy what a run leaves to show.

    Args:
        run: Folder of a run.
        place: Where to.
        has_figures: Whether the reports' figures are copied too.

    Raises:
        DataError: If the run has no report on valid or test, or nothing can be written.
    """
    found = {split: list(run.glob(f"eval-*-{split}")) for split in SPLITS}
    for split, folders in found.items():
        if len(folders) != 1:
            raise DataError(
                f"{run} has {len(folders)} reports on {split}, and one is needed: evaluate the run "
                "on both splits of its task"
            )
    for name in ("config.yml", "metrics.jsonl"):
        write_whole(place / name, public(run / name))
    for split, (folder,) in found.items():
        _collect_report(folder, place / split, has_figures=has_figures)
    for folder in sorted(run.glob("long-audio*")):
        write_whole(place / folder.name / "report.md", public(folder / "report.md"))
        for figure in sorted(folder.glob("*.png")):
            write_whole(place / folder.name / figure.name, figure.read_bytes())


def _collect_report(found: Path, place: Path, *, has_figures: bool) -> None:
    """Copy one report."""
    write_whole(place / "report.json", public(found / "report.json"))
    page = public(found / "report.md").decode()
    if has_figures:
        for figure in found.glob("*.png"):
            write_whole(place / figure.name, figure.read_bytes())
    else:
        page = re.sub(r"!\[([^\]]*)\]\([^)]*\)\n\n\*[^\n]*\*\n\n?", "", page)
    write_whole(place / "report.md", page.encode())


def public(file: Path) -> bytes:
    """Return a file with absolute paths cut to their last part: they mean nothing elsewhere.

    Args:
        file: A text file.
    """
    text = file.read_text(encoding="utf-8")
    return re.sub(r"(?<![\w.:/])/(?:[\w.+-]+/)+([\w.+-]+)", r".../\1", text).encode()


if __name__ == "__main__":
    sys.exit(main())
