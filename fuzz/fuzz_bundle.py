"""Fuzz the reader of bundles: archives, folders, ``bundle.json`` and graphs of any bytes.

The first byte says how the others are used; see ``HOW``.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from pathlib import Path

import harness

import bundles
from watchword import bundle, facts
from watchword.errors import BundleError, WatchwordError

GRAPHS = bundles.graphs()
GOOD = bundle.of(bundles.facts(), GRAPHS)
WHOLE = bundle.to_bytes(GOOD)
TOLD = json.dumps(GOOD.facts.told).encode()
PLACE = harness.scratch()
FOLDER = PLACE.with_name("folder")


def as_file(content: bytes) -> Path:
    """Use the bytes as a ``.watchword`` file."""
    PLACE.write_bytes(content)
    return PLACE


def as_facts(content: bytes) -> Path:
    """Use the bytes as the ``bundle.json`` of a folder."""
    FOLDER.mkdir(exist_ok=True)
    for name, part in {**GRAPHS, bundle.FACTS: content}.items():
        (FOLDER / name).write_bytes(part)
    return FOLDER


def as_graph(content: bytes) -> Path:
    """Use the bytes as a graph whose size and hash are told as they are."""
    told = json.loads(TOLD)
    told["files"][bundle.CLIP] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    as_facts(json.dumps(told).encode())
    (FOLDER / bundle.CLIP).write_bytes(content)
    return FOLDER


def as_archive(content: bytes) -> Path:
    """Use the bytes as names and contents of an archive that is whole."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part in content.split(b"\xff\xff"):
            name, _, inside = part.partition(b"\xfe")
            with warnings.catch_warnings(action="ignore"):  # a name twice is what we want
                archive.writestr(zipfile.ZipInfo(name.decode("latin-1") or "empty"), inside)
    return as_file(file.getvalue())


def as_changes(content: bytes) -> Path:
    """Use the bytes as places and values to change in a good bundle."""
    changed = bytearray(WHOLE)
    for first in range(0, len(content) - 2, 3):
        place = int.from_bytes(content[first : first + 2], "big") % len(changed)
        changed[place] = content[first + 2]
    return as_file(bytes(changed))


HOW = (as_file, as_facts, as_graph, as_archive, as_changes)


def target(data: bytes) -> None:
    """Read a bundle made of bytes; what is read must be sound, and a refusal one line."""
    path = HOW[data[0] % len(HOW)](data[1:]) if data else as_file(data)
    try:
        found = bundle.read(path)
    except BundleError as refusal:
        line = str(refusal)
        assert line.isprintable(), line
        assert len(line) < 1_000, line
        return
    except WatchwordError as other:
        raise AssertionError("the reader of bundles raises BundleError") from other
    assert isinstance(found.facts, facts.Facts)
    assert found.facts.keywords
    for name, told in found.facts.files.items():
        assert hashlib.sha256(found.graphs[name]).hexdigest() == told.sha256


if __name__ == "__main__":
    marks = b"\xff\xff".join(
        name.encode() + b"\xfe" + part[:50]
        for name, part in {bundle.FACTS: TOLD, **GRAPHS, "../clip.onnx": b""}.items()
    )
    good = (WHOLE, TOLD, GRAPHS[bundle.CLIP], marks, bytes(range(30)))
    harness.run(target, [bytes([how]) + part for how, part in enumerate(good)])
