"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from watchword.errors import DataError
from watchword.files import folder_written_whole, write_whole, written_whole


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next flush to the disk fail as a full one does."""

    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_with_its_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "deep" / "x.bin", b"\x00\x01")
    assert (tmp_path / "new" / "deep" / "x.bin").read_bytes() == b"\x00\x01"
    assert names(tmp_path / "new" / "deep") == ["x.bin"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with written_whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def broken() -> None:
        with written_whole(path) as file:
            file.write(b"ne")
            raise fault

    with pytest.raises(fault):
        broken()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    fill_the_disk(monkeypatch)
    with pytest.raises(DataError, match=r"x cannot be written \(No space left on device\)"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(DataError, match=r"cannot be written .*choose another; what was there"):
        write_whole(tmp_path / "x" / "y" / "z", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_folder_in_the_way_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_whole(tmp_path / "x", b"new")
    assert names(tmp_path) == ["x"]


def test_a_name_that_no_disk_takes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="File name too long"):
        write_whole(tmp_path / ("x" * 400), b"new")
    assert names(tmp_path) == []


# ----------------------------------------------------------------------------------------- folders


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_appears_whole_in_place_of_the_old_one(tmp_path: Path, *, is_there: bool) -> None:
    folder = tmp_path / "deep" / "x"
    if is_there:
        write_whole(folder / "old", b"old")
    with folder_written_whole(folder) as part:
        write_whole(part / "new", b"new")
        assert folder.exists() == is_there
    assert names(folder) == ["new"]
    assert names(folder.parent) == ["x"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_breaks_off_leaves_the_old_folder(tmp_path: Path, fault: type[BaseException]) -> None:
    folder = tmp_path / "x"
    write_whole(folder / "old", b"old")

    def broken() -> None:
        with folder_written_whole(folder) as part:
            write_whole(part / "new", b"new")
            raise fault

    with pytest.raises(fault):
        broken()
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    folder = tmp_path / "x"
    write_whole(folder / "old", b"old")
    renamed, calls = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == failing:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return renamed(self, target)

    def write() -> None:
        with folder_written_whole(folder) as part:
            (part / "new").write_bytes(b"new")
            monkeypatch.setattr(Path, "replace", replace)

    with pytest.raises(DataError, match=r"x cannot be written \(Permission denied\); a place with"):
        write()
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["x"]
