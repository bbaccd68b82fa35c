from __future__ import annotations

import csv
import errno
import os
import shutil
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from watchword.data import clips
from watchword.data import store as files
from watchword.errors import DataError

RATE_HZ = 16_000


def write(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")


def constant(value: int, samples: int) -> NDArray[np.int16]:
    return np.full(samples, value, dtype=np.int16)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four utterances by three speakers, one of each split, and two noises."""
    folder = tmp_path / "corpus"
    write(folder / "no/067f61e2_nohash_0.wav", constant(1, 16_000))  # valid
    write(folder / "no/cd85758f_nohash_0.wav", constant(2, 15_000))  # test
    write(folder / "yes/0132a06d_nohash_0.wav", constant(3, 40_000))  # train
    write(folder / "yes/0132a06d_nohash_1.wav", constant(4, 5))
    write(folder / "_background_noise_/tap.wav", constant(-7, 30_000))
    write(folder / "_background_noise_/hum.wav", constant(7, 20_000))
    return folder


def kept(store: clips.ClipStore) -> list[tuple[str, int, int]]:
    """Name, start and number of samples that are not zero, for each clip."""
    return [
        (store.utterance(row).name, int(store.starts[row]), int(np.count_nonzero(clip)))
        for row, clip in enumerate(store.clips)
    ]


def test_every_utterance_is_one_clip_padded_at_the_end(corpus: Path, tmp_path: Path) -> None:
    store = clips.prepare(corpus, tmp_path / "cache")
    assert store.clips.shape == (4, 16_000)
    assert store.clips.dtype == np.int16
    assert not store.clips.flags.writeable
    assert store.index.tolist() == [0, 1, 2, 3]
    assert kept(store) == [
        ("no/067f61e2_nohash_0.wav", 0, 16_000),
        ("no/cd85758f_nohash_0.wav", 0, 15_000),
        ("yes/0132a06d_nohash_0.wav", 0, 16_000),
        ("yes/0132a06d_nohash_1.wav", 0, 5),
    ]
    assert store.clips[1, 14_999:15_001].tolist() == [2, 0]
    assert [store.utterance(row).split for row in range(4)] == ["valid", "test", "train", "train"]


def test_noise_recordings_lie_end_to_end(corpus: Path, tmp_path: Path) -> None:
    store = clips.prepare(corpus, tmp_path / "cache")
    assert store.background_spans == (
        ("_background_noise_/hum.wav", 0, 20_000),
        ("_background_noise_/tap.wav", 20_000, 50_000),
    )
    assert store.background[[0, 19_999, 20_000, 49_999]].tolist() == [7, 7, -7, -7]


def test_pieces_are_consecutive_seconds(corpus: Path, tmp_path: Path) -> None:
    store = clips.prepare(corpus, tmp_path / "cache", cut="pieces")
    assert kept(store)[2:] == [
        ("yes/0132a06d_nohash_0.wav", 0, 16_000),
        ("yes/0132a06d_nohash_0.wav", 16_000, 16_000),
        ("yes/0132a06d_nohash_0.wav", 32_000, 8_000),
        ("yes/0132a06d_nohash_1.wav", 0, 5),
    ]
    assert store.index.tolist() == [0, 1, 2, 2, 2, 3]


@pytest.mark.parametrize(("samples", "starts"), [(23_999, 1), (24_000, 2), (32_000, 2)])
def test_the_last_piece_is_kept_if_half_full(samples: int, starts: int) -> None:
    pieces, found = clips.cut_pieces(constant(1, samples), "pieces")
    assert len(pieces) == len(found) == starts


def test_whole_keeps_the_loudest_second() -> None:
    samples = constant(1, 64_000)
    samples[30_000:40_000] = 20_000  # squares of many such samples need more than 32 bits
    pieces, starts = clips.cut_pieces(samples, "whole")
    # every window that holds all the loud samples has the same energy: the first of them is kept
    assert starts.tolist() == [24_000]
    assert np.array_equal(pieces[0], samples[24_000:40_000])


def test_a_rate_of_8_khz_gives_a_whole_clip(corpus: Path, tmp_path: Path) -> None:
    write(corpus / "yes/0447d7c1_nohash_0.wav", constant(1_000, 8_000), rate_hz=8_000)
    store = clips.prepare(corpus, tmp_path / "cache")
    # the middle of a constant stays that constant; one step for rounding
    assert np.abs(store.clips[4, 4_000:12_000] - 1_000).max() <= 1


def test_a_second_call_uses_what_is_there(corpus: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    first = clips.prepare(
        corpus, tmp_path / "cache", progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(done, 6) for done in range(1, 7)]
    seen.clear()
    second = clips.prepare(
        corpus, tmp_path / "cache", progress=lambda done, of: seen.append((done, of))
    )
    assert seen == []
    assert np.array_equal(first.clips, second.clips)
    assert (first.fingerprint, first.background_spans) == (
        second.fingerprint,
        second.background_spans,
    )


def test_any_number_of_workers_gives_the_same(corpus: Path, tmp_path: Path) -> None:
    one = clips.prepare(corpus, tmp_path / "one", workers=1)
    four = clips.prepare(corpus, tmp_path / "four", workers=4)
    assert np.array_equal(one.clips, four.clips)
    assert np.array_equal(one.background, four.background)


def test_other_audio_of_the_same_size_has_another_fingerprint(corpus: Path, tmp_path: Path) -> None:
    first = clips.prepare(corpus, tmp_path / "cache").fingerprint
    change_audio(corpus)
    assert clips.prepare(corpus, tmp_path / "cache").fingerprint != first


def test_the_fingerprint_is_of_names_sizes_and_splits_not_of_the_place(
    corpus: Path, tmp_path: Path
) -> None:
    first = clips.prepare(corpus, tmp_path / "cache").fingerprint
    shutil.copytree(corpus, tmp_path / "copy")
    assert clips.prepare(tmp_path / "copy", tmp_path / "cache").fingerprint == first
    (tmp_path / "copy/testing_list.txt").write_text("yes/0132a06d_nohash_0.wav\n")
    assert clips.prepare(tmp_path / "copy", tmp_path / "cache").fingerprint != first


def test_the_two_cuts_lie_beside_each_other(corpus: Path, tmp_path: Path) -> None:
    whole = clips.prepare(corpus, tmp_path / "cache")
    pieces = clips.prepare(corpus, tmp_path / "cache", cut="pieces")
    names = sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir())
    stem = names[0].removesuffix("-pieces")
    assert names == [f"{stem}-pieces", f"{stem}-whole"]
    assert whole.fingerprint != pieces.fingerprint  # other clips are other data


def change_audio(corpus: Path) -> None:
    write(corpus / "no/067f61e2_nohash_0.wav", constant(9, 16_000))  # the same size
    os.utime(corpus / "no/067f61e2_nohash_0.wav", ns=(1, 1))


def add_audio(corpus: Path) -> None:
    write(corpus / "yes/0132a06d_nohash_2.wav", constant(9, 16_000))


def remove_audio(corpus: Path) -> None:
    (corpus / "no/067f61e2_nohash_0.wav").unlink()


@pytest.mark.parametrize(
    ("change", "values"),
    [(change_audio, [9, 2, 3, 4]), (add_audio, [1, 2, 3, 4, 9]), (remove_audio, [2, 3, 4])],
)
def test_a_change_of_the_corpus_is_prepared_again(
    corpus: Path, tmp_path: Path, change: object, values: list[int]
) -> None:
    clips.prepare(corpus, tmp_path / "cache")
    assert callable(change)
    change(corpus)
    assert clips.prepare(corpus, tmp_path / "cache").clips[:, 0].tolist() == values


def place_of(cache: Path) -> Path:
    return next(path for path in cache.iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "name", ["clips.npy", "index.npy", "starts.npy", "background.npy", files.RECORD]
)
@pytest.mark.parametrize("damage", ["cut short", "missing", "overwritten"])
def test_damage_is_noticed_and_prepared_again(
    corpus: Path, tmp_path: Path, name: str, damage: str
) -> None:
    before = np.array(clips.prepare(corpus, tmp_path / "cache").clips)
    path = place_of(tmp_path / "cache") / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        os.truncate(path, path.stat().st_size // 2)
    else:
        path.write_bytes(b"\0" * path.stat().st_size)
        os.utime(path, ns=(1, 1))
    store = clips.prepare(corpus, tmp_path / "cache")
    assert np.array_equal(store.clips, before)
    assert np.array_equal(store.index, [0, 1, 2, 3])
    assert store.background.size == 50_000


def test_what_is_no_audio_is_left_out_and_listed(corpus: Path, tmp_path: Path) -> None:
    (corpus / "no/aaaa_nohash_0.wav").write_text("no sound")
    (corpus / "yes/bbbb_nohash_0.wav").touch()
    (corpus / "_background_noise_/bad.wav").touch()
    store = clips.prepare(corpus, tmp_path / "cache")
    assert [store.utterance(row).speaker for row in range(len(store.clips))] == [
        "067f61e2",
        "cd85758f",
        "0132a06d",
        "0132a06d",
    ]
    assert store.index.tolist() == [0, 2, 3, 4]
    assert [name for name, _ in store.refused] == [
        "no/aaaa_nohash_0.wav",
        "yes/bbbb_nohash_0.wav",
        "_background_noise_/bad.wav",
    ]
    assert store.refused[1][1].startswith("the file is empty (0 bytes)")
    with (place_of(tmp_path / "cache") / "refused.csv").open(newline="") as table:
        assert [tuple(row) for row in csv.reader(table)] == [("name", "reason"), *store.refused]
    assert clips.prepare(corpus, tmp_path / "cache").refused == store.refused


def test_a_listed_file_that_is_missing_is_refused_not_fatal(tmp_path: Path) -> None:
    write(tmp_path / "corpus/yes/1.wav", constant(1, 16_000))
    (tmp_path / "corpus/train.csv").write_text("file,class\nyes/1.wav,yes\nyes/2.wav,yes\n")
    store = clips.prepare(tmp_path / "corpus", tmp_path / "cache")
    assert [name for name, _ in store.refused] == ["yes/2.wav"]


def test_a_corpus_of_which_nothing_is_usable_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "corpus/yes").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"corpus/yes/{name}.wav").touch()
    with pytest.raises(DataError, match=r"none of 2 utterances is usable audio \(the first, yes/a"):
        clips.prepare(tmp_path / "corpus", tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_corpus_without_noise_has_an_empty_background(tmp_path: Path) -> None:
    write(tmp_path / "corpus/yes/1.wav", constant(1, 16_000))
    store = clips.prepare(tmp_path / "corpus", tmp_path / "cache")
    assert (store.background.shape, store.background_spans) == ((0,), ())


def test_a_full_disk_is_one_line_and_leaves_nothing(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = files.ArrayWriter.append

    def full(writer: files.ArrayWriter, rows: NDArray) -> None:
        append(writer, rows)
        if writer.rows == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.ArrayWriter, "append", full)
    with pytest.raises(DataError, match="the disk is full, needed 32 kB for each second"):
        clips.prepare(corpus, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_made_is_named(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(DataError, match=r"cache: cannot be written .+ choose another cache folder"):
        clips.prepare(corpus, tmp_path / "cache")


def test_an_interrupted_preparation_leaves_nothing(corpus: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clips.prepare(corpus, tmp_path / "cache", progress=interrupt)
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []
    assert len(clips.prepare(corpus, tmp_path / "cache").clips) == 4


def test_a_cache_that_something_else_writes_to_is_named(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "_reopen", lambda *_: None)
    with pytest.raises(DataError, match="changed while it was written, needed a cache that nothi"):
        clips.prepare(corpus, tmp_path / "cache")


def test_two_processes_at_once_make_one_store(corpus: Path, tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        counts = pool.starmap(prepared_clips, [(corpus, tmp_path / "cache")] * 2)
    assert counts == [4, 4]
    names = [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert len(names) == 1
    assert names[0].endswith("-whole")


def prepared_clips(corpus: Path, cache: Path) -> int:
    return len(clips.prepare(corpus, cache).clips)
