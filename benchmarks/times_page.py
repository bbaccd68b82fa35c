"""What benchmarks saved → the blocks of the page on times and training speed.

In come the records of ``model_times.py`` and ``training_speed.py``, out goes Markdown. A room
because what was not measured, or not compiled, must be said in plain words, and is no empty table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from watchword.page import table

WAYS: Final = ("eager", "eager, with features", "compiled", "compiled, with features")

Record = Mapping[str, Any]


def times(found: Record | None) -> list[str]:
    """Return the blocks on what each network takes.

    Args:
        found: What ``model_times.py`` saved, None where nothing is saved.
    """
    if found is None:
        return ["Not measured yet: `make bench` saves `times.json` here."]
    rows = [
        [
            *(row["title"], row["features"], f"{row['parameters']:,}", millions(row["macs"])),
            *(_time(row["times"].get(way)) for way in WAYS),
        ]
        for row in found["rows"]
    ]
    lines = [
        f"Milliseconds of one clip, batch 1: the median of {found['rounds']} rounds in which all "
        f"networks took turns in one process on {_threads(found['threads'])}. In brackets the "
        f"ratio to {found['baseline']}, run in the same way in the same round: the ratio counts, "
        "the time is that of one machine. Networks are in evaluation form; *with features* starts "
        "from the waveform.",
        table(["network", "features", "parameters", "MACs", *WAYS], rows),
        _machine(found["machine"]),
    ]
    if found["compiled"] != "torch.compile":
        lines.append(f"Nothing is compiled: {found['compiled']}.")
    lines += [f"{name} is not compiled: {why}." for name, why in found["not_compiled"].items()]
    return lines


def _time(found: Record | None) -> str:
    return f"{found['ms']:.2f} ({found['ratio']:.2f})" if found else "–"


def speeds(found: Sequence[Record] | None) -> list[str]:
    """Return the blocks on how fast training is.

    Args:
        found: What ``training_speed.py`` saved, None where nothing is saved.
    """
    if not found:
        return ["Not measured yet: `make bench` saves `training_speed.json` here."]
    header = ["network", "threads", "whole path, clips/s", "bare step, clips/s", "ratio (range)"]
    rows = [
        [
            *(one["model"], str(one["threads"]), f"{one['whole_clips_per_second']:,}"),
            f"{one['bare_published_clips_per_second']:,}",
            f"{one['ratio_median']:.2f} ({'–'.join(f'{x:.2f}' for x in one['ratio_range'])})",
        ]
        for one in found
    ]
    told = [
        f"{_machine(one['machine'])} Audio: {one['corpus']}."
        + " Lambda layers learn by compiled C code." * bool(one.get("compiled"))
        for one in found
    ]
    return [
        "*Whole path*: read, augment, features, forward, backward, optimiser step, average of "
        "weights. *Bare step*: forward, backward and optimiser step of the published form on "
        "features that are ready. They take turns; the ratio of their speeds counts.",
        table(header, rows),
        *dict.fromkeys(told),
    ]


def _machine(told: Record) -> str:
    """Return what must be known of the machine."""
    load = f", load {told['load'][0]:.1f} at the start" if told.get("load") else ""
    return (
        f"Measured {told['date']} on {told['cores']} cores ({told['processor']}){load}; torch "
        f"{told['torch']}, Python {told['python']}."
    )


def _threads(threads: int) -> str:
    return "one thread" if threads == 1 else f"{threads} threads"


def millions(macs: float) -> str:
    """Return multiplications in millions.

    Args:
        macs: How many.
    """
    return f"{macs / 1e6:,.2f} M"
