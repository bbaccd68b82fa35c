"""The model as its users hold it: graphs, labels, operating point, provenance, hashes.

In comes a ``.watchword`` file or a folder of the same files, out goes a ``Bundle`` whose content
was checked; or the other way round. A room because files from strangers come in here: nothing is
unpickled, nothing is unpacked to disk, and every file is what ``bundle.json`` says or nothing is
used.

    bundle.json          what the model is, and size and SHA-256 of every other file
    clip.onnx            waveform (batch, samples) → posteriors (batch, classes)
    stream.onnx          chunk and state → posteriors (streams, scores, classes) and state
    clip.int8.onnx       the same in 8 bits
    stream.int8.onnx
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watchword.errors import BundleError, DataError
from watchword.facts import FORMAT, Facts, parse
from watchword.files import folder_written_whole, write_whole

SUFFIX: Final = ".watchword"
FACTS: Final = "bundle.json"
CLIP, STREAM = "clip.onnx", "stream.onnx"
CLIP_INT8, STREAM_INT8 = "clip.int8.onnx", "stream.int8.onnx"
GRAPHS: Final = (CLIP, STREAM, CLIP_INT8, STREAM_INT8)
NEEDED: Final = (CLIP, STREAM)
MEGABYTE: Final = 1_000_000
LARGEST_FACTS: Final = 1 * MEGABYTE
LARGEST_GRAPH: Final = 64 * MEGABYTE
LARGEST_FILE: Final = 128 * MEGABYTE
MOST_TIMES: Final = 100
"""How many times larger a file may be than packed; trained numbers hardly reach 3."""
ELSEWHERE: Final = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")
"""How an ONNX file says that some of its numbers lie elsewhere: in a file, or even in memory. Tag
and length may be written longer than they need be."""
NOT_UNPACKABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, MemoryError),
    *(RuntimeError, ValueError, OverflowError),  # of passwords, names, places beyond 64 bits
)
DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file in a bundle: the same content makes the same bytes."""
UNIX: Final = 3
"""The system that a bundle says it was packed on, whichever it was."""


@dataclass(frozen=True)
class Bundle:
    """A model that was opened, all of it in memory.

    Args:
        facts: What ``bundle.json`` says.
        graphs: ONNX files by name, two or four.
        source: Where it came from, for messages.
    """

    facts: Facts
    graphs: Mapping[str, bytes] = field(repr=False)
    source: str = ""

    def graph(self, name: str) -> bytes:
        """Return the content of a graph.

        Args:
            name: One of ``GRAPHS``.

        Raises:
            BundleError: If the bundle has no such graph.
        """
        if name not in self.graphs:
            raise BundleError(
                f"{self.source} has no {name}, there are {', '.join(self.graphs)}: use the float "
                "model, or export it again with 8-bit graphs"
            )
        return self.graphs[name]


def read(path: Path) -> Bundle:
    """Return a bundle, checked.

    Args:
        path: A ``.watchword`` file, or a folder of its files.

    Raises:
        BundleError: If it is missing, cut short, tampered with, too large, of a newer version or no
            bundle.
    """
    try:
        found = _found(path)
    except OSError as error:
        raise BundleError(
            f"{error.filename or path} cannot be read ({error.strerror or error}), needed a "
            f"{SUFFIX} file or a folder of its files: check the name and who may read it"
        ) from error
    return _checked(found.pop(FACTS), found, str(path))


def _found(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle, whatever they hold."""
    if path.is_dir():
        return _from_folder(path)
    if path.is_file():
        return _from_file(path)
    raise BundleError(
        f"{path} is no file: give a {SUFFIX} file that 'watchword export' wrote, or the name "
        "of a shipped model ('watchword models' lists them)"
    )


def _from_folder(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle that lies open in a folder; others there are not looked at."""
    found = {}
    for name in (FACTS, *GRAPHS):
        file = path / name
        if file.is_symlink():
            raise BundleError(
                f"{file} is a link, needed a file of the bundle itself: copy it there"
            )
        if file.is_file():
            _refuse_large(name, file.stat().st_size, str(path))
            found[name] = file.read_bytes()
    _refuse_names([*found], str(path))
    return found


def _from_file(path: Path) -> dict[str, bytes]:
    """Return the files in a zip archive; none is written to disk, none larger than it may be."""
    _refuse_large(path.name, path.stat().st_size, str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _refuse_names([entry.filename for entry in entries], str(path))
            return {entry.filename: _unpacked(archive, entry, path) for entry in entries}
    except NOT_UNPACKABLE as error:
        raise BundleError(
            f"{path} is damaged, cut short or no bundle ({path.stat().st_size:,} bytes): copy it "
            "again, or export the model anew"
        ) from error


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bytes:
    """Return a file of an archive, if it is as large as it claims and packed as bundles are."""
    _refuse_large(entry.filename, entry.file_size, str(path))
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(
            f"{path}: {entry.filename} is packed by method {entry.compress_type}, needed deflate "
            "or none: export the model again, or give the folder it was unpacked into"
        )
    if entry.file_size > MOST_TIMES * entry.compress_size + MEGABYTE:
        raise BundleError(
            f"{path}: {entry.filename} claims {entry.file_size:,} bytes from "
            f"{entry.compress_size:,}, and no graph packs into less than one of {MOST_TIMES}: it "
            "was made to fill memory; do not use it"
        )
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise EOFError(entry.filename)
    return content


def _shown(names: list[str]) -> str:
    """Return some names for a message, cut to what fits a line."""
    shown = ", ".join(repr(name[:60]) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _refuse_names(names: list[str], source: str) -> None:
    """Raise unless the files are those of a bundle, each once."""
    known = (FACTS, *GRAPHS)
    strange = sorted({*names} - {*known})
    if strange or len(names) != len({*names}):
        raise BundleError(
            f"{source} holds {_shown(strange) or 'a file twice'}, and a bundle holds nothing but "
            f"{', '.join(known)}, each once: give a {SUFFIX} file that 'watchword export' wrote"
        )
    missing = [name for name in (FACTS, *NEEDED) if name not in names]
    if missing:
        raise BundleError(
            f"{source} has no {' and no '.join(missing)}, which every bundle has: give a {SUFFIX} "
            "file that 'watchword export' wrote, or the folder it was unpacked into"
        )


def _refuse_large(name: str, size: int, source: str) -> None:
    """Raise if a file is larger than one of its kind may be."""
    limit = {FACTS: LARGEST_FACTS, **dict.fromkeys(GRAPHS, LARGEST_GRAPH)}.get(name, LARGEST_FILE)
    if size > limit:
        raise BundleError(
            f"{source}: {name} has {size:,} bytes, and {limit:,} is the most that is read: it is "
            "no model for small devices; give another"
        )


def _checked(text: bytes, graphs: dict[str, bytes], source: str) -> Bundle:
    """Return a bundle of its files, if the graphs are those that its facts name."""
    facts = parse(text, source)
    if {*facts.files} != {*graphs}:
        raise BundleError(
            f"{source} holds {_shown(sorted(graphs))}, and its {FACTS} names "
            f"{_shown(sorted(facts.files)) or 'none'}: copy it again"
        )
    for name, content in graphs.items():
        told, digest = facts.files[name], hashlib.sha256(content).hexdigest()
        if (len(content), digest) != (told.size, told.sha256):
            raise BundleError(
                f"{source}: {name} is damaged or was changed; it has {len(content):,} bytes and a "
                f"SHA-256 that begins with {digest[:12]}, and {FACTS} says {told.size:,} and "
                f"{told.sha256[:12]}: copy it again"
            )
        if ELSEWHERE.search(content):
            raise BundleError(
                f"{source}: {name} refers to numbers in another file, and a bundle must hold all "
                "of its own: export the model again"
            )
    return Bundle(facts, graphs, source)


def of(facts: Mapping[str, Any], graphs: Mapping[str, bytes], source: str = "") -> Bundle:
    """Return a bundle of facts and graphs, as it would be read.

    Args:
        facts: What ``bundle.json`` says but for ``format`` and ``files``.
        graphs: ONNX files by name.
        source: Where it comes from, for messages.

    Raises:
        BundleError: If the facts are no facts of a bundle, or the graphs not its graphs.
    """
    source = source or "the bundle"
    _refuse_names([FACTS, *graphs], source)
    ordered = {name: graphs[name] for name in GRAPHS if name in graphs}
    files = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in ordered.items()
    }
    try:
        text = _text({"format": FORMAT, **facts, "files": files})
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{source}: its facts hold what JSON cannot ({error}), needed text, finite numbers, "
            "lists and tables of them: leave it out"
        ) from error
    for name, content in {FACTS: text, **ordered}.items():
        _refuse_large(name, len(content), source)
    return _checked(text, ordered, source)


def _text(facts: Mapping[str, Any]) -> bytes:
    """Return facts as the content of ``bundle.json``."""
    return (json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write(path: Path, facts: Mapping[str, Any], graphs: Mapping[str, bytes]) -> Bundle:
    """Write a bundle, whole or not at all, and return it as it will be read.

    Args:
        path: A file that ends in ``.watchword``, or else a folder.
        facts: What ``bundle.json`` says but for ``format`` and ``files``.
        graphs: ONNX files by name.

    Raises:
        BundleError: If the facts are no facts of a bundle.
        DataError: If the file cannot be written, or a folder that is no bundle is there; what was
            there before stays.
    """
    bundle = of(facts, graphs, str(path))
    if path.suffix != SUFFIX:
        refuse_to_replace(path)
        with folder_written_whole(path) as folder:
            for name, content in {FACTS: _text(bundle.facts.told), **bundle.graphs}.items():
                (folder / name).write_bytes(content)
        return bundle
    write_whole(path, to_bytes(bundle))
    return bundle


def refuse_to_replace(path: Path) -> None:
    """Raise if something other than a bundle lies where a bundle shall be a folder.

    Args:
        path: Where a bundle shall be; a file may be replaced.

    Raises:
        DataError: If a folder of other things, or a file, would be lost.
    """
    if path.suffix == SUFFIX or (not path.exists() and not path.is_symlink()):
        return
    is_folder = path.is_dir() and not path.is_symlink()
    if not is_folder or {file.name for file in path.iterdir()} - {FACTS, *GRAPHS}:
        raise DataError(
            f"{path} is there and is no bundle, needed the name of a new folder, or of a file that "
            f"ends in {SUFFIX}: choose another; what is there is unharmed"
        )


def to_bytes(bundle: Bundle) -> bytes:
    """Return a bundle as the content of a ``.watchword`` file; the same bundle, the same bytes.

    Args:
        bundle: The bundle.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {FACTS: _text(bundle.facts.told), **bundle.graphs}.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.create_system = UNIX
            archive.writestr(entry, part, compresslevel=9)
    return content.getvalue()
