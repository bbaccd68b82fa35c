"""Time of an evaluation on long audio: hearing, counting, report, and again without the model.

    python benchmarks/long_audio.py --hours 4 --workers 2

Recordings of two minutes with the words of espeak-ng voices are made first, half of them without a
keyword. What is timed is what ``watchword eval --stream`` does; the baseline of the same run is
decoding the same files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import turns

from watchword.console import Console
from watchword.data import synth
from watchword.long_audio import asking, jobs, readers, scores
from watchword.long_audio.mix import Recipe, mix
from watchword.long_audio.reference import hours

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")


def main() -> None:
    """Measure and print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="commands-12")
    parser.add_argument("--json", type=Path, help="file to write")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measure(Path(place), asked.model, asked.hours, asked.workers)
    for key, value in found.items():
        print(f"{key}: {value}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def measure(place: Path, model: str, wanted_h: float, workers: int) -> dict[str, object]:
    """Return the times of an evaluation.

    Args:
        place: An empty folder.
        model: What is evaluated.
        wanted_h: Length of all recordings.
        workers: Recordings heard side by side.
    """
    speech = synth.synthesise(place / "speech", variants=10)
    recipe = Recipe(hours=wanted_h, others=0.3)
    made = mix(place / "mix", [speech], split="train", keywords=KEYWORDS, recipe=recipe)
    half = [
        one if number % 2 else type(one)(one.name, one.files, one.duration_s, may_hold=True)
        for number, one in enumerate(made)
    ]
    readers.write(place / "mix" / "manifest.jsonl", half)
    asked = asking.Asked(model, [str(place / "mix")], workers=workers)
    quiet = Console(is_quiet=True)

    def evaluate() -> None:
        jobs.evaluate(asked, place / "report", changes={}, console=quiet)

    def decode() -> None:
        for one in half:
            for _ in scores.chunks(one):
                pass

    decoding_s, first_s, again_s = timed(decode), timed(evaluate), timed(evaluate)
    return {
        "machine": turns.machine(),
        "hours": round(hours(made), 3),
        "workers": workers,
        "decoding_s": round(decoding_s, 1),
        "evaluation_s": round(first_s, 1),
        "evaluation_with_saved_scores_s": round(again_s, 1),
        "evaluation_over_decoding": round(first_s / decoding_s, 2),
        "hours_in_a_minute": round(60 * hours(made) / first_s, 1),
    }


def timed(work: Callable[[], None]) -> float:
    """Return how many seconds something takes."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
