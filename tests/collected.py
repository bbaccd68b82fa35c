"""A checkout with collected runs, made up in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accuracy

from watchword.config import (
    CorpusSettings,
    DataSettings,
    ModelSettings,
    Settings,
    dump_settings,
)

Collect = Callable[..., Path]


def part(correct: int, count: int) -> dict[str, Any]:
    rate = correct / count
    return {"correct": correct, "count": count, "accuracy": rate, "interval": [rate - 0.1, rate]}


def made_report(right: int, macs: int, *, task: str = "12", **changes: Any) -> dict[str, Any]:
    """A report on 100 clips whose parts can be told apart; weighed as the archive 1 point less."""
    weighed = {"accuracy": right / 100 - 0.01, "interval": [right / 100 - 0.03, right / 100 + 0.01]}
    return {
        "task": task,
        **part(right, 100),
        "parts": {
            **{"commands": part(70, 80), "unknown": part(6, 10), "silence": part(9, 10)},
            **{"kept": part(right - 10, 90), "dropped": part(10, 10), "held_out": None},
            "without_silence": part(76, 90),
        },
        "archive_weighted": weighed | {"unknown": 0.55} if task == "12" else None,
        "provenance": {
            "parameters": 1_000,
            "macs": f"{macs:,} at 98 frames",
            "commit": "abc",
        },
    } | changes


def checkout(root: Path) -> Collect:
    """Return what makes up a collected run of a checkout; ``more`` are sections of its settings."""

    def make(
        model: str,
        right: int,
        *,
        seed: int = 0,
        macs: int = 2_000_000,
        task: str = "12",
        **more: Any,
    ) -> Path:
        given: dict[str, Any] = {
            "data": DataSettings(corpora=(CorpusSettings(folder="/srv/speech"),)),
            **more,
        }
        settings = Settings(model=ModelSettings(name=model), task=task, seed=seed, **given)
        folder = root / "docs" / "results" / settings.run_name
        for split in ("valid", "test"):
            (folder / split).mkdir(parents=True)
            report = made_report(right, macs, task=task)
            (folder / split / "report.json").write_text(json.dumps(report))
        (folder / "config.yml").write_text(dump_settings(settings))
        return folder

    (root / "docs" / "results").mkdir(parents=True)
    tables = "<!-- models -->\nold\n<!-- /models -->\n<!-- results -->\nold\n<!-- /results -->\n"
    (root / "README.md").write_text(f"# Title\n{tables}The end.\n")
    return make


def rows(root: Path) -> list[accuracy.Row]:
    """Return the rows of all collected runs."""
    return accuracy.rows(accuracy.read(root / "docs" / "results"))
