"""Reports → where a model is weak, in sentences with their numbers.

In come the records of validation and test, out go lines for a model card. A room because what a
model does badly must be said by a rule: the same questions are asked of every model, and what
nobody has measured is said as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from watchword.page import code, percent, rate, span
from watchword.robust_page import headline

Record = Mapping[str, Any]
WORST_CLASSES: Final = 3
CONFUSIONS: Final = 3
WORST_WORDS: Final = 8
MOSTLY: Final = 0.5
SILENCE_NEEDED: Final = 0.99


def weaknesses(
    reports: Mapping[str, Record], rebuilt: Record, robust: Record | None = None
) -> list[str]:
    """Return one line for each thing that a user should know before trusting a model.

    Args:
        reports: The reports on ``valid`` and ``test``.
        rebuilt: How much of the training audio was rebuilt: ``by_class`` holds rebuilt clips and
            all clips of each label.
        robust: What ``robust_report.build_record`` found, if anybody asked.
    """
    test, valid = reports["test"], reports["valid"]
    lines = [
        _classes(test),
        _confusions(test),
        _new_words(test),
        _heard_words(test),
        _speakers(test),
        _dropped(valid),
        _confidence(test),
        _rebuilt(rebuilt),
        *_conditions(robust),
    ]
    return [line for line in lines if line]


def _classes(test: Record) -> str:
    there = [row for row in test["per_class"] if row["count"]]
    worst = sorted(there, key=lambda row: (row["recall"], -row["count"]))[:WORST_CLASSES]
    named = [f"{code(row['label'])} {rate(row, 'recall', 'recall_interval')}" for row in worst]
    return f"Worst classes of the test: {', '.join(named)}."


def _confusions(test: Record) -> str:
    counts = {row["label"]: row["count"] for row in test["per_class"]}
    named = [
        f"{code(pair['target'])} for {code(pair['prediction'])} "
        f"({pair['count']} of {counts[pair['target']]:,} clips)"
        for pair in test["top_confusions"][:CONFUSIONS]
    ]
    return f"Most often taken for another in the test: {', '.join(named)}." if named else ""


def _new_words(test: Record) -> str:
    """Return how words are met that training never heard."""
    found = test["parts"]["held_out"]
    words = [row for row in test["unknown_words"] if not row["is_heard"]]
    if not found and not words:
        return (
            "The test has no clip of a word that training never heard: how new words are met is "
            "not known."
        )
    hits, clips = (sum(row[key] for row in words) for key in ("correct", "count"))
    all_of_them = rate(found) if found else f"{percent(hits / clips)} ({hits:,}/{clips:,})"
    return (
        f"Words that training never heard are called unknown in {all_of_them} of the test's "
        f"clips{_named(words)}."
    )


def _heard_words(test: Record) -> str:
    """Return the unknown words that are taken for keywords although training heard them."""
    words = [row for row in test["unknown_words"] if row["is_heard"] and row["accuracy"] < 1]
    if not words:
        return ""
    return (
        f"Unknown words of training most often taken for keywords, called unknown{_named(words)}."
    )


def _named(words: list[Record]) -> str:
    """Return the worst words with their counts."""
    named = [f"{code(row['word'])} {row['correct']}/{row['count']}" for row in words[:WORST_WORDS]]
    return f": {', '.join(named)}" if named else ""


def _speakers(test: Record) -> str:
    spread = test["speakers"]
    if not spread:
        return "The test does not tell speakers apart: how unevenly they are served is not known."
    return (
        f"The worst tenth of {spread['judged']:,} judged speakers of the test is at "
        f"{percent(spread['worst_decile'])}; chance alone would leave it at "
        f"{percent(spread['worst_decile_by_chance'])}."
    )


def _dropped(valid: Record) -> str:
    kept, dropped = valid["parts"]["kept"], valid["parts"]["dropped"]
    if not dropped:
        return ""
    return (
        f"On validation clips that v0.02 of Speech Commands dropped as faulty it is right in "
        f"{rate(dropped)}, on the others in {rate(kept)}."
    )


def _confidence(test: Record) -> str:
    sure, right = test["calibration"]["confidence"], test["accuracy"]
    side = "too unsure" if sure < right else "too sure"
    return (
        f"It is {side} of itself: mean confidence {percent(sure)} where {percent(right)} (95 % "
        f"{span(test['interval'])}) are right; expected calibration error "
        f"{percent(test['calibration']['error'])}."
    )


def _rebuilt(rebuilt: Record) -> str:
    """Return the classes that were learned mostly from rebuilt audio."""
    mostly = [
        f"{code(label)} {percent(part / whole)}"
        for label, (part, whole) in rebuilt["by_class"].items()
        if whole and part / whole > MOSTLY
    ]
    if not mostly:
        return ""
    return f"Learned mostly from rebuilt audio without anything above 4 kHz: {', '.join(mostly)}."


def _conditions(robust: Record | None) -> list[str]:
    """Return what each kind of condition costs at its worst, and levels of silence that fail."""
    if robust is None:
        return ["What noise, distance and other levels cost was not measured."]
    lines = [f"In noise, rooms, at other levels and moments: {headline(robust)}."]
    quiet = [row for row in robust["silence"] if row["accuracy"] < SILENCE_NEEDED]
    if quiet:
        lowest = min(quiet, key=lambda row: float(row["accuracy"]))
        lines.append(
            f"Silence cut from noise is below {percent(SILENCE_NEEDED)} in {len(quiet)} of "
            f"{len(robust['silence'])} tests by level; the lowest: {lowest['label']}, "
            f"{lowest['noise']}, {rate(lowest)}."
        )
    return lines
