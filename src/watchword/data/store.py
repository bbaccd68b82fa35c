"""The files of a prepared corpus: written whole or not at all, checked before they are used again.

In come rows of arrays and a record, out goes a folder; or a folder comes in, and what it holds goes
out if it is whole. It is a room because locks, full disks and damage are the business of nobody
else.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from watchword.errors import DataError

RECORD: Final = "store.json"
_BLOCK_BYTES: Final = 1 << 24


class ArrayWriter:
    """Writes an ``.npy`` file row by row, without knowing beforehand how many rows there will be.

    Rows are written as a file, not through a memory map: a full disk is then an error that can be
    caught, and what has been written does not count as memory of the process.

    Args:
        path: File to write.
        row_shape: Shape of one row, ``()`` for a column of numbers.
        dtype: Type of the values.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.rows = 0
        self._path = path
        self._shape = row_shape
        self._dtype = np.dtype(dtype)
        self._crc = 0
        self._file: BinaryIO = path.open("wb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: NDArray[Any]) -> None:
        """Write further rows, shape ``(rows, *row_shape)``."""
        data = np.ascontiguousarray(rows, dtype=self._dtype).data.cast("B") if rows.size else b""
        self._file.write(data)
        self._crc = zlib.crc32(data, self._crc)
        self.rows += len(rows)

    def close(self) -> dict[str, int]:
        """Finish the file and return what ``open_array`` needs to check it."""
        self._file.flush()
        size = self._file.tell()
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == self._start, "numpy leaves room for a header to grow"
        self._file.close()
        return {
            "bytes": size,
            "crc32": self._crc,
            "start": self._start,
            "modified_ns": self._path.stat().st_mtime_ns,
        }

    def discard(self) -> None:
        """Close the file as it is; its folder is going to be removed."""
        # a full disk may refuse the last buffer again, and there is nothing left to save
        try:
            self._file.close()
        except OSError:
            return

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.rows, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


def open_array(path: Path, written: Mapping[str, int]) -> NDArray[Any]:
    """Return an array memory-mapped for reading, if its file is as it was written.

    The size must agree. If the time of modification agrees too, the contents are trusted; otherwise
    (the folder was copied, or something wrote to the file) they are compared with their checksum.

    Args:
        path: An ``.npy`` file.
        written: What ``ArrayWriter.close`` returned.

    Raises:
        ValueError: If the file is not as it was written.
        OSError: If the file is missing or cannot be read.
    """
    found = path.stat()
    if found.st_size != written["bytes"]:
        raise ValueError(f"{path.name} has another size")
    if found.st_mtime_ns != written["modified_ns"] and _crc32(path, written) != written["crc32"]:
        raise ValueError(f"{path.name} has other contents")
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def write_record(place: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a prepared corpus into its folder."""
    (place / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_record(place: Path) -> dict[str, Any]:
    """Return the record of a prepared corpus.

    Raises:
        OSError: If there is none.
        ValueError: If it is damaged.
    """
    record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{RECORD} holds no record")  # noqa: TRY004 - damage, whatever its type
    return record


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """Give a new folder to fill, which takes its place when all went well and vanishes otherwise.

    Only one process at a time fills the same place (on systems that have file locks), so what an
    interrupted process left behind can be removed.

    Args:
        place: Where the folder shall lie.

    Yields:
        An empty folder beside it.
    """
    partial = place.with_name(place.name + ".tmp")
    old = place.with_name(place.name + ".old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        partial.mkdir()
        yield partial
        if place.exists():
            os.replace(place, old)
        os.replace(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the lock of a place; another process waits until it is free."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with place.with_name(f".{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def disk_faults(cache: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line.

    Raises:
        DataError: In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{cache}: the disk is full, needed 32 kB for each second of audio; free some "
                "space or choose another cache folder (nothing half-written was left)"
            ) from error
        raise DataError(
            f"{cache}: cannot be written ({error.strerror or error}), needed a folder to keep "
            "prepared audio in; choose another cache folder"
        ) from error


def _crc32(path: Path, written: Mapping[str, int]) -> int:
    """Return the checksum of the values of an array file."""
    crc = 0
    with path.open("rb") as file:
        file.seek(written["start"])
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc
