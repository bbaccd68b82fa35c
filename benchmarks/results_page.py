"""Rows and measured times → the page of results and the tables of the README.

In come the rows of ``accuracy``, published weights and what benchmarks saved; out goes Markdown. A
room because wording and numbers change for different reasons; nothing is measured here, and what
was not measured is said in plain words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import budgets
import times_page
from accuracy import Row, Run, best_comparator, lead, over_seeds
from published import CLIPS, PEERS, Peer
from times_page import millions

from watchword.metrics import wilson
from watchword.page import rate, span, table
from watchword.study.page import mean, step

HEADINGS: Final = {
    "commands": "commands",
    "unknown": "unknown",
    "silence": "silence",
    "never heard": "words never heard",
    "valid": "valid, clips that v0.02 kept",
}
OF_ARCHIVE: Final = (
    "Accuracy on the open test split is weighed as the official archive weighs its parts: "
    "0.833 × commands + 0.0835 × unknown (mean over words) + 0.0835 × silence."
)
OF_CLIPS: Final = "Accuracy counts every clip of the open test split that the task draws alike."
OF_SEEDS: Final = (
    "In percent; over several seeds mean ± sample deviation (*n* is their number). In brackets the "
    "95 % interval of the clips, which all seeds share. **Bold**: the lambda networks."
)
OF_PUBLISHED: Final = (
    "For orientation only: these weights were **trained on the full archive** and **measured on "
    "other clips**, those of the official v0.02 test archive (4,890 of task 12; 4,092 of core-10, "
    "which leaves out `on` and `off`). The networks above learned from the part of the recordings "
    "that is at hand, some of them from rebuilt clips too, and were heard on the open test split. "
    "A difference between the tables is therefore no difference between networks. The archive's "
    "silence is loud: who trained silence at a tenth of its volume calls much of it a word, which "
    "the column *soft* undoes. In percent; in brackets the 95 % interval of the clips."
)

Record = Mapping[str, Any]


def page(
    rows: Sequence[Row], times: Record | None, speeds: Sequence[Record] | None, figure: str
) -> str:
    """Return the page.

    Args:
        rows: The rows of ``accuracy.rows``.
        times: What ``model_times.py`` saved, None where nothing is saved.
        speeds: What ``training_speed.py`` saved, likewise.
        figure: File name of the figure beside the page; "" where there is none.
    """
    tasks = list(dict.fromkeys(row.task for row in rows))
    blocks = [
        "# Results",
        "Made by `make results` from the reports, settings and measured times that lie in this "
        "folder; nothing here is typed by hand. What was tried on the way, failures too, is in "
        "[the log](../log.md).",
        *(block for task in tasks for block in _task([r for r in rows if r.task == task])),
        *_figure(figure, tasks),
        "## Published weights on the official archive",
        OF_PUBLISHED,
        _published(),
        "## Time of one second",
        *times_page.times(times),
        "## Training speed",
        *times_page.speeds(speeds),
        "## Runs",
        _runs(rows),
    ]
    return "\n\n".join(blocks) + "\n"


# ----------------------------------------------------------------------------------------- accuracy


def _task(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the blocks of one task."""
    is_archive = bool(rows[0].runs[0].reports["test"].get("archive_weighted"))
    yield f"## Task {rows[0].task}"
    yield f"{OF_ARCHIVE if is_archive else OF_CLIPS} {OF_SEEDS}"
    yield _accuracy(rows)
    yield "\n".join(f"- {line}" for line in budget_lines(rows))
    ours = [row for row in rows if row.is_ours]
    if ours:
        yield (
            "Each lambda network beside the best other one of its budget that needs no more MACs, "
            "in points ± standard error over the seeds that both have:"
        )
        yield _leads(ours, rows)


def _accuracy(rows: Sequence[Row]) -> str:
    """Return accuracy against size, a row for each recipe."""
    header = ["network", "recipe", "budget", "parameters", "MACs", "n", "open test"]
    return table([*header, *HEADINGS.values()], [_accuracy_row(row) for row in rows])


def _accuracy_row(row: Row) -> list[str]:
    """Return the cells of one recipe."""
    return [
        f"**{row.network}**" if row.is_ours else row.network,
        row.settings["name"],
        row.budget + "\\*" * bool(row.differs),
        f"{row.parameters:,}",
        millions(row.macs),
        str(row.rates["test"]["n"]),
        f"{mean(row.rates['test'])} ({span(row.interval)})",
        *(mean(row.rates[measure]) for measure in HEADINGS),
    ]


def budget_lines(rows: Sequence[Row]) -> list[str]:
    """Return a line for each budget, with what it is and in what its rows differ.

    Args:
        rows: Rows of one task.
    """
    letters = list(dict.fromkeys(row.budget for row in rows))
    groups = {letter: [row for row in rows if row.budget == letter] for letter in letters}
    usual = {
        letter: budgets.usual_sections([row.settings for row in group])
        for letter, group in groups.items()
    }
    lines = []
    for letter, group in groups.items():
        words = _budget(usual[letter])
        if letter != letters[0]:
            apart = budgets.differences(usual[letter], usual[letters[0]])
            words += f"; not as {letters[0]} in {', '.join(f'`{one}`' for one in apart)}"
        lines.append(f"**Budget {letter}**: {words}.")
        for row in group:
            if row.differs:
                listed = ", ".join(f"`{one}`" for one in row.differs)
                lines.append(f"{letter}\\* {row.network} ({row.settings['name']}): {listed}.")
    return lines


def _budget(usual: Record) -> str:
    """Return in words what a budget gives."""
    train, corpora = usual["train"], [one["folder"] for one in usual["data"]["corpora"]]
    distilled = ", with teachers" * bool(train.get("distill"))
    return f"{train['epochs']} epochs over {', '.join(corpora)}{distilled}"


def _leads(ours: Sequence[Row], rows: Sequence[Row]) -> str:
    """Return how far each of our networks is above its best comparator."""
    lines = []
    for row in ours:
        rival = best_comparator(row, rows)
        found = lead(row, rival) if rival else None
        lines.append(
            [
                f"{row.network} ({row.settings['name']}, {row.budget})",
                f"{rival.network} ({millions(rival.macs)} MACs)" if rival else "none so small",
                step({"difference": found}) if found else "–",
                str(found["n"]) if found else "–",
            ]
        )
    return table(("lambda network", "best other one", "points above it", "pairs of seeds"), lines)


def _figure(figure: str, tasks: Sequence[str]) -> list[str]:
    """Return the figure and its caption."""
    if not figure:
        return ["No figure: nothing is collected."]
    return [
        f"![Accuracy against MACs and against parameters]({figure})",
        f"*Task {tasks[0]}. Black: the lambda networks; grey: others, trained here; hollow: "
        "published weights, trained on the full archive and measured on other clips. A shape is a "
        "family of networks.*",
    ]


# ---------------------------------------------------------------------------------------- published


def _published() -> str:
    """Return the published weights."""
    header = [
        *("network", "trained on", "parameters", "MACs", "task 12", "core-10", "core-10, soft"),
        *("without silence", "eight commands", "unknown", "silence"),
    ]
    rows = [
        [
            *(peer.network, peer.trained_on, f"{peer.parameters:,}", millions(peer.macs)),
            *(_of_archive(peer, task) for task in CLIPS),
            *peer.parts,
        ]
        for peer in PEERS
    ]
    return table(header, rows)


def _of_archive(peer: Peer, task: str) -> str:
    """Return an accuracy with the interval of its clips."""
    percent = peer.accuracy[task]
    return f"{percent:.2f} ({span(wilson(percent / 100, CLIPS[task]))})"


# --------------------------------------------------------------------------------------------- runs


def _runs(rows: Sequence[Row]) -> str:
    """Return every run with its reports and the source it was trained with."""
    cells = [
        [
            f"[{run.name}]({run.name}/config.yml)",
            row.network,
            *(
                f"[{rate(run.reports[split])}]({run.name}/{split}/report.md)"
                for split in run.reports
            ),
            str(run.reports["test"]["provenance"].get("commit") or "unknown"),
        ]
        for row in rows
        for run in row.runs
    ]
    return table(("run", "network", "valid, all clips", "open test, all clips", "commit"), cells)


def readme_results(rows: Sequence[Row]) -> str:
    """Return the README's table of results, a row for each recipe.

    Args:
        rows: The rows of ``accuracy.rows``.
    """
    header = [
        *("run", "valid, clips that v0.02 kept", "valid, all", "open test"),
        *("test, without silence", "test, weighed as the archive"),
    ]
    return table(header, [_readme_row(row) for row in rows])


def _readme_row(row: Row) -> list[str]:
    parts: list[Callable[[Run], Record | None]] = [
        lambda run: run.reports["valid"]["parts"].get("kept"),
        lambda run: run.reports["valid"],
        lambda run: run.reports["test"],
        lambda run: run.reports["test"]["parts"].get("without_silence"),
    ]
    archive = over_seeds(
        row.runs, lambda run: (run.reports["test"].get("archive_weighted") or {}).get("accuracy")
    )
    weighed = f"{mean(archive)} ({span(row.interval)})" if archive["n"] else "–"
    return [_linked(row.runs), *(_part(row.runs, part) for part in parts), weighed]


def _part(runs: Sequence[Run], part: Callable[[Run], Record | None]) -> str:
    """Return a rate with count and interval for one seed, mean and deviation for several."""
    found = [of_run for run in runs if (of_run := part(run))]
    if len(found) == 1:
        return rate(found[0])
    return mean(over_seeds(runs, lambda run: (part(run) or {}).get("accuracy")))


def _linked(runs: Sequence[Run]) -> str:
    """Return the name of a run with its link, or of a recipe with links to its seeds."""
    if len(runs) == 1:
        return f"[{runs[0].name}](docs/results/{runs[0].name})"
    seeds = [f"[{run.settings['seed']}](docs/results/{run.name})" for run in runs]
    return f"{runs[0].name.rpartition('-seed')[0]}, seeds {', '.join(seeds)}"
