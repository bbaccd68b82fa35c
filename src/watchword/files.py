"""Files and folders that are written whole or not at all.

In come bytes, out comes a file under its name, or a folder of them, or nothing new. A room because
a killed process, a full disk or a lost mount must never leave half a checkpoint or half a report
behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from watchword.errors import DataError


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when all of it is written.

    Args:
        path: Where the file shall be; its folder is made if need be.

    Yields:
        A binary file under a temporary name in the same folder.

    Raises:
        DataError: If the folder or the file cannot be written; what was there before stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}); a folder with room that one "
            "may write to is needed: make room or choose another; what was there is unharmed"
        ) from error
    finally:
        with suppress(OSError):  # what kept the file from being made is raised already
            part.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Args:
        path: Where to.
        content: What.

    Raises:
        DataError: If it cannot be written; what was there before stays.
    """
    with written_whole(path) as file:
        file.write(content)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Give a folder that appears under its name only when all in it is written.

    Args:
        path: Where the folder shall be; one that is there is replaced.

    Yields:
        A new folder under a temporary name in the same place.

    Raises:
        DataError: If something cannot be written; what was there before stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if path.exists():
            path.replace(old)  # no folder can be replaced by another in one step
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}); a place with room that one may "
            "write to is needed: make room or choose another; what was there is unharmed"
        ) from error
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
