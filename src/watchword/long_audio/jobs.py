"""The jobs behind ``eval --stream``, ``calibrate`` and ``mine``: a model on long audio.

In come names and paths as a user gives them, out come plain records and folders. A room beside
``watchword.jobs`` because nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchword import bundle, canvas
from watchword.console import Console
from watchword.decision import OperatingPoint
from watchword.errors import ConfigError
from watchword.files import write_whole
from watchword.long_audio import scores as answers
from watchword.long_audio.asking import Asked, hear
from watchword.long_audio.judge import judge
from watchword.long_audio.reference import Recording, hours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from watchword.long_audio.calibrate import Target

PAGE: Final = "report.html"
Record = dict[str, Any]


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
    from watchword.long_audio.evidence import origin

    OperatingPoint().changed(**changes)  # it refuses before minutes of work
    canvas.matplotlib("figure")  # likewise
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
    record = report.build_report(judged, curves, provenance=origin(heard, asked))
    page = report.write_report(record, output)
    alarms, misses = sounds.worst(judged, curve.traces(scores, recordings, points, temperature))
    pictures = {path.name: path.read_bytes() for path in sorted(output.glob("*.png"))}
    text = html.html(record, pictures, alarms, misses, title=facts.name)
    write_whole(output / PAGE, text.encode())
    return {**record, "page": str(page), "html": str(output / PAGE)}


def calibrate(asked: Asked, target: Target, output: Path, *, console: Console) -> Record:
    """Choose operating points on validation recordings, write them into a bundle, and return them.

    Args:
        asked: What is asked; only its keywords get an operating point.
        target: What is to be reached.
        output: Where to write the bundle; the reliability figure goes beside it.
        console: Where progress is shown.
    """
    from watchword.long_audio import calibrate as room
    from watchword.long_audio import evidence, reliability

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
    chosen_on = evidence.evidence(heard, asked, target, found, before, after)
    told = {key: value for key, value in facts.told.items() if key not in ("files", "format")}
    told["operating_point"] = {
        **told["operating_point"],
        "keywords": {
            **told["operating_point"].get("keywords", {}),
            **{keyword: evidence.stored(found, keyword) for keyword in heard.keywords},
        },
        "is_calibrated": True,
        "temperature": temperature,
        "evidence": chosen_on,
    }
    bundle.write(output, told, heard.model.graphs)
    picture = _draw(output, reliability.draw, before, after, temperature)
    rows = [evidence.row(found, keyword) for keyword in heard.keywords]
    made = {"path": str(output), "picture": picture, "temperature": temperature}
    return {**made, "keywords": rows, **chosen_on}


def _draw(output: Path, draw: Callable[..., Figure], *values: Any) -> str | None:
    """Draw beside a bundle and return where; nothing where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return None
    place = output.with_name(f"{output.stem}-reliability.png")
    return str(canvas.save(draw(*values), place))


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
