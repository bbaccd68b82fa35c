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
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watchword.errors import BundleError
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
ELSEWHERE: Final = b"\x0a\x08location"
"""How an ONNX file says that some of its numbers lie in another file."""
DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file in a bundle: the same content makes the same bytes."""


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
    if path.is_dir():
        raw = _from_folder(path)
    elif path.is_file():
        raw = _from_file(path)
    else:
        raise BundleError(
            f"{path} is no file: give a {SUFFIX} file that 'watchword export' wrote, or the name "
            "of a shipped model ('watchword models' lists them)"
        )
    facts = parse(raw.pop(FACTS), str(path))
    _compare(facts, raw, path)
    for name, content in raw.items():
        if ELSEWHERE in content:
            raise BundleError(
                f"{path}: {name} refers to numbers in another file, and a bundle must hold all of "
                "its own: export the model again"
            )
    return Bundle(facts, raw, str(path))


def _from_folder(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle that lies open in a folder."""
    found = {}
    for name in (FACTS, *GRAPHS):
        file = path / name
        if file.is_symlink():
            raise BundleError(
                f"{file} is a link, needed a file of the bundle itself: copy it there"
            )
        if not file.is_file():
            continue
        try:
            _refuse_large(name, file.stat().st_size, path)
            found[name] = file.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{file} cannot be read ({error.strerror or error}): check who may read it"
            ) from error
    _refuse_incomplete(set(found), path)
    return found


def _from_file(path: Path) -> dict[str, bytes]:
    """Return the files in a zip archive; none is written to disk, none larger than it may be."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            strange = sorted({*names} - {FACTS, *GRAPHS})
            if strange or len(names) != len({*names}):
                raise BundleError(
                    f"{path} holds {_shown(strange) or 'a file twice'}, and a bundle holds nothing "
                    f"but {', '.join((FACTS, *GRAPHS))}, each once: export the model again"
                )
            _refuse_incomplete({*names}, path)
            found = {}
            for entry in entries:
                _refuse_large(entry.filename, entry.file_size, path)
                with archive.open(entry) as file:
                    content = file.read(entry.file_size + 1)
                if len(content) != entry.file_size:
                    raise _damaged(path)
                found[entry.filename] = content
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path) from error
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): check who may "
            "read it, or copy it again"
        ) from error


def _shown(names: list[str]) -> str:
    """Return some names for a message, cut to what fits a line."""
    shown = ", ".join(repr(name[:60]) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _refuse_incomplete(names: set[str], path: Path) -> None:
    """Raise if a file is missing that every bundle has."""
    missing = [name for name in (FACTS, *NEEDED) if name not in names]
    if missing:
        raise BundleError(
            f"{path} has no {' and no '.join(missing)}, which every bundle has: give a {SUFFIX} "
            "file that 'watchword export' wrote, or the folder it was unpacked into"
        )


def _refuse_large(name: str, size: int, path: Path) -> None:
    """Raise if a file is larger than one of its kind may be."""
    limit = LARGEST_FACTS if name == FACTS else LARGEST_GRAPH
    if size > limit:
        raise BundleError(
            f"{path}: {name} is {size / MEGABYTE:,.0f} MB large, and {limit / MEGABYTE:,.0f} MB is "
            "the most that is read: it is no model for small devices"
        )


def _compare(facts: Facts, found: Mapping[str, bytes], path: Path) -> None:
    """Raise if the files are not those that the facts name."""
    if {*facts.files} != {*found}:
        raise BundleError(
            f"{path} holds {', '.join(sorted(found))}, and its {FACTS} names "
            f"{', '.join(sorted(facts.files))}: copy it again"
        )
    for name, content in found.items():
        digest = hashlib.sha256(content).hexdigest()
        if digest != facts.files[name].sha256:
            raise BundleError(
                f"{path}: {name} is damaged or was changed; its SHA-256 begins with {digest[:12]} "
                f"and {FACTS} says {facts.files[name].sha256[:12]}: copy it again"
            )


def _damaged(path: Path) -> BundleError:
    """Return the error for a file that is no whole archive."""
    return BundleError(
        f"{path} is damaged, cut short or no bundle ({path.stat().st_size:,} bytes): copy it "
        "again, or export the model anew"
    )


def of(facts: Mapping[str, Any], graphs: Mapping[str, bytes], source: str = "") -> Bundle:
    """Return a bundle of facts and graphs, as it would be read.

    Args:
        facts: What ``bundle.json`` says but for ``format`` and ``files``.
        graphs: ONNX files by name.
        source: Where it comes from, for messages.

    Raises:
        BundleError: If the facts are no facts of a bundle.
    """
    files = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in graphs.items()
    }
    whole = {"format": FORMAT, **facts, "files": files}
    return Bundle(parse(_text(whole), source or "the bundle"), dict(graphs), source)


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
        DataError: If the file cannot be written; what was there before stays.
    """
    bundle = of(facts, graphs, str(path))
    if path.suffix != SUFFIX:
        with folder_written_whole(path) as folder:
            for name, content in {FACTS: _text(bundle.facts.told), **graphs}.items():
                (folder / name).write_bytes(content)
        return bundle
    write_whole(path, to_bytes(bundle))
    return bundle


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
            archive.writestr(entry, part, compresslevel=9)
    return content.getvalue()
