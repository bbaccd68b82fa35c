"""The jobs behind ``watchword data``: folders of speech are fetched, prepared, checked and made.

In come folders and names as a user gives them, out come plain records. A room beside ``jobs``
because all this is done before there is a model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchword.console import Console

if TYPE_CHECKING:
    from watchword.data.check import CheckReport
    from watchword.data.clips import ClipStore


def fetch(name: str, *, environment: Path | None, console: Console) -> dict[str, Any]:
    """Download and unpack a public archive; return its name and its folder.

    Args:
        name: Name of the archive.
        environment: Environment file.
        console: Where progress is shown.
    """
    from watchword import speech
    from watchword.config import load_environment
    from watchword.data import archives

    where = load_environment(environment)
    told = speech.archive_progress(name, console.progress)
    return {"name": name, "folder": str(archives.fetch(name, where.datasets, progress=told))}


def prepare(folder: Path, *, environment: Path | None, console: Console) -> dict[str, Any]:
    """Prepare a folder of speech and return what it holds.

    Args:
        folder: Folder of speech.
        environment: Environment file.
        console: Where progress is shown, and how many recordings are no usable audio.
    """
    from watchword.config import load_environment
    from watchword.data.clips import prepare as prepare_clips

    where = load_environment(environment)
    told = _bar(console, f"preparing {folder.name}")
    store = prepare_clips(folder, where.prepared, progress=told)
    say_refused(store, console)
    splits = [store.utterance(row).split for row in range(len(store.clips))]
    return {
        "folder": str(folder),
        "layout": store.manifest.layout,
        "clips": len(store.clips),
        **{split: splits.count(split) for split in ("train", "valid", "test")},
        "words": len({utterance.word for utterance in store.manifest.utterances}),
        "backgrounds": len(store.background_spans),
        "refused": len(store.refused),
        "fingerprint": store.fingerprint,
    }


def say_refused(store: ClipStore, console: Console) -> None:
    """Say how many recordings of a corpus are left out, and where they are listed, if any are.

    Args:
        store: A prepared corpus.
        console: Where to say it.
    """
    if not store.refused:
        return
    recordings = len(store.manifest.utterances) + len(store.manifest.backgrounds)
    place = Path(str(getattr(store.clips, "filename", ""))).with_name("refused.csv")
    console.say(
        f"note: {store.manifest.folder.name}: {len(store.refused):,} of {recordings:,} recordings "
        f"are no usable audio and are left out: see {place}"
    )


def check(folder: Path, *, console: Console) -> CheckReport:
    """Check a folder of speech, show what was found and return it.

    Args:
        folder: Folder of speech.
        console: Where progress and findings are shown.
    """
    from watchword.data.check import check_folder

    report = check_folder(folder, progress=_bar(console, f"checking {folder.name}"))
    columns = ("kind", "severity", "clips", "the first of them", "detail")
    rows = [dict(zip(columns, row, strict=True)) for row in report.rows()]
    if rows:
        console.table(rows, is_answer=True)
    console.answer(
        f"{folder}: {report.utterances:,} utterances, {report.backgrounds:,} noise recordings, "
        f"{len(report.errors):,} errors, {len(report.warnings):,} warnings"
    )
    return report


def synthesise(
    folder: Path, *, words: str, variants: int, seed: int, console: Console
) -> dict[str, Any]:
    """Make a command set with espeak-ng voices; return what was made and where.

    Args:
        folder: Where to.
        words: Words separated by commas or lines, or a file of them; the demo's twelve where empty.
        variants: Training voices of each word.
        seed: Seed.
        console: Where progress is shown.
    """
    from watchword.data import synth

    is_file = "," not in words and Path(words).is_file()
    given = Path(words).read_text(encoding="utf-8") if is_file else words
    spoken = tuple(given.replace(",", " ").split()) or synth.DEMO_WORDS
    told = _bar(console, "speaking")
    made = synth.synthesise(folder, words=spoken, variants=variants, seed=seed, progress=told)
    return {"folder": str(made), "words": list(spoken), "variants": variants, "seed": seed}


def _bar(console: Console, what: str) -> Callable[[int, int], None]:
    """Return a callback that shows how far something has come."""
    return lambda done, total: console.progress(what, done, total)
