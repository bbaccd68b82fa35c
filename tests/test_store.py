from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from watchword.data import store
from watchword.errors import DataError


def written(path: Path) -> dict[str, int]:
    writer = store.ArrayWriter(path, (3,), np.int16)
    writer.append(np.arange(6).reshape(2, 3))
    writer.append(np.zeros((0, 3)))
    writer.append(np.arange(6, 9).reshape(1, 3))
    return writer.close()


def test_an_array_grows_row_by_row_and_is_an_npy_file(tmp_path: Path) -> None:
    record = written(tmp_path / "a.npy")
    expected = np.arange(9, dtype=np.int16).reshape(3, 3)
    assert np.array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), expected)
    array = store.open_array(tmp_path / "a.npy", record)
    assert np.array_equal(array, expected)
    assert not array.flags.writeable


def test_an_array_may_have_no_rows(tmp_path: Path) -> None:
    record = store.ArrayWriter(tmp_path / "a.npy", (), np.int64).close()
    assert store.open_array(tmp_path / "a.npy", record).shape == (0,)


def test_a_header_has_room_for_a_million_million_rows(tmp_path: Path) -> None:
    writer = store.ArrayWriter(tmp_path / "a.npy", (16_000,), np.int16)
    writer.rows = 10**12
    assert writer.close()["bytes"] == 128


def test_an_array_cut_short_is_noticed(tmp_path: Path) -> None:
    record = written(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", record["bytes"] - 1)
    with pytest.raises(ValueError, match=r"a\.npy has another size"):
        store.open_array(tmp_path / "a.npy", record)


def test_an_array_written_over_is_noticed(tmp_path: Path) -> None:
    record = written(tmp_path / "a.npy")
    data = bytearray((tmp_path / "a.npy").read_bytes())
    data[-1] ^= 1
    (tmp_path / "a.npy").write_bytes(data)
    os.utime(tmp_path / "a.npy", ns=(0, 0))
    with pytest.raises(ValueError, match=r"a\.npy has other contents"):
        store.open_array(tmp_path / "a.npy", record)


def test_an_array_that_was_copied_is_trusted_by_its_contents(tmp_path: Path) -> None:
    record = written(tmp_path / "a.npy")
    os.utime(tmp_path / "a.npy", ns=(0, 0))
    assert store.open_array(tmp_path / "a.npy", record).shape == (3, 3)


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_a_damaged_record_is_noticed(tmp_path: Path, text: str) -> None:
    (tmp_path / store.RECORD).write_text(text)
    with pytest.raises(ValueError, match=r"Expecting|holds no record"):
        store.read_record(tmp_path)


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with store.replacing(tmp_path / "place") as partial:
            (partial / text).touch()
        assert [path.name for path in (tmp_path / "place").iterdir()] == [text]
    assert list(tmp_path.iterdir()) == [tmp_path / "place"]


def test_a_folder_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path) -> None:
    with store.replacing(tmp_path / "place") as partial:
        (partial / "old").touch()
    with pytest.raises(FileNotFoundError), store.replacing(tmp_path / "place") as partial:
        (partial / "absent" / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["place", "old"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "place.tmp").mkdir()
    (tmp_path / "place.tmp" / "half").touch()
    with store.replacing(tmp_path / "place") as partial:
        assert list(partial.iterdir()) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "place"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, r"the disk is full, needed 32 kB for each second .+ \(nothing half-written"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, r"cannot be written \(Permission denied\), needed a folder to keep prepar"),
    ],
)
def test_what_the_disk_refuses_is_one_line(tmp_path: Path, code: int, message: str) -> None:
    with pytest.raises(DataError, match=message), store.disk_faults(tmp_path):
        raise OSError(code, os.strerror(code))
