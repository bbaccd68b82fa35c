"""The public archives: fetched once, checked, unpacked, never trusted.

In comes the name of an archive, out goes the folder that holds it; a folder that is already there
is used as it is. It is a room because it alone knows where the archives lie, and because what
comes from a network must be checked in one place: its size, its SHA-256, and every name inside.

A download that is interrupted stays beside the folder as ``<archive>.part`` and goes on where it
stopped, from whichever address answers. Unpacking happens in ``<folder>.tmp``, which gets its name
when all of it is there.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from watchword.errors import ConfigError, DataError, missing_extra, nearest

if TYPE_CHECKING:
    import requests

Stage = Literal["download", "check", "unpack"]
Progress = Callable[[Stage, int, int | None], None]

CHUNK_BYTES: Final = 1 << 16  # so much is lost at most when a connection breaks
TIMEOUT_S: Final = (10.0, 60.0)  # to connect; between two packets
_BASES: Final = (
    "http://download.tensorflow.org/data/",
    "https://storage.googleapis.com/download.tensorflow.org/data/",
)


@dataclass(frozen=True, slots=True)
class Archive:
    """What is known about an archive before it is fetched.

    Attributes:
        file_name: Its name at each address.
        size_bytes: Its size, or None where nobody has published it.
        sha256: Its SHA-256 in hexadecimal digits.
        bases: Addresses to try, in this order; each ends in a slash.
    """

    file_name: str
    size_bytes: int | None
    sha256: str
    bases: tuple[str, ...] = _BASES


# Source: Warden (2018), arXiv 1804.03209. The hashes of v0.01 and v0.02 also stand in torchaudio's
# speechcommands.py.
ARCHIVES: Final[Mapping[str, Archive]] = {
    "speech_commands_v0.01": Archive(
        "speech_commands_v0.01.tar.gz",
        None,
        "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    ),
    "speech_commands_v0.02": Archive(
        "speech_commands_v0.02.tar.gz",
        2_428_923_189,
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "speech_commands_test_set_v0.02": Archive(
        "speech_commands_test_set_v0.02.tar.gz",
        112_563_277,
        "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
    ),
}


def fetch(
    name: str,
    datasets: Path,
    *,
    keeps_archive: bool = False,
    progress: Progress | None = None,
    archives: Mapping[str, Archive] = ARCHIVES,
) -> Path:
    """Return the folder of an archive, downloaded and unpacked if it is not there yet.

    Args:
        name: One of the names of ``archives``.
        datasets: Folder that holds, or shall hold, one folder for each archive.
        keeps_archive: Whether the packed file stays beside the folder.
        progress: Called with the stage, the bytes done and the bytes in all (None: not known);
            the first call comes before the first byte and so announces the size.
        archives: The table of archives.

    Returns:
        ``datasets/name``. A folder of that name with anything in it is returned unchecked.

    Raises:
        ConfigError: If there is no archive of that name.
        DataError: If no address delivers the archive whole and right, if anything in it would be
            written elsewhere, or if there is no room. No half-unpacked folder is left.
        WatchwordError: If requests is not installed.
    """
    if name not in archives:
        raise ConfigError(f"no archive is called {name}; {nearest(name, list(archives))}")
    folder, archive = Path(datasets) / name, archives[name]
    tell = progress or (lambda *_: None)
    try:
        if folder.exists() and any(folder.iterdir()):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        packed = _download(archive, folder, tell)
        unpack(packed, folder, progress=tell)
        if not keeps_archive:
            packed.unlink()
    except OSError as error:
        raise DataError(_no_room(folder.parent, error)) from error
    return folder


def unpack(packed: Path, folder: Path, *, progress: Progress | None = None) -> None:
    """Unpack a ``.tar.gz`` into a folder, whole or not at all.

    Only plain files and folders are written, and nothing outside the folder.

    Args:
        packed: The archive.
        folder: Where its content shall lie; absent or empty.
        progress: Called with ``"unpack"``, the packed bytes read and the packed bytes in all.

    Raises:
        DataError: If the archive is cut short, damaged or empty, or a member is a link, a device or
            lies outside the folder.
        OSError: If the folder cannot be written.
    """
    partial = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
    partial.mkdir()
    try:
        files = _unpack_members(packed, partial, progress or (lambda *_: None))
        if files == 0:
            raise DataError(f"{packed} holds no files; an archive of audio is needed: delete it")
        os.replace(partial, folder)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{packed} cannot be unpacked ({error}); a whole .tar.gz is needed: delete it and run "
            "the same command again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unpack_members(packed: Path, folder: Path, tell: Progress) -> int:
    """Write the members below the folder and return how many files there were."""
    size, files = packed.stat().st_size, 0
    with (
        packed.open("rb") as raw,
        gzip.GzipFile(fileobj=raw) as inflated,
        tarfile.open(fileobj=inflated, mode="r:") as tar,
    ):
        for member in tar:
            target = folder / _inside(member, packed)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            if content is None:  # cannot be: only plain files come here
                raise tarfile.ReadError(f"{member.name} has no content")
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file, CHUNK_BYTES)
            files += 1
            tell("unpack", raw.tell(), size)
        while inflated.read(CHUNK_BYTES):
            pass  # the checksum at the very end is only checked by who reads so far
    return files


def _inside(member: tarfile.TarInfo, packed: Path) -> PurePosixPath:
    """Return the path of a member relative to the folder, or refuse it."""
    path = PurePosixPath(member.name)
    is_plain = member.isreg() or member.isdir()
    leaves = path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name
    if leaves or not is_plain:
        fault = "which lies outside its folder" if leaves else "which is a link or a device"
        raise DataError(
            f"{packed} holds {member.name!r}, {fault}; only plain files inside it are needed: "
            "delete the archive and fetch it from its publisher"
        )
    return path


def _download(archive: Archive, folder: Path, tell: Progress) -> Path:
    """Return the packed file with the right hash, from the first address that delivers it."""
    try:
        import requests
    except ImportError as error:
        raise missing_extra("requests", "train") from error
    packed = folder.parent / archive.file_name
    if packed.exists() and _sha256(packed, tell) == archive.sha256:
        return packed
    part, failures = _Part(folder.parent / f"{archive.file_name}.part", archive, tell), []
    for base in archive.bases:
        try:
            part.complete(base + archive.file_name)
        except requests.RequestException as error:
            failures.append(f"{base}: {_reason(error)}")
            continue
        if _sha256(part.path, tell) == archive.sha256:
            os.replace(part.path, packed)
            return packed
        part.path.unlink()
        failures.append(f"{base}: another SHA-256 than the published one, removed")
    kept = f"{part.size:,} bytes are kept to go on from" if part.size else "nothing is kept"
    raise DataError(
        f"{archive.file_name} could not be downloaded ({'; '.join(failures)}); one address that "
        f"delivers it is needed: run the same command again ({kept}), or unpack the archive into "
        f"{folder} by hand"
    )


def _sha256(file: Path, tell: Progress) -> str:
    size = file.stat().st_size
    tell("check", 0, size)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    tell("check", size, size)
    return digest


@dataclass(frozen=True, slots=True)
class _Part:
    """What has been downloaded so far."""

    path: Path
    archive: Archive
    tell: Progress

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def complete(self, url: str) -> None:
        """Fetch what is missing, asking again as long as each answer brings something."""
        import requests

        if self.size > (self.archive.size_bytes or self.size):
            self.path.unlink()
        while True:
            before = self.size
            try:
                self._append(url)
            except requests.RequestException:
                if self.size <= before:
                    raise
            else:
                return

    def _append(self, url: str) -> None:
        """Ask for what is missing and write it at the end of the part file."""
        import requests

        there = self.size
        if there == self.archive.size_bytes:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if there and response.status_code == requests.codes.requested_range_not_satisfiable:
                if response.headers.get("Content-Range") == f"bytes */{there}":
                    return  # all of it was there already
                self.path.unlink()
                raise requests.exceptions.InvalidHeader("the part kept was too long, removed")
            response.raise_for_status()
            start = there if response.status_code == requests.codes.partial_content else 0
            total = self._total(response, start)
            self._write(response, start, total)
        if total is not None and self.size < total:
            raise requests.exceptions.ChunkedEncodingError("cut short")

    def _total(self, response: requests.Response, start: int) -> int | None:
        """Return the size of the whole archive, refusing an answer that is not the archive."""
        import requests

        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/"):
            raise requests.exceptions.InvalidHeader(f"a page of {kind} there, not the archive")
        if start and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise requests.exceptions.InvalidHeader("another part there than the one asked for")
        length, expected = response.headers.get("Content-Length", ""), self.archive.size_bytes
        total = start + int(length) if length.isdigit() else expected
        if expected is not None and total != expected:
            raise requests.exceptions.InvalidHeader(f"{total:,} bytes there, not {expected:,}")
        return total

    def _write(self, response: requests.Response, start: int, total: int | None) -> None:
        """Write what arrives behind the first ``start`` bytes."""
        with self.path.open("r+b" if start else "wb") as file:
            file.seek(start)
            self.tell("download", start, total)
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                self.tell("download", file.tell(), total)


def _reason(error: requests.RequestException) -> str:
    """Return in a few words why an address did not deliver."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.InvalidHeader):
        return str(error)
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut short"
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)


def _no_room(folder: Path, error: OSError) -> str:
    """Return the message for a folder that cannot be written."""
    do = "free some space" if error.errno == errno.ENOSPC else "mend its rights"
    return (
        f"{folder} cannot be written ({error.strerror or error}); a folder with room for the "
        f"archive and what it holds is needed: {do} or name another folder"
    )
