"""Keyword spotting: a machine that listens for a few words, all day, and is right.

The public names are loaded when they are first used, so that importing the package costs nothing::

    import watchword as ww

    spotter = ww.Spotter("commands-12", keywords=["stop", "go"])
    for detection in spotter.feed(chunk):
        print(detection.keyword, detection.time_s, detection.score)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchword.bundle import Bundle as Bundle
    from watchword.decision import Detection as Detection
    from watchword.decision import OperatingPoint as OperatingPoint
    from watchword.errors import AudioError as AudioError
    from watchword.errors import BundleError as BundleError
    from watchword.errors import CheckpointError as CheckpointError
    from watchword.errors import ConfigError as ConfigError
    from watchword.errors import DataError as DataError
    from watchword.errors import WatchwordError as WatchwordError
    from watchword.spotter import Spotter as Spotter
    from watchword.spotter import open_bundle as open_bundle
    from watchword.spotter import spot as spot

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(("Spotter", "open_bundle", "spot"), "spotter"),
    **dict.fromkeys(("Detection", "OperatingPoint"), "decision"),
    "Bundle": "bundle",
    **dict.fromkeys(("AudioError", "BundleError", "CheckpointError", "ConfigError"), "errors"),
    **dict.fromkeys(("DataError", "WatchwordError"), "errors"),
}
"""The public names, and the room each comes from."""
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Return a public name, and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"watchword.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
