"""Bundles: what is written is read again, and a path that holds none says so."""

from __future__ import annotations

import errno
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

import bundles
from forgery import entries, refused, whole, zipped
from watchword import bundle, files
from watchword.bundle import CLIP, FACTS, STREAM
from watchword.errors import BundleError, DataError

# --------------------------------------------------------------------------- written and read


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = bundle.write(tmp_path / "a.watchword", bundles.facts(), bundles.graphs())
    found = bundle.read(tmp_path / "a.watchword")
    assert found == written
    assert found.graphs == bundles.graphs()
    assert found.facts.name == "loud"
    assert found.source == str(tmp_path / "a.watchword")


def test_a_folder_of_the_same_files_is_the_same_bundle(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "open")
    assert sorted(file.name for file in path.iterdir()) == [FACTS, CLIP, STREAM]
    (path / "README.md").write_text("mine")  # what is no file of a bundle is not looked at
    found, packed = bundle.read(path), bundle.read(bundles.write(tmp_path / "a.watchword"))
    assert (found.facts, found.graphs) == (packed.facts, packed.graphs)


def test_an_archive_unpacked_by_another_program_is_the_same_bundle(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert bundle.read(tmp_path / "unpacked").graphs == bundles.graphs()


def test_an_archive_that_another_program_packed_is_read(tmp_path: Path) -> None:
    again = zipped(tmp_path / "a.watchword", reversed(entries().items()), zipfile.ZIP_STORED)
    assert bundle.read(again).graphs == bundles.graphs()


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    graphs = bundles.graphs()
    first = bundles.write(tmp_path / "a.watchword").read_bytes()
    turned = dict(reversed(graphs.items()))
    bundle.write(tmp_path / "b.watchword", bundles.facts(), turned)
    assert (tmp_path / "b.watchword").read_bytes() == first == whole()
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        packed = [(i.filename, i.date_time, i.create_system) for i in archive.infolist()]
    assert packed == [(name, (1980, 1, 1, 0, 0, 0), 3) for name in (FACTS, CLIP, STREAM)]


def test_what_was_read_makes_the_bytes_it_was_read_from(tmp_path: Path) -> None:
    (tmp_path / "a.watchword").write_bytes(whole())
    assert bundle.to_bytes(bundle.read(tmp_path / "a.watchword")) == whole()


def test_a_graph_that_is_not_there_is_named_with_those_that_are() -> None:
    made = bundle.of(bundles.facts(), bundles.graphs(), "a.watchword")
    with pytest.raises(
        BundleError,
        match=r"^a\.watchword has no stream\.int8\.onnx, there are clip\.onnx, stream\.onnx: use",
    ):
        made.graph("stream.int8.onnx")


# --------------------------------------------------------------------------- whole or not at all


def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundles.write(tmp_path / "a.watchword")

    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        bundles.write(path, name="other")
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == whole()


def test_a_folder_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundles.write(tmp_path / "open")
    write_bytes = Path.write_bytes

    def full(file: Path, content: bytes) -> int:
        if file.name == STREAM:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(file, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        bundles.write(path, name="other")
    assert [*tmp_path.iterdir()] == [path]
    assert bundle.read(path).facts.name == "loud"


def test_a_bundle_in_a_folder_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    bundles.write(tmp_path / "open")
    bundles.write(tmp_path / "open", name="other")
    assert bundle.read(tmp_path / "open").facts.name == "other"
    assert [*tmp_path.iterdir()] == [tmp_path / "open"]


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path) -> None:
    for name in ("folder", "file", "bundle"):
        (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).touch()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("folder", "file", "link"):
        with pytest.raises(
            DataError,
            match=r"is there and is no bundle, needed the name of a new folder, or of a file that "
            r"ends in \.watchword: choose another; what is there is unharmed",
        ):
            bundles.write(tmp_path / name)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("facts", "graphs", "message"),
    [
        ({"format": 4}, {}, r"has format 4, this program reads up to format 3: update watchword"),
        ({"labels": []}, {}, r"bundle\.json cannot be used \(no label is a keyword\)"),
        ({"accuracy": float("nan")}, {}, r"its facts hold what JSON cannot \(.+\), needed text, f"),
        ({"run": Path()}, {}, r"its facts hold what JSON cannot \(.+Path is not JSON .+ leave it"),
        ({"task": "\ud800"}, {}, r"its facts hold what JSON cannot \(.+surrogates not allowed"),
        (
            {"task": "x" * 1_000_000},
            {},
            r"bundle\.json has [\d,]+ bytes, and 1,000,000 is the",
        ),
        ({}, {"other.onnx": b""}, r"holds 'other\.onnx', and a bundle holds nothing but bundle\.j"),
        ({}, {STREAM: None}, r"has no stream\.onnx, which every bundle has: give a \.watchword"),
        ({}, {CLIP: bytes(64_000_001)}, r"clip\.onnx has 64,000,001 bytes, and 64,000,000 is the"),
        ({}, {CLIP: b"\x0a\x08location"}, r"clip\.onnx refers to numbers in another file, and"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, facts: dict[str, Any], graphs: dict[str, bytes | None], message: str
) -> None:
    contents = {**bundles.graphs(), **graphs}
    contents = {name: content for name, content in contents.items() if content is not None}
    with pytest.raises(BundleError, match=message):
        bundle.write(tmp_path / "a.watchword", {**bundles.facts(), **facts}, contents)
    assert [*tmp_path.iterdir()] == []


# --------------------------------------------------------------------------- no bundle at all


def test_a_path_where_nothing_is_says_what_to_give(tmp_path: Path) -> None:
    refused(tmp_path / "gone.watchword", r"gone\.watchword is no file: give a \.watchword file th")
    refused(tmp_path / "a\0b", r"is no file: give a \.watchword file that 'watchword export' wrot")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"x cannot be read \(.+\), needed a \.watchword file or"):
        bundle.read(tmp_path / ("x" * 300))


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundles.write(tmp_path / "open")

    def forbidden(file: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    refused(path, r"open/bundle\.json cannot be read \(Permission denied\), needed .+: check the n")


@pytest.mark.parametrize("content", [b"", b"P", b"not a bundle " * 99, b"PK\x03\x04", b"\0" * 22])
def test_a_file_that_is_no_archive_is_refused_with_its_size(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.watchword"
    path.write_bytes(content)
    refused(path, rf"is damaged, cut short or no bundle \({len(content):,} bytes\): copy it again")


def test_an_archive_of_other_things_is_refused_with_their_names(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", [(f"{n}.txt", b"") for n in range(5)])
    refused(path, r"holds '0\.txt', '1\.txt', '2\.txt' and 2 more, and a bundle holds nothing but")


def test_an_empty_archive_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.watchword", [])
    (tmp_path / "open").mkdir()
    for one in (path, tmp_path / "open"):
        refused(one, r"has no bundle\.json and no clip\.onnx and no stream\.onnx, which every bun")


@pytest.mark.parametrize("missing", [FACTS, CLIP, STREAM])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    left = {name: content for name, content in entries().items() if name != missing}
    path = zipped(tmp_path / "a.watchword", left.items())
    refused(path, rf"has no {missing}, which every bundle has: give a \.watchword file that 'watc")
    folder = bundles.write(tmp_path / "open")
    (folder / missing).unlink()
    refused(folder, rf"has no {missing}, which every bundle has: .+ or the folder it was unpacked")
