"""The jobs behind ``eval --stream``, ``calibrate``, ``mine`` and ``data mix``: long audio.

In come names and paths as a user gives them, out come plain records and folders. A room beside
``jobs`` because nothing here needs torch.

Recordings are named as ``PATH``, or ``PATH:SPLIT`` for a part of a corpus list, or
``PATH:SPLIT:SHARE`` for the speakers that training left when it left this share of them.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchword import bundle, spotter
from watchword.bundle import Bundle
from watchword.console import Console
from watchword.decision import OperatingPoint, points_for
from watchword.errors import ConfigError
from watchword.files import write_whole
from watchword.long_audio import scores as answers
from watchword.long_audio.judge import judge
from watchword.long_audio.matching import TOLERANCE_S, check_tolerance
from watchword.long_audio.reference import Recording, hours
from watchword.stream import Runner
from watchword.units import Seconds
from watchword.words import sounding_like

if TYPE_CHECKING:
    from watchword.data.utterance import Split
    from watchword.long_audio.calibrate import Calibrated, Target
    from watchword.long_audio.scores import LongScores
    from watchword.metrics import Calibration

PAGE: Final = "report.html"
SPLITS: Final = ("train", "valid", "test")
Record = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What is asked of which model.

    Args:
        model: Name of a shipped model, or path of a bundle.
        recordings: Where the recordings are, as the module says.
        keywords: Separated by commas; all of the model where empty.
        tolerance_s: How long after its end a keyword may be detected.
        is_int8: Whether to use the 8-bit graphs.
        workers: Recordings heard side by side; as many as there are cores where None.
        scores: File or folder where scores are kept and looked for.
        is_trusted: Whether it is taken that no keyword occurs in recordings of which nothing tells.
    """

    model: str
    recordings: Sequence[str]
    keywords: str = ""
    tolerance_s: Seconds = TOLERANCE_S
    is_int8: bool = False
    workers: int | None = None
    scores: Path | None = None
    is_trusted: bool = False


@dataclass(frozen=True, eq=False)
class Heard:
    """A model and what it answered to recordings.

    Args:
        model: The model.
        keywords: What is listened for.
        recordings: What was heard.
        scores: What the model answered.
    """

    model: Bundle
    keywords: tuple[str, ...]
    recordings: tuple[Recording, ...]
    scores: LongScores


def hear(
    asked: Asked,
    console: Console,
    refuse: Callable[[Sequence[Recording], Sequence[str]], None] = lambda *_: None,
) -> Heard:
    """Return what a model answers to recordings, from saved scores if they are the same.

    Args:
        asked: What is asked.
        console: Where progress is shown.
        refuse: Called with recordings and keywords before minutes of work; raises if they do not
            serve.

    Raises:
        ConfigError: If the model does not know a keyword, or a name or number cannot be meant.
        DataError: If recordings are missing, cannot be read or do not serve.
        BundleError: If the model cannot be read or run.
    """
    check_tolerance(asked.tolerance_s)
    model = spotter.open_bundle(asked.model)
    keywords = wanted(asked, model)
    recordings = read(asked.recordings, model.facts.keywords)
    if asked.is_trusted:
        recordings = tuple(replace(one, may_hold=False) for one in recordings)
    refuse(recordings, keywords)
    runner = Runner(model, is_int8=asked.is_int8)
    scores = _scores(runner, recordings, asked, console)
    return Heard(model, keywords, recordings, scores)


def wanted(asked: Asked, model: Bundle) -> tuple[str, ...]:
    """Return the keywords that are listened for.

    Args:
        asked: What is asked.
        model: The model.

    Raises:
        ConfigError: If the model does not know one of them.
    """
    facts = model.facts
    named = [word.strip() for word in asked.keywords.split(",") if word.strip()]
    return tuple(points_for(named or None, facts.keywords, facts.points, facts.default_point))


def read(sources: Sequence[str], keywords: Sequence[str]) -> tuple[Recording, ...]:
    """Return the recordings of several sources, each tagged with its source.

    Args:
        sources: Where they are, as the module says; at least one.
        keywords: Keywords of the model.

    Raises:
        ConfigError: If no source is given, or two are called the same.
        DataError: If something is missing, cannot be read or cannot be meant.
    """
    from watchword.long_audio import readers

    if not sources:
        raise ConfigError(
            "no recordings were named, needed at least one manifest, sound file or folder: --on "
            "PATH, --on FOLDER:test for a part of a corpus"
        )
    found: list[Recording] = []
    labels: list[str] = []
    for source in dict.fromkeys(sources):
        path, split, apart = part_of(source)
        label = ":".join([path.resolve().name.removesuffix(".jsonl"), *([split] if split else [])])
        labels.append(label)
        several = len(sources) > 1
        for one in readers.read(path, keywords, split=split, apart=apart):
            name = f"{label}/{one.name}" if several else one.name
            found.append(replace(one, name=name, tags={**one.tags, "source": label}))
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise ConfigError(
            f"two sources of recordings are called {sorted(twice)[0]}, needed a name for each: "
            "rename a folder"
        )
    return tuple(found)


def part_of(source: str) -> tuple[Path, Split | None, float | None]:
    """Return path, split and share of the speakers that a source names.

    Args:
        source: ``PATH``, ``PATH:SPLIT`` or ``PATH:SPLIT:SHARE``.

    Raises:
        ConfigError: If the split or the share is none.

    Example:
        >>> part_of("read-speech:valid:0.2")[1:]
        ('valid', 0.2)
    """
    head, _, last = source.rpartition(":")
    for split in SPLITS:
        if head and last == split:
            return Path(head), split, None
        if head.endswith(f":{split}"):
            try:
                share = float(last)
            except ValueError:
                share = 0.0
            if not 0 < abs(share) < 1:
                raise ConfigError(
                    f"{source} names the share {last!r} of speakers, needed a number between 0 "
                    "and 1, as 'apart' in the settings of the training says, or minus that number"
                )
            return Path(head.removesuffix(f":{split}")), split, share
    if head and not Path(source).exists() and Path(head).exists():
        raise ConfigError(
            f"{source}: no split is called {last!r}, needed {', '.join(SPLITS)}: name one after "
            "the folder, or none of them"
        )
    return Path(source), None, None


def _scores(
    runner: Runner, recordings: Sequence[Recording], asked: Asked, console: Console
) -> LongScores:
    """Return the scores of recordings, saved ones if they are of the same model and files."""
    place = asked.scores
    if place is not None and (place.is_dir() or not place.suffix):
        place /= answers.FILE_NAME
    if place is not None and place.is_file():
        saved = answers.load(place)
        if saved.key == answers.key_of(runner, recordings):
            console.say(f"scores are those of {place}")
            return saved
    heard = answers.hear(
        runner,
        recordings,
        workers=asked.workers or os.cpu_count() or 1,
        told=lambda done, total: console.progress("seconds heard", done, total),
    )
    if place is not None:
        answers.save(heard, place)
    return heard


# ------------------------------------------------------------------------------------------- eval


def evaluate(
    asked: Asked, output: Path, *, changes: Mapping[str, float | int | None], console: Console
) -> Record:
    """Evaluate a model on recordings, write the report, and return it with the path of its page.

    Args:
        asked: What is asked.
        output: Folder of the report; scores are kept there.
        changes: Numbers of the operating points that are not to be the bundle's.
        console: Where progress is shown.
    """
    from watchword.long_audio import curve, html, report, sounds

    OperatingPoint().changed(**changes)  # it refuses before minutes of work
    heard = hear(replace(asked, scores=asked.scores or output), console)
    facts, tolerance_s = heard.model.facts, asked.tolerance_s
    points = {
        keyword: facts.points.get(keyword, facts.default_point).changed(**changes)
        for keyword in heard.keywords
    }
    scores, recordings, temperature = heard.scores, heard.recordings, facts.temperature
    found = answers.detections(scores, points, temperature)
    judged = judge(points, recordings, found, tolerance_s)
    console.say("counting at every threshold")
    curves = curve.det(scores, recordings, points, temperature=temperature, tolerance_s=tolerance_s)
    record = report.build_report(judged, curves, provenance=_origin(heard, asked))
    page = report.write_report(record, output)
    alarms, misses = sounds.worst(judged, curve.traces(scores, recordings, points, temperature))
    pictures = {path.name: path.read_bytes() for path in sorted(output.glob("*.png"))}
    text = html.html(record, pictures, alarms, misses, title=facts.name)
    write_whole(output / PAGE, text.encode())
    return {**record, "page": str(page), "html": str(output / PAGE)}


def _origin(heard: Heard, asked: Asked) -> Record:
    """Return where a result comes from: the model, its training, the recordings, the command."""
    told = heard.model.facts.told
    made = told.get("provenance")
    made = made if isinstance(made, Mapping) else {}
    return {
        "model": heard.model.facts.name,
        "scores": heard.scores.key,
        "seed": made.get("seed"),
        "config": made.get("run"),
        "commit": made.get("commit"),
        "command": made.get("command"),
        "operating points": "calibrated" if heard.model.facts.is_calibrated else "default",
        "temperature": heard.model.facts.temperature,
        "evaluated by": " ".join([Path(sys.argv[0]).name, *map(shlex.quote, sys.argv[1:])]),
        "recordings": {
            Path(source).name: round(
                hours(one for one in heard.recordings if one.tags["source"] == source), 4
            )
            for source in dict.fromkeys(one.tags["source"] for one in heard.recordings)
        },
        "watchword": version("watchword"),
        "tolerance_s": asked.tolerance_s,
        "int8": asked.is_int8,
    }


# -------------------------------------------------------------------------------------- calibrate


def calibrate(asked: Asked, target: Target, output: Path, *, console: Console) -> Record:
    """Choose operating points on validation recordings, write them into a bundle, and return them.

    Args:
        asked: What is asked; only its keywords get an operating point.
        target: What is to be reached.
        output: Where to write the bundle; the reliability figure goes beside it.
        console: Where progress is shown.
    """
    from watchword.long_audio import calibrate as room
    from watchword.long_audio import reliability

    bundle.refuse_to_replace(output)  # before minutes of work
    if output.exists() and output.resolve() == Path(asked.model).resolve():
        raise ConfigError(
            f"{output} is the model itself, needed another name for the calibrated one: choose one"
        )

    def refuse(recordings: Sequence[Recording], keywords: Sequence[str]) -> None:
        room.refuse_thin(recordings, keywords, target)

    heard = hear(asked, console, refuse)
    facts, tolerance_s = heard.model.facts, asked.tolerance_s
    judged_scores = reliability.ask(heard.scores, heard.recordings, facts.keywords)
    # the points of other keywords hold at the temperature they were chosen at
    is_kept = facts.is_calibrated and {*facts.points} - {*heard.keywords}
    temperature = facts.temperature if is_kept else reliability.fit(judged_scores)
    console.say("searching operating points")
    found = room.calibrate(
        heard.scores,
        heard.recordings,
        heard.keywords,
        target,
        temperature=temperature,
        tolerance_s=tolerance_s,
        told=lambda done, total: console.progress("keywords calibrated", done, total),
    )
    before, after = (reliability.reliability(judged_scores, t) for t in (1.0, temperature))
    evidence = _evidence(heard, asked, target, found, before, after)
    told = {key: value for key, value in facts.told.items() if key not in ("files", "format")}
    told["operating_point"] = {
        **told["operating_point"],
        "keywords": {
            **told["operating_point"].get("keywords", {}),
            **{keyword: _stored(found, keyword) for keyword in heard.keywords},
        },
        "is_calibrated": True,
        "temperature": temperature,
        "evidence": evidence,
    }
    bundle.write(output, told, heard.model.graphs)
    rows = [_row(found, keyword) for keyword in heard.keywords]
    return {"path": str(output), "temperature": temperature, "keywords": rows, **evidence}


def _evidence(
    heard: Heard,
    asked: Asked,
    target: Target,
    found: Calibrated,
    before: Calibration,
    after: Calibration,
) -> Record:
    """Return what operating points were chosen on, for all who use them."""
    accepts = found.judged.negative.false_accepts_per_hour()
    rejects = found.judged.false_reject_rate()
    assert rejects is not None, "recordings without events were refused"
    return {
        "target": {key: value for key, value in asdict(target).items() if value is not None},
        "expected_fa_per_hour": found.fa_per_hour,
        "mean_frr": found.frr,
        "false_accepts": {
            "count": accepts.count,
            "hours": accepts.hours,
            "per_hour": accepts.value,
            "interval": list(accepts.interval),
        },
        "false_rejects": {
            "count": rejects.hits,
            "events": rejects.count,
            "rate": rejects.value,
            "interval": list(rejects.interval),
        },
        "tolerance_s": asked.tolerance_s,
        "listening_for": list(heard.keywords),
        "recordings": _origin(heard, asked)["recordings"],
        "scores": heard.scores.key,
        "calibration_error": {"before": before.error, "after": after.error},
        "command": " ".join([Path(sys.argv[0]).name, *map(shlex.quote, sys.argv[1:])]),
    }


def _stored(found: Calibrated, keyword: str) -> Record:
    """Return what a bundle says of a keyword's operating point."""
    return {**asdict(found.points[keyword]), "evidence": _row(found, keyword)}


def _row(found: Calibrated, keyword: str) -> Record:
    """Return an operating point and what it does on the recordings it was chosen on."""
    point, judged = found.points[keyword], found.judged
    rejects = judged.false_reject_rate(keyword)
    assert rejects is not None, "keywords without events were refused"
    accepts = judged.negative.false_accepts_per_hour(keyword)
    return {
        "keyword": keyword,
        **asdict(point),
        "misses": rejects.hits,
        "events": rejects.count,
        "false_accepts": accepts.count,
        "hours": accepts.hours,
        "expected_fa_per_hour": found.choices[keyword].fa_per_hour,
    }


# ------------------------------------------------------------------------------------------- mine


def mine(asked: Asked, output: Path, *, near: float, most: int | None, console: Console) -> Record:
    """Write the windows of negative audio that fired or nearly did, and return what was found.

    Args:
        asked: What is asked.
        output: Folder of clips.
        near: Posterior from which a window is taken.
        most: How many at most, the surest; all where None.
        console: Where progress is shown.
    """
    from watchword.long_audio import mine as room

    def refuse(recordings: Sequence[Recording], _keywords: Sequence[str]) -> None:
        room.refuse_vain(recordings, near=near)

    room.refuse_to_replace(output)
    heard = hear(asked, console, refuse)
    windows = room.find(heard.scores, heard.recordings, heard.keywords, near=near)[:most]
    room.write(
        output,
        windows,
        heard.recordings,
        told=lambda done, total: console.progress("clips written", done, total),
    )
    by_keyword = {
        keyword: sum(one.keyword == keyword for one in windows) for keyword in heard.keywords
    }
    return {
        "folder": str(output),
        "clips": len(windows),
        "hours": hours(heard.recordings),
        "keywords": by_keyword,
        "surest": windows[0].posterior,
    }


# ------------------------------------------------------------------------------------------- data


def mix(
    folder: Path,
    speech: Sequence[Path],
    recipe: Mapping[str, Any],
    *,
    console: Console,
    **sources: Any,
) -> Record:
    """Make long recordings of clips and backgrounds, and return what they hold.

    Args:
        folder: Where to.
        speech: Corpora of clips.
        recipe: What ``Recipe`` takes.
        console: Where progress is shown.
        **sources: The other arguments of ``mix.mix``.
    """
    from watchword.long_audio import mix as room

    made = room.mix(
        folder,
        speech,
        recipe=room.Recipe(**recipe),
        progress=lambda done, total: console.progress("mixing", done, total),
        **sources,
    )
    return {
        "folder": str(folder),
        "recordings": len(made),
        "hours": hours(made),
        "events": sum(len(one.events) for one in made),
    }


def speak(
    folder: Path,
    source: Path,
    *,
    of: Split | None,
    apart: float | None,
    without: Sequence[str],
    split: Split,
    time_h: float,
    seed: int,
    console: Console,
) -> Record:
    """Make hours of sentences spoken by espeak-ng, and return what was made.

    Args:
        folder: Where to.
        source: Where the sentences come from: a text file, or a corpus with transcripts.
        of: Split of the corpus.
        apart: Speakers of the corpus whose sentences are taken, as ``sentences.texts`` says.
        without: Words that are not said, nor what sounds like them.
        split: Whose voices speak.
        time_h: How many hours.
        seed: Seed.
        console: Where progress is shown.
    """
    from watchword.data import sentences

    barred = {like for word in without for like in sounding_like(word)}
    chosen = sentences.without(sentences.texts(source, of, apart), barred)
    made = sentences.synthesise(
        folder,
        chosen,
        split=split,
        hours=time_h,
        seed=seed,
        progress=lambda done, total: console.progress("minutes spoken", done, total),
    )
    return {"folder": str(made), "sentences": len(chosen), "hours": time_h, "split": split}
