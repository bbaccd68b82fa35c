"""Compiling: once for a source, never half, and None where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from watchword import native

needs_compiler = pytest.mark.skipif(native.find_compiler() is None, reason="needs a C compiler")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    native.library.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "watchword"
    native.library.cache_clear()


def c_file(folder: Path, text: str) -> Path:
    path = folder / "answer.c"
    path.write_text(text)
    return path


@needs_compiler
def test_a_source_is_compiled_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    path = c_file(tmp_path, "int answer(void) { return 42; }")
    library = native.library(path)
    assert library is not None
    assert library.answer() == 42
    (made,) = cache.iterdir()
    before = made.stat().st_mtime_ns
    native.library.cache_clear()
    assert native.library(path) is not None
    assert made.stat().st_mtime_ns == before
    c_file(tmp_path, "int answer(void) { return 43; }")
    native.library.cache_clear()
    changed = native.library(path)
    assert changed is not None
    assert changed.answer() == 43


@needs_compiler
def test_a_source_that_does_not_compile_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    assert native.library(c_file(tmp_path, "int answer(void) { return")) is None
    assert list(cache.iterdir()) == []


def test_no_compiler_or_no_wish_means_no_library(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = c_file(tmp_path, "int answer(void) { return 42; }")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert native.library(path) is None
    monkeypatch.delenv("CC")
    native.library.cache_clear()
    monkeypatch.setenv("WATCHWORD_NATIVE", "off")
    assert native.library(path) is None
    assert not cache.exists()
