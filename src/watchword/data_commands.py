"""``watchword data``: words on a command line → one call each.

In come the words a user types, out go lines, tables and JSON about folders of speech that are
fetched, prepared, checked and made. A room beside ``cli``, which runs these as one of its groups,
because all of them come before there is a model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchword.errors import ConfigError
from watchword.options import Env, Json

if TYPE_CHECKING:
    from watchword.data.utterance import Split

data_app = typer.Typer(
    no_args_is_help=True,
    help="Get, prepare, check and make speech.",
    epilog="Example: watchword data check datasets/my_words",
)

Clips = Annotated[
    list[Path], typer.Option(help="Folder of clips; may be given again.", file_okay=False)
]
Marked = Annotated[
    str,
    typer.Option(
        "--keywords",
        "-k",
        help="Words that are marked, separated by commas; none for negative recordings.",
    ),
]
NoiseSplit = Annotated[
    str | None, typer.Option(help="Split of the backgrounds, if not that of the speech.")
]
Sentences = Annotated[
    Path | None, typer.Option(help="Corpus of sentences; may name SPLIT and SHARE, as --on does.")
]
Hours = Annotated[float | None, typer.Option(help="Hours in all; each clip once, if not given.")]


@data_app.command(epilog="Example: watchword data fetch speech_commands_v0.02")
def fetch(
    name: Annotated[str, typer.Argument(help="Name of a public archive.")],
    *,
    env: Env = None,
    as_json: Json = False,
) -> None:
    """Download a public archive, check it and unpack it; an interrupted download goes on."""
    from watchword import data_jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        record = data_jobs.fetch(name, environment=env, console=console)
        console.answer(f"{name} is in {record['folder']}")
    if as_json:
        print(json.dumps(record))


@data_app.command(epilog="Example: watchword data prepare datasets/my_words")
def prepare(
    folder: Annotated[Path, typer.Argument(help="Folder of speech.")],
    *,
    env: Env = None,
    as_json: Json = False,
) -> None:
    """Decode a folder of speech into one memory-mapped array, once."""
    from watchword import data_jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        record = data_jobs.prepare(folder, environment=env, console=console)
        console.record(record)
    if as_json:
        print(json.dumps(record))


@data_app.command(epilog="Example: watchword data check datasets/my_words --json")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of speech.")],
    *,
    as_json: Json = False,
) -> None:
    """Look for damaged, silent, clipped and doubled clips; exit code 1 if there are errors."""
    from watchword import data_jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        report = data_jobs.check(folder, console=console)
    if as_json:
        print(json.dumps(report.to_dict()))
    raise typer.Exit(1 if report.errors else 0)


@data_app.command(epilog="Example: watchword data synth demo/speech --variants 40")
def synth(
    folder: Annotated[Path, typer.Argument(help="Where to.")],
    *,
    words: Annotated[
        str,
        typer.Option(help="Words, separated by commas, or a file of words; twelve, if not given."),
    ] = "",
    variants: Annotated[int, typer.Option(help="Training voices of each word.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    as_json: Json = False,
) -> None:
    """Make a small command set with the voices of espeak-ng, without any download."""
    from watchword import data_jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        record = data_jobs.synthesise(
            folder, words=words, variants=variants, seed=seed, console=console
        )
        console.answer(f"speech is in {record['folder']}")
    if as_json:
        print(json.dumps(record))


@data_app.command(
    epilog="Example: watchword data mix mix-test --speech speech-commands --split test "
    "--noise noise --keywords stop,go --snr 10"
)
def mix(
    folder: Annotated[Path, typer.Argument(help="Where to.")],
    *,
    speech: Clips,
    keywords: Marked = "",
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    noise: Annotated[Path | None, typer.Option(help="Folder of backgrounds.")] = None,
    noise_split: NoiseSplit = None,
    rooms: Annotated[Path | None, typer.Option(help="Folder of impulse responses.")] = None,
    negative: Sentences = None,
    without: Annotated[str, typer.Option(help="Words that nobody says, with commas.")] = "",
    snr: Annotated[str, typer.Option(help="Signal-to-noise ratio in dB, or LOW:HIGH.")] = "10",
    level: Annotated[str, typer.Option(help="Level of clips in dBFS, or LOW:HIGH.")] = "-30:-18",
    gap: Annotated[str, typer.Option(help="Seconds between words, or LOW:HIGH.")] = "0.5:3",
    overlap: Annotated[float, typer.Option(help="Share of words that overlap.")] = 0.0,
    reverb: Annotated[float, typer.Option(help="Share of recordings in a room.")] = 0.0,
    others: Annotated[float, typer.Option(help="Share of words that are no keywords.")] = 0.3,
    sentences: Annotated[float, typer.Option(help="Share of sentences.")] = 0.0,
    length: Annotated[float, typer.Option(help="Seconds of a recording, about.")] = 120.0,
    hours: Hours = None,
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
            f"recordings: {record['recordings']:,}, hours: {record['hours']:.2f}, keywords: "
            f"{record['events']:,}, in {record['folder']}"
        )
    if as_json:
        print(json.dumps(record))


@data_app.command(
    epilog="Example: watchword data sentences spoken --text read-speech --of valid "
    "--without stop,go --hours 4"
)
def sentences(
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
