"""Remake the tables of the README from saved reports and from the models themselves.

    python benchmarks/results.py --collect output/google_commands/RUN --figures
    python benchmarks/results.py            # rewrite README.md
    python benchmarks/results.py --check    # exit code 1 if README.md is not what they say

Collecting copies a run's settings, log and reports of valid and test into ``docs/results/<run>/``.
Rewriting reads ``docs/results/<run>/<split>/report.json`` and writes what stands between the marks
``<!-- models -->`` and ``<!-- results -->`` of README.md and their ends.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from watchword import models
from watchword.files import write_whole
from watchword.page import rate

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
WIDTHS = {"lambda_resnet18": (1, 2), "bc_resnet": (1, 2, 3, 8)}
SPLITS = ("valid", "test")
PAGES = {"tc_resnet14_paper": "tc_resnet14", "tc_resnet8": "tc_resnet14"}


def models_table(outputs: int = 12) -> str:
    """Return the sizes of all models, counted now, as a Markdown table."""
    rows = ["| model | width | bands × frames | parameters | MACs |", "|---|---|---|---|---|"]
    for name, entry in models.MODELS.items():
        for width in WIDTHS.get(name, (1,)):
            network = models.create(name, classes=outputs, width=width)
            size = models.measure_size(network, mels=entry.mels, frames=entry.frames)
            page = f"docs/models/{PAGES.get(name, name)}.md"
            rows.append(
                f"| [`{name}`]({page}) | {width} | {entry.mels} × {entry.frames} "
                f"| {size.parameters:,} | {size.macs / 1e6:.2f} M |"
            )
    return "\n".join(rows)


def results_table() -> str:
    """Return one row for each run with saved reports, as a Markdown table."""
    rows = [
        "| run | valid, clips that v0.02 kept | valid, all | open test | test, without silence |",
        "|---|---|---|---|---|",
    ]
    for folder in sorted(path for path in RESULTS.glob("*") if path.is_dir()):
        valid, test = (json.loads((folder / split / "report.json").read_text()) for split in SPLITS)
        cells = [part(valid, "kept"), rate(valid), rate(test), part(test, "without_silence")]
        rows.append(f"| [{folder.name}](docs/results/{folder.name}) | {' | '.join(cells)} |")
    return "\n".join(rows)


def part(report: dict[str, Any], name: str) -> str:
    """Return one part's accuracy with count and interval."""
    found = report["parts"][name]
    return rate(found) if found else "–"


def collect(run: Path, *, has_figures: bool) -> None:
    """Copy what a run leaves to show into ``docs/results/``."""
    place = RESULTS / run.name
    for name in ("config.yml", "metrics.jsonl"):
        write_whole(place / name, public(run / name))
    for split in SPLITS:
        (found,) = run.glob(f"eval-*-{split}")
        write_whole(place / split / "report.json", public(found / "report.json"))
        page = public(found / "report.md").decode()
        if has_figures:
            for figure in found.glob("*.png"):
                write_whole(place / split / figure.name, figure.read_bytes())
        else:
            page = re.sub(r"!\[([^\]]*)\]\([^)]*\)\n\n\*[^\n]*\*\n\n?", "", page)
        write_whole(place / split / "report.md", page.encode())


def public(file: Path) -> bytes:
    """Return a file with absolute paths cut to their last part: they mean nothing elsewhere."""
    return re.sub(r"(?<![\w.:/])/(?:[\w.+-]+/)+([\w.+-]+)", r".../\1", file.read_text()).encode()


def rewritten(text: str) -> str:
    """Return the README with both tables made anew."""
    for mark, table in (("models", models_table()), ("results", results_table())):
        pattern = re.compile(f"(<!-- {mark} -->\n).*?(\n<!-- /{mark} -->)", re.DOTALL)
        text = pattern.sub(lambda found, table=table: found[1] + table + found[2], text)
    return text


def main() -> int:
    """Rewrite or check the README."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; tell if it is stale")
    parser.add_argument("--collect", type=Path, help="folder of a run with both reports")
    parser.add_argument("--figures", action="store_true", help="collect the figures as well")
    arguments = parser.parse_args()
    if arguments.collect:
        collect(arguments.collect, has_figures=arguments.figures)
    readme = ROOT / "README.md"
    text = readme.read_text()
    made = rewritten(text)
    if made == text:
        return 0
    if arguments.check:
        print("README.md is not what the reports say: run make results", file=sys.stderr)
        return 1
    write_whole(readme, made.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
