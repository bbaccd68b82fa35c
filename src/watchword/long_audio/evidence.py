"""Results → where they come from: what a bundle and a report say of themselves.

In come a model, recordings and what was chosen, out go plain records without the places of one
machine. A room because an operating point without its evidence is a rumour, and because what goes
into a bundle goes around.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from watchword.long_audio.asking import Asked, Heard
from watchword.long_audio.calibrate import Calibrated, Target
from watchword.long_audio.rates import spread
from watchword.long_audio.reference import hours
from watchword.metrics import Calibration
from watchword.portable import portable

Record = dict[str, Any]


def command() -> str:
    """Return the command of this process, without the places of this machine."""
    words = [Path(sys.argv[0]).name, *(str(portable(word)) for word in sys.argv[1:])]
    return " ".join(map(shlex.quote, words))


def origin(heard: Heard, asked: Asked) -> Record:
    """Return where a result comes from: the model, its training, the recordings, the command.

    Args:
        heard: What a model answered.
        asked: What was asked.
    """
    told = heard.model.facts.told
    made = told.get("provenance")
    made = made if isinstance(made, Mapping) else {}
    return {
        "model": heard.model.facts.name,
        "scores": heard.scores.key,
        "seed": made.get("seed"),
        "epoch": made.get("epoch"),
        "config": made.get("run"),
        "commit": made.get("commit"),
        "command": made.get("command"),
        "operating points": "calibrated" if heard.model.facts.is_calibrated else "default",
        "temperature": heard.model.facts.temperature,
        "evaluated by": command(),
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


def evidence(
    heard: Heard,
    asked: Asked,
    target: Target,
    found: Calibrated,
    before: Calibration,
    after: Calibration,
) -> Record:
    """Return what operating points were chosen on, for all who use them.

    Args:
        heard: What a model answered.
        asked: What was asked.
        target: What was to be reached.
        found: What was chosen.
        before: How sure and right the model was.
        after: The same with its temperature.
    """
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
        "recordings": origin(heard, asked)["recordings"],
        "scores": heard.scores.key,
        "calibration_error": {"before": before.error, "after": after.error},
        "command": command(),
    }


def stored(found: Calibrated, keyword: str) -> Record:
    """Return what a bundle says of a keyword's operating point.

    Args:
        found: What was chosen.
        keyword: Which.
    """
    return {**asdict(found.points[keyword]), "evidence": row(found, keyword)}


def row(found: Calibrated, keyword: str) -> Record:
    """Return an operating point and what it does on the recordings it was chosen on.

    Args:
        found: What was chosen.
        keyword: Which.
    """
    point, judged = found.points[keyword], found.judged
    rejects = judged.false_reject_rate(keyword)
    assert rejects is not None, "keywords without events were refused"
    accepts = judged.negative.false_accepts_per_hour(keyword)
    latencies_s = judged.latencies_s(keyword)
    return {
        "keyword": keyword,
        **asdict(point),
        "misses": rejects.hits,
        "events": rejects.count,
        "false_accepts": accepts.count,
        "hours": accepts.hours,
        "expected_fa_per_hour": found.choices[keyword].fa_per_hour,
        "median_latency_s": spread(latencies_s).median_s if latencies_s else None,
    }
