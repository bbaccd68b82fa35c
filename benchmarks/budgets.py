"""Settings of a recipe → its budget, and in what two recipes differ.

In come settings in plain JSON types, out go keys that are equal for equal budgets and differences
in words. A room because one law is decided here: a budget is the audio that training hears, how
often, and with which teachers. Augmentation and optimiser may differ within a budget, as papers
ask for theirs, and then it is said in what.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from watchword.units import SAMPLE_RATE_HZ

Record = Mapping[str, Any]


def recipe(settings: Record) -> str:
    """Return a key that runs share which differ in their seed alone.

    Args:
        settings: Settings of a run.
    """
    return _text({**settings, "seed": None})


def budget(settings: Record) -> str:
    """Return a key that recipes of one budget share.

    Args:
        settings: Settings of a run.
    """
    train = settings["train"]
    return _text([settings["data"], train["epochs"], train.get("distill")])


def sections(settings: Record) -> dict[str, Any]:
    """Return what a budget is made of: audio, augmentation and training.

    Masks are said in milliseconds and as a share of the bands, for front ends differ in both.

    Args:
        settings: Settings of a run.
    """
    augment, features = dict(settings["augment"]), settings["features"]
    if augment.get("mask"):
        mask = dict(augment["mask"])
        bands = features["coefficients" if features["kind"] == "mfcc" else "mels"]
        mask["milliseconds"] = 1e3 * mask.pop("frames") * features["hop_samples"] / SAMPLE_RATE_HZ
        mask["share of bands"] = mask.pop("bands") / bands
        augment["mask"] = mask
    return {"data": settings["data"], "augment": augment, "train": settings["train"]}


def usual_sections(group: Sequence[Record]) -> dict[str, Any]:
    """Return the sections that most recipes of a budget share.

    Args:
        group: Settings of the recipes.
    """
    counted = Counter(_text(sections(settings)) for settings in group)
    usual: dict[str, Any] = json.loads(counted.most_common(1)[0][0])
    return usual


def differences(mine: object, theirs: object, key: str = "") -> list[str]:
    """Return the settings in which two trees differ, short values beside them.

    Args:
        mine: Settings.
        theirs: What they are compared with.
        key: Where both stand.

    Example:
        >>> differences({"a": {"b": 1, "c": [1]}}, {"a": {"b": 2, "c": [2]}})
        ['a.b 1, not 2', 'a.c']
    """
    if isinstance(mine, dict) and isinstance(theirs, dict):
        both = dict.fromkeys([*theirs, *mine])
        return [
            line
            for name in both
            for line in differences(mine.get(name), theirs.get(name), f"{key}.{name}".strip("."))
        ]
    if mine == theirs:
        return []
    if isinstance(mine, dict | list) or isinstance(theirs, dict | list):
        word = "without " * (mine is None) or "with " * (theirs is None)
        return [f"{word}{key}"]
    return [f"{key} {mine}, not {theirs}"]


def _text(value: object) -> str:
    """Return plain values as text that is the same for the same values."""
    return json.dumps(value, sort_keys=True)
