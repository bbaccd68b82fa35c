"""What can go wrong that is not our own mistake.

    WatchwordError
    ├── ConfigError       a setting, a name or an option that cannot be meant
    ├── AudioError        a file or an array that is no usable audio
    ├── DataError         a folder, list, archive or download that is not what it should be
    ├── CheckpointError   a checkpoint that is cut short, foreign, hostile or of another task
    └── BundleError       a bundle that cannot be read or trusted

In comes a situation, out goes one message with three parts: what was found, what was needed, what
to do. The command line turns any error of this tree into one line and exit code 2. It is a room
because every other room raises from it and none may invent its own.
"""

from __future__ import annotations


class WatchwordError(Exception):
    """A situation the user can mend; its message says how."""


class ConfigError(WatchwordError):
    """A setting, a name or an option that cannot be meant."""


class AudioError(WatchwordError):
    """A file or an array that is no usable audio."""


class DataError(WatchwordError):
    """A folder, list, archive or download that is not what it should be."""


class CheckpointError(WatchwordError):
    """A checkpoint that is cut short, foreign, hostile or of another task."""


class BundleError(WatchwordError):
    """A bundle that cannot be read or trusted."""


def missing_extra(package: str, extra: str) -> WatchwordError:
    """Return the error for a package that belongs to an extra which is not installed.

    Args:
        package: Name of the package that could not be imported.
        extra: Name of the extra in ``pyproject.toml`` that brings it.

    Returns:
        An error whose message is the install command.

    Example:
        >>> print(missing_extra("torch", "train"))
        torch is not installed, and this needs it: pip install 'watchword[train]'
    """
    return WatchwordError(
        f"{package} is not installed, and this needs it: pip install 'watchword[{extra}]'"
    )


def nearest(name: str, names: list[str]) -> str:
    """Return a hint that names the nearest known name, or all of them.

    Args:
        name: What was found.
        names: What exists.

    Returns:
        A clause for the end of a message.

    Example:
        >>> nearest("lambda_resnet", ["lambda_resnet18", "res15"])
        'did you mean lambda_resnet18? There are: lambda_resnet18, res15'
    """
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}There are: {', '.join(names)}"
