"""What is wrong with a corpus: every file decoded once, every finding named.

In comes a folder, out goes a ``CheckReport`` of errors (training on this would fail or deceive) and
warnings (worth a look, and dealt with as the finding says). It is a room because a user wants to
know before hours of training, and preparation has other work to do.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from watchword import audio
from watchword.data.manifest import Manifest, Split, Utterance, read_manifest
from watchword.data.reader import in_order
from watchword.errors import AudioError
from watchword.units import SAMPLE_RATE_HZ, Samples

Severity = Literal["error", "warning"]

KINDS: Final[dict[str, Severity]] = {
    "unreadable": "error",  # missing, or cannot be decoded
    "empty": "error",  # no samples
    "values": "error",  # NaN, infinite, or of another scale
    "speaker": "error",  # one speaker in two splits
    "leak": "error",  # the same audio in two splits
    "duplicate": "warning",  # the same audio twice in one split
    "silence": "warning",  # nothing but digital zero
    "clipping": "warning",  # cut at full scale
    "rate": "warning",  # converted
    "channels": "warning",  # averaged
}
# Three samples in a row at full scale are a flat top; one alone may be a peak that just reaches it.
CLIPPED_RUN: Final[Samples] = 3
_FULL: Final = 1.0 - 2.0 / audio.FULL_SCALE
_STEP: Final = 1.0 / audio.FULL_SCALE


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: A key of ``KINDS``.
        name: The file, relative to the corpus folder.
        detail: What was found, and what becomes of it.
    """

    kind: str
    name: str
    detail: str

    @property
    def severity(self) -> Severity:
        """``error`` or ``warning``."""
        return KINDS[self.kind]


@dataclass(frozen=True)
class CheckReport:
    """All findings of a corpus.

    Attributes:
        folder: The corpus folder.
        layout: How it lies on disk.
        utterances: Utterances looked at.
        backgrounds: Noise recordings looked at.
        findings: In the order of ``KINDS``, then of names.
    """

    folder: Path
    layout: str
    utterances: int
    backgrounds: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found, not even a warning."""
        return not self.findings

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings with which training would fail or deceive."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings worth a look."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def rows(self) -> list[tuple[str, str, int, str, str]]:
        """Return a table: kind, severity, count, and name and detail of the first of each kind."""
        first: dict[str, Finding] = {}
        for finding in self.findings:
            first.setdefault(finding.kind, finding)
        counts = Counter(finding.kind for finding in self.findings)
        return [
            (kind, finding.severity, counts[kind], finding.name, finding.detail)
            for kind, finding in first.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain types, for JSON."""
        return {
            "folder": str(self.folder),
            "layout": self.layout,
            "utterances": self.utterances,
            "backgrounds": self.backgrounds,
            "is_clean": self.is_clean,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "counts": {kind: count for kind, _, count, _, _ in self.rows()},
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "name": finding.name,
                    "detail": finding.detail,
                }
                for finding in self.findings
            ],
        }


def check_folder(
    folder: Path, progress: Callable[[int, int], None] | None = None, *, workers: int = 2
) -> CheckReport:
    """Return what is wrong with a corpus.

    Each file is decoded; its audio is compared with all others after conversion to 16 kHz, mono and
    16 bits, so that a copy in another format is found if that format is lossless. Silent clips are
    no duplicates of each other.

    Args:
        folder: The corpus folder, in any layout of ``read_manifest``.
        progress: Called with the files done and the files in all.
        workers: Threads that decode.

    Returns:
        The report; a corpus with findings is no exception.

    Raises:
        DataError: If the folder is no corpus.
    """
    manifest = read_manifest(folder)
    names = [*(utterance.name for utterance in manifest.utterances), *manifest.backgrounds]
    sized = [(name, _size(manifest.folder / name)) for name in names]
    findings: list[Finding] = []
    digests: list[bytes | None] = []
    inspected = in_order(lambda name: _inspect(manifest.folder, name), sized, workers=workers)
    for done, (of_file, digest) in enumerate(inspected, start=1):
        findings += of_file
        digests.append(digest)
        if progress is not None:
            progress(done, len(names))
    findings += _same_audio(manifest.utterances, digests[: len(manifest.utterances)])
    findings += _speakers_in_two_splits(manifest)
    order = list(KINDS)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding.name))
    return CheckReport(
        folder=manifest.folder,
        layout=manifest.layout,
        utterances=len(manifest.utterances),
        backgrounds=len(manifest.backgrounds),
        findings=tuple(findings),
    )


def _inspect(folder: Path, name: str) -> tuple[list[Finding], bytes | None]:
    """Return the findings of one file and the digest of its audio (None if unusable or silent)."""
    path = folder / name
    try:
        samples, rate_hz = audio.decode(path)
    except AudioError as error:
        kind = "empty" if _size(path) == 0 else "unreadable"
        return [Finding(kind, name, _without_path(error, path))], None
    try:
        waveform = audio.conform(samples, rate_hz, what=str(path))
    except AudioError as error:
        is_scaled = samples.size == 0 or float(np.abs(samples).max()) <= audio.MAX_DECODED
        kind = "empty" if is_scaled else "values"
        return [Finding(kind, name, _without_path(error, path))], None
    findings = list(_conversions(name, samples, rate_hz))
    peak = float(np.abs(samples).max())
    if peak <= _STEP:
        seconds = len(samples) / rate_hz
        return [*findings, Finding("silence", name, f"{seconds:.2f} s of digital silence")], None
    if peak >= _FULL and (clipped := _clipped_samples(samples)):
        share = clipped / samples.size
        findings.append(Finding("clipping", name, f"{clipped:,} samples clipped ({share:.1%})"))
    return findings, hashlib.blake2b(audio.to_int16(waveform).tobytes(), digest_size=16).digest()


def _conversions(name: str, samples: NDArray[np.float32], rate_hz: int) -> Iterator[Finding]:
    """Yield what is converted on the way in."""
    if rate_hz != SAMPLE_RATE_HZ:
        detail = f"{rate_hz:,} Hz, converted to {SAMPLE_RATE_HZ:,} Hz with soxr"
        yield Finding("rate", name, detail)
    if samples.shape[1] != 1:
        yield Finding("channels", name, f"{samples.shape[1]} channels, averaged to one")


def _clipped_samples(samples: NDArray[np.float32]) -> int:
    """Return how many samples stand in runs of at least three at full scale, in all channels."""
    hot = np.abs(samples) >= _FULL
    edges = np.diff(hot.astype(np.int8), axis=0, prepend=0, append=0)
    lengths = np.nonzero(edges.T == -1)[1] - np.nonzero(edges.T == 1)[1]
    return int(lengths[lengths >= CLIPPED_RUN].sum())


def _same_audio(
    utterances: Sequence[Utterance], digests: Sequence[bytes | None]
) -> Iterator[Finding]:
    """Yield each utterance whose audio an earlier one has already."""
    first: dict[bytes, Utterance] = {}
    for utterance, digest in zip(utterances, digests, strict=True):
        if digest is None:
            continue
        same = first.setdefault(digest, utterance)
        if same is utterance:
            continue
        if same.split == utterance.split:
            yield Finding("duplicate", utterance.name, f"the same audio as {same.name}")
        else:
            detail = f"in {utterance.split}, but the same audio as {same.name} in {same.split}"
            yield Finding("leak", utterance.name, detail)


def _speakers_in_two_splits(manifest: Manifest) -> Iterator[Finding]:
    """Yield a finding for each speaker whose clips are in more than one split."""
    clips: defaultdict[str, defaultdict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for utterance in manifest.utterances:
        if utterance.speaker is not None:
            clips[utterance.speaker][utterance.split].append(utterance.name)
    for speaker, by_split in clips.items():
        if len(by_split) > 1:
            fewest = min(by_split.values(), key=len)
            counts = ", ".join(f"{len(names):,} in {split}" for split, names in by_split.items())
            yield Finding("speaker", fewest[0], f"speaker {speaker} is in two splits: {counts}")


def _size(path: Path) -> int:
    """Return the size of a file, or -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _without_path(error: AudioError, path: Path) -> str:
    """Return the message of an error without the path that a finding names anyway."""
    return str(error).removeprefix(f"{path}: ")
