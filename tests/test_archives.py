"""Archives: fetched from a server on this machine that cuts, lies and goes away."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive_server import (
    CONTENT,
    FILE_NAME,
    NAME,
    PACKED,
    Handler,
    Server,
    contents,
    names,
    pack,
    serving,
    table,
)
from watchword.data import archives
from watchword.data.archives import ARCHIVES, CHUNK_BYTES, fetch
from watchword.errors import ConfigError, DataError, WatchwordError


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as running:
        yield running


# What arrives


@pytest.mark.parametrize("size_bytes", [len(PACKED), None])
def test_the_content_arrives_and_nothing_else_stays(
    server: Server, tmp_path: Path, size_bytes: int | None
) -> None:
    datasets = tmp_path / "new" / "datasets"
    folder = fetch(NAME, datasets, archives=table(server, size_bytes=size_bytes))
    assert folder == datasets / NAME
    assert contents(folder) == CONTENT
    assert names(datasets) == [NAME]
    assert server.asked == [(f"/first/{FILE_NAME}", None)]


def test_the_archive_stays_if_asked_for(server: Server, tmp_path: Path) -> None:
    fetch(NAME, tmp_path, archives=table(server), keeps_archive=True)
    assert names(tmp_path) == [NAME, FILE_NAME]
    assert (tmp_path / FILE_NAME).read_bytes() == PACKED


def test_an_archive_that_is_there_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(PACKED)
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert server.asked == []


def test_an_archive_that_is_there_but_damaged_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(PACKED[:-1])
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT


def test_a_folder_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "speech_commands_v0.02").mkdir()
    (tmp_path / "speech_commands_v0.02" / "mine.txt").write_text("mine")
    assert fetch("speech_commands_v0.02", tmp_path) == tmp_path / "speech_commands_v0.02"
    assert contents(tmp_path) == {"speech_commands_v0.02/mine.txt": b"mine"}


def test_an_empty_folder_is_filled(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT


def test_progress_announces_the_size_and_reaches_it_in_every_stage(
    server: Server, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    fetch(NAME, tmp_path, archives=table(server), progress=lambda *step: seen.append(step))
    assert seen[0] == ("download", 0, len(PACKED))
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == ["download", "check", "unpack"]
    assert {(stage, len(PACKED), len(PACKED)) for stage in ("download", "check", "unpack")} <= set(
        seen
    )
    downloaded = [done for stage, done, _ in seen if stage == "download"]
    assert downloaded == sorted(downloaded)


# Interruptions


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [2 * CHUNK_BYTES, CHUNK_BYTES]
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert server.asked == [
        (f"/first/{FILE_NAME}", None),
        (f"/first/{FILE_NAME}", f"bytes={2 * CHUNK_BYTES}-"),
        (f"/first/{FILE_NAME}", f"bytes={3 * CHUNK_BYTES}-"),
    ]


def test_a_later_run_goes_on_where_an_earlier_one_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [CHUNK_BYTES, 0, 0]
    with pytest.raises(DataError, match=rf"cut short.* needed.*{CHUNK_BYTES:,} bytes are kept"):
        fetch(NAME, tmp_path, archives=table(server))
    assert names(tmp_path) == [f"{FILE_NAME}.part"]
    server.asked.clear()
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert server.asked == [(f"/first/{FILE_NAME}", f"bytes={CHUNK_BYTES}-")]


@pytest.mark.parametrize("stage", ["download", "check"])
def test_a_killed_run_leaves_only_the_part_and_the_next_one_goes_on(
    server: Server, tmp_path: Path, stage: str
) -> None:
    code = f"""
import os, pathlib, watchword.data.archives as a
def die(stage, done, _):
    if stage == {stage!r} and done: os._exit(9)
known = {{{NAME!r}: a.{table(server)[NAME]!r}}}
a.fetch({NAME!r}, pathlib.Path({str(tmp_path)!r}), progress=die, archives=known)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ)
    assert killed.returncode == 9
    assert names(tmp_path) == [f"{FILE_NAME}.part"]
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert [wanted for _, wanted in server.asked if wanted is None] == [None]


def test_the_second_address_goes_on_where_the_first_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [CHUNK_BYTES, 0]
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert server.asked[-1] == (f"/second/{FILE_NAME}", f"bytes={CHUNK_BYTES}-")


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / f"{FILE_NAME}.part").write_bytes(PACKED[:CHUNK_BYTES])
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT


@pytest.mark.parametrize("size_bytes", [len(PACKED), None])
def test_a_part_that_was_whole_already_is_enough(
    server: Server, tmp_path: Path, size_bytes: int | None
) -> None:
    (tmp_path / f"{FILE_NAME}.part").write_bytes(PACKED)
    folder = fetch(NAME, tmp_path, archives=table(server, size_bytes=size_bytes))
    assert contents(folder) == CONTENT


@pytest.mark.parametrize("size_bytes", [len(PACKED), None])
@pytest.mark.parametrize("part", [b"x" * len(PACKED), b"x" * (len(PACKED) + 1), b"x" * 10])
def test_a_part_of_something_else_is_thrown_away(
    server: Server, tmp_path: Path, size_bytes: int | None, part: bytes
) -> None:
    (tmp_path / f"{FILE_NAME}.part").write_bytes(part)
    folder = fetch(NAME, tmp_path, archives=table(server, size_bytes=size_bytes))
    assert contents(folder) == CONTENT


def test_what_a_killed_run_left_half_unpacked_is_thrown_away(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.tmp").mkdir()
    (tmp_path / f"{NAME}.tmp" / "half.wav").write_bytes(b"half")
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert names(tmp_path) == [NAME]


# Addresses that fail


def test_the_second_address_is_asked_when_the_first_has_nothing(
    server: Server, tmp_path: Path
) -> None:
    del server.data[f"/first/{FILE_NAME}"]
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT


def test_the_second_address_is_asked_when_the_first_is_not_there(
    server: Server, tmp_path: Path
) -> None:
    bases = (f"http://127.0.0.1:{free_port()}/", f"{server.base}/second/")
    assert contents(fetch(NAME, tmp_path, archives=table(server, bases=bases))) == CONTENT


def test_the_second_address_is_asked_when_the_first_has_another_file(
    server: Server, tmp_path: Path
) -> None:
    server.data[f"/first/{FILE_NAME}"] = PACKED[:-1] + b"x"
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def refusal(server: Server, datasets: Path, **changes: Any) -> str:
    """Return the message of a fetch that must fail, in one line and with its three parts."""
    with pytest.raises(DataError) as caught:
        fetch(NAME, datasets, archives=table(server, **changes))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{FILE_NAME} could not be downloaded (")
    assert "one address that delivers it is needed: run the same command again" in message
    assert not (datasets / NAME).exists()
    assert not (datasets / FILE_NAME).exists()
    return message


def test_no_network_is_said_so(server: Server, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{free_port()}/"
    message = refusal(server, tmp_path, bases=(base,))
    assert f"({base}: no connection)" in message
    assert "nothing is kept" in message


def test_a_server_that_does_not_answer_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "TIMEOUT_S", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        base = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        assert "no answer in time" in refusal(server, tmp_path, bases=(base,))


def test_a_missing_file_is_said_so_for_each_address(server: Server, tmp_path: Path) -> None:
    server.data.clear()
    message = refusal(server, tmp_path)
    assert f"{server.base}/first/: 404 Not Found; {server.base}/second/: 404 Not Found" in message


def test_a_wrong_hash_is_said_so_and_the_file_removed(server: Server, tmp_path: Path) -> None:
    assert "another SHA-256" in refusal(server, tmp_path, sha256="0" * 64)
    assert names(tmp_path) == []


def test_a_wrong_size_is_said_so_before_anything_is_downloaded(
    server: Server, tmp_path: Path
) -> None:
    message = refusal(server, tmp_path, size_bytes=5_000_000)
    assert f"{len(PACKED):,} bytes there, not 5,000,000" in message
    assert names(tmp_path) == []


def test_an_end_that_comes_too_early_is_noticed_without_an_announced_length(
    server: Server, tmp_path: Path
) -> None:
    server.announces_length, server.cuts = False, [CHUNK_BYTES, 0, 0]
    assert "cut short" in refusal(server, tmp_path)


def test_a_web_page_is_no_archive(server: Server, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    assert "a page of text/html" in refusal(server, tmp_path, size_bytes=None)
    assert names(tmp_path) == []


def test_another_part_than_the_one_asked_for_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Handler.send_header

    def lie(self: Handler, name: str, value: str) -> None:
        send(self, name, "bytes 0-9/10" if name == "Content-Range" else value)

    monkeypatch.setattr(Handler, "send_header", lie)
    (tmp_path / f"{FILE_NAME}.part").write_bytes(PACKED[:CHUNK_BYTES])
    assert "another part there than the one asked for" in refusal(server, tmp_path)


# The folder


def test_a_full_disk_while_downloading_keeps_the_part(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(stage: str, done: int, _total: int | None) -> None:
        if stage == "download" and done >= CHUNK_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DataError, match=r"\(No space left.*is needed: free some space or name"):
        fetch(NAME, tmp_path, archives=table(server), progress=fill)
    assert names(tmp_path) == [f"{FILE_NAME}.part"]


def test_a_full_disk_while_unpacking_leaves_no_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(archives.shutil, "copyfileobj", full)
        with pytest.raises(DataError, match=r"\(No space left.*is needed: free some space"):
            fetch(NAME, tmp_path, archives=table(server))
    assert names(tmp_path) == [FILE_NAME]
    server.asked.clear()
    assert contents(fetch(NAME, tmp_path, archives=table(server))) == CONTENT
    assert server.asked == []


def test_a_folder_that_is_a_file_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("mine")
    with pytest.raises(DataError, match=r"cannot be written \(Not a directory\).*name another"):
        fetch(NAME, tmp_path, archives=table(server))
    assert server.asked == []


def test_a_hostile_archive_is_refused_by_fetch_too(server: Server, tmp_path: Path) -> None:
    data = pack({"../evil.wav": b"x"})
    server.data[f"/first/{FILE_NAME}"] = data
    known = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    with pytest.raises(DataError, match="outside its folder"):
        fetch(NAME, tmp_path / "datasets", archives=table(server, **known))
    assert names(tmp_path) == ["datasets"]
    assert names(tmp_path / "datasets") == [FILE_NAME]


# The table


def test_the_table_holds_the_three_archives_at_both_addresses() -> None:
    assert set(ARCHIVES) == {
        "speech_commands_v0.01",
        "speech_commands_v0.02",
        "speech_commands_test_set_v0.02",
    }
    for name, archive in ARCHIVES.items():
        assert archive.file_name == f"{name}.tar.gz"
        assert len(bytes.fromhex(archive.sha256)) == 32
        assert len(archive.bases) == 2
        assert all(base.endswith("/data/") for base in archive.bases)


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"speech_command_v0\.02; did you mean speech_commands_v0"
    ):
        fetch("speech_command_v0.02", tmp_path)


def test_without_the_package_the_install_command_is_the_answer(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(WatchwordError, match=r"requests is not .*pip install 'watchword\[train\]'"):
        fetch(NAME, tmp_path, archives=table(server))
