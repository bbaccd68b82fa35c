"""The jobs behind ``data mix`` and ``data sentences``: recordings are made.

In come folders and numbers as a user gives them, out come folders of audio and plain records. A
room beside ``jobs`` because all this is done before there is a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchword.console import Console
from watchword.long_audio.reference import hours
from watchword.words import sounding_like

if TYPE_CHECKING:
    from watchword.data.utterance import Split

Record = dict[str, Any]


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
