"""Bundles that were damaged or forged: nothing of them is trusted."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bundles
from forgery import entries, honest, refused, whole, zipped
from watchword import bundle
from watchword.bundle import CLIP, FACTS, STREAM, Bundle
from watchword.errors import BundleError


@pytest.mark.parametrize("part", [0.01, 0.25, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    path = tmp_path / "a.watchword"
    path.write_bytes(whole()[: int(len(whole()) * part)])
    refused(path, r"a\.watchword is damaged, cut short or no bundle \([\d,]+ bytes\): copy it aga")


@pytest.mark.parametrize("name", [CLIP, STREAM])
def test_a_changed_graph_is_refused(tmp_path: Path, name: str) -> None:
    content = bytearray(entries()[name])
    content[10] ^= 1
    path = zipped(tmp_path / "a.watchword", {**entries(), name: bytes(content)}.items())
    refused(
        path,
        rf"{name} is damaged or was changed; it has {len(content):,} bytes and a SHA-256 that "
        rf"begins with \w{{12}}, and bundle\.json says {len(content):,} and \w{{12}}: copy it",
    )


def test_a_size_that_is_not_the_file_s_is_refused(tmp_path: Path) -> None:
    facts = json.loads(entries()[FACTS])
    facts["files"][CLIP]["bytes"] += 1
    path = zipped(
        tmp_path / "a.watchword", {**entries(), FACTS: json.dumps(facts).encode()}.items()
    )
    refused(path, r"clip\.onnx is damaged or was changed; it has [\d,]+ bytes")


def test_a_graph_that_the_facts_do_not_name_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.watchword", {**entries(), "clip.int8.onnx": b"x"}.items())
    refused(path, r"holds 'clip\.int8\.onnx', 'clip\.onnx', 'stream\.onnx', and its bundle\.json n")


def test_names_of_a_forger_s_choice_do_not_break_the_line(tmp_path: Path) -> None:
    contents = honest(bundles.graphs())
    facts = json.loads(contents[FACTS])
    facts["files"] = {f"\x1b[2J\n{n}": facts["files"][CLIP] for n in range(2_000)}
    contents[FACTS] = json.dumps(facts).encode()
    line = refused(zipped(tmp_path / "a.zip", contents.items()), r"names '.+' and 1997 more: copy")
    assert line.isprintable()


def test_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    facts = json.loads(entries()[FACTS])
    newer = json.dumps({**facts, "format": 4, "labels": {"in": "another way"}}).encode()
    path = zipped(tmp_path / "a.watchword", {**entries(), FACTS: newer}.items())
    refused(path, r"has format 4, this program reads up to format 3: update watchword, or export")


@pytest.mark.parametrize(
    "name",
    ["../clip.onnx", "/clip.onnx", "a/../clip.onnx", "./clip.onnx", "C:\\clip.onnx", "sub/", "~"],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_unpacked(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "a.watchword", {**entries(), name: b"x"}.items())
    refused(path, r"holds '.+', and a bundle holds nothing but bundle\.json, clip\.onnx, stream\.o")
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "a.watchword"]


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "a.watchword", [*entries().items(), (CLIP, b"another")])
    refused(path, r"holds a file twice, and a bundle holds nothing but .+, each once: give a \.wa")


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path / "open")
    (tmp_path / "elsewhere").write_bytes((folder / CLIP).read_bytes())
    (folder / CLIP).unlink()
    (folder / CLIP).symlink_to(tmp_path / "elsewhere")
    refused(folder, r"clip\.onnx is a link, needed a file of the bundle itself: copy it there")


def external(location: bytes) -> bytes:
    """A graph whose constant lies elsewhere, its key written as given."""
    model = onnx.load_from_string(bundles.graphs()[CLIP])
    constant = next(one for one in model.graph.initializer if one.name == "one")
    constant.ClearField("float_data")
    constant.data_location = onnx.TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="secret.bin")
    plain: bytes = model.SerializeToString()
    written = b"\x0a\x08location\x12\x0asecret.bin"
    room = len(b"secret.bin") - (len(location) - len(b"\x0a\x08location"))
    forged = location + b"\x12" + bytes([room]) + b"secret.bin"[:room]
    return plain.replace(written, forged)


@pytest.mark.parametrize(
    "key",
    [
        b"\x0a\x08location",
        b"\x0a\x88\x00location",
        b"\x8a\x00\x08location",
        b"\x0a\x88\x80\x00location",
    ],
)
def test_a_graph_with_numbers_elsewhere_is_refused_however_it_writes_so(
    tmp_path: Path, key: bytes
) -> None:
    content = external(key)
    again = onnx.load_from_string(content)  # protobuf reads it
    assert "location" in {e.key for t in again.graph.initializer for e in t.external_data}
    path = zipped(tmp_path / "a.zip", honest({**bundles.graphs(), CLIP: content}).items())
    refused(path, r"clip\.onnx refers to numbers in another file, and a bundle must hold all of it")


def test_a_graph_may_speak_of_a_location(tmp_path: Path) -> None:
    model = onnx.load_from_string(bundles.graphs()[CLIP])
    model.doc_string = "made at a location"
    contents = honest({**bundles.graphs(), CLIP: model.SerializeToString()})
    assert isinstance(bundle.read(zipped(tmp_path / "a.zip", contents.items())), Bundle)


# --------------------------------------------------------------------------- too large


@pytest.mark.parametrize(("name", "most"), [(CLIP, 64_000_000), (FACTS, 1_000_000)])
def test_a_file_larger_than_may_be_is_refused_before_it_is_unpacked(
    tmp_path: Path, name: str, most: int
) -> None:
    contents = {**entries(), name: bytes(most + 1)}
    message = rf"{name} has {most + 1:,} bytes, and {most:,} is the most that is read: it is no mod"
    refused(zipped(tmp_path / "a.zip", contents.items()), message)
    folder = bundles.write(tmp_path / "open")
    with (folder / name).open("r+b") as file:
        file.truncate(most + 1)
    refused(folder, message)


def test_an_archive_larger_than_may_be_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(whole())
    with (tmp_path / "a.zip").open("r+b") as file:
        file.truncate(128_000_001)
    refused(tmp_path / "a.zip", r"a\.zip has 128,000,001 bytes, and 128,000,000 is the most that")


def test_a_file_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path: Path) -> None:
    contents = honest({**bundles.graphs(), CLIP: bytes(2_000_000)})
    path = zipped(tmp_path / "a.zip", contents.items())
    refused(path, r"clip\.onnx claims 2,000,000 bytes from [\d,]+, and no graph packs into less th")


@pytest.mark.parametrize("claimed", [0, 100, 10_000_000, 2**32 - 2])
def test_a_declared_size_that_lies_is_refused(tmp_path: Path, claimed: int) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", entries().items()).read_bytes())
    size = struct.pack("<I", len(entries()[CLIP]))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(CLIP.encode()))
    place = content.index(size, at)  # of the unpacked size in the directory of the archive
    content[place : place + 4] = struct.pack("<I", claimed)
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", r"clip\.onnx (claims|has) [\d,]+ bytes|is damaged, cut short or no")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_way_of_packing_is_refused(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "a.zip", entries().items(), method)
    refused(path, rf"bundle\.json is packed by method {method}, needed deflate or none: export the")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(whole())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", r"is damaged, cut short or no bundle")


def test_a_directory_beyond_64_bits_is_refused(tmp_path: Path) -> None:
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 2**64 - 1, 2**64 - 1)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    plain = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**32 - 1, 2**32 - 1, 0)
    (tmp_path / "a.zip").write_bytes(end + locator + plain)
    refused(tmp_path / "a.zip", r"is damaged, cut short or no bundle \(98 bytes\)")


# --------------------------------------------------------------------------- by chance

CHANGES = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4)
HERE = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one file, written anew
)


def read_or_refused(path: Path, content: bytes) -> None:
    """Read bytes as a bundle; a refusal is an answer, and what is read is the good bundle."""
    path.write_bytes(content)
    try:
        found = bundle.read(path)
    except BundleError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 - either may happen
    else:
        assert found.graphs == bundles.graphs()


@HERE
@given(CHANGES, st.integers(0, 2**16))
def test_changed_bytes_are_refused_or_change_nothing(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(whole())
    for place, value in changes:
        content[place % len(content)] = value
    read_or_refused(tmp_path / "a.watchword", bytes(content[: len(content) - cut % 50]))


@HERE
@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"]))
def test_any_bytes_are_refused(tmp_path: Path, some: bytes, start: bytes) -> None:
    read_or_refused(tmp_path / "a.watchword", start + some)
