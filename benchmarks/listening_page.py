"""What ``listening.py`` measured → a page.

In comes its record, out goes Markdown. A room because the page is remade from the saved record too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchword.page import table

Record = Mapping[str, Any]


def page(found: Record) -> str:
    """Return the page.

    Args:
        found: What ``listening.py`` saved.
    """
    machine = found["machine"]
    blocks = [
        "# What listening costs",
        "Made by `benchmarks/listening.py`; do not edit. One process, one thread; medians of "
        f"{found['rounds']} rounds in which all took turns. Ratios within a round count, times "
        f"are those of one shared machine: {machine['processor']}, {machine['cores']} cores, load "
        f"{machine['load'][0] if machine['load'] else '–'} at the start, onnxruntime "
        f"{machine['onnxruntime']}, {machine['date']}.",
        "## Networks alone, one clip of features",
        _times(found["networks"], f"ratio to {found['baseline']}"),
        "## The front end in the graph",
        _times(found["fronts"], "ratio to the network alone"),
        "## Streams, a score every 80 ms",
        "*Spotter*: int16 in, detections out, all included, from Python. *Batch*: posteriors of "
        "streams side by side; time of one stream of them.",
    ]
    for one in found["streams"]:
        rows = [
            [row["title"], f"{row['ms']:.3f} ms", f"{row['real_time_factor']:.5f}"]
            for row in one["rows"]
        ]
        header = [f"`{one['name']}`", "a score of a stream", "real-time factor"]
        blocks.append(table(header, rows))
    return "\n\n".join([*blocks, *_process(found)]) + "\n"


def _times(rows: Any, ratio: str) -> str:
    """Return a table of times."""
    lines = [[row["title"], f"{row['ms']:.3f} ms", f"{row['ratio']:.2f}"] for row in rows]
    return table(["", "median", ratio], lines)


def _process(found: Record) -> list[str]:
    """Return the blocks on memory and on a fresh process."""
    memory, fresh = found["memory"], found["fresh"]
    marks = memory["resident_mb"]
    return [
        "## Memory",
        f"{memory['hours']:.1f} h of noise heard in {memory['seconds']:.0f} s by one spotter: "
        f"{marks[0]:.0f} MB at the start, then {min(marks[1:]):.0f} to {max(marks[1:]):.0f} MB "
        "(of a process that holds torch as well).",
        "## A fresh process",
        f"Medians of {fresh['processes']} processes with `{fresh['model']}`: `import watchword` "
        f"{1e3 * fresh['import_s']:.0f} ms, first score after {1e3 * fresh['first_score_s']:.0f} "
        f"ms, process from start to end {1e3 * fresh['whole_s']:.0f} ms, at most "
        f"{fresh['largest_resident_mb']:.0f} MB in memory.",
    ]
