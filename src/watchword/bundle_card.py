"""A bundle → what it says of itself, for people and for programs.

In comes an opened bundle, out goes one flat record. A room because ``watchword info`` must answer
this without torch, and because each number is shown with what it was measured on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchword.bundle import FACTS, SUFFIX, Bundle
from watchword.decision import OperatingPoint
from watchword.errors import BundleError


def is_bundle(model: str) -> bool:
    """Tell whether words name a bundle rather than a network, a checkpoint or a shipped model.

    Args:
        model: What the user typed.

    Example:
        >>> is_bundle("my-word.watchword"), is_bundle("res15")
        (True, False)
    """
    return model.endswith(SUFFIX) or (Path(model) / FACTS).is_file()


def card(bundle: Bundle) -> dict[str, Any]:
    """Return what is known about a bundle.

    Args:
        bundle: The bundle.

    Raises:
        BundleError: If it tells of itself what nobody can read; it may still be listened with.
    """
    try:
        return _card(bundle)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{bundle.source}: what {FACTS} tells of evidence, parity, 8 bits or attribution "
            f"cannot be read ({error!r}), needed what 'watchword export' and 'watchword calibrate' "
            "write: make the bundle again"
        ) from error


def _card(bundle: Bundle) -> dict[str, Any]:
    """Return what is known about a bundle whose facts are as an export writes them."""
    facts, told = bundle.facts, bundle.facts.told
    model, made = _part(told, "model"), _part(told, "provenance")
    return {
        "bundle": bundle.source,
        "name": facts.name,
        "task": told.get("task"),
        "keywords": " ".join(facts.keywords),
        "architecture": model.get("architecture"),
        "width": model.get("width"),
        "parameters": model.get("parameters"),
        "macs": model.get("macs"),
        "score_every_ms": facts.timing.score_hop_ms,
        "operating_point": _point(facts.default_point, is_calibrated=facts.is_calibrated),
        **{f"operating_point_{word}": _point(p) for word, p in facts.points.items()},
        **_calibrated(bundle),
        "largest_difference": _largest(told),
        **_eight_bits(told),
        "graphs": ", ".join(f"{name} {one.size:,} bytes" for name, one in facts.files.items()),
        "licence": facts.licence,
        "attribution": _credits(told),
        **{key: made.get(key) for key in ("seed", "epoch", "commit", "command")},
    }


def _part(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a section of the facts, empty if it is missing or none."""
    found = told.get(key)
    return found if isinstance(found, Mapping) else {}


def _point(point: OperatingPoint, *, is_calibrated: bool = True) -> str:
    """Return an operating point in words."""
    words = f"threshold {point.threshold:g}, {point.rule}, rest {point.refractory_ms:g} ms"
    return words if is_calibrated else f"{words} (a default, not calibrated)"


def _calibrated(bundle: Bundle) -> dict[str, Any]:
    """Return what the operating points were chosen for and on, if they were calibrated."""
    facts = bundle.facts
    evidence = _part(_part(facts.told, "operating_point"), "evidence")
    if not (facts.is_calibrated and evidence):
        return {}
    error = evidence["calibration_error"]
    return {
        "temperature": facts.temperature,
        "target": _target(evidence["target"]),
        "expected_false_accepts": f"{evidence['expected_fa_per_hour']:.2f} per hour elsewhere",
        "false_accepts": _per_hour(evidence["false_accepts"]),
        "false_rejects": _missed(evidence["false_rejects"]),
        "calibration_error": (
            f"{100 * error['before']:.1f} % before, {100 * error['after']:.1f} % after"
        ),
        "listening_for": " ".join(evidence["listening_for"]),
        "calibrated_on": ", ".join(
            f"{name} ({hours:.3g} h)" for name, hours in evidence["recordings"].items()
        ),
    }


def _target(told: Mapping[str, float]) -> str:
    """Return in words what was to be reached."""
    rate = (
        f"at most {told['fa_per_hour']:g} false accepts per hour"
        if "fa_per_hour" in told
        else f"at most {100 * told['frr']:g} % of the keywords missed, on average"
    )
    if "latency_s" not in told:
        return rate
    return f"{rate}, within {1_000 * told['latency_s']:g} ms of each keyword's end (median)"


def _per_hour(found: Mapping[str, Any]) -> str:
    """Return false accepts per hour as reports on long audio show them (``PerHour``)."""
    low, high = found["interval"]
    hours = found["hours"]
    time = f"{hours:.3g} h" if hours < 100 else f"{hours:,.0f} h"
    if not found["count"]:
        most = f"{high:.2g}" if high < 100 else f"{high:,.0f}"
        return f"at most {most} per hour (none in {time}; 95 %)"
    rate, low, high = (
        f"{value:,.2f}" if value >= 0.005 else f"{value:.1g}"
        for value in (found["per_hour"], low, high)
    )
    return f"{rate} per hour ({found['count']:,} in {time}; 95 % {low}–{high})"


def _missed(found: Mapping[str, Any]) -> str:
    """Return the share of events that were missed with its counts and interval."""
    low, high = found["interval"]
    return (
        f"{100 * found['rate']:.1f} % ({found['count']:,}/{found['events']:,}; "
        f"95 % {100 * low:.1f}–{100 * high:.1f})"
    )


def _largest(told: Mapping[str, Any]) -> str | None:
    """Return how far the float graphs are from the training code."""
    parity = _part(told, "parity")
    rows = [row for row in parity.get("rows", []) if row.get("tolerance") is not None]
    if not rows:
        return None
    largest = max(row["largest"] for row in rows)
    return f"{largest:.2g} of a posterior, on {parity.get('heard')}"


def _eight_bits(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what 8 bits cost, if it was measured."""
    cost = _part(told, "int8")
    if not cost:
        return {}
    return {
        "accuracy": f"{100 * cost['float_accuracy']:.2f} % of {cost['clips']:,} {cost['heard']}",
        "accuracy_int8": f"{100 * cost['int8_accuracy']:.2f} %",
    }


def _credits(told: Mapping[str, Any]) -> str:
    """Return whom the weights owe their audio."""
    found = told.get("attribution")
    rows = found if isinstance(found, list) else []
    return "; ".join(f"{row.get('corpus')} ({row.get('licence')})" for row in rows)
