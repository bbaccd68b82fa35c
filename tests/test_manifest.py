from __future__ import annotations

import os
from pathlib import Path

import pytest

from watchword.data.manifest import read_manifest
from watchword.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_the_public_archive_is_read_with_lists_noise_and_dropped_names(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "yes/aa_nohash_0.wav",
        "no/aa_nohash_0.wav",
        "no/bb_nohash_0.wav",
        "_background_noise_/tap.wav",
        "_background_noise_/README.md",
    )
    (tmp_path / "validation_list.txt").write_text("no/bb_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").touch()
    (tmp_path / "not_in_v0.02_list.txt").write_text("yes/aa_nohash_0.wav\n")
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "commands"
    assert [(u.name, u.word, u.speaker, u.split) for u in manifest.utterances] == [
        ("no/aa_nohash_0.wav", "no", "aa", "train"),
        ("no/bb_nohash_0.wav", "no", "bb", "valid"),
        ("yes/aa_nohash_0.wav", "yes", "aa", "train"),
    ]
    assert manifest.backgrounds == ("_background_noise_/tap.wav",)
    assert manifest.dropped == {"yes/aa_nohash_0.wav"}


def test_names_of_the_archive_are_enough_without_its_lists(tmp_path: Path) -> None:
    touch(tmp_path, "yes/067f61e2_nohash_0.wav", "yes/cd85758f_nohash_0.wav", "yes/other.wav")
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "commands"
    assert [u.split for u in manifest.utterances][:2] == ["valid", "test"]


def test_the_test_archive_is_all_test(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "_silence_/a.wav",
        "_unknown_/bed_0a7c2a8d_nohash_0.wav.wav",
        "yes/067f61e2_nohash_1.wav",
    )
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "commands-test"
    assert [(u.word, u.speaker, u.split) for u in manifest.utterances] == [
        ("_silence_", None, "test"),
        ("_unknown_", "0a7c2a8d", "test"),
        ("yes", "067f61e2", "test"),
    ]


def test_lists_win_over_the_folders_they_name(tmp_path: Path) -> None:
    touch(tmp_path, "yes/1.wav", "yes/2.wav", "no/3.wav")
    (tmp_path / "train.csv").write_text("file,class\nyes/1.wav,yes\n")
    (tmp_path / "val.csv").write_text("file,class\nno/3.wav,no\n")
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "lists"
    assert [(u.name, u.split) for u in manifest.utterances] == [
        ("no/3.wav", "valid"),
        ("yes/1.wav", "train"),
    ]


def test_a_tree_may_hold_every_kind_of_audio_and_other_files(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "yes/a.wav",
        "yes/b.FLAC",
        "no/c.ogg",
        "no/d.opus",
        "no/notes.txt",
        "no/._a.wav",
        ".cache/e.wav",
        "empty/.keep",
        "stray.wav",
    )
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "tree"
    assert [u.name for u in manifest.utterances] == [
        "no/c.ogg",
        "no/d.opus",
        "yes/a.wav",
        "yes/b.FLAC",
    ]
    assert manifest.backgrounds == ()
    assert manifest.dropped == frozenset()


def test_folders_named_like_splits_are_splits(tmp_path: Path) -> None:
    touch(tmp_path, "training/yes/a.wav", "validation/yes/b.wav", "testing/no/c.wav")
    manifest = read_manifest(tmp_path)
    assert manifest.layout == "tree"
    assert [(u.name, u.word, u.split) for u in manifest.utterances] == [
        ("testing/no/c.wav", "no", "test"),
        ("training/yes/a.wav", "yes", "train"),
        ("validation/yes/b.wav", "yes", "valid"),
    ]


def test_labels_may_be_called_like_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.wav", "test/b.wav")
    assert [u.word for u in read_manifest(tmp_path).utterances] == ["test", "train"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: no such folder, needed a corpus; check the path"):
        read_manifest(tmp_path / "gone")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    touch(tmp_path, "archive.tar.gz")
    with pytest.raises(DataError, match="found a file, needed the folder of a corpus; unpack it"):
        read_manifest(tmp_path / "archive.tar.gz")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no utterances found, needed a folder for each word"):
        read_manifest(tmp_path)


def test_a_folder_of_other_files_is_told_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.m4a", "yes/b.M4A", "no/README")
    with pytest.raises(DataError, match=r"no utterances found but 2 × \.m4a, 1 × no suffix, need"):
        read_manifest(tmp_path)


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "yes/a.wav")

    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match=r"cannot be looked through \(.*Permission denied.*\), nee"):
        read_manifest(tmp_path)
