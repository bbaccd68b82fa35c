"""Time and peak memory of preparing a corpus as large as Speech Commands v0.02.

    python benchmarks/bench_prepare.py --clips 105829

Makes that many one-second WAV files of 35 words in a temporary folder (3.4 GB at full size, and as
much again for the prepared array), prepares them in a process of its own, once from nothing and
once again, and prints one JSON object. Peak memory is what the system counts for that process. The
files have just been written, so they are read from the page cache: a cold disk adds its own time.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WORDS = 35
CLIPS_OF_SPEAKER = 40  # about as many as in v0.02: 105,829 clips of 2,618 speakers
BYTES = 32_000
CHILD = """
import sys, pathlib
from watchword.data.clips import prepare
store = prepare(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), workers=int(sys.argv[3]))
print(len(store.clips))
"""


def wav_header(data_bytes: int) -> bytes:
    """Return the 44 bytes before 16-bit mono samples at 16 kHz."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    data = struct.pack("<4sI", b"data", data_bytes)
    return struct.pack("<4sI4s", b"RIFF", 36 + data_bytes, b"WAVE") + form + data


def clip_names(clips: int) -> Iterator[str]:
    """Yield names as in the public archive, so that the hash rule splits them."""
    for clip in range(clips):
        speaker, take = divmod(clip, CLIPS_OF_SPEAKER)
        name = f"{speaker * 2_654_435_761 % 2**32:08x}_nohash_{take // WORDS}.wav"
        yield f"word{take % WORDS:02d}/{name}"


def make_corpus(folder: Path, clips: int) -> None:
    """Write noise that differs from file to file, as fast as the disk takes it."""
    noise = np.random.default_rng(0).integers(-8_000, 8_000, 1_000_000, dtype=np.int16).tobytes()
    header = wav_header(BYTES)
    for word in range(WORDS):
        (folder / f"word{word:02d}").mkdir(parents=True)
    for clip, name in enumerate(clip_names(clips)):
        start = 2 * (clip * 7_919 % (len(noise) // 2 - 16_000))
        (folder / name).write_bytes(header + noise[start : start + BYTES])


def prepare_in_a_process(corpus: Path, cache: Path, workers: int) -> tuple[int, float]:
    """Return the number of clips and the seconds that a fresh process took, its start included."""
    begin = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(corpus), str(cache), str(workers)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(answer.stdout), time.perf_counter() - begin


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description="Time and peak memory of preparing a corpus.")
    parser.add_argument("--clips", type=int, default=105_829)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        corpus, cache = Path(folder, "corpus"), Path(folder, "cache")
        make_corpus(corpus, options.clips)
        clips, seconds = prepare_in_a_process(corpus, cache, options.workers)
        again, again_seconds = prepare_in_a_process(corpus, cache, options.workers)
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if not clips == again == options.clips:
        sys.exit(f"{clips:,} and {again:,} clips were prepared of {options.clips:,}")
    result = {
        "clips": clips,
        "workers": options.workers,
        "seconds": round(seconds, 2),
        "clips_per_second": round(clips / seconds),
        "peak_rss_mb": round(peak_kib * 1024 / 1e6, 1),
        "second_call_seconds": round(again_seconds, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
