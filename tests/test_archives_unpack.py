"""Unpacking: all of it or nothing, and never outside its folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from archive_server import FILE_NAME, NAME, PACKED, names, pack
from watchword.data.archives import CHUNK_BYTES, unpack
from watchword.errors import DataError


def link(kind: bytes, name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


HOSTILE = {
    "above": (pack({"../evil.wav": b"x"}), "outside its folder"),
    "above, later": (pack({"yes/../../evil.wav": b"x"}), "outside its folder"),
    "absolute": (pack({"/evil.wav": b"x"}), "outside its folder"),
    "windows": (pack({"C:\\evil.wav": b"x"}), "outside its folder"),
    "link": (pack({}, link(tarfile.SYMTYPE, "yes", "/")), "a link or a device"),
    "hard link": (pack({}, link(tarfile.LNKTYPE, "yes", "../evil")), "a link or a device"),
    "device": (pack({}, link(tarfile.CHRTYPE, "null", "")), "a link or a device"),
    "pipe": (pack({}, link(tarfile.FIFOTYPE, "pipe", "")), "a link or a device"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str) -> None:
    data, fault = HOSTILE[name]
    datasets = tmp_path / "datasets"
    datasets.mkdir()
    (datasets / FILE_NAME).write_bytes(data)
    with pytest.raises(DataError, match=f"{fault}; only plain files inside it are needed: delete"):
        unpack(datasets / FILE_NAME, datasets / NAME)
    assert names(tmp_path) == ["datasets"]
    assert names(datasets) == [FILE_NAME]


@pytest.mark.parametrize("data", [PACKED[: 2 * CHUNK_BYTES], b"no archive", b"", PACKED[:-6]])
def test_an_archive_that_is_cut_short_or_none_leaves_no_folder(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(DataError, match=r"cannot be unpacked .*whole \.tar\.gz is needed: delete"):
        unpack(tmp_path / FILE_NAME, tmp_path / NAME)
    assert names(tmp_path) == [FILE_NAME]


def test_a_damaged_archive_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(PACKED[:5_000] + b"\xff" * 5_000 + PACKED[10_000:])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / FILE_NAME, tmp_path / NAME)
    assert names(tmp_path) == [FILE_NAME]


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(pack({}, link(tarfile.DIRTYPE, "yes", "")))
    with pytest.raises(DataError, match="holds no files; an archive of audio is needed: delete it"):
        unpack(tmp_path / FILE_NAME, tmp_path / NAME)
    assert names(tmp_path) == [FILE_NAME]
