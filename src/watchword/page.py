"""The record of a report → a page of Markdown.

In comes the record that ``report.build_report`` made, out goes text: the headline first, then what
an honest reader asks next, at the end where it all comes from. It is a room because wording and
numbers change for different reasons; nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

PART_NAMES: Final = {
    "commands": "keywords",
    "unknown": "unknown, as the task draws it",
    "silence": "silence",
    "without_silence": "without silence",
    "unknown_heard": "unknown words that training heard, all clips",
    "held_out": "unknown words that training never heard",
    "kept": "without the clips that v0.02 dropped",
    "dropped": "the clips that v0.02 dropped",
}
CAPTIONS: Final = {
    "per_class.png": "Recall and precision of each class, the worst recall on top.",
    "confusion.png": "Confusions: numbers are clips, shade is the share of the row.",
    "det.png": "False rejects against false accepts; each keyword against all other clips.",
    "roc.png": "The same as ROC.",
    "speakers.png": "Accuracy of each speaker, the worst first.",
}
CLIPS_SHOWN: Final = 5

Record = Mapping[str, Any]


def headline(report: Record) -> str:
    """Return the one line to quote: accuracy with its count and interval, task, split and corpora.

    Args:
        report: What ``report.build_report`` returned.
    """
    where = f"task {report['task']}, {report['split']}, {', '.join(report['corpora'])}"
    return f"accuracy {rate(report)}, {where}"


def rate(record: Record, key: str = "accuracy", interval: str = "interval") -> str:
    """Return a rate in the house's form: ``95.3 % (2,310/2,424; 95 % 94.4–96.1)``.

    Args:
        record: Holds the rate, its interval, ``correct`` and ``count``.
        key: Where the rate stands.
        interval: Where its interval stands.
    """
    counts = f"{record['correct']:,}/{record['count']:,}"
    return f"{percent(record[key])} ({counts}; 95 % {span(record[interval])})"


def percent(fraction: float | None) -> str:
    """Return a fraction as percentage with one decimal, a dash for None."""
    return "–" if fraction is None else f"{100 * fraction:.1f} %"


def span(interval: Sequence[float]) -> str:
    """Return an interval of fractions as percentages, low–high."""
    low, high = interval
    return f"{100 * low:.1f}–{100 * high:.1f}"


def markdown(report: Record, figures: Sequence[str] = ()) -> str:
    """Return the page.

    Args:
        report: What ``report.build_report`` returned.
        figures: File names of the figures that lie beside the page.
    """
    blocks = [
        f"# Task {report['task']}, {report['split']}",
        f"**{headline(report)}**",
        _beside(report),
        "## Parts",
        _parts(report),
        "## Classes",
        _classes(report),
        *_figures(figures, "per_class.png", "confusion.png"),
        "## Confusions to listen to",
        _confusions(report),
        "## False accepts and false rejects",
        _errors(report),
        *_figures(figures, "det.png", "roc.png"),
        "## Speakers",
        _speakers(report),
        *_figures(figures, "speakers.png"),
        *_unknown_words(report),
        "## Where this comes from",
        *provenance_blocks(report["provenance"]),
    ]
    return "\n\n".join(blocks) + "\n"


def _beside(report: Record) -> str:
    """Return the figures that stand beside the headline."""
    lines = [
        f"macro accuracy (mean recall of the classes) {percent(report['macro_accuracy'])}; always "
        f"answering the most frequent class reaches {percent(report['majority_accuracy'])}",
    ]
    parts = report["parts"]
    if parts["dropped"]:
        lines.append(f"{PART_NAMES['kept']} {rate(parts['kept'])}")
    if parts["silence"]:
        lines.append(f"{PART_NAMES['without_silence']} {rate(parts['without_silence'])}")
    archive = report["archive_weighted"]
    if archive:
        left_out = f"; too few clips of {', '.join(archive['left_out'])}" * bool(
            archive["left_out"]
        )
        lines.append(
            f"weighed as the official test archive: {percent(archive['accuracy'])} (95 % "
            f"{span(archive['interval'])}) = 0.833 × keywords "
            f"{percent(archive['commands']['accuracy'])} + 0.0835 × unknown "
            f"{percent(archive['unknown'])} (mean over words{left_out}) + 0.0835 × silence "
            f"{percent(archive['silence']['accuracy'])}"
        )
    sure = report["calibration"]
    lines.append(
        f"calibration: mean confidence {percent(sure['confidence'])}, expected calibration error "
        f"{percent(sure['error'])}, highest posterior {sure['highest']:.3f}"
    )
    return "\n".join(f"- {line}" for line in lines)


def _parts(report: Record) -> str:
    rows = [(PART_NAMES[name], rate(part)) for name, part in report["parts"].items() if part]
    if len(report["corpora"]) > 1:
        rows += [(f"corpus {name}", rate(part)) for name, part in report["corpora"].items()]
    return table(("part", "accuracy (right/clips; 95 % interval)"), rows)


def _classes(report: Record) -> str:
    rows = []
    for row in report["per_class"]:
        precision = {**row, "count": row["answered"]}
        eer = report["eer"].get(row["label"])
        rows.append(
            (
                code(row["label"]),
                rate(row, "recall", "recall_interval") if row["count"] else "no clips",
                rate(precision, "precision", "precision_interval")
                if row["answered"]
                else "never answered",
                percent(eer["eer"]) if eer else "–",
            )
        )
    return table(("class", "recall", "precision", "EER"), rows)


def _confusions(report: Record) -> str:
    rows = []
    for pair in report["top_confusions"]:
        shown = [code(name) for name in pair["names"][:CLIPS_SHOWN]]
        more = [f"and {pair['count'] - CLIPS_SHOWN} more"] * (pair["count"] > CLIPS_SHOWN)
        taken = f"{code(pair['target'])} → {code(pair['prediction'])}"
        rows.append((taken, str(pair["count"]), ", ".join(shown + more)))
    if not rows:
        return "None: every clip is right."
    return table(("right answer → answered", "clips", "listen to (surest mistake first)"), rows)


def _errors(report: Record) -> str:
    rows = [
        (
            name,
            f"{percent(found['eer'])} (95 % {span(found['interval'])})",
            f"{found['positives']:,}",
            f"{found['negatives']:,}",
        )
        for name, found in report["eer"].items()
    ]
    if not rows:
        return "No keyword has both positive and negative clips."
    note = (
        "Rates of clips, the posterior of each keyword against all other clips; not false accepts "
    )
    note += "per hour. The interval is that of the rarer side."
    return note + "\n\n" + table(("keyword", "EER", "positives", "negatives"), rows)


def _speakers(report: Record) -> str:
    spread = report["speakers"]
    if not spread:
        return "No speaker is known with clips enough to be judged alone."
    text = (
        f"{spread['judged']:,} of {spread['known']:,} speakers have {spread['minimum_clips']} "
        f"clips or more: their mean accuracy is {percent(spread['mean_accuracy'])}, that of the "
        f"worst tenth {percent(spread['worst_decile'])}; if all were equally easy, chance alone "
        f"would leave the worst tenth at {percent(spread['worst_decile_by_chance'])}. Clips of one "
        "speaker fail together: with speakers as the sample the accuracy has the 95 % interval "
        f"{span(spread['accuracy_interval'])}."
    )
    rows = [(code(row["speaker"]), rate(row)) for row in spread["worst"]]
    return text + "\n\n" + table(("worst speakers", "accuracy"), rows)


def _unknown_words(report: Record) -> list[str]:
    if not report["unknown_words"]:
        return []
    rows = [
        (code(row["word"]), "yes" if row["is_heard"] else "never", rate(row))
        for row in report["unknown_words"]
    ]
    return ["## Unknown words", table(("word", "heard in training", "called unknown"), rows)]


def provenance_blocks(provenance: Record) -> list[str]:
    """Return where a result comes from: what fits in a line as a table, nested settings below it.

    Args:
        provenance: Names and values.
    """
    nested = {key: value for key, value in provenance.items() if isinstance(value, Mapping)}
    rows = [(key, _plain(value)) for key, value in provenance.items() if key not in nested]
    blocks = [table(("what", "value"), rows)] if rows else []
    for key, value in nested.items():
        text = json.dumps(value, indent=2, ensure_ascii=False)
        blocks.append(f"<details><summary>{key}</summary>\n\n```json\n{text}\n```\n\n</details>")
    return blocks


def _plain(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return code(value) if isinstance(value, str) else str(value)


def code(text: str) -> str:
    """Return a name as it is: Markdown shall not read its underscores.

    Args:
        text: The name.
    """
    return f"`{text.replace('`', chr(39))}`"


def _figures(there: Sequence[str], *wanted: str) -> list[str]:
    """Return the images with their captions, of those that are there."""
    return [
        f"![{CAPTIONS[name]}]({name})\n\n*{CAPTIONS[name]}*" for name in wanted if name in there
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped.

    Args:
        header: Names of the columns.
        rows: Cells, as many in each row as there are columns.
    """
    lines = [header, ["---"] * len(header), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
