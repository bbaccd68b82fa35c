"""The job behind ``watchword export``: a checkpoint and its speech become a bundle.

In come paths as a user gives them, out comes a plain record. A room beside ``jobs`` because what an
export listens to is found here: the speech a model was trained and chosen with.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from watchword import shipped
from watchword.console import Console
from watchword.errors import DataError, missing_extra
from watchword.units import CLIP_SAMPLES

if TYPE_CHECKING:
    from watchword.checkpoint import Checkpoint
    from watchword.config import Environment
    from watchword.export import Sounds

NEEDED: Final = ("torch", "onnx", "onnxscript")
RANGE_CLIPS: Final = 512
MOST_CLIPS: Final = 5_000
INT16_SCALE: Final = 32_768.0


def export(
    model: Path,
    *,
    output: Path | None,
    name: str,
    environment: Path | None,
    score_hop_ms: float,
    is_int8: bool,
    console: Console,
) -> dict[str, Any]:
    """Write a bundle and return where it is, what it says of itself, and how well answers agree.

    Args:
        model: Checkpoint, or name of a shipped model.
        output: A ``.watchword`` file or a folder; beside the checkpoint where not given.
        name: What the model shall be called; the name of its run where empty.
        environment: Environment file.
        score_hop_ms: Time between two scores of a stream.
        is_int8: Whether to make 8-bit graphs, which needs speech.
        console: Where progress is shown.

    Raises:
        WatchwordError: If a package of the extra ``export`` is not installed.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise missing_extra(package, "export")

    from watchword import bundle, checkpoint
    from watchword import export as room
    from watchword.config import load_environment

    loaded, where = checkpoint.load(model), load_environment(environment)
    beside = shipped.home(model, where.output)
    target = output or beside.with_name(_stem(beside) + bundle.SUFFIX)
    bundle.refuse_to_replace(target)  # before minutes of work
    is_name = shipped.NAME.fullmatch(str(model)) and not model.exists()
    called = name or (str(model) if is_name else loaded.settings.run_name)
    sounds = _heard(loaded, where, console) if is_int8 else room.generated(CLIP_SAMPLES)
    made = room.export(
        loaded, sounds, target, name=called, score_hop_ms=score_hop_ms, told=console.say
    )
    told = made.facts.told
    size = target.stat().st_size if target.is_file() else sum(map(len, made.graphs.values()))
    kept = ("name", "labels", "model", "parity", "int8", "files")
    return {"path": str(target), "bytes": size, **{key: told[key] for key in kept}}


def _stem(path: Path) -> str:
    """Return the name of a checkpoint without its suffix."""
    ending = next((one for one in shipped.CHECKPOINTS if path.name.endswith(one)), "")
    return path.name.removesuffix(ending)


def _heard(loaded: Checkpoint, where: Environment, console: Console) -> Sounds:
    """Return clips of the speech that a model was trained and chosen with."""
    from watchword import build, speech
    from watchword.data.batches import fixed_silence
    from watchword.data.sampling import evaluation
    from watchword.export import Sounds

    settings = loaded.settings
    try:
        corpora = speech.sources(settings, where, console.progress)
        epoch = build.plan(settings, corpora).epoch(0)[:RANGE_CLIPS]
        clips, parts = evaluation(corpora, settings.find_task(), "valid")
    except DataError as error:
        raise DataError(
            f"8-bit ranges are measured on the speech a model was trained with: {error}; or "
            "export without them: --no-int8"
        ) from error
    counted = np.flatnonzero(parts == "task")
    counted = counted[:: -(-len(counted) // MOST_CLIPS)]
    reader = build.reader(settings, corpora, "valid")
    chosen = reader.read(clips[counted], fixed_silence(len(clips), "valid")[counted])
    training = build.reader(settings, corpora, "train")
    ranges = training.read(epoch, np.random.default_rng(8).random((len(epoch), 3)))
    names = ", ".join(dict.fromkeys(one.name for one in corpora if not one.is_background))
    return Sounds(
        ranges.astype(np.float32) / INT16_SCALE,
        chosen.astype(np.float32) / INT16_SCALE,
        clips.target[counted],
        f"validation clips of {names}",
    )
