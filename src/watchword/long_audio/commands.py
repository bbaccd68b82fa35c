"""``watchword calibrate`` and ``mine``, and ``eval --stream``: words → one call each.

In come the words a user types, out go lines, tables and JSON. A room beside ``cli``, which runs
these as its commands, because long audio has more words of its own than the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from watchword.options import Json

CALIBRATE_EXAMPLE = (
    "Example: watchword calibrate best.watchword --on mix-valid --on read-speech:valid:0.2 "
    "--fa-per-hour 0.5 -o calibrated.watchword"
)
MINE_EXAMPLE = "Example: watchword mine commands-12 --on read-speech:train -o mined"

Model = Annotated[str, typer.Argument(help="A .watchword file, or the name of a shipped model.")]
On = Annotated[
    list[str],
    typer.Option(
        "--on",
        help="Recordings: a manifest, sound file or folder; FOLDER:SPLIT for a part of a corpus "
        "list, FOLDER:SPLIT:SHARE for its speakers that training left, with minus SHARE for all "
        "others. May be given again.",
    ),
]
Stream = Annotated[
    list[str] | None,
    typer.Option("--stream", help="Evaluate on long recordings; as calibrate's --on."),
]
Keywords = Annotated[
    str, typer.Option("--keywords", "-k", help="Separated by commas; all, if not given.")
]
Tolerance = Annotated[
    float, typer.Option(help="Seconds after its end in which a keyword may be detected.")
]
Int8 = Annotated[bool, typer.Option("--int8", help="Use the 8-bit graphs.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Recordings heard at a time; all cores, if not given.")
]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trust-negatives",
        help="Take it that no keyword occurs in recordings of which nothing tells.",
    ),
]
Scores = Annotated[
    Path | None, typer.Option(help="File or folder where scores are kept and found again.")
]
Bundle = Annotated[Path, typer.Option("--output", "-o", help="The .watchword file to write.")]


def stream(
    model: str,
    recordings: list[str],
    *,
    keywords: str,
    threshold: float | None,
    smoothing: int | None,
    refractory: float | None,
    tolerance: float,
    int8: bool,
    workers: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Evaluate a model on long recordings and write a report with sounds.

    Args:
        model: A bundle, or the name of a shipped model.
        recordings: Where they are.
        keywords: Separated by commas; all where empty.
        threshold: Instead of the bundle's.
        smoothing: Instead of the bundle's.
        refractory: Instead of the bundle's.
        tolerance: Seconds after its end in which a keyword may be detected.
        int8: Whether to use the 8-bit graphs.
        workers: Recordings heard at a time.
        output: Folder of the report.
        as_json: Whether to print one JSON object.
    """
    from watchword.console import Console
    from watchword.long_audio import jobs
    from watchword.long_audio.asking import Asked
    from watchword.long_audio.page import headline

    asked = Asked(model, recordings, keywords, tolerance, int8, workers)
    changes = {
        "threshold": threshold,
        "smoothing_scores": smoothing,
        "refractory_ms": refractory,
    }
    folder = output or Path(f"stream-{Path(model).stem}")
    with Console(is_quiet=as_json) as console:
        record = jobs.evaluate(asked, folder, changes=changes, console=console)
        if not as_json:
            console.answer(headline(record))
            console.answer(f"report: {record['page']}, with sounds: {record['html']}")
    if as_json:
        print(json.dumps(record))


def calibrate(
    model: Model,
    *,
    on: On,
    output: Bundle,
    fa_per_hour: Annotated[
        float | None, typer.Option(help="False accepts per hour, all keywords together, at most.")
    ] = None,
    target_frr: Annotated[
        float | None, typer.Option(help="Share of the keywords missed, at most: 0.05 is 5 %.")
    ] = None,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(help="Median time from the end of each keyword to its detection, at most."),
    ] = None,
    keywords: Keywords = "",
    tolerance: Tolerance = 1.0,
    int8: Int8 = False,
    trusted: Trusted = False,
    scores: Scores = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Choose operating points on validation recordings and write them into the bundle."""
    from watchword.console import Console
    from watchword.long_audio import jobs
    from watchword.long_audio.asking import Asked
    from watchword.long_audio.calibrate import Target

    target = Target(
        fa_per_hour, target_frr, None if max_latency_ms is None else max_latency_ms / 1_000
    )
    asked = Asked(model, on, keywords, tolerance, int8, workers, scores, trusted)
    with Console(is_quiet=as_json) as console:
        record = jobs.calibrate(asked, target, output, console=console)
        if not as_json:
            rows = [_point(row) for row in record["keywords"]]
            console.table(rows, "operating points", is_answer=True)
            for line in _calibrated(record):
                console.answer(line)
    if as_json:
        print(json.dumps(record))


def _point(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a terminal has room for of an operating point."""
    from watchword.decision import point_of

    late_s = row["median_latency_s"]
    return {
        "keyword": row["keyword"],
        "threshold": row["threshold"],
        "in": point_of(row).rule.removesuffix(" scores"),
        "rest ms": row["refractory_ms"],
        "missed": f"{row['misses']:,}/{row['events']:,}",
        "false": row["false_accepts"],
        "expected/h": round(row["expected_fa_per_hour"], 3),
        "late ms": None if late_s is None else round(1_000 * late_s),
    }


def _calibrated(record: dict[str, Any]) -> list[str]:
    """Return lines about what was chosen."""
    from watchword.long_audio.rates import PerHour
    from watchword.metrics import Rate

    accepts, rejects = record["false_accepts"], record["false_rejects"]
    ece = record["calibration_error"]
    often = [row for row in record["keywords"] if 2 * row["misses"] > row["events"]]
    return [
        *[
            f"note: {row['keyword']} is missed in {row['misses']:,} of {row['events']:,} at this "
            "target: a higher one, or training against false accepts (watchword mine), mends it"
            for row in often
        ],
        f"FRR {Rate(rejects['count'], rejects['events'])}, mean of the keywords "
        f"{100 * record['mean_frr']:.1f} %, on the recordings it was chosen on",
        f"false accepts {PerHour(accepts['count'], accepts['hours'])} there; "
        f"{record['expected_fa_per_hour']:.2f} per hour are to be expected elsewhere",
        f"temperature {record['temperature']:g}: calibration error {100 * ece['before']:.1f} % "
        f"before, {100 * ece['after']:.1f} % after",
        *([f"reliability: {record['picture']}"] if record["picture"] else []),
        f"bundle: {record['path']}",
    ]


def mine(
    model: Model,
    *,
    on: On,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of clips to write.")],
    near: Annotated[float, typer.Option(help="Posterior from which a window is taken.")] = 0.3,
    most: Annotated[
        int | None, typer.Option(min=1, help="Clips at most, the surest; all, if not given.")
    ] = None,
    keywords: Keywords = "",
    trusted: Trusted = False,
    scores: Scores = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Find the windows of negative audio that fire or nearly do, as clips to train against."""
    from watchword.console import Console
    from watchword.long_audio import jobs
    from watchword.long_audio.asking import Asked

    asked = Asked(model, on, keywords, workers=workers, scores=scores, is_trusted=trusted)
    with Console(is_quiet=as_json) as console:
        record = jobs.mine(asked, output, near=near, most=most, console=console)
        if not as_json:
            console.answer(
                f"{record['clips']:,} clips of {record['hours']:.2f} hours are in "
                f"{record['folder']}; name it as a corpus of the training: "
                f"- {{folder: {record['folder']}, share: 0.2}}"
            )
    if as_json:
        print(json.dumps(record))
