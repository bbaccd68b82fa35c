"""``watchword calibrate``, ``mine``, ``data mix`` and ``data sentences``, and ``eval --stream``.

In come the words a user types, out go lines, tables and JSON. A room beside ``cli``, which runs
these as its commands, because long audio has more words of its own than the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchword.errors import ConfigError

if TYPE_CHECKING:
    from watchword.data.utterance import Split

CALIBRATE_EXAMPLE = (
    "Example: watchword calibrate best.watchword --on mix-valid --on read-speech:valid:0.2 "
    "--fa-per-hour 0.5 -o calibrated.watchword"
)
MINE_EXAMPLE = "Example: watchword mine commands-12 --on read-speech:train -o mined"
MIX_EXAMPLE = (
    "Example: watchword data mix mix-test --speech speech-commands --split test --noise noise "
    "--keywords stop,go --snr 10"
)
SENTENCES_EXAMPLE = (
    "Example: watchword data sentences spoken --text read-speech --of valid --without stop,go "
    "--hours 4"
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
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


def data_mix(
    folder: Annotated[Path, typer.Argument(help="Where to.")],
    *,
    speech: Annotated[
        list[Path], typer.Option(help="Folder of clips; may be given again.", file_okay=False)
    ],
    keywords: Annotated[
        str,
        typer.Option(
            "--keywords",
            "-k",
            help="Words that are marked, separated by commas; none for negative recordings.",
        ),
    ] = "",
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    noise: Annotated[Path | None, typer.Option(help="Folder of backgrounds.")] = None,
    noise_split: Annotated[
        str | None, typer.Option(help="Split of the backgrounds, if not that of the speech.")
    ] = None,
    rooms: Annotated[Path | None, typer.Option(help="Folder of impulse responses.")] = None,
    negative: Annotated[Path | None, typer.Option(help="Corpus of sentences.")] = None,
    without: Annotated[str, typer.Option(help="Words that nobody says, with commas.")] = "",
    snr: Annotated[str, typer.Option(help="Signal-to-noise ratio in dB, or LOW:HIGH.")] = "10",
    level: Annotated[str, typer.Option(help="Level of clips in dBFS, or LOW:HIGH.")] = "-30:-18",
    gap: Annotated[str, typer.Option(help="Seconds between words, or LOW:HIGH.")] = "0.5:3",
    overlap: Annotated[float, typer.Option(help="Share of words that overlap.")] = 0.0,
    reverb: Annotated[float, typer.Option(help="Share of recordings in a room.")] = 0.0,
    others: Annotated[float, typer.Option(help="Share of words that are no keywords.")] = 0.3,
    sentences: Annotated[float, typer.Option(help="Share of sentences.")] = 0.0,
    length: Annotated[float, typer.Option(help="Seconds of a recording, about.")] = 120.0,
    hours: Annotated[
        float | None, typer.Option(help="Hours in all; each clip once, if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    as_json: Json = False,
) -> None:
    """Make long recordings with exact truth from clips and backgrounds."""
    from watchword.console import Console
    from watchword.long_audio import making

    recipe = {
        "snr_db": span(snr, "--snr"),
        "level_dbfs": span(level, "--level"),
        "gap_s": span(gap, "--gap"),
        "overlap": overlap,
        "reverb": reverb,
        "others": others,
        "speech": sentences,
        "recording_s": length,
        "hours": hours,
        "seed": seed,
    }
    with Console(is_quiet=as_json) as console:
        record = making.mix(
            folder,
            speech,
            recipe,
            console=console,
            split=split_named(split),
            keywords=_listed(keywords),
            noise=noise,
            noise_split=None if noise_split is None else split_named(noise_split),
            rooms=rooms,
            negative=negative,
            without=_listed(without),
        )
        console.answer(
            f"{record['recordings']:,} recordings, {record['hours']:.2f} hours, "
            f"{record['events']:,} keywords are in {record['folder']}"
        )
    if as_json:
        print(json.dumps(record))


def data_sentences(
    folder: Annotated[Path, typer.Argument(help="Where to.")],
    *,
    text: Annotated[
        Path, typer.Option(help="Sentences: a file with one on each line, or a corpus.")
    ],
    of: Annotated[str | None, typer.Option(help="Split of the corpus.")] = None,
    apart: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Take sentences of this share of its speakers alone."),
    ] = None,
    not_apart: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Take sentences of all but this share of its speakers."),
    ] = None,
    without: Annotated[
        str, typer.Option(help="Words not to be said, nor what sounds like them.")
    ] = "",
    split: Annotated[str, typer.Option(help="Whose voices speak: train, valid, test.")] = "train",
    hours: Annotated[float, typer.Option(help="How long.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    as_json: Json = False,
) -> None:
    """Make hours of sentences spoken by many voices of espeak-ng, without any download."""
    from watchword.console import Console
    from watchword.long_audio import making

    if apart is not None and not_apart is not None:
        raise ConfigError(
            f"--apart {apart:g} was given with --not-apart {not_apart:g}, needed one of them: "
            "leave one out"
        )
    with Console(is_quiet=as_json) as console:
        record = making.speak(
            folder,
            text,
            of=None if of is None else split_named(of),
            apart=apart if not_apart is None else -not_apart,
            without=_listed(without),
            split=split_named(split),
            time_h=hours,
            seed=seed,
            console=console,
        )
        console.answer(f"{record['hours']:g} hours of speech are in {record['folder']}")
    if as_json:
        print(json.dumps(record))


def _listed(words: str) -> tuple[str, ...]:
    """Return words that commas separate."""
    return tuple(word.strip() for word in words.split(",") if word.strip())


def span(text: str, option: str) -> tuple[float, float]:
    """Return the two numbers of ``LOW:HIGH``, or one number twice.

    Args:
        text: What was typed.
        option: What the user calls it.

    Raises:
        ConfigError: If it is neither.

    Example:
        >>> span("10", "--snr"), span("-30:-18", "--level")
        ((10.0, 10.0), (-30.0, -18.0))
    """
    low, mark, high = text.partition(":")
    try:
        return float(low), float(high if mark else low)
    except ValueError as error:
        raise ConfigError(
            f"{option} {text} is no number and no LOW:HIGH, needed such as 10 or 5:20: mend it"
        ) from error


def split_named(text: str) -> Split:
    """Return a split by its name.

    Args:
        text: What was typed.

    Raises:
        ConfigError: If no split is called so.
    """
    from watchword.data.layouts import SPLIT_NAMES

    if text.lower() not in SPLIT_NAMES:
        raise ConfigError(f"no split is called {text!r}, needed train, valid or test: name one")
    return SPLIT_NAMES[text.lower()]
