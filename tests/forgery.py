"""Bundles as an accident or a forger makes them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import bundles
from watchword import bundle
from watchword.bundle import FACTS
from watchword.errors import BundleError

Entries = Iterable[tuple[str, bytes]]


@cache
def whole() -> bytes:
    """The content of a good bundle."""
    return bundle.to_bytes(bundle.of(bundles.facts(), bundles.graphs()))


def entries() -> dict[str, bytes]:
    """The files of a good bundle."""
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, contents: Entries, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive of any files."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def honest(contents: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Files with a ``bundle.json`` whose hashes are theirs, as a forger makes it."""
    told = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }
    facts = {"format": 1, **bundles.facts(**changes), "files": told}
    return {FACTS: json.dumps(facts).encode(), **contents}


def refused(path: Path, message: str) -> str:
    """The refusal of a bundle, one line that matches."""
    with pytest.raises(BundleError, match=message) as refusal:
        bundle.read(path)
    line = str(refusal.value)
    assert "\n" not in line
    assert len(line) < 500
    return line
