"""A small archive, and a server on this machine that cuts, lies and goes away."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from watchword.data.archives import CHUNK_BYTES, Archive

NAME, FILE_NAME = "speech", "speech.tar.gz"
# Random bytes do not shrink: the packed archive is four chunks long and can be cut in the middle.
CONTENT = {
    "yes/a_nohash_0.wav": np.random.default_rng(0).bytes(4 * CHUNK_BYTES),
    "_background_noise_/hum.wav": b"hum",
    "validation_list.txt": b"yes/a_nohash_0.wav\n",
}


def pack(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """Return a .tar.gz of files and of other members, which have no content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in others:
            tar.addfile(member)
    return buffer.getvalue()


PACKED = pack({f"./{name}": data for name, data in CONTENT.items()})


@dataclass
class Server:
    """What the server does, and what it was asked.

    Attributes:
        data: Body of the file at each path; any other path is a 404.
        cuts: For each answer in turn, after how many bytes the connection breaks.
        knows_ranges: Whether ``Range`` is understood.
        announces_length: Whether the answer says how long it is.
        kind: Content type of the answers.
        asked: Each request: its path and its ``Range``.
    """

    data: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    announces_length: bool = True
    kind: str = "application/gzip"
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    base: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Server

    def do_GET(self) -> None:
        mine, wanted = self.behaviour, self.headers.get("Range")
        mine.asked.append((self.path, wanted))
        data = mine.data.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        start = start if mine.knows_ranges else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", mine.kind)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if mine.announces_length:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = mine.cuts.pop(0) if mine.cuts else len(data)
        self.wfile.write(data[start : start + cut])

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving() -> Iterator[Server]:
    """Serve the archive under two addresses, /first/ and /second/."""
    mine = Server({f"/{base}/{FILE_NAME}": PACKED for base in ("first", "second")})
    handler = type("Mine", (Handler,), {"behaviour": mine})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        mine.base = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mine
        running.shutdown()
        thread.join()


def table(server: Server, **changes: Any) -> dict[str, Archive]:
    """Return the table of the one archive on the server."""
    known: dict[str, Any] = {
        "file_name": FILE_NAME,
        "size_bytes": len(PACKED),
        "sha256": hashlib.sha256(PACKED).hexdigest(),
        "bases": (f"{server.base}/first/", f"{server.base}/second/"),
    }
    return {NAME: Archive(**{**known, **changes})}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
