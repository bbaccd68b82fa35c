"""The models that come with the package: names → files whose content is as it was shipped.

In comes a name where a path may stand, out goes the file; a path that exists stays what it is. A
room because a name must mean the same to every command, and because whoever lists models needs no
torch: all that a table shows lies in ``card.json`` beside the weights. Each model has a folder
here, written by ``watchword ship``; there may be none.

    NAME/model.safetensors   weights with settings, labels and provenance: a checkpoint
    NAME/model.watchword     the same to listen with, without torch: a bundle
    NAME/card.json           what the model is, for programs, and the SHA-256 of what can be loaded
    NAME/card.md             the same for people
    NAME/config.yml          the settings that train it again
    NAME/metrics.jsonl       its training, and
    NAME/scores.npz          its answers to the test split, to draw
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from watchword.errors import CheckpointError, nearest

FOLDER = Path(__file__).parent
CARD: Final = "card.json"
PAGE: Final = "card.md"
WEIGHTS: Final = "model.safetensors"
BUNDLE: Final = "model.watchword"
SETTINGS: Final = "config.yml"
LOG: Final = "metrics.jsonl"
ANSWERS: Final = "scores.npz"
HASHED: Final = (WEIGHTS, BUNDLE, LOG, ANSWERS)
CHECKPOINTS: Final = (".safetensors", ".pth.tar", ".pth", ".pt", ".ckpt")
LONGEST_NAME: Final = 64
FORMAT: Final = 1
LISTED: Final = ("name", "architecture", "task", "parameters", "macs", "bytes", "licence")
"""What ``watchword models`` tells of each."""
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Small letters, digits and single hyphens: no path, no file and no module looks like it."""


def names() -> list[str]:
    """Return the names of all models here, in order; none is a valid state."""
    return sorted(
        place.parent.name for place in FOLDER.glob(f"*/{CARD}") if NAME.fullmatch(place.parent.name)
    )


def records() -> list[dict[str, Any]]:
    """Return a line for each model, with the keys ``LISTED``.

    Raises:
        CheckpointError: If a card is damaged.
    """
    return [{key: facts[key] for key in LISTED} for facts in map(card, names())]


def card(name: str) -> dict[str, Any]:
    """Return all that is written about a model for programs.

    Args:
        name: Its name.

    Raises:
        CheckpointError: If there is no such model, or its card is damaged or of another version.
    """
    if name not in names():
        raise CheckpointError(_unknown(name))
    return read_card(FOLDER / name / CARD)


def read_card(path: Path) -> dict[str, Any]:
    """Return the content of a ``card.json``.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged or of another version.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found = facts["format"]
        is_whole = set(LISTED) <= facts.keys() and isinstance(facts["sha256"], Mapping)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged_card(path) from error
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has format {found}, this program reads format {FORMAT}: use the version of "
            "watchword that wrote it"
        )
    if not is_whole:
        raise _damaged_card(path)
    return dict(facts)


def page(name: str) -> str:
    """Return a model's card as its people read it, Markdown with a front matter.

    Args:
        name: Its name.

    Raises:
        CheckpointError: If there is no such model, or its page is missing.
    """
    card(name)
    try:
        return (FOLDER / name / PAGE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{FOLDER / name / PAGE} cannot be read and belongs to a shipped model: install "
            "watchword again"
        ) from error


def body(page: str) -> str:
    r"""Return what follows the front matter of a page.

    Args:
        page: A card.

    Example:
        >>> body("---\nlicense: mit\n---\n\n# name\n")
        '# name\n'
    """
    start, _, rest = page.partition("---\n")
    return page if start or "\n---\n" not in rest else rest.partition("\n---\n")[2].lstrip("\n")


def find(path: Path, part: str = WEIGHTS) -> Path:
    """Return a path as it is, or the file of the shipped model that it names.

    A file that exists wins over a name, and so does a folder where ``part`` may lie in one.

    Args:
        path: A path or a name.
        part: Which file of the model is meant.

    Raises:
        CheckpointError: If it reads like a name and no model is called so, if a bundle is given
            for weights, or if the file was changed or damaged since it was shipped.
    """
    if part == WEIGHTS and path.suffix == Path(BUNDLE).suffix:
        raise CheckpointError(
            f"{path} is a bundle, needed a checkpoint: give that from which it was exported; "
            "recordings are evaluated with a bundle by watchword eval --stream"
        )
    if not NAME.fullmatch(str(path)) or path.is_file() or _is_run(path, part):
        return checked(path)
    if str(path) not in names():
        raise CheckpointError(f"{path} is no file, and {_unknown(str(path))}")
    return checked(FOLDER / path / part)


def find_bundle(path: str | Path) -> Path:
    """Return a path as it is, or the bundle of the shipped model that it names.

    Args:
        path: A path or a name.

    Raises:
        CheckpointError: As ``find``, or if it is a checkpoint and no bundle.
    """
    path = Path(path)
    is_short = len(str(path)) <= LONGEST_NAME  # no disk can be asked about a very long name
    is_name = is_short and NAME.fullmatch(str(path)) and not path.is_dir()
    found = find(path, BUNDLE) if is_name else checked(path)
    if found.name.endswith(CHECKPOINTS):
        raise CheckpointError(
            f"{path} is a checkpoint, and listening needs a bundle: watchword export {path}"
        )
    return found


def checked(path: Path) -> Path:
    """Return a path, having compared the file with the card beside it, if it has one.

    Args:
        path: Any path.

    Raises:
        CheckpointError: If the file is not what the card says it was.
    """
    beside = path.parent / CARD
    if path.name not in HASHED or not beside.is_file():
        return path
    expected = str(read_card(beside)["sha256"].get(path.name))
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error}) and belongs to a shipped model: "
            "install watchword again, or copy the model anew"
        ) from error
    if found != expected:
        raise CheckpointError(
            f"{path} is damaged or was changed: its SHA-256 begins with {found[:12]} and its card "
            f"says {expected[:12]}: install watchword again, or copy the model anew"
        )
    return path


def home(path: Path, output: Path) -> Path:
    """Return the path beside which lies what is made of a model.

    That is the model itself; nothing is written into the package, so a shipped one has a folder of
    its name among the outputs.

    Args:
        path: A path or a name, as ``find`` takes it.
        output: Where outputs live.

    Raises:
        CheckpointError: As ``find``.
    """
    return path if find(path) == path else output / path / path


def _is_run(path: Path, part: str) -> bool:
    """Tell whether a path is a folder that may hold the part, as a run's folder does."""
    return part in (LOG, ANSWERS) and path.is_dir()


def _unknown(name: str) -> str:
    """Return what to say about a name that no model has."""
    if not names():
        return (
            f"no model is called {name!r}: this version ships none; give the path of a checkpoint "
            "that training wrote, such as best.pth.tar"
        )
    return f"no model is called {name!r}: {nearest(name, names())}"


def _damaged_card(path: Path) -> CheckpointError:
    """Return the error for a card that cannot be read or lacks something."""
    return CheckpointError(
        f"{path} is damaged or no card of a model, and nothing of the model can be trusted without "
        "it: install watchword again, or copy the model anew"
    )
